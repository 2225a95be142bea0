"""What the wechat_pay connector sends, verified by libraries that we did not write (wechatpy and wechatpayv3, from PyPI):
red packets over TLS with a client certificate, and transfers signed by RSA, answered with signatures of the platform's.

By hand: python3 tests/connectors/wechat_pay_test.py FOLDER KOI_DELIVER
"""

import base64
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

COUNT = 60
API_KEY, V3_KEY = "192006250b4c09247ec02edce69f6a2d", "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb"


def certificate(folder, name, *more):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
                    folder / f"{name}.key", "-out", folder / f"{name}.crt", *more], check=True, capture_output=True)
    return folder / f"{name}.crt", folder / f"{name}.key"


class Door:
    def __init__(self, answer, tls=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                status, headers, text = answer(self, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port


def pay(deliver, amounts, environment, **settings):
    lines = "".join(json.dumps({"key": i, "to": {"openid": f"o{i}"}, "campaign": f"活动 {i}", "body": chr(0x4e00 + i) * (i + 1) + "&<]]>\"",
                                "payout": {"amount": amount, "currency": "CNY", "remark": f"谢谢 {i} & ="}}, ensure_ascii=False) + "\n"
                    for i, amount in enumerate(amounts))
    run = subprocess.run([deliver, "wechat_pay", *(f"{k}={v}" for k, v in settings.items())], input=lines, capture_output=True,
                         text=True, timeout=120, env=os.environ | environment)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def main(folder, deliver):
    library = folder / "wechatpy"
    pay_library = folder / "wechatpayv3"
    for where, package in ((library, "wechatpy==1.8.18"), (pay_library, "wechatpayv3==2.0.4")):
        if not where.exists():
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", where, package, "cryptography"], check=True)
        sys.path.insert(0, str(where))
    import xmltodict
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from wechatpayv3.utils import load_certificate, load_private_key, rsa_sign, rsa_verify
    from wechatpy.pay.utils import calculate_signature

    # --- Red packets
    server_crt, server_key = certificate(folder, "localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    own_crt, own_key = certificate(folder, "merchant")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own_crt)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(server_crt, server_key)
    packets, wrong = {}, []

    def packet(request, body):
        fields = xmltodict.parse(body)["xml"]
        sign = fields.pop("sign")
        if calculate_signature(fields, API_KEY) != sign:
            wrong.append(body)
        for name, most in (("send_name", 32), ("act_name", 32), ("wishing", 128), ("remark", 256), ("mch_billno", 28)):
            if len(fields[name].encode()) > most:
                wrong.append(name)
        packets[fields["mch_billno"]] = int(fields["total_amount"])
        return 200, {}, (f"<xml><return_code><![CDATA[SUCCESS]]></return_code><result_code><![CDATA[SUCCESS]]></result_code>"
                         f"<mch_billno><![CDATA[{fields['mch_billno']}]]></mch_billno></xml>").encode()

    door = Door(packet, tls)
    amounts = [100 + 7 * i for i in range(COUNT)]
    environment = {"KOI_TEST_KEY": API_KEY, "KOI_CA_FILE": str(server_crt)}
    settings = dict(product="red_packet", url=f"https://localhost:{door.port}", mch_id="10000100", app_id="wxd930ea5d5a258f4f",
                    api_key="env:KOI_TEST_KEY", certificate_key=own_key, send_name="小店小店小店小店小店小店")
    outcomes = pay(deliver, amounts, environment, certificate=own_crt, **settings)
    assert not wrong, wrong[:2]
    assert all(o.startswith("pending") for o in outcomes) and len(outcomes) == COUNT, outcomes[:3]
    assert sorted(packets.values()) == amounts
    # Another's certificate is not let in, and nothing was paid.
    stranger_crt, stranger_key = certificate(folder, "stranger")
    refused = pay(deliver, [100], environment, certificate=stranger_crt, **{**settings, "certificate_key": stranger_key})
    assert not refused[0].startswith(("pending", "done")), refused
    assert len(packets) == COUNT

    # --- Transfers: once with the platform's public key, once with a certificate that is fetched
    platform_crt, platform_key = certificate(folder, "platform")
    signer, own_public = load_private_key(platform_key.read_text()), load_certificate(own_crt.read_text()).public_key()
    public = subprocess.run(["openssl", "x509", "-in", platform_crt, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    (folder / "platform.pub").write_bytes(public)
    bills, serial, fetched = {}, {}, []

    def transfer(request, body):
        given = dict(part.split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(","))
        given = {k: v.strip('"') for k, v in given.items()}
        text = f"{request.command}\n{request.path}\n{given['timestamp']}\n{given['nonce_str']}\n{body}\n"
        # Its rsa_verify takes a timestamp, a nonce and a body; a request's text is the same with a head before it.
        head = f"{request.command}\n{request.path}\n{given['timestamp']}"
        assert text == f"{head}\n{given['nonce_str']}\n{body}\n"
        if not rsa_verify(head, given["nonce_str"], body, given["signature"], own_public):
            wrong.append(text)
        if request.path == "/v3/certificates":
            fetched.append(1)
            sealed = AESGCM(V3_KEY.encode()).encrypt(b"123456789012", platform_crt.read_bytes(), b"certificate")
            answer = {"data": [{"serial_no": serial["is"], "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM", "nonce": "123456789012", "associated_data": "certificate",
                "ciphertext": base64.b64encode(sealed).decode()}}]}
        else:
            bill = json.loads(body)
            bills[bill["out_bill_no"]] = bill["transfer_amount"]
            answer = {"out_bill_no": bill["out_bill_no"], "state": "WAIT_USER_CONFIRM", "package_info": "secret-package"}
        text, second, nonce = json.dumps(answer), str(int(time.time())), "n0nce"
        return 200, {"Wechatpay-Timestamp": second, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": serial["is"],
                     "Wechatpay-Signature": rsa_sign(signer, f"{second}\n{nonce}\n{text}\n")}, text.encode()

    door = Door(transfer)
    common = dict(product="transfer", url=f"http://127.0.0.1:{door.port}", mch_id="1900000001", app_id="wxd930ea5d5a258f4f",
                  certificate_key=own_key, serial_no="5157F09EFDC096DE15EBE81A47057A7232F1B8E1", api_v3_key="env:KOI_TEST_V3")
    for id, more in (("PUB_KEY_ID_0116", {"platform_key": folder / "platform.pub", "platform_key_id": "PUB_KEY_ID_0116"}),
                     ("5157F09EFDC096DE15EBE81A47057A7232F1B8E2", {})):
        serial["is"] = id
        bills.clear()
        outcomes = pay(deliver, amounts, {"KOI_TEST_V3": V3_KEY}, **common, **more)
        assert not wrong, wrong[:1]
        assert sorted(bills.values()) == amounts
        believed = [o for o in outcomes if o.startswith("pending for 25 hours: the transfer is WAIT_USER_CONFIRM")]
        # While the certificates are being fetched, what came meanwhile is not believed: it is asked about later.
        assert len(believed) == COUNT if more else believed, outcomes[:3]
        assert all("secret-package" not in o for o in outcomes)
    assert len(fetched) == 1, fetched
    print(f"{COUNT} red packets by a client certificate and {2 * COUNT} transfers, verified by wechatpy and wechatpayv3")


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
