"""What WeChat pushes, made by a library that we did not write (wechatpy, from PyPI): signed and encrypted messages of
an official account and of WeCom, taken by `koi serve`; the passive reply is opened by the same library.

By hand: python3 tests/connectors/wechat_test.py FOLDER KOI
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server  # noqa: E402

TOKEN, KEY, APP, CORP = "pushtoken", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "wx49f0ab532d5d035a", "ww1234567890abcdef"
RULES = """
event follow { scene: text = "" }
event unfollow { staff: text = "" }
event scan { scene: text }
event visit { page: text = "" }
event joined_group { group: text }
customer { identify by openid, wecom_id }
metric follows = count follow
metric scans = count scan
metric replies = count replied
metric groups  = count joined_group
channel wechat { class direct  cost ¥0.01  reach by openid }
channel wecom  { class direct  cost ¥0.01  reach by wecom_id }
content hello { body "Hello." }
policy { time zone "Asia/Shanghai"  currency CNY }
campaign greeting { class marketing  enter always  when visit  send hello via wechat }
"""


def push(event, person, more=""):
    return (f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{person}]]></FromUserName>"
            f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{event}]]></Event>{more}</xml>")


def main(folder, koi):
    library = folder / "wechatpy"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "wechatpy==1.8.18", "cryptography"],
                       check=True)
    sys.path.insert(0, str(library))
    import xmltodict
    from wechatpy.crypto import WeChatCrypto
    from wechatpy.enterprise.crypto import WeChatCrypto as WecomCrypto
    from wechatpy.utils import WeChatSigner, check_signature

    work = folder / "wechat"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "rules.koi").write_text(RULES)
    (work / "replies.json").write_text(json.dumps({"follow": "欢迎 <你> ]]> !"}, ensure_ascii=False))
    os.environ.update(KOI_TEST_A=TOKEN, KOI_TEST_B=KEY, KOI_TEST_C="never-used-secret")
    common = {"token": "env:KOI_TEST_A", "encoding_key": "env:KOI_TEST_B", "url": "http://127.0.0.1:1"}
    server = Server(koi, work, rules=work / "rules.koi", token="token-of-test", environment={"channels": {
        "wechat": {"connector": "wechat_official", "app_id": APP, "app_secret": "env:KOI_TEST_C",
                   "replies": str(work / "replies.json"), **common},
        "wecom": {"connector": "wecom", "to": "customers", "corp_id": CORP, "secret": "env:KOI_TEST_C", **common}}}).start()

    def ask(method, channel, query, body=None):
        return server.ask(method, f"/v1/callbacks/{channel}?" + "&".join(f"{k}={v}" for k, v in query.items()), body)

    def signed(nonce, second):
        signer = WeChatSigner()
        signer.add_data(TOKEN, second, nonce)
        check_signature(TOKEN, signer.signature, second, nonce)
        return {"signature": signer.signature, "timestamp": second, "nonce": nonce}

    try:
        crypto, second = WeChatCrypto(TOKEN, KEY, APP), str(int(time.time()))
        assert ask("GET", "wechat", {**signed("n1", second), "echostr": "5927782489442352469"}) == (200, "5927782489442352469")
        assert ask("GET", "wechat", {**signed("n1", second), "nonce": "n2", "echostr": "1"})[0] == 403

        def official(xml, spoil=""):
            nonce = str(random.randrange(10**9))
            sealed = xmltodict.parse(crypto.encrypt_message(xml, nonce, second))["xml"]
            body = f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
            query = {**signed(nonce, second), "encrypt_type": "aes", "msg_signature": sealed["MsgSignature"] + spoil}
            return ask("POST", "wechat", query, body.encode())

        status, reply = official(push("subscribe", "oANN", "<EventKey><![CDATA[qrscene_expo]]></EventKey>"))
        assert status == 200, reply
        parts = xmltodict.parse(reply)["xml"]
        opened = xmltodict.parse(crypto.decrypt_message(reply, parts["MsgSignature"], parts["TimeStamp"], parts["Nonce"]))["xml"]
        assert (opened["ToUserName"], opened["Content"]) == ("oANN", "欢迎 <你> ]]> !"), opened
        assert official(push("unsubscribe", "oANN"), spoil="0")[0] == 403
        # Messages of every length, so of every padding.
        for size in range(40):
            text = (f"<xml><ToUserName>gh_1</ToUserName><FromUserName>oANN</FromUserName><CreateTime>{second}</CreateTime>"
                    f"<MsgType>text</MsgType><Content>{'字' * (size % 3)}{'x' * size}</Content><MsgId>{1000 + size}</MsgId></xml>")
            assert official(text) == (200, "success"), size
        _, ann = server.customer("openid:oANN")
        assert (ann["metrics"]["follows"], ann["metrics"]["scans"], ann["metrics"]["replies"]) == (1, 1, 40), ann["metrics"]
        assert any(c["granted"] and c["channel"] == "wechat" for c in ann["consents"]), ann["consents"]
        assert official(push("unsubscribe", "oANN")) == (200, "success")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        server.send({"id": "v1", "type": "visit", "time": stamp, "subject": "openid:oANN", "data": {}})
        server.until(lambda: [(line["action"], line["reason"]) for line in server.customer("openid:oANN")[1]["timeline"]
                              if line["action"] != "enter"] == [("refuse", "unsubscribed")])

        work_crypto = WecomCrypto(TOKEN, KEY, CORP)

        def wecom(method, text):
            nonce = str(random.randrange(10**9))
            sealed = xmltodict.parse(work_crypto.encrypt_message(text, nonce, second))["xml"]
            query = {"msg_signature": sealed["MsgSignature"], "timestamp": second, "nonce": nonce}
            if method == "GET":
                return ask("GET", "wecom", {**query, "echostr": urllib.parse.quote(sealed["Encrypt"], safe="")})
            return ask("POST", "wecom", query, f"<xml><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>".encode())

        assert wecom("GET", "1616140317555161061") == (200, "1616140317555161061")
        came = push("change_external_contact", "sys", "<ChangeType>add_external_contact</ChangeType><UserID>zhang</UserID>"
                    "<ExternalUserID>wmANN</ExternalUserID><State>expo</State>")
        assert wecom("POST", came) == (200, "success")
        _, customer = server.customer("wecom_id:wmANN")
        assert customer["metrics"]["scans"] == 1, customer["metrics"]
        joined = push("change_external_chat", "sys", "<ChatId><![CDATA[wrX]]></ChatId><ChangeType><![CDATA[update]]></ChangeType>"
                      "<UpdateDetail><![CDATA[add_member]]></UpdateDetail><MemChangeList><Item><![CDATA[wmANN]]></Item>"
                      "<Item><![CDATA[zhang]]></Item></MemChangeList>")
        for _ in range(2):  # told twice it counts once
            assert wecom("POST", joined) == (200, "success")
        assert server.customer("wecom_id:wmANN")[1]["metrics"]["groups"] == 1
        log = server.log.read_text()
        assert "oANN" not in log and "wmANN" not in log and KEY not in log, log
    finally:
        server.stop()
    print("pushes made by wechatpy were taken, the reply opened by it, and the refusal honoured by the next decision")


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
