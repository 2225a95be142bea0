"""A campaign that sends e-mail: rules, `koi serve`, an SMTP server that we did not write (aiosmtpd, from
PyPI) with a mailbox behind it, and back: the reader follows the link in the mail, Koi leads her to the shop, and
the campaign goes on; then she leaves by the mail's own header, and her mailbox says that it is gone. Whom no mail reaches gets a text message instead, through a program in Python.

By hand: python3 tests/connectors/journey_test.py FOLDER KOI
"""

import mailbox
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server  # noqa: E402


def event(kind, subject, number, **data):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"id": f"{kind}-{subject}-{number}", "type": kind, "time": stamp, "subject": subject, "data": data}


def main(folder, koi):
    library = folder / "aiosmtpd"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "aiosmtpd==1.4.6"], check=True)
    sys.path.insert(0, str(library))
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Mailbox

    work = folder / "journey"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    class Handler(Mailbox):
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("nobody@"):
                return "550 5.1.1 no such user here"
            envelope.rcpt_tos.append(address)
            return "250 OK"

    mails = work / "mails"
    door = Controller(Handler(str(mails)), hostname="127.0.0.1", port=8025 + os.getpid() % 20000)
    door.start()
    letters = work / "letters"
    letters.mkdir()
    bounces = work / "bounces"
    for name in ("new", "cur", "tmp"):
        (bounces / name).mkdir(parents=True)
    os.environ["KOI_TEST_BOUNCE"] = "the-secret-of-what-comes-back"
    example = ROOT / "connectors/process/example.py"
    server = Server(koi, work, rules=ROOT / "tests/connectors/onboarding.koi", environment={"channels": {
        "mail": {"connector": "smtp", "host": "127.0.0.1", "port": door.port, "security": "none", "from": "hello@shop.example",
                 "bounce_secret": "env:KOI_TEST_BOUNCE", "bounces": str(bounces), "look_every": "100ms"},
        "sms": {"connector": "process", "command": f"exec python3 '{example}' '{letters}'"}},
        "public_url": "https://m.shop.example"})
    server.start()
    try:
        status, answer = server.send(event("register", "ann", 1, email="ann@example.com", phone="+8613800138000"),
                                     event("register", "bob", 1, email="nobody@example.com", phone="+8613800138001"))
        assert (status, answer["accepted"]) == (200, 2), answer

        def arrived(count):
            server.until(lambda: len(list((mails / "new").glob("*"))) >= count)
            return sorted(mailbox.Maildir(mails), key=lambda mail: mail["date"])

        [welcome] = arrived(1)
        assert welcome["to"] == "ann@example.com", welcome["to"]
        text = welcome.get_payload(0).get_payload(decode=True).decode()
        link = re.search(r"https://\S+", text).group(0)
        assert re.fullmatch(r"https://m\.shop\.example/l/[\w-]{27}", link), text
        page = welcome.get_payload(1).get_payload(decode=True).decode()
        assert f'<img src="{link.replace("/l/", "/o/")}"' in page, page

        # Bob's address is none: what was for him comes as a letter, with the same words.
        server.until(lambda: len(list(letters.glob("*.txt"))) == 1)
        [letter] = letters.glob("*.txt")
        assert "Your account is ready." in letter.read_text()

        def by_the_second_channel():
            actions = [line["action"] for line in server.customer("bob")[1]["timeline"]]
            return actions.count("delivered") == 1 and actions.count("send") == 2

        server.until(by_the_second_channel)

        # She follows the link: it leads to the shop, and the campaign goes on.
        def visit(address, method="GET", body=None):
            connection = server.connection()
            connection.request(method, address.removeprefix("https://m.shop.example"), body, {
                "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Content-Type": "application/x-www-form-urlencoded"})
            response = connection.getresponse()
            response.read()
            return response.status, response.getheader("Location")

        time.sleep(2.1)  # nobody is faster
        assert visit(link) == (302, "https://shop.example/start")
        second = next(mail for mail in arrived(2) if "Thank you" in mail["subject"])
        assert "You have seen welcome." in second.get_payload(0).get_payload(decode=True).decode()
        keys = {mail["message-id"] for mail in mailbox.Maildir(mails)}
        assert len(keys) == 2 and all(re.fullmatch(r"<[0-9a-f]{32}\.[0-9a-f]{16}@shop\.example>", key) for key in keys), keys
        server.until(lambda: [line["action"] for line in server.customer("ann")[1]["timeline"]].count("delivered") == 2)

        # By one click in the mail program (RFC 8058) she is out of the channel.
        assert second["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        [leave] = re.findall(r"<(https://[^>]+)>", second["list-unsubscribe"])
        assert visit(leave, "POST", "List-Unsubscribe=One-Click")[0] == 200
        consents = server.customer("ann")[1]["consents"]
        assert any(c["channel"] == "mail" and not c["granted"] for c in consents), consents

        # What comes back, written by Python's own `email`, is an event of hers.
        from email.message import EmailMessage, Message
        from email.mime.multipart import MIMEMultipart
        report, status, recipient = Message(), Message(), Message()
        report["Content-Type"] = "message/delivery-status"
        status["Reporting-MTA"] = "dns; mx.example.com"
        recipient["Final-Recipient"] = "rfc822; ann@example.com"
        recipient["Action"], recipient["Status"] = "failed", "5.1.1"
        report.set_payload([status, recipient])
        returned = EmailMessage()
        for name in ("From", "To", "Message-ID"):
            returned[name] = second[name]
        headers = Message()
        headers["Content-Type"] = "text/rfc822-headers"
        headers.set_payload(returned.as_string())
        bounce = MIMEMultipart("report", report_type="delivery-status")
        bounce["To"] = "hello@shop.example"
        for part in (report, headers):
            bounce.attach(part)
        (bounces / "tmp" / "1").write_bytes(bounce.as_bytes())
        (bounces / "tmp" / "1").rename(bounces / "new" / "1")
        server.until(lambda: server.customer("ann")[1]["metrics"]["bounces"] == 1)
        server.until(lambda: [p.name for p in (bounces / "cur").iterdir()] == ["1:2,S"])
        log = server.log.read_text()
        for private in ("ann@example.com", "nobody@example.com", "13800138001"):
            assert private not in log, log
    finally:
        server.stop()
        door.stop()
    print("a welcome into a mailbox, a letter to whom no mail reaches, thanks after the link, out by one click, and a bounce")


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
