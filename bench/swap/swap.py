"""For how long events wait while a server goes over to other rules, and how long the slowest answer took meanwhile.

    python3 swap.py KOI WORK [CUSTOMERS]

Each customer has ordered and is under way in a campaign. While a source sends one order after the other, one bundle after the
other is put live: with another text, with a metric more, for some customers, for all, and back. `paused` is what the server says
of itself, `slowest` what the source saw; without a deploy it sees what stands in the first line.
"""

import http.client
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

koi, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
customers = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
AT_ONCE = 5000
numbers = itertools.count(customers)  # of orders

RULES = """policy { time zone "Asia/Shanghai"  currency CNY }
event order { amount: money }
channel app { class direct }
metric orders = count order
content thanks { body "thank you" }
content again { body "see you soon" }
campaign thank { class transactional  enter once  when order  send thanks via app  wait 30 days  send again via app }
"""
MORE = RULES + "metric spend = sum order.amount over 90 days\nsegment rich when spend >= ¥500.00\n"
STEPS = MORE.replace("wait 30 days", "wait 20 days")


class Server:
    def __init__(self, rules):
        environment = work / "env.json"
        environment.write_text(json.dumps({"channels": {"app": {"connector": "file", "path": str(work / "sent.ndjson")}}}))
        self.process = subprocess.Popen([koi, "serve", rules, "--data", work / "data", "--env", environment, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.port = int(self.process.stdout.readline().decode().split("://", 1)[1].split(" ")[0].rsplit(":", 1)[1])

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def ask(self, connection, method, path, body=None, kind="application/x-ndjson"):
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def deploy(self, path, body):
        connection = self.connection()
        status, answer = self.ask(connection, "POST", path, body)
        assert status == 202, answer
        while True:
            state = self.ask(connection, "GET", f"/v1/deploys/{answer['number']}")[1]
            if state["state"] != "under way":
                assert state["state"] == "live", state
                return state["paused_ms"]
            time.sleep(0.02)


def order(number, subject):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"id": f"o{number}", "type": "order", "time": at, "subject": f"c{subject}", "data": {"amount": "12.50"}})


class Source(threading.Thread):
    """Sends one order after the other, and keeps how long the slowest answer took."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.slowest, self.over, self.refused = server, 0.0, False, None

    def run(self):
        connection = self.server.connection()
        while not self.over:
            began, number = time.monotonic(), next(numbers)
            status, answer = self.server.ask(connection, "POST", "/v1/events", order(number, number % customers) + "\n")
            if status != 200 or answer["accepted"] != 1:
                self.refused = answer
                return
            self.slowest = max(self.slowest, time.monotonic() - began)


def built(name, text):
    (work / f"{name}.koi").write_text(text, encoding="utf-8")
    subprocess.run([koi, "build", work / f"{name}.koi", "-o", work / f"{name}.koib"], check=True, stdout=subprocess.DEVNULL)
    return (work / f"{name}.koib").read_bytes()


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    built("first", RULES)
    bundles = {"text": built("text", RULES.replace("thank you", "many thanks")), "metric": built("metric", MORE), "steps": built("steps", STEPS)}
    server = Server(work / "first.koib")
    connection = server.connection()
    for begin in range(0, customers, AT_ONCE):
        lines = "".join(order(n, n) + "\n" for n in range(begin, min(begin + AT_ONCE, customers)))
        while server.ask(connection, "POST", "/v1/events", lines)[0] != 200:
            time.sleep(0.1)
    who = "?by=bench&why=bench"
    swaps = [("no deploy", None, None), ("another text", "/v1/deploys" + who, bundles["text"]),
             ("a metric and a segment more", "/v1/deploys" + who, bundles["metric"]),
             ("other steps, for 10% of the customers", "/v1/deploys" + who + "&canary=10%25", bundles["steps"]),
             ("the same, for all", "/v1/promote" + who, b""), ("back", "/v1/rollback" + who, b""),
             ("other steps, and all are moved to them", "/v1/deploys" + who + "&migrate=thank", bundles["steps"])]
    longest = 0
    print(f"{customers} customers, each under way in a campaign\n")
    print(f"{'deploy':42} {'live in':>10} {'paused':>9} {'slowest':>9}")
    for name, path, body in swaps:
        source = Source(server)
        source.start()
        time.sleep(0.5)
        source.slowest, began, paused = 0.0, time.monotonic(), 0
        if path:
            paused = server.deploy(path, body)
        else:
            time.sleep(2)
        took = time.monotonic() - began
        longest = max(longest, source.slowest if path else 0)
        source.over = True
        source.join()
        assert source.refused is None, source.refused
        print(f"{name:42} {took * 1000:7.0f} ms {paused:6} ms {source.slowest * 1000:6.0f} ms", flush=True)
    print(f"\nan event waited for {longest * 1000:.0f} ms at most (goal: less than a second, however many customers there are)")
    server.process.terminate()
    server.process.communicate(timeout=600)
    shutil.rmtree(work, ignore_errors=True)
    return server.process.returncode or int(longest >= 1)


if __name__ == "__main__":
    sys.exit(main())
