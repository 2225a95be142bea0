"""A server killed with SIGKILL at random moments while events flow, and started again: every event that was acknowledged is
there once, and every decision has reached the file once.

crash_test.py KOI [KILLS] [SEED]
"""

import collections
import concurrent.futures
import http.client
import random
import socket
import sys
import tempfile
import threading
import time
import pathlib

from server import Server, lines_of, order, some_while

KOI = sys.argv[1]
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
CUSTOMERS = 40


class Client:
    """Sends orders by a few connections, each until it is acknowledged, over crashes of the server."""

    def __init__(self, server):
        self.server = server
        self.stopping = threading.Event()
        self.acknowledged = collections.Counter()  # orders by customer
        self.lock = threading.Lock()
        self.repeated = 0
        self.end = time.monotonic() + 1200

    def run(self, number):
        rng = random.Random(f"{SEED} {number}")
        sent, connection = 0, None
        while not self.stopping.is_set():
            orders = []
            for _ in range(rng.choice((1, 1, 5, 20))):
                customer = f"c{rng.randrange(CUSTOMERS)}"
                subject = f"phone:138{int(customer[1:]):08d}" if rng.random() < 0.3 else customer
                orders.append((customer, order(f"{number}-{sent}", subject)))
                sent += 1
            while True:  # until it is known to be there
                assert time.monotonic() < self.end, "the server did not come back"
                try:
                    connection = connection or self.server.connection()
                    status, answer = self.server.send(*[o for _, o in orders], connection=connection)
                    if status == 200:
                        break
                    time.sleep(0.01)
                except (ConnectionError, http.client.HTTPException, socket.timeout, OSError):
                    connection = None
                    time.sleep(0.005)
            statuses = [r["status"] for r in answer["results"]]
            assert set(statuses) <= {"accepted", "duplicate"}, answer
            with self.lock:
                self.repeated += statuses.count("duplicate")
                for customer, _ in orders:
                    self.acknowledged[customer] += 1


def register(n):
    at = order(0, "")["time"]
    return {"id": f"r{n}", "type": "register", "time": at, "subject": f"c{n}", "data": {"phone": f"138{n:08d}"}}


def main():
    print(f"seed {SEED}, {KILLS} kills", flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        out = folder / "out.ndjson"
        to_file = {"connector": "file", "path": str(out)}
        server = Server(KOI, folder, environment={"channels": {"app": to_file, "sms": to_file}}, arguments=("--memory", 1))
        server.start()
        assert server.send(*[register(n) for n in range(CUSTOMERS)])[1]["accepted"] == CUSTOMERS
        server.listen = f"127.0.0.1:{server.port}"
        client = Client(server)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = [pool.submit(client.run, n) for n in range(4)]
            try:
                for _ in range(KILLS):
                    before = sum(client.acknowledged.values())
                    if rng.random() < 0.7:  # in the middle of the work; else maybe of its beginning
                        server.until(lambda: sum(client.acknowledged.values()) > before, within=300)
                    time.sleep(some_while(rng))
                    server.kill()
                    server.start()
                before = sum(client.acknowledged.values())
                server.until(lambda: sum(client.acknowledged.values()) > before + 100, within=300)
            finally:
                client.stopping.set()
            for each in running:
                each.result()

        orders = sum(client.acknowledged.values())
        for customer, count in client.acknowledged.items():
            status, shown = server.customer(customer)
            assert status == 200 and shown["metrics"]["orders"] == count, (customer, count, shown["metrics"])

        def deliveries():
            return lines_of(out)

        server.until(lambda: len(deliveries()) >= 2 * orders, within=300)
        status, _ = server.stop(within=300)
        assert status == 0
        lines = deliveries()
        keys = collections.Counter(line["key"] for line in lines)
        assert max(keys.values()) == 1, "an effect twice"
        assert len(keys) == 2 * orders, (len(keys), orders)
        texts = collections.Counter((line["customer"], line["body"]) for line in lines)
        assert max(texts.values()) == 1, texts.most_common(3)
        print(f"{orders} orders, {client.repeated} acknowledged twice, {len(lines)} deliveries, each once")
        assert client.repeated > 0 or KILLS < 20, "no kill came between the journal and the answer: the test has lost its point"


if __name__ == "__main__":
    main()
