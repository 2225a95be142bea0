"""A running `koi serve`, for tests: started, asked, killed and stopped. Standard library alone."""

import http.client
import json
import math
import os
import pathlib
import signal
import subprocess
import time

RULES = pathlib.Path(__file__).parent / "orders.koi"


class Server:
    """One data directory, and the process that serves it, if there is one."""

    def __init__(self, koi, folder, rules=RULES, environment=None, arguments=(), token=None, listen="127.0.0.1:0"):
        self.koi, self.folder, self.rules = koi, pathlib.Path(folder), rules
        self.data = self.folder / "data"
        self.arguments = [str(a) for a in arguments]
        self.token, self.listen = token, listen
        self.environment = None
        if environment is not None:
            self.environment = self.folder / "environment.json"
            self.environment.write_text(json.dumps(environment))
        self.process = None
        self.port = None
        self.log = self.folder / "log.txt"

    def command(self, *more):
        words = [self.koi, "serve", str(self.rules), "--data", str(self.data), "--listen", self.listen, *self.arguments, *more]
        return words + (["--env", str(self.environment)] if self.environment else [])

    def start(self, *more):
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        if self.token:
            environment["KOI_TOKEN"] = self.token
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdout=subprocess.PIPE, stderr=log, env=environment)
        for raw in self.process.stdout:  # the console's deliveries may stand before it
            line = raw.decode()
            if line.startswith("Koi serves at http://"):
                self.port = int(line.split("://", 1)[1].split(" ")[0].rsplit(":", 1)[1])
                return self
        self.process.wait()
        raise AssertionError(f"the server did not start: {self.log.read_text()[-2000:]}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, within=30):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.communicate(timeout=within)[0]
        return self.process.returncode, rest.decode()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """The status and the body, read as JSON where it is some."""
        made = connection or self.connection()
        headers = dict(headers or {})
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = "Bearer " + self.token
        made.request(method, path, body=body, headers=headers)
        answer = made.getresponse()
        text = answer.read()
        self.headers = answer.headers
        if connection is None:
            made.close()
        is_json = (answer.headers.get("Content-Type") or "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text.decode()

    def send(self, *events, connection=None):
        """Posts events, one or many, as lines."""
        body = "".join((e if isinstance(e, str) else json.dumps(e, ensure_ascii=False)) + "\n" for e in events).encode()
        return self.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"}, connection)

    def customer(self, subject):
        return self.ask("GET", "/v1/customers/" + subject)

    def until(self, what, within=20):
        """Waits until `what()` is true."""
        end = time.monotonic() + within
        while not what():
            if time.monotonic() > end:
                raise AssertionError("it did not come to that in time")
            time.sleep(0.02)


def lines_of(path):
    """The objects of a file of lines that may be written to at this moment: half a line is none yet."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def some_while(chance, shortest=0.0001, longest=0.5):
    """Seconds to wait before a kill: as likely below a millisecond as between 0.1 s and the longest."""
    return math.exp(chance.uniform(math.log(shortest), math.log(longest)))


def order(number, subject, at=None, **data):
    at = at if at is not None else time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    return {"id": f"o{number}", "type": "order", "time": stamp, "subject": subject,
            "data": {"amount": "9.90", "sku": f"sku {number}", **data}}
