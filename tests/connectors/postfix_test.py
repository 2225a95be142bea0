"""A campaign that sends e-mail, through a real mail server: Postfix, from Debian's packages, with a configuration,
a queue and ports of its own on 127.0.0.1, and Maildirs behind it. A rule file writes to Ann, over STARTTLS; she follows
the link in her mail, Koi leads her to the shop, and the campaign goes on; she leaves by the mail's own header. Bob's
mailbox does not exist and Postfix says so at once: he gets a letter by the second channel. Cleo's is refused behind Postfix:
its own report comes back into a Maildir, and is an event of hers.

By hand, as root: python3 tests/connectors/postfix_test.py KOI
"""

import email
import email.policy
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server  # noqa: E402

SKIPPED = 77
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Postfix:
    """One instance, in a folder of its own. It is run without a service, in the foreground."""

    def __init__(self, folder):
        self.folder = folder
        self.port, self.far_port = free_ports(2)
        self.certificate = folder / "mx.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", folder / "mx.key", "-out", self.certificate], check=True, capture_output=True)
        for name in ("conf", "queue", "lib", "mail"):
            (folder / name).mkdir()
        shutil.chown(folder / "lib", "postfix")
        shutil.chown(folder / "mail", 65534)  # who Maildirs belong to; never root
        (folder / "conf/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.shop.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = example.com, shop.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ann@example.com = ann/}}, {{bounce@shop.example = bounces/}} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
relay_domains = far.example
relay_recipient_maps =
transport_maps = inline:{{ {{far.example = smtp:[127.0.0.1]:{self.far_port}}} }}
smtp_dns_support_level = disabled
smtp_host_lookup = native
notify_classes =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {self.certificate}
smtpd_tls_key_file = {folder}/mx.key
""")
        (folder / "conf/master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd
127.0.0.1:{self.far_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o {{ smtpd_recipient_restrictions = check_recipient_access inline:{{ {{cleo@far.example = 550 5.1.1 no such user here}} }} permit_mynetworks }}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")

    def start(self):
        with open(self.folder / "out", "wb") as out:
            # In a session of its own, all of which can be ended.
            self.process = subprocess.Popen(["postfix", "-c", self.folder / "conf", "start-fg"], stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as door:
                    return door.noop()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"Postfix does not start: {self.told()}") from None
                time.sleep(0.05)

    def told(self):
        return "".join(path.read_text(errors="replace")[-4000:] for path in (self.folder / "out", self.folder / "log") if path.exists())

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "conf", "stop"], capture_output=True)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def mails(self, mailbox):
        found = [path for part in ("new", "cur") for path in (self.folder / "mail" / mailbox / part).glob("*")]
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in found]


def event(kind, subject, number, **data):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"id": f"{kind}-{subject}-{number}", "type": kind, "time": stamp, "subject": subject, "data": data}


def journey(server, postfix, letters):
    status, answer = server.send(event("register", "ann", 1, email="ann@example.com", phone="+8613800138000"),
                                 event("register", "bob", 1, email="nobody@example.com", phone="+8613800138001"),
                                 event("register", "cleo", 1, email="cleo@far.example", phone="+8613800138002"))
    assert (status, answer["accepted"]) == (200, 3), answer

    def arrived(subject):
        server.until(lambda: any(subject in mail["subject"] for mail in postfix.mails("ann")), 60)
        [mail] = [mail for mail in postfix.mails("ann") if subject in mail["subject"]]
        return mail, mail.get_body(("plain",)).get_content()

    # Into Ann's mailbox, over TLS, as Postfix itself notes.
    welcome, text = arrived("欢迎光临 🎉")
    assert welcome["to"] == "ann@example.com" and not welcome.defects
    assert "with ESMTPS" in welcome["received"], welcome["received"]
    link = re.search(r"https://\S+", text).group(0)
    assert re.fullmatch(r"https://m\.shop\.example/l/[\w-]{27}", link), text

    # Postfix knows no Bob: what was for him comes by the second channel.
    server.until(lambda: len(list(letters.glob("*.txt"))) == 1, 60)
    assert "Your account is ready." in next(letters.glob("*.txt")).read_text()
    server.until(lambda: [line["reason"] for line in server.customer("bob")[1]["timeline"] if line["action"] == "failed"] == ["unreachable"])

    def visit(address, method="GET", body=None):
        connection = server.connection()
        connection.request(method, address.removeprefix("https://m.shop.example"), body,
                           {"User-Agent": BROWSER, "Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("Location")

    # Ann follows the link, and the campaign goes on.
    time.sleep(2.1)  # who is faster than that is a scanner
    assert visit(link) == (302, "https://shop.example/start")
    thanks, text = arrived("Thank you")
    assert "You have seen welcome." in text, text
    server.until(lambda: [line["action"] for line in server.customer("ann")[1]["timeline"]].count("delivered") == 2, 60)

    # By one click in her mail program (RFC 8058) she is out of the channel.
    assert thanks["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    [leave] = re.findall(r"<(https://[^>]+)>", thanks["list-unsubscribe"])
    assert visit(leave, "POST", "List-Unsubscribe=One-Click")[0] == 200
    consents = server.customer("ann")[1]["consents"]
    assert any(c["channel"] == "mail" and not c["granted"] for c in consents), consents

    # Postfix took Cleo's mail, could not hand it on, and reports that (RFC 3464) to where her message came from.
    server.until(lambda: server.customer("cleo")[1]["metrics"]["bounces"] == 1, 60)
    server.until(lambda: any((postfix.folder / "mail/bounces/cur").iterdir()))  # read, and put away as read
    [report] = postfix.mails("bounces")
    assert report.get_content_type() == "multipart/report" and "<MAILER-DAEMON@" in report["from"], report["from"]
    log = server.log.read_text()
    for private in ("ann@example.com", "nobody@example.com", "cleo@far.example", "13800138001"):
        assert private not in log, log


def main(koi):
    if os.geteuid() != 0 or not shutil.which("postfix"):
        print("skipped: Postfix is not installed, or this is not root, whom it must be started by")
        sys.exit(SKIPPED)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="koi_postfix_"))
    folder.chmod(0o755)  # Postfix's own users come by here
    postfix = Postfix(folder)
    try:
        postfix.start()
        letters = folder / "letters"
        letters.mkdir()
        os.environ["KOI_TEST_BOUNCE"] = "the-secret-of-what-comes-back"
        bounces = folder / "mail/bounces"
        for part in (bounces, bounces / "new", bounces / "cur", bounces / "tmp"):
            part.mkdir()
            shutil.chown(part, 65534)
        example = ROOT / "connectors/process/example.py"
        server = Server(koi, folder, rules=ROOT / "tests/connectors/onboarding.koi", environment={"channels": {
            "mail": {"connector": "smtp", "host": "localhost", "port": postfix.port, "ca_file": str(postfix.certificate),
                     "from": "hello@shop.example", "bounce_to": "bounce+{key}@shop.example", "bounces": str(bounces),
                     "bounce_secret": "env:KOI_TEST_BOUNCE", "look_every": "100ms"},
            "sms": {"connector": "process", "command": f"exec python3 '{example}' '{letters}'"}},
            "public_url": "https://m.shop.example"})
        server.start()
        try:
            journey(server, postfix, letters)
        except AssertionError:
            print(server.log.read_text()[-4000:], postfix.told(), file=sys.stderr)
            raise
        finally:
            server.stop()
    finally:
        postfix.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("through Postfix: a welcome over TLS, a letter to whom it does not know, thanks after the link, out by one click, a bounce")


main(sys.argv[1])
