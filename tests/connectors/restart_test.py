"""What was handed over before a kill, to a provider that can neither be asked nor recognises a key: where it reports, the
report counts in the next life too; where it does not, the message is said to be unknown, and neither delivered nor failed,
and is never sent again.

By hand: python3 tests/connectors/restart_test.py KOI
"""

import http.server
import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server  # noqa: E402

RULES = """
event greet { phone: phone }
customer {
  identify by phone
  phone: phone?
  on greet set phone = greet.phone
}
metric arrived = count delivered
metric lost    = count failed
channel sms   { class direct  cost ¥0.045  reach by phone }
channel plain { class direct  cost ¥0.045  reach by phone }
content hello { body "Hello." }
policy { time zone "Asia/Shanghai"  currency CNY }
campaign greeting { class transactional  enter always  when greet where greet.phone != "+8613800138009"  send hello via sms, else plain }
campaign silent   { class transactional  enter always  when greet where greet.phone == "+8613800138009"  send hello via plain, else sms }
"""


class Service(http.server.BaseHTTPRequestHandler):
    """Takes every message, and never answers for one number."""

    protocol_version = "HTTP/1.1"
    taken = []

    def do_POST(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.taken.append((query["PhoneNumbers"], query["OutId"]))
        if query["PhoneNumbers"] == "13800138009":
            time.sleep(3600)
        reply = b'{"Code":"OK","Message":"OK","BizId":"9006^0","RequestId":"1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


def main(koi):
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    service.daemon_threads = True
    threading.Thread(target=service.serve_forever, daemon=True).start()
    os.environ |= {"KOI_TEST_SMS": "s3cret", "KOI_TEST_CALLBACK": "callback-token"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "rules.koi").write_text(RULES)
        (folder / "templates.json").write_text(json.dumps({"hello": {"code": "SMS_1", "text": "${text}"}}))
        account = {"connector": "aliyun_sms", "url": f"http://127.0.0.1:{service.server_port}", "access_key_id": "LTAItest",
                   "access_key_secret": "env:KOI_TEST_SMS", "sign": "小店", "templates": str(folder / "templates.json"),
                   "callback_token": "env:KOI_TEST_CALLBACK"}
        server = Server(koi, folder, rules=folder / "rules.koi", environment={"channels": {
            "sms": account | {"report_within": "1h"}, "plain": account}}).start()

        def greet(number, phone):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            event = {"id": f"g{number}", "type": "greet", "time": stamp, "subject": f"c{number}", "data": {"phone": phone}}
            assert server.send(event)[1]["accepted"] == 1

        def actions(number):
            return [line["action"] for line in server.customer(f"c{number}")[1]["timeline"] if line["action"] != "enter"]

        def pending():
            return [line.split()[-1] for line in server.ask("GET", "/metrics")[1].splitlines() if line.startswith("koi_deliveries_pending ")]

        def report(number, success):
            phone, key = Service.taken[number]
            body = json.dumps([{"phone_number": phone, "success": success, "out_id": key, "biz_id": "9006^0"}])
            return server.ask("POST", "/v1/callbacks/sms?token=callback-token", body)[0]

        try:
            for number in range(3):
                greet(number, f"+861380013800{number}")
                server.until(lambda: pending() == [str(number + 1)])
            greet(9, "+8613800138009")
            server.until(lambda: len(Service.taken) == 4)
            for _ in range(2):
                server.kill()
                server.start()
            # Whose carrier reports are waited for; of the other nobody can tell.
            server.until(lambda: actions(9) == ["unknown", "send"])
            server.until(lambda: all(actions(number) == ["send"] for number in range(3)))
            assert report(0, True) == 200 and report(1, False) == 200
            server.until(lambda: actions(0) == ["delivered", "send"])
            server.until(lambda: "failed" in actions(1) and len(Service.taken) == 5)  # and goes on by the second channel
            metrics = {number: server.customer(f"c{number}")[1]["metrics"] for number in (0, 1, 9)}
            assert (metrics[0]["arrived"], metrics[0]["lost"]) == (1, 0), metrics
            assert metrics[1]["lost"] == 1, metrics
            assert (metrics[9]["arrived"], metrics[9]["lost"]) == (0, 0), metrics
            assert [phone for phone, _ in Service.taken].count("13800138009") == 1, "nothing is sent twice"
        finally:
            server.stop()
    print("reports counted in the next life; what nobody can tell was said to be unknown, and not sent again")


main(sys.argv[1])
