"""The aliyun_sms connector's requests, whose signatures are made again by Alibaba Cloud's own library
(alibabacloud-openapi-util, from PyPI).

By hand: python3 tests/connectors/aliyun_sms_test.py FOLDER KOI_DELIVER
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import urllib.parse

COUNT = 100
ID, SECRET = "LTAItest", "s3cret/of+the=test"


def main(folder, deliver):
    library = folder / "alibabacloud"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library,
                        "alibabacloud-openapi-util==0.2.2"], check=True)
    sys.path.insert(0, str(library))
    from alibabacloud_openapi_util.client import Client
    from Tea.request import TeaRequest

    seen, wrong = [], []

    class Service(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            url = urllib.parse.urlsplit(self.path)
            again = TeaRequest()
            again.method, again.pathname = "POST", url.path
            again.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=True))
            # The library signs a type where there is one; libcurl names one for an empty body too, unsigned.
            kept = ("host", "content-type") if int(self.headers.get("content-length", 0)) else ("host",)
            again.headers = {name.lower(): value for name, value in self.headers.items()
                             if name.lower() in kept or name.lower().startswith("x-acs-")}
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            digest = Client.hex_encode(Client.hash(body, "ACS3-HMAC-SHA256"))
            expected = Client.get_authorization(again, "ACS3-HMAC-SHA256", digest, ID, SECRET)
            if expected != self.headers["authorization"] or digest != again.headers["x-acs-content-sha256"]:
                wrong.append((expected, self.headers["authorization"], self.path))
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)))
            seen.append((again.headers["x-acs-signature-nonce"], form or again.query, again.headers["x-acs-action"]))
            reply = json.dumps({"Code": "OK", "Message": "OK", "BizId": "9006^0", "RequestId": "1"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 2 * COUNT

    server = Server(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    templates = folder / "sms_templates.json"
    templates.write_text(json.dumps({"cart": {"code": "SMS_71390007", "text": "${a}|${b}"}}))
    made = [{"key": i, "to": {"phone": "+86138001380%02d" % i}, "content": "cart",
             "body": "".join(chr(33 + (i * 7 + n) % 94) for n in range(i % 40)).replace("|", "") + "|*~ 包🎉%\n" + str(i)}
            for i in range(COUNT)]
    command = [deliver, "aliyun_sms", f"url=http://127.0.0.1:{server.server_port}", f"access_key_id={ID}",
               "access_key_secret=env:KOI_SECRET", "sign=阿里云短信测试专用", f"templates={templates}"]

    def send(*settings):
        run = subprocess.run([*command, *settings], input="".join(json.dumps(one) + "\n" for one in made), capture_output=True,
                             text=True, timeout=120, env=os.environ | {"KOI_SECRET": SECRET})
        assert not wrong, wrong[0]
        assert run.stdout.splitlines() == ["done"] * COUNT, (run.stdout[:300], run.stderr)

    send()
    assert len({nonce for nonce, *_ in seen}) == COUNT
    by_key = {query["OutId"]: query for _, query, _ in seen}
    for one in made:
        query = by_key[f"{one['key']:016x}{7:016x}"]
        values = json.loads(query["TemplateParam"])
        assert f"{values['a']}|{values['b']}" == one["body"], (values, one)
        assert query["PhoneNumbers"] == one["to"]["phone"][3:] and query["SignName"] == "阿里云短信测试专用"

    # The same in one request, with what each would have had alone.
    seen.clear()
    send("gather_within=5s")
    server.shutdown()
    [(_, form, action)] = seen
    assert action == "SendBatchSms" and form["TemplateCode"] == "SMS_71390007"
    numbers, signs, values = (json.loads(form[name]) for name in ("PhoneNumberJson", "SignNameJson", "TemplateParamJson"))
    assert numbers == [one["to"]["phone"][3:] for one in made] and signs == ["阿里云短信测试专用"] * COUNT
    for one, each in zip(made, values, strict=True):
        assert f"{each['a']}|{each['b']}" == one["body"], (each, one)
    print(f"{COUNT} requests and one for {COUNT} signed as Alibaba Cloud's own library signs them")


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
