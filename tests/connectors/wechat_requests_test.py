"""What Koi asks the platforms of WeChat and WeCom for, beside what a client that we did not write asks for the same (wechatpy,
from PyPI): path, query and JSON are equal, but for the members that Koi adds so that nothing is sent twice.

By hand: python3 tests/connectors/wechat_requests_test.py FOLDER KOI_DELIVER KOI
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import urllib.parse

TOKEN_PATHS = {"/cgi-bin/stable_token", "/cgi-bin/gettoken"}
LENT = {"errcode": 0, "access_token": "TOKEN", "expires_in": 7200}


class Platform(http.server.ThreadingHTTPServer):
    """Answers whoever asks, and keeps what it was asked for."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                url = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                answer = LENT
                if url.path not in TOKEN_PATHS:
                    self.server.asked.append((url.path, urllib.parse.parse_qs(url.query), json.loads(body) if body else None))
                    answer = self.server.answers.get(url.path, {"errcode": 0, "errmsg": "ok", "msgid": 7, "msg_id": 7})
                reply = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Comparison:
    """One connector's requests beside those of the other client, which is asked with `ask(client)`."""

    def __init__(self, folder, programs, connector, settings, client, answers):
        self.platform = Platform(answers)
        self.deliver, self.koi = programs
        self.connector, self.settings = connector, {**settings, "url": self.platform.url}
        self.client = client
        self.client.API_BASE_URL = self.platform.url + "/cgi-bin/"
        self.environment = folder / f"{connector}_requests.json"
        self.environment.write_text(json.dumps({"channels": {"channel": {"connector": connector, **self.settings}}}))

    def run(self, command, lines=""):
        done = subprocess.run([str(part) for part in command], input=lines, capture_output=True, text=True, timeout=60,
                              env=os.environ | {"KOI_SECRET": "secret"})
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def send(self, *deliveries, outcome="done", **more):
        given = [f"{name}={value}" for name, value in {**self.settings, **more}.items()]
        lines = "".join(json.dumps({"key": i + 1, **one}) + "\n" for i, one in enumerate(deliveries))
        outcomes = self.run([self.deliver, self.connector, *given], lines).splitlines()
        assert len(outcomes) == len(deliveries) and all(each.startswith(outcome) for each in outcomes), outcomes

    def code(self, *more):
        return self.run([self.koi, "connector", "code", "channel", "--config", self.environment, "--scene", "friend-of-ann", *more])

    def requests_of(self, ask, left_out):
        self.platform.asked.clear()
        ask()
        return [(path, query, {k: v for k, v in body.items() if k not in left_out} if body else {})
                for path, query, body in self.platform.asked]

    def compare(self, what, ours, theirs, own=(), usual=()):
        """Both ask for the same. `own` are members that only Koi sends, `usual` those that only the other does, as they are
        where nobody says anything."""
        mine = self.requests_of(ours, own)
        assert all(any(member in (body or {}) for *_, body in self.platform.asked) for member in own), (what, self.platform.asked)
        other = self.requests_of(lambda: theirs(self.client), usual)
        assert mine and mine == other, (what, mine, other)


def official_account(folder, programs, client):
    picture = "gQH47joAAAAAAAAAASxodHRwOi8v"
    tags = [{"id": 2, "name": "星标组", "count": 0}]
    both = Comparison(folder, programs, "wechat_official", {"app_id": "wx1", "app_secret": "env:KOI_SECRET"}, client, {
        "/cgi-bin/tags/get": {"tags": tags}, "/cgi-bin/tags/create": {"tag": {"id": 134, "name": "vip"}},
        "/cgi-bin/qrcode/create": {"ticket": picture, "expire_seconds": 60, "url": "http://weixin.qq.com/q/x"}})
    messages = folder / "wechat_messages.json"
    messages.write_text(json.dumps({"order_sent": {"as": "template", "template": "TM1", "text": "商品：{{keyword1.DATA}}"},
                                    "thanks": {"as": "customer_service"}, "new_year": {"as": "mass"}}))
    both.compare("a template message",
                 lambda: both.send({"to": {"openid": "o1"}, "content": "order_sent", "body": "商品：茶 & 包", "link": "https://shop.example/o?a=1"},
                                   messages=messages),
                 lambda c: c.message.send_template("o1", "TM1", {"keyword1": {"value": "茶 & 包"}}, "https://shop.example/o?a=1"),
                 own=["client_msg_id"])
    both.compare("a customer-service message",
                 lambda: both.send({"to": {"openid": "o1"}, "content": "thanks", "body": "谢谢 \"你\"\n🎉"}, messages=messages),
                 lambda c: c.message.send_text("o1", "谢谢 \"你\"\n🎉"))
    both.compare("a mass message",
                 lambda: both.send(*[{"to": {"openid": f"o{i}"}, "content": "new_year", "body": "新年快乐"} for i in range(3)], messages=messages),
                 lambda c: c.message.send_mass_text("新年快乐", ["o0", "o1", "o2"]), own=["clientmsgid"], usual=["send_ignore_reprint"])

    def code(*more):
        printed = both.code(*more)
        assert client.qrcode.get_url(picture) in printed, printed
    scene = {"scene": {"scene_str": "friend-of-ann"}}
    both.compare("a code for good", code, lambda c: c.qrcode.create({"action_name": "QR_LIMIT_STR_SCENE", "action_info": scene}))
    both.compare("a code for days", lambda: code("--days", "30"),
                 lambda c: c.qrcode.create({"expire_seconds": 2592000, "action_name": "QR_STR_SCENE", "action_info": scene}))

    def tagging(**more):
        return lambda: both.send({"body": json.dumps({"openid": "o1", "tag": "vip", **more})}, does="tags")
    both.compare("a tag put on", tagging(), lambda c: (c.tag.get(), c.tag.create("vip"), c.tag.tag_user(134, ["o1"])))
    tags.append({"id": 134, "name": "vip", "count": 1})
    both.compare("a tag taken off", tagging(remove=True), lambda c: (c.tag.get(), c.tag.untag_user(134, ["o1"])))


def wecom(folder, programs, client):
    groups = {"errcode": 0, "tag_group": []}
    vip = {"group_id": "g1", "group_name": "Koi", "tag": [{"id": "et1", "name": "vip"}]}
    both = Comparison(folder, programs, "wecom",
                      {"to": "customers", "corp_id": "ww1", "secret": "env:KOI_SECRET", "codes_lead_to": "zhang,li"}, client, {
                          "/cgi-bin/externalcontact/add_msg_template": {"errcode": 0, "fail_list": [], "msgid": "m1"},
                          "/cgi-bin/externalcontact/add_contact_way": {"errcode": 0, "config_id": "c1", "qr_code": "https://wework.qpic.cn/x"},
                          "/cgi-bin/externalcontact/get_corp_tag_list": groups,
                          "/cgi-bin/externalcontact/add_corp_tag": {"errcode": 0, "tag_group": vip},
                          "/cgi-bin/externalcontact/get": {"errcode": 0, "follow_user": [{"userid": "zhang"}, {"userid": "li"}]}})
    both.compare("one text to customers",
                 lambda: both.send(*[{"to": {"external_userid": f"wm{i}"}, "body": "新品 到了"} for i in range(2)], outcome="pending", sender="zhang"),
                 lambda c: c.external_contact.add_msg_template({"chat_type": "single", "external_userid": ["wm0", "wm1"], "sender": "zhang",
                                                                "text": {"content": "新品 到了"}}))
    both.compare("one text to customer groups",
                 lambda: both.send({"body": "新品 到了"}, outcome="pending", to="groups", groups="wrA,wrB", sender="zhang"),
                 lambda c: c.external_contact.add_msg_template({"chat_type": "group", "chat_id_list": ["wrA", "wrB"], "sender": "zhang",
                                                                "text": {"content": "新品 到了"}}))
    both.compare("a text to the staff",
                 lambda: both.send({"to": {"userid": "zhang"}, "body": "请回访\n客户"}, to="staff", agent_id=1000002),
                 lambda c: c.message.send_text(1000002, ["zhang"], "请回访\n客户"),
                 own=["enable_duplicate_check", "duplicate_check_interval"], usual=["toparty", "totag", "safe"])

    def code():
        assert "https://wework.qpic.cn/x" in both.code()
    both.compare("a code", code, lambda c: c.external_contact.add_contact_way(type=2, scene=2, skip_verify=True, state="friend-of-ann",
                                                                              user=["zhang", "li"]), usual=["is_temp"])

    def tagging(**more):
        return lambda: both.send({"body": json.dumps({"external_userid": "wm1", "tag": "vip", **more})}, to="tags")
    both.compare("a tag put on", tagging(staff="zhang"),
                 lambda c: (c.external_contact.get_corp_tag_list(), c.external_contact.add_corp_tag(None, "Koi", None, [{"name": "vip"}]),
                            c.external_contact.mark_tag("zhang", "wm1", add_tag=["et1"])), usual=["remove_tag"])
    groups["tag_group"].append(vip)
    both.compare("a tag taken off wherever it is", tagging(remove=True),
                 lambda c: (c.external_contact.get_corp_tag_list(), c.external_contact.get("wm1"),
                            *[c.external_contact.mark_tag(member, "wm1", remove_tag=["et1"]) for member in ["zhang", "li"]]),
                 usual=["add_tag"])


def main(folder, *programs):
    library = folder / "wechatpy2"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "wechatpy==2.0.0a26", "cryptography"],
                       check=True)
    sys.path.insert(0, str(library))
    from wechatpy import WeChatClient
    from wechatpy.work import WeChatClient as WecomClient

    official_account(folder, programs, WeChatClient("wx1", "secret", access_token="TOKEN"))
    wecom(folder, programs, WecomClient("ww1", "secret", access_token="TOKEN"))
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), *sys.argv[2:4]))
