"""The smtp connector's messages, taken by an SMTP server that we did not write (aiosmtpd, from PyPI) over
STARTTLS and AUTH, and read by Python's `email`.

By hand: python3 tests/connectors/smtp_test.py FOLDER KOI_DELIVER
"""

import email
import email.policy
import email.utils
import hmac
import json
import os
import pathlib
import random
import socket
import ssl
import subprocess
import sys

COUNT = 120
USER, PASSWORD = "koi", "pässword \u4f60"


def texts(number):
    """A title and a body for each number: plain ones, Chinese ones, and what is hostile to mail."""
    chance = random.Random(number)
    alphabet = ["a", "B", " ", "=", "?", ".", "\n", "\r", "\r\n", "\n.\n", "\r\n.\r\n", "包", "🎉", "é", '"', "<", ">", "&", "\t",
                "=?utf-8?B?eA==?=", "--", "\x00", "\x1b", "\x85", "From ", "\u2028", "x" * 90, "恭喜发财" * 20]
    def any_text(most):
        return "".join(chance.choice(alphabet) for _ in range(chance.randrange(most)))
    return any_text(30), any_text(200)


def shown(text):
    """A header as it is read: what controls a terminal or a mail is a blank."""
    return "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" else c for c in text)


def lines(text):
    kept = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c in "\n\t" else shown(c) for c in kept)


def main(folder, deliver):
    library = folder / "aiosmtpd"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "aiosmtpd==1.4.6"], check=True)
    sys.path.insert(0, str(library))
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, SMTP

    certificate, key = folder / "smtp.crt", folder / "smtp.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    taken = {}

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            assert session.ssl, "it came without TLS"
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            taken[message["message-id"]] = (envelope, message)
            return "250 2.0.0 OK"

    def login(server, session, envelope, mechanism, data):
        fine = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=fine, handled=fine)

    class Door(Controller):
        def factory(self):
            return SMTP(self.handler, require_starttls=True, auth_required=True, auth_require_tls=True, tls_context=tls,
                        authenticator=login, enable_SMTPUTF8=False)

    door = Door(Handler(), hostname="127.0.0.1", port=0)
    door.port = free_port()
    door.start()
    made = [{"key": i, "customer": f"客户 {i}", "to": {"email": f"ann+{i}@example.com"}, "channel": "email",
             "title": texts(i)[0], "body": texts(i)[1], "link": f"https://shop.example/?n={i}&x=%20"} for i in range(COUNT)]
    settings = ["host=127.0.0.1", f"port={door.port}", f"ca_file={certificate}", f"user={USER}", "password=env:KOI_PASSWORD",
                "from=news@shop.example", "from_name=小店 “Shop”", "reply_to=help@shop.example",
                "bounce_to=bounce+{key}@shop.example", "unsubscribe_url=https://shop.example/leave?c={customer}&t={token}",
                "unsubscribe_secret=env:KOI_LEAVE"]
    def send(password, settings=settings):
        return subprocess.run([deliver, "smtp", *settings], input="".join(json.dumps(one) + "\n" for one in made), text=True,
                              capture_output=True, timeout=120,
                              env=os.environ | {"KOI_PASSWORD": password, "KOI_LEAVE": "0123456789abcdef"})
    run = send(PASSWORD)
    assert run.stdout.splitlines() == ["done"] * COUNT, (run.stdout[:300], run.stderr)
    assert len(taken) == COUNT
    for one in made:
        key = f"{one['key']:016x}{7:016x}"
        envelope, message = taken[f"<{key}@shop.example>"]
        assert envelope.mail_from == f"bounce+{key}@shop.example" and envelope.rcpt_tos == [one["to"]["email"]]
        assert not message.defects, message.defects
        allowed = {"date", "from", "to", "reply-to", "subject", "message-id", "list-unsubscribe", "list-unsubscribe-post",
                   "mime-version", "content-type"}
        names = [name.lower() for name in message.keys()]
        assert set(names) | {"subject"} == allowed and len(set(names)) == len(names), names
        for header in message.values():
            assert not header.defects, (header, header.defects)
        assert str(message["subject"] or "").strip() == shown(one["title"]).strip(), (str(message["subject"]), one["title"])
        assert message["from"].addresses[0].display_name == "小店 “Shop”"
        assert message["from"].addresses[0].addr_spec == "news@shop.example"
        assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        assert message["list-unsubscribe"].strip().startswith("<https://shop.example/leave?c=%E5%AE%A2%E6%88%B7%20")
        assert f"&t={token(b'0123456789abcdef', one['customer'], 'email')}>" in message["list-unsubscribe"]
        assert email.utils.parsedate_to_datetime(message["date"]).utcoffset().total_seconds() == 0
        text, page = message.iter_parts()
        assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
        expected = lines(one["body"] + ("\n\n" if one["body"] else "") + one["link"])
        assert text.get_content().replace("\r\n", "\n").rstrip("\n") == expected, (text.get_content(), expected)
        assert f"n={one['key']}&amp;x=%20" in page.get_content()
        assert all(len(line) <= 998 for line in envelope.content.split(b"\r\n"))
        assert envelope.content.isascii()
    before = len(taken)
    run = send("wrong")
    assert set(run.stdout.splitlines()) == {"refused (credentials): the server answered 535 5.7.8 to the login"}, run.stdout[:300]
    assert len(taken) == before
    door.stop()

    # TLS from the first byte.
    sealed = 0

    class Sealed:
        async def handle_DATA(self, server, session, envelope):
            nonlocal sealed
            sealed += 1
            return "250 2.0.0 OK"

    door = Controller(Sealed(), hostname="127.0.0.1", port=free_port(), ssl_context=tls)
    door.start()
    run = send("", ["host=127.0.0.1", f"port={door.port}", "security=tls", f"ca_file={certificate}", "from=news@shop.example"])
    assert run.stdout.splitlines() == ["done"] * COUNT and sealed == COUNT, (run.stdout[:300], run.stderr)
    run = send("", ["host=127.0.0.1", f"port={door.port}", "security=tls", "from=news@shop.example"])
    assert all("SSL peer certificate" in line for line in run.stdout.splitlines()), run.stdout[:300]
    assert sealed == COUNT
    door.stop()
    print(f"{COUNT} messages over STARTTLS and AUTH into a server of another hand, and read back whole")


def token(secret, customer, channel):
    """As connectors/smtp/README.md tells who builds the page to unsubscribe on."""
    parts = (part.encode() for part in ("unsubscribe", customer, channel))
    text = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return hmac.new(secret, text, "sha256").hexdigest()[:32]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
