"""Clients grab shares of packets, redeem codes, take what a budget has and earn points, all at once, while the server is killed
with SIGKILL: afterwards the ledger is right, nothing was given beyond its bounds, and every acknowledged claim is there. What must
have come of it is counted from the acknowledged answers and from the file that the payments go to, not by Koi.

money_test.py KOI [EVENTS] [KILLS] [SEED]
"""

import collections
import http.client
import json
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from server import Server, some_while

KOI = sys.argv[1]
EVENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 6000
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
CLIENTS, CUSTOMERS, PACKETS, SHARES, TOTAL, HELLOS, CODES = 64, 400, 24, 40, 2000, 200, 300


def event(number, kind, subject, **data):
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    return {"id": number, "type": kind, "time": stamp, "subject": subject, "data": data}


class Storm:
    """Sends what it wants to until it is acknowledged, over crashes of the server, and counts what was."""

    def __init__(self, server, packets, codes):
        self.server, self.packets, self.codes = server, packets, codes
        self.lock = threading.Lock()
        self.left = EVENTS
        self.counts = collections.Counter()
        self.claims, self.redeemed = collections.defaultdict(set), set()
        self.end = time.monotonic() + 900
        self.faults = []

    def one(self, rng, name):
        kind = rng.choices(["sign", "claim", "redeem", "come", "grab"], [8, 7, 3, 1, 1])[0]
        customer = f"c{rng.randrange(CUSTOMERS)}"
        if kind == "claim":
            code = rng.choice(self.packets)
            return event(name, "claimed", customer, code=code), ("claim", code, customer)
        if kind == "redeem":
            code, owner = rng.choice(self.codes)
            # Two tills at once, and now and then somebody whose code it is not.
            who = owner if rng.random() < 0.8 else customer
            return event(name, "redeemed", who, code=code), ("redeem", code, who == owner)
        return event(name, kind, customer), (kind, "", "")

    def run(self, number):
        try:
            self.go(number)
        except Exception as fault:  # of a thread: it must not get lost
            self.faults.append(fault)

    def go(self, number):
        rng, connection, sent = random.Random(f"{SEED} {number}"), None, 0
        while True:
            with self.lock:
                count = min(self.left, rng.choice((1, 2, 10, 40)))
                self.left -= count
            if count == 0:
                return
            batch = [self.one(rng, f"{number}-{sent + i}") for i in range(count)]
            sent += count
            while True:
                assert time.monotonic() < self.end, "the server did not come back"
                try:
                    connection = connection or self.server.connection()
                    status, answer = self.server.send(*[e for e, _ in batch], connection=connection)
                    if status == 200:
                        break
                    time.sleep(0.01)
                except (ConnectionError, http.client.HTTPException, socket.timeout, OSError):
                    connection = None
                    time.sleep(0.01)
            assert {r["status"] for r in answer["results"]} <= {"accepted", "duplicate"}, answer
            with self.lock:
                for _, (kind, code, who) in batch:
                    self.counts[kind] += 1
                    if kind == "claim":
                        self.claims[code].add(who)
                    if kind == "redeem" and who:
                        self.redeemed.add(code)


def delivered(out):
    """The lines of the file, each key once."""
    if not out.exists():
        return []
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    assert len({line["key"] for line in lines}) == len(lines), "something was paid or sent twice"
    return lines


def verify(data):
    done = subprocess.run([KOI, "ledger", "verify", "--data", str(data)], capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode in (0, 1), done.stderr
    accounts = {}
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(": ")
        stages = re.findall(r"([a-z_]+) ([0-9.]+)(?= |$)", rest)
        if len(stages) == 6:
            accounts[name] = {stage: int(amount.replace(".", "")) for stage, amount in stages}
    return done.returncode, accounts, done.stdout


def is_quiet(server):
    status, text = server.ask("GET", "/metrics")
    return status == 200 and "\nkoi_deliveries_open 0\n" in text


def check_damage(data, folder):
    """Whatever is changed in the accounts or in what customers hold is found."""
    changes = {
        "a byte of a posting's cause": "UPDATE shared SET bytes=substr(bytes,1,length(bytes)-3)||x'5a'||substr(bytes,length(bytes)-1) "
                                       "WHERE key=(SELECT min(key) FROM shared WHERE key>=x'70' AND key<x'71')",
        "a posting": "DELETE FROM shared WHERE key=(SELECT max(key) FROM shared WHERE key>=x'70' AND key<x'71')",
        "a balance": "UPDATE shared SET bytes=(SELECT bytes FROM shared WHERE key>=x'62' AND key<x'63' ORDER BY key DESC LIMIT 1) "
                     "WHERE key=(SELECT min(key) FROM shared WHERE key>=x'62' AND key<x'63')",
        "a customer who holds something": "DELETE FROM customer WHERE place=(SELECT place FROM customer ORDER BY length(bytes) DESC LIMIT 1)",
    }
    for what, sql in changes.items():
        copy = folder / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(data, copy)
        with sqlite3.connect(copy / "state-0.db") as db:
            assert db.execute(sql).rowcount == 1, what
        db.close()
        code, _, text = verify(copy)
        assert code == 1 and "WRONG" in text, f"{what} was changed, and nobody noticed:\n{text}"


def main():
    print(f"seed {SEED}, {EVENTS} events, {KILLS} kills", flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        out = folder / "out.ndjson"
        to_file = {"connector": "file", "path": str(out)}
        server = Server(KOI, folder, rules=pathlib.Path(__file__).parent / "money.koi",
                        environment={"channels": {"app": to_file, "wallet": to_file}})
        server.start()
        try:
            storm_over(server, out, folder, rng)
        finally:
            if server.process.poll() is None:
                server.kill()


def storm_over(server, out, folder, rng):
    """All of it, over a server that runs."""
    # Packets to grab and codes to redeem.
    opening = [event(f"share {i}", "share", f"giver{i}") for i in range(PACKETS)]
    opening += [event(f"grab {i}", "grab", f"c{i % CUSTOMERS}") for i in range(CODES // 2)]
    assert server.send(*opening)[0] == 200
    server.until(lambda: len(delivered(out)) == len(opening))
    packets = [line["body"] for line in delivered(out) if line["content"] == "link"]
    codes = [(line["body"], line["customer"]) for line in delivered(out) if line["content"] == "code"]
    assert len(packets) == PACKETS and len(codes) == CODES // 2

    storm = Storm(server, packets, codes)
    threads = [threading.Thread(target=storm.run, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    kills = 0
    for kill in range(KILLS):
        # Spread over the whole of it, however fast this machine is.
        server.until(lambda: storm.left <= EVENTS * (KILLS - kill) // (KILLS + 1) or storm.faults, within=900)
        time.sleep(some_while(rng))
        server.kill()
        server.start()
        kills += 1
    for thread in threads:
        thread.join()
    assert not storm.faults, storm.faults
    server.until(lambda: is_quiet(server), within=300)
    code, _ = server.stop(within=300)
    assert code == 0, server.log.read_text()[-2000:]

    code, accounts, text = verify(server.data)
    assert code == 0, text
    lines = delivered(out)
    paid = collections.defaultdict(list)
    for line in lines:
        if "payout" in line:
            paid[line["content"]].append(line["payout"]["amount"])

    shares = sum(min(SHARES, len(storm.claims[packet])) for packet in packets)
    assert len(paid["lucky"]) == shares, f"{len(paid['lucky'])} shares were paid, {shares} were claimed and acknowledged"
    assert min(paid["lucky"]) >= 10
    lucky = accounts["lucky"]
    full = [packet for packet in packets if len(storm.claims[packet]) >= SHARES]
    if len(full) == PACKETS:
        assert sum(paid["lucky"]) == PACKETS * TOTAL, "the shares do not sum to their packets"
    assert sum(paid["lucky"]) <= PACKETS * TOTAL
    assert lucky["given"] + lucky["claimed"] == PACKETS, accounts

    hellos = min(HELLOS, storm.counts["come"])
    assert len(paid["hello"]) == hellos and accounts["hello"]["claimed"] == hellos, accounts
    assert accounts["hello CNY"]["claimed"] == 100 * hellos, accounts

    issued = min(CODES, CODES // 2 + storm.counts["grab"])
    assert accounts["ten"]["given"] + accounts["ten"]["claimed"] == issued, accounts
    assert accounts["ten"]["claimed"] == len(storm.redeemed), accounts
    sent = [line["body"] for line in lines if line["content"] == "code"]
    assert len(set(sent)) == issued, "a code was given to two, or is lost"

    assert accounts["stars"]["given"] == 5 * storm.counts["sign"], accounts
    check_damage(server.data, folder)
    print(f"{kills} kills: {shares} shares of {len(full)} full packets, {hellos} packets of a budget, {issued} codes, "
          f"{len(storm.redeemed)} of them redeemed, {storm.counts['sign']} times stars: the ledger is right")


if __name__ == "__main__":
    main()
