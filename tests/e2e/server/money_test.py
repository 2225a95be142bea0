"""64 clients grab shares of packets, redeem codes, take what a budget has and earn points, all at once, while the server is killed
with SIGKILL: afterwards the ledger is right, nothing was given beyond its bounds, and every acknowledged claim is there. What must
have come of it is counted from the acknowledged answers and from the file that the payments go to, not by Koi. Served by several groups,
those who compete are in all of them: a budget's last cent is given whichever group it is in.

money_test.py KOI [REQUESTS] [KILLS] [GROUPS] [SEED]
"""

import collections
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

from server import Server, lines_of, some_while

KOI = sys.argv[1]
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
GROUPS = int(sys.argv[4]) if len(sys.argv) > 4 else 3
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else random.SystemRandom().randrange(1 << 32)
CLIENTS, CUSTOMERS, PACKETS, SHARES, TOTAL, HELLOS, CODES = 64, 400, 24, 40, 2000, 200, 300
SCRAP, SCRAPS = 730, 10000  # each takes so much of so much, or what is left


def event(number, kind, subject, **data):
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    return {"id": number, "type": kind, "time": stamp, "subject": subject, "data": data}


class Line:
    """A connection that is kept. By hand, since a test of a server should not be slower than the server."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def more(self):
        read = self.socket.recv(65536)
        if not read:
            raise ConnectionError("the server has gone")
        self.rest += read

    def ask(self, path, body, key):
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: koi\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self.more()
        head = self.rest[:end].decode()
        length = int(re.search(r"(?i)content-length: *([0-9]+)", head).group(1))
        while len(self.rest) < end + 4 + length:
            self.more()
        text, self.rest = self.rest[end + 4:end + 4 + length], self.rest[end + 4 + length:]
        return int(head.split(" ", 2)[1]), json.loads(text)


class Storm:
    """Asks for what it wants until it is answered, over crashes of the server, and keeps what it was answered."""

    def __init__(self, server, packets, codes):
        self.server, self.packets, self.codes = server, packets, codes
        self.lock = threading.Lock()
        self.left = REQUESTS
        self.counts, self.refused = collections.Counter(), collections.Counter()
        self.claims, self.redeemed = collections.defaultdict(list), collections.Counter()
        self.end = time.monotonic() + 900
        self.faults = []
        self.lines = [None] * CLIENTS

    def one(self, rng, name):
        """The kind of a request, its path and its body, and what it is about."""
        kind = rng.choices(["sign", "claim", "redeem", "come", "grab", "scrape"], [8, 7, 3, 1, 1, 1])[0]
        customer = f"c{rng.randrange(CUSTOMERS)}"
        if kind == "claim":
            code = rng.choice(self.packets)
            return kind, f"/v1/packets/{code}/claim", {"subject": customer}, (code, customer)
        if kind == "redeem":  # two tills at once, now and then
            code = rng.choice(self.codes)[0]
            return kind, f"/v1/coupons/{code}/redeem", {"order": name, "amount": "80.00"}, code
        return kind, "/v1/events", event(name, kind, customer), None

    def run(self, number):
        try:
            self.go(number)
        except Exception as fault:  # of a thread: it must not get lost
            self.faults.append(fault)

    def go(self, number):
        rng, sent = random.Random(f"{SEED} {number}"), 0
        while True:
            with self.lock:
                if self.left == 0 or self.faults:
                    return
                self.left -= 1
            name, sent = f"{number}-{sent}", sent + 1
            kind, path, body, about = self.one(rng, name)
            status, answer = self.answered(number, path, json.dumps(body), name)
            with self.lock:
                self.note(kind, about, status, answer)

    def answered(self, number, path, body, name):
        """By whatever server there is then: under one name it may be asked as often as needed."""
        while True:
            assert time.monotonic() < self.end, "the server did not come back"
            try:
                self.lines[number] = self.lines[number] or Line(self.server.port)
                status, answer = self.lines[number].ask(path, body, name)
                if status not in (429, 503):
                    return status, answer
            except OSError:
                self.lines[number] = None
            time.sleep(0.01)

    def note(self, kind, about, status, answer):
        if kind in ("claim", "redeem"):
            assert status == 200 and answer["done"] or status == 409 and not answer["done"], (status, answer)
            if status == 409:
                self.refused[answer["reason"]] += 1
            elif kind == "claim":
                self.claims[about[0]].append((about[1], round(float(answer["amount"]) * 100)))
            else:
                self.redeemed[about] += 1
            return
        assert status == 200 and answer["results"][0]["status"] in ("accepted", "duplicate"), (status, answer)
        self.counts[kind] += 1


def delivered(out):
    """The lines of the file, each key once."""
    lines = lines_of(out)
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
    if GROUPS > 1:
        changes["what another group has lent"] = "DELETE FROM shared WHERE key=(SELECT min(key) FROM shared WHERE key>=x'6562' AND key<x'6563')"
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
    print(f"seed {SEED}, {REQUESTS} requests, {KILLS} kills, {GROUPS} groups", flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        out = folder / "out.ndjson"
        to_file = {"connector": "file", "path": str(out)}
        server = Server(KOI, folder, rules=pathlib.Path(__file__).parent / "money.koi",
                        environment={"channels": {"app": to_file, "wallet": to_file}}, arguments=["--groups", GROUPS])
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
        server.until(lambda: storm.left <= REQUESTS * (KILLS - kill) // (KILLS + 1) or storm.faults, within=900)
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

    claims = [(customer, amount) for of_packet in storm.claims.values() for customer, amount in of_packet]
    went = [(line["customer"], line["payout"]["amount"]) for line in lines if "payout" in line and line["content"] == "lucky"]
    assert collections.Counter(claims) == collections.Counter(went), "what was paid is not what was acknowledged"
    for packet, of_packet in storm.claims.items():
        assert len(of_packet) == len({customer for customer, _ in of_packet}) <= SHARES, (packet, of_packet)
        assert min(amount for _, amount in of_packet) >= 10
        assert len(of_packet) < SHARES or sum(amount for _, amount in of_packet) == TOTAL, "the shares do not sum to their packet"
        assert sum(amount for _, amount in of_packet) <= TOTAL
    full = [packet for packet in packets if len(storm.claims[packet]) == SHARES]
    lucky = accounts["lucky"]
    assert lucky["given"] + lucky["claimed"] == PACKETS, accounts
    assert accounts["lucky CNY"]["claimed"] == sum(amount for _, amount in claims), accounts

    hellos = min(HELLOS, storm.counts["come"])
    assert len(paid["hello"]) == hellos and accounts["hello"]["claimed"] == hellos, accounts
    assert accounts["hello CNY"]["claimed"] == 100 * hellos, accounts

    scraps = paid["scraps"]
    wanted = storm.counts["scrape"] * SCRAP
    assert sum(scraps) == min(SCRAPS, wanted) == accounts["scraps CNY"]["claimed"] and max(scraps) == SCRAP, (wanted, scraps)
    assert GROUPS > 1 or sum(1 for amount in scraps if amount < SCRAP) <= 1, scraps

    issued = min(CODES, CODES // 2 + storm.counts["grab"])
    assert accounts["ten"]["given"] + accounts["ten"]["claimed"] == issued, accounts
    assert accounts["ten"]["claimed"] == len(storm.redeemed), accounts
    assert all(times == 1 for times in storm.redeemed.values()), "a code was taken off twice"
    assert set(storm.refused) <= {"all_taken", "taken_before", "redeemed"}, storm.refused
    sent = [line["body"] for line in lines if line["content"] == "code"]
    assert len(set(sent)) == issued, "a code was given to two, or is lost"

    assert accounts["stars"]["given"] == 5 * storm.counts["sign"], accounts
    check_damage(server.data, folder)
    print(f"{kills} kills: {len(claims)} shares, {len(full)} full packets, {hellos} and {len(scraps)} packets of budgets, {issued} codes, "
          f"{len(storm.redeemed)} of them redeemed, {storm.counts['sign']} times stars: the ledger is right")


if __name__ == "__main__":
    main()
