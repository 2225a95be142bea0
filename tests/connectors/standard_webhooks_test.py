"""The webhook connector's requests, verified by the reference library of Standard Webhooks from PyPI.

By hand: python3 tests/connectors/standard_webhooks_test.py FOLDER KOI_DELIVER
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

COUNT = 200
SECRET, OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b2xkIHNlY3JldCBvZiB0d2VudHkgZm91cg=="


def main(folder, deliver):
    library = folder / "standardwebhooks"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "standardwebhooks==1.0.1"],
                       check=True)
    sys.path.insert(0, str(library))
    from standardwebhooks import Webhook, WebhookVerificationError

    seen, wrong = [], []

    class Receiver(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                for secret in (SECRET, OLD):  # a receiver that has not changed yet, and one that has
                    Webhook(secret).verify(body, headers)
                seen.append(headers["webhook-id"])
            except WebhookVerificationError as error:
                wrong.append(str(error))
            for spoilt in (body + b" ", body.replace(b"sms", b"SMS")):
                try:
                    Webhook(SECRET).verify(spoilt, headers)
                    wrong.append("a spoilt body was verified")
                except WebhookVerificationError:
                    pass
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 2 * COUNT  # all of them connect at once

    server = Server(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    deliveries = "".join(
        json.dumps({"key": i, "customer": f'客户 "{i}"', "channel": "sms", "body": chr(1 + i % 127) * i + "🎉\n"}) + "\n"
        for i in range(COUNT))
    run = subprocess.run([deliver, "webhook", f"url=http://127.0.0.1:{server.server_port}/hook", "secret=env:KOI_SECRET",
                          "old_secret=env:KOI_OLD_SECRET"], input=deliveries, capture_output=True, text=True,
                         timeout=120, env=os.environ | {"KOI_SECRET": SECRET, "KOI_OLD_SECRET": OLD})
    server.shutdown()
    assert not wrong, wrong[:3]
    assert run.returncode == 0, run.stderr
    outcomes = run.stdout.splitlines()
    assert outcomes == ["done"] * COUNT, (len(outcomes), [line for line in outcomes if line != "done"][:3])
    assert len(set(seen)) == COUNT, len(set(seen))
    print(f"{COUNT} requests verified by the reference library, under the new secret and the old one")


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
