"""A provider reports by a number of its own (a batch of text messages, a task of WeCom's staff, a template message of an official
account), the server was killed meanwhile, and each person's receipt is right in its next life. A channel's reply window is the
gate's: what opened it, and what has followed, is known after the kill and after a deploy too. What was written is answered where
it was written. And a code to scan is made by the server.

By hand: python3 tests/connectors/next_life_test.py KOI
"""

import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server  # noqa: E402

RULES = """
event greet { by: text }
event talk  {}
customer { identify by phone, wecom_id, openid }
metric arrived = count delivered
metric lost    = count failed
channel sms    { class direct  reach by phone }
channel wecom  { class direct  reach by wecom_id }
channel wechat { class direct  reach by openid }
channel chat   { class conversation  open 48 hours after replied where channel == wechat up to 1  reach by openid }
content hello  { body "你好" }
content answer { body "谢谢" }
policy { time zone "Asia/Shanghai"  currency CNY }
campaign by_sms    { class transactional  enter always  when greet where greet.by == "sms"     send hello via sms }
campaign by_wecom  { class transactional  enter always  when greet where greet.by == "wecom"   send hello via wecom }
campaign by_wechat { class transactional  enter always  when greet where greet.by == "wechat"  send hello via wechat }
campaign talks     { class transactional  enter always  when talk  send answer via chat }
"""
OTHER_RULES = RULES.replace("谢谢", "多谢") + """
content heard { body "听到了" }
campaign listens { class service  enter always  when replied as said  reply heard to said within 1 hour }
"""


class Platforms(http.server.BaseHTTPRequestHandler):
    """All three providers at once."""

    protocol_version = "HTTP/1.1"
    asked = []  # (path or action, what was asked)
    fates = {}  # of WeCom's customers

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        path = urllib.parse.urlsplit(self.path).path
        action = self.headers.get("x-acs-action", path)
        what = json.loads(body) if body.startswith("{") else dict(urllib.parse.parse_qsl(body or urllib.parse.urlsplit(self.path).query))
        self.asked.append((action, what))
        number = len(self.asked)
        sms = {"Code": "OK", "Message": "OK", "BizId": f"9006^{number}", "RequestId": "1"}
        what["number"] = number
        answer = {
            "SendBatchSms": sms,
            "SendSms": sms,
            "/cgi-bin/gettoken": {"errcode": 0, "access_token": "T", "expires_in": 7200},
            "/cgi-bin/stable_token": {"access_token": "T", "expires_in": 7200},
            "/cgi-bin/externalcontact/add_msg_template": {"errcode": 0, "fail_list": [], "msgid": f"task-{number}"},
            "/cgi-bin/externalcontact/get_groupmsg_task": {"errcode": 0, "task_list": [{"userid": "zhang", "status": 2}]},
            "/cgi-bin/externalcontact/get_groupmsg_send_result":
                {"errcode": 0, "send_list": [{"external_userid": who, "status": fate} for who, fate in self.fates.items()]},
            "/cgi-bin/qrcode/create": {"ticket": "gQH47joAAAAAAAAA", "expire_seconds": 60, "url": "http://weixin.qq.com/q/x"},
        }.get(action, {"errcode": 0, "errmsg": "ok", "msgid": 200163836})
        reply = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def main(koi):
    platforms = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platforms)
    platforms.daemon_threads = True
    threading.Thread(target=platforms.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{platforms.server_port}"
    os.environ |= {"KOI_TEST_SECRET": "s3cret", "KOI_TEST_TOKEN": "push-token"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "rules.koi").write_text(RULES)
        (folder / "sms.json").write_text(json.dumps({"hello": {"code": "SMS_1", "text": "${text}"}}))
        (folder / "wechat.json").write_text(json.dumps({"hello": {"as": "template", "template": "TM1", "text": "{{first.DATA}}"}}))
        account = {"connector": "wechat_official", "url": url, "app_id": "wx1", "app_secret": "env:KOI_TEST_SECRET"}
        server = Server(koi, folder, rules=folder / "rules.koi", environment={"channels": {
            "sms": {"connector": "aliyun_sms", "url": url, "access_key_id": "LTAItest", "access_key_secret": "env:KOI_TEST_SECRET",
                    "sign": "小店", "templates": str(folder / "sms.json"), "callback_token": "env:KOI_TEST_TOKEN",
                    "gather_within": "1s", "report_within": "1h"},
            "wecom": {"connector": "wecom", "to": "customers", "url": url, "corp_id": "ww1", "secret": "env:KOI_TEST_SECRET",
                      "gather_within": "1s", "look_every": "50ms"},
            "wechat": account | {"messages": str(folder / "wechat.json"), "token": "env:KOI_TEST_TOKEN", "report_within": "1h"},
            "chat": account}}).start()

        def send(*events):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            made = [{"id": f"{kind}-{subject}-{number}", "type": kind, "time": stamp, "subject": subject, "data": data}
                    for number, (kind, subject, data) in enumerate(events)]
            assert server.send(*made)[1]["accepted"] == len(events)

        def figures(subject):
            metrics = server.customer(subject)[1]["metrics"]
            return metrics["arrived"], metrics["lost"]

        def pending():
            return [line.split()[-1] for line in server.ask("GET", "/metrics")[1].splitlines() if line.startswith("koi_deliveries_pending ")]

        def push(rest, who="oANN"):
            stamp, nonce = "1772447400", "n1"
            signature = hashlib.sha1("".join(sorted(["push-token", stamp, nonce])).encode()).hexdigest()
            xml = (f"<xml><ToUserName>gh_1</ToUserName><FromUserName>{who}</FromUserName><CreateTime>{int(time.time())}</CreateTime>"
                   f"{rest}</xml>")
            query = f"?signature={signature}&timestamp={stamp}&nonce={nonce}"
            return server.ask("POST", "/v1/callbacks/wechat" + query, xml.encode())

        def reports(success):
            """As the service makes them: of what went together they name the request, else the delivery."""
            for what in asked("SendBatchSms"):
                for phone in json.loads(what["PhoneNumberJson"]):
                    yield {"phone_number": phone, "success": success[phone], "biz_id": f"9006^{what['number']}"}
            for what in asked("SendSms"):
                yield {"phone_number": what["PhoneNumbers"], "success": success[what["PhoneNumbers"]], "out_id": what["OutId"]}

        def handed_over():
            return [name for name, _ in Platforms.asked if "Sms" in name or name.endswith(("add_msg_template", "template/send"))]

        def asked(action):
            return [what for name, what in Platforms.asked if name == action]

        try:
            sms, wecom = ["phone:+8613800138001", "phone:+8613800138002"], ["wecom_id:wmANN", "wecom_id:wmBOB"]
            send(*[("greet", who, {"by": "sms"}) for who in sms], *[("greet", who, {"by": "wecom"}) for who in wecom],
                 ("greet", "openid:oANN", {"by": "wechat"}))
            server.until(lambda: pending() == ["5"], within=60)
            assert push("<MsgType>text</MsgType><Content>在吗</Content><MsgId>1</MsgId>") == (200, "success")
            before = handed_over()
            for _ in range(2):
                server.kill()
                server.start()
            server.until(lambda: pending() == ["5"])
            assert handed_over() == before, "nothing is sent twice"

            body = json.dumps(list(reports({"13800138001": True, "13800138002": False})))
            assert server.ask("POST", "/v1/callbacks/sms?token=push-token", body)[0] == 200
            Platforms.fates = {"wmANN": 1, "wmBOB": 2}
            assert push("<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID>"
                        "<Status>success</Status>")[0] == 200
            server.until(lambda: pending() == ["0"])
            for who, fate in [(sms[0], (1, 0)), (sms[1], (0, 1)), (wecom[0], (1, 0)), (wecom[1], (0, 1)), ("openid:oANN", (1, 0))]:
                server.until(lambda: figures(who) == fate)

            # One answer may follow what he wrote before the kills; a second one may not, nor one to who wrote nothing.
            send(("talk", "openid:oANN", {}), ("talk", "openid:oBOB", {}))
            server.until(lambda: asked("/cgi-bin/message/custom/send"))
            send(("talk", "openid:oBOB", {}), ("talk", "openid:oANN", {}))

            def refused(subject):
                return [line.get("reason") for line in server.customer(subject)[1]["timeline"] if line["action"] == "refuse"]
            server.until(lambda: refused("openid:oANN") == ["window_closed"] and refused("openid:oBOB") == ["window_closed"] * 2)
            assert [what["touser"] for what in asked("/cgi-bin/message/custom/send")] == ["oANN"]

            # Under other rules her window is open and used up, as it was; that of who wrote before them is open.
            (folder / "other").mkdir()
            (folder / "other" / "rules.koi").write_text(OTHER_RULES)

            def koi_does(*words):
                done = subprocess.run([koi, *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                                      env=os.environ | {"USER": "ann"})
                assert done.returncode == 0, done.stdout + done.stderr
            koi_does("build", folder / "other", "-o", folder / "other.koib")
            assert push("<MsgType>text</MsgType><Content>好</Content><MsgId>2</MsgId>", "oBOB") == (200, "success")
            koi_does("deploy", folder / "other.koib", "--server", f"http://127.0.0.1:{server.port}", "--why", "test")
            send(*[("talk", who, {}) for who in ["openid:oCAT", "openid:oDAN", "openid:oBOB", "openid:oANN"]])
            server.until(lambda: len(refused("openid:oANN")) == 2 and len(asked("/cgi-bin/message/custom/send")) == 2)
            assert refused("openid:oANN") == ["window_closed"] * 2
            said = [(what["touser"], what["text"]["content"]) for what in asked("/cgi-bin/message/custom/send")]
            assert said == [("oANN", "谢谢"), ("oBOB", "多谢")], said

            # Who writes is answered as an account answers, though the same channel sends template messages.
            assert push("<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format><MsgId>3</MsgId>", "oCAT") == (200, "success")
            server.until(lambda: len(asked("/cgi-bin/message/custom/send")) == 3)
            answer = asked("/cgi-bin/message/custom/send")[2]
            assert (answer["touser"], answer["msgtype"], answer["text"]) == ("oCAT", "text", {"content": "听到了"}), answer
            server.until(lambda: figures("openid:oCAT") == (1, 0))

            code = server.ask("POST", "/v1/codes?channel=wechat&scene=friend-of-ann&days=30")
            assert code == (200, {"picture": "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH47joAAAAAAAAA"}), code
            made = [{k: v for k, v in what.items() if k != "number"} for what in asked("/cgi-bin/qrcode/create")]
            assert made == [{"expire_seconds": 2592000, "action_name": "QR_STR_SCENE",
                             "action_info": {"scene": {"scene_str": "friend-of-ann"}}}], made
            for query, status in [("channel=sms&scene=a", 404), ("channel=nobody&scene=a", 404), ("channel=wechat", 400),
                                  ("channel=wechat&scene=a&days=0", 400), ("channel=wechat&scene=" + "a" * 65, 502)]:
                assert server.ask("POST", "/v1/codes?" + query)[0] == status, query
            assert server.ask("GET", "/v1/codes?channel=wechat&scene=a")[0] == 405
            assert "oANN" not in server.log.read_text()
        finally:
            server.stop()
    print("each report found its person in the next life, the window was the gate's over a deploy, who wrote was answered, and a code was made")


main(sys.argv[1])
