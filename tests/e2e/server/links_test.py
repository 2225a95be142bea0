"""The links in messages: they lead to the declared address alone, and a click makes the campaign go on; programs that look at
links make nothing; who leaves by a message gets no more.

links_test.py KOI
"""

import http.client
import json
import os
import pathlib
import sys
import tempfile
import time
import urllib.parse

from callbacks_test import SECRET, Provider, event
from server import Server

KOI = sys.argv[1]
BROWSER = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0 Mobile"


def visit(server, address, method="GET", agent=BROWSER):
    path = urllib.parse.urlsplit(address).path
    connection = server.connection()
    connection.request(method, path, headers={"User-Agent": agent})
    response = connection.getresponse()
    return response.status, response.getheader("Location"), response.read()


def main():
    os.environ["KOI_TEST_HOOK"] = SECRET
    mail = Provider()
    mail.status = 204
    with tempfile.TemporaryDirectory() as folder:
        server = Server(KOI, folder, rules=pathlib.Path(__file__).parent / "links.koi", token="token-of-test",
                        environment={"channels": {"mail": {"connector": "webhook", "secret": "env:KOI_TEST_HOOK", "url": mail.url}},
                                     "public_url": "https://m.example.com/k/"}).start()

        def send(*events):
            status, answer = server.send(*events)
            assert status == 200 and answer["rejected"] == 0, answer

        send(event(1, "consented"), event(2, "visit"))
        mail.wait_for(1)
        link = mail.messages[0]["link"]
        assert link.startswith("https://m.example.com/k/l/") and len(link) == 26 + 27, link
        token = link.rsplit("/", 1)[1]
        link, mark, leave = (f"http://local/{kind}/{token}" for kind in "lou")

        # Too soon for a person, a program by its name, and who only asks whether it is there.
        assert visit(server, link)[:2] == (302, "https://shop.example/hats?a=1")
        time.sleep(2.2)
        assert visit(server, link, agent="facebookexternalhit/1.1")[0] == 302
        assert visit(server, link, "HEAD")[0] == 302
        _, customer = server.customer("phone:+8613800138000")
        assert customer["metrics"]["clicks"] == 0, customer["metrics"]
        assert visit(server, link[:-1] + ("A" if link[-1] != "A" else "Q") + "x")[0] == 404

        # A person: the event is there, and the campaign goes on. Over a kill the link is known.
        server.kill()
        server.start()
        assert visit(server, link)[:2] == (302, "https://shop.example/hats?a=1")
        mail.wait_for(2)
        assert mail.messages[1]["body"] == "Thank you for looking."
        assert visit(server, mark)[2][:6] == b"GIF89a"
        assert visit(server, mark)[0] == 200
        _, customer = server.customer("phone:+8613800138000")
        assert (customer["metrics"]["clicks"], customer["metrics"]["opens"]) == (1, 1), customer["metrics"]

        # Who leaves by the message is not written to again; looking at the page changes nothing.
        assert b"<form method=\"post\">" in visit(server, leave)[2]
        send(event(3, "visit"))
        mail.wait_for(3)
        assert visit(server, leave, "POST")[0] == 200
        send(event(4, "visit"))
        time.sleep(0.5)
        mail.wait_for(3)
        _, metrics = server.ask("GET", "/metrics")
        for line in ('koi_touches_total{result="clicked"} 1', 'koi_touches_total{result="opened"} 2',
                     'koi_touches_total{result="unsubscribed"} 1'):
            assert line in metrics, (line, [l for l in metrics.splitlines() if "touches" in l])
        code, _ = server.stop()
        assert code == 0, code
    print("links lead to the declared address, a click goes on, and who leaves is left alone")


main()
