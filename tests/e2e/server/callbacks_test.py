"""What a provider tells by itself: signed callbacks become events and receipts, and a refusal is honoured by the next decision.

callbacks_test.py KOI
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

from server import Server

KOI = sys.argv[1]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Provider:
    """Takes what is posted to it, answers 202, and tells back what it is asked to."""

    def __init__(self):
        self.messages, self.status = [], 202
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                provider.messages.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["data"])
                self.send_response(provider.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def wait_for(self, count):
        end = time.monotonic() + 20
        while len(self.messages) < count and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.messages) == count, self.messages


def tell(server, body, secret=SECRET, channel="sms", at=None):
    text = json.dumps(body)
    second = str(int(at or time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, f"m1.{second}.{text}".encode(), hashlib.sha256)).decode()
    connection = server.connection()
    connection.request("POST", f"/v1/callbacks/{channel}", text,
                       {"webhook-id": "m1", "webhook-timestamp": second, "webhook-signature": "v1," + mac})
    response = connection.getresponse()
    response.read()
    return response.status


def stamp(seconds=0.0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def event(number, kind, **data):
    return {"id": f"e{number}", "type": kind, "time": stamp(), "subject": "phone:+8613800138000", "data": data}


def timeline(server):
    connection = server.connection()
    connection.request("GET", "/v1/customers/phone:+8613800138000", headers={"Authorization": "Bearer token-of-test"})
    return json.loads(connection.getresponse().read())


def eventually(what):
    end = time.monotonic() + 20
    while not (value := what()) and time.monotonic() < end:
        time.sleep(0.05)
    assert value
    return value


def main():
    os.environ["KOI_TEST_HOOK"] = SECRET
    sms, mail = Provider(), Provider()
    mail.status = 204
    with tempfile.TemporaryDirectory() as folder:
        hook = {"connector": "webhook", "secret": "env:KOI_TEST_HOOK"}
        server = Server(KOI, folder, rules=pathlib.Path(__file__).parent / "callbacks.koi", token="token-of-test",
                        environment={"channels": {"sms": {**hook, "url": sms.url, "report_within": "1h"},
                                                  "mail": {**hook, "url": mail.url}}}).start()

        def send(*events):
            status, answer = server.send(*events)
            assert status == 200 and answer["rejected"] == 0, answer

        send(event(1, "consented"), event(2, "visit", page="one"))
        sms.wait_for(1)

        # A receipt of a pending delivery: it failed, so the message goes on by the next channel.
        key = sms.messages[0]["key"]
        failed = {"reports": [{"key": key, "failure": "unreachable"}]}
        assert tell(server, failed, secret="whsec_b2xkIHNlY3JldCBvZiB0d2VudHkgZm91cg==") == 401
        assert tell(server, failed, at=time.time() - 3600) == 401
        assert not mail.messages
        assert tell(server, failed) == 204
        mail.wait_for(1)
        assert tell(server, failed) == 204, "told twice it counts once"

        # What somebody did on the channel is an event of his; what is told twice is one.
        scan = {"events": [{"id": "s1", "type": "scan", "time": stamp(), "person": "+8613800138000", "fields": {"scene": "expo"}}]}
        assert [tell(server, scan), tell(server, scan)] == [204, 204]
        assert timeline(server)["metrics"]["scans"] == 1

        # He refuses the channel: the very next decision knows it.
        assert tell(server, {"events": [{"id": "u1", "type": "unsubscribed", "time": stamp(), "person": "+8613800138000"}]}) == 204
        send(event(3, "visit", page="two"))
        mail.wait_for(2)
        assert len(sms.messages) == 1, sms.messages

        # By a channel that knows no customers nothing can be told of one, and none is there by another name.
        assert tell(server, scan, channel="mail") == 204
        assert tell(server, scan, channel="push") == 404
        eventually(lambda: any(line["action"] == "failed" and line["reason"] == "unreachable" for line in timeline(server)["timeline"]))
        code, _ = server.stop()
        assert code == 0, code
        log = server.log.read_text()
        assert "13800138000" not in log, log
    print("callbacks became events and receipts; the refusal was honoured by the next decision")


if __name__ == "__main__":
    main()
