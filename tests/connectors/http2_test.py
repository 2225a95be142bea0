"""The webhook connector speaks HTTP/2 with a server that we did not write (hypercorn, from PyPI), and uses its connections again;
and HTTP/1.1 with the same server where that offers nothing else.

By hand: python3 tests/connectors/http2_test.py FOLDER KOI_DELIVER
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import threading

COUNT = 300


def certificate(folder):
    key, file = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", file, "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return str(key), str(file)


def serve(protocols, key, cert):
    """A server on a port of its own; what it saw: (HTTP version, connection) of each request."""
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    seen = []

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        json.loads(body)
        seen.append((scope["http_version"], tuple(scope["client"])))
        await asyncio.sleep(0.01)  # so that others come meanwhile
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = Config()
    config.bind = ["localhost:0"]
    config.keyfile, config.certfile = key, cert
    config.alpn_protocols = protocols
    config.accesslog = config.errorlog = None
    sockets = config.create_sockets()
    port = sockets.secure_sockets[0].getsockname()[1]
    config.bind = [f"fd://{os.dup(sockets.secure_sockets[0].fileno())}"]
    loop, over = asyncio.new_event_loop(), threading.Event()

    async def until_over():
        while not over.is_set():
            await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run(app, config, shutdown_trigger=until_over)))
    thread.start()
    return port, seen, lambda: (over.set(), thread.join())


def main(folder, deliver):
    library = folder / "hypercorn"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "hypercorn==0.18.0"], check=True)
    sys.path.insert(0, str(library))
    key, cert = certificate(folder)
    deliveries = "".join(json.dumps({"key": i + 1, "channel": "sms", "body": "你好" * (i % 50)}) + "\n" for i in range(COUNT))
    for protocols, version in [(["h2", "http/1.1"], "2"), (["http/1.1"], "1.1")]:
        port, seen, stop = serve(protocols, key, cert)
        try:
            run = subprocess.run([deliver, "webhook", f"url=https://localhost:{port}/hook", "secret=env:KOI_SECRET"], input=deliveries,
                                 capture_output=True, text=True, timeout=120,
                                 env=os.environ | {"KOI_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "KOI_CA_FILE": cert})
        finally:
            stop()
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines() == ["done"] * COUNT, run.stdout[:500]
        assert {each for each, _ in seen} == {version} and len(seen) == COUNT, ({each for each, _ in seen}, len(seen))
        connections = len({client for _, client in seen})
        assert connections < COUNT, "each used a connection of its own"
        print(f"HTTP/{version}: {COUNT} requests on {connections} connections")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2]))
