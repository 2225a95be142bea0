"""The running server answers what was written, knows who is on a list that stands beside its rules, and tells everyone what
happens to everyone.

talk_test.py KOI
"""

import base64
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from server import RULES, Server, lines_of, order

KOI = sys.argv[1]
PROGRAM = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "deliver":
        with open({out!r}, "a") as out:
            out.write(json.dumps(request["delivery"]) + "\\n")
        print(json.dumps({{"id": request["id"], "outcome": "done"}}), flush=True)
"""


def event(name, kind, subject, **data):
    return {"id": name, "type": kind, "time": order(0, "", time.time())["time"], "subject": subject, "data": data}


class TalkTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.rules = self.folder / "rules"
        shutil.copytree(RULES.parent / "talk", self.rules)
        self.out = self.folder / "out.ndjson"

    def server(self, **connectors):
        file = {"connector": "file", "path": str(self.out)}
        server = Server(KOI, self.folder, rules=self.rules,
                        environment={"channels": {"app": file, "pay": file, **connectors}})
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server

    def delivered(self):
        return lines_of(self.out)

    def test_an_answer_says_what_it_answers_and_one_that_cannot_be_carried_has_failed(self):
        server = self.server(pay={"connector": "smtp", "host": "127.0.0.1", "port": 9, "from": "koi@example.com", "security": "none"}).start()
        self.assertEqual(server.send(event("e1", "comment", "ann", channel="app", text="tea"),
                                     event("e2", "comment", "bob", channel="nowhere", text="tea"),
                                     event("e3", "comment", "cy", channel="pay", text="tea"))[1]["accepted"], 3)
        server.until(lambda: len(self.delivered()) == 1)
        [answer] = self.delivered()
        self.assertEqual((answer["customer"], answer["body"], answer["reply_to"]), ("ann", "About tea: thank you.", "e1"))
        lines = lambda who: [(x["action"], x.get("reason")) for x in server.customer(who)[1]["timeline"]]
        server.until(lambda: ("delivered", None) in lines("ann") and ("failed", "bad_content") in lines("cy"))
        self.assertIn(("reply", None), lines("ann"))
        server.until(lambda: ("refuse", "unreachable") in lines("bob"))
        self.assertEqual(server.stop()[0], 0)

    def test_programs_behind_a_webhook_and_a_process_are_told_what_they_answer(self):
        posted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posted.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["data"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        program = self.folder / "program.py"
        program.write_text(PROGRAM.format(out=str(self.out)))
        secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
        os.environ["KOI_TEST_TALK_SECRET"] = secret
        server = self.server(app={"connector": "webhook", "url": f"http://127.0.0.1:{other.server_port}/", "secret": "env:KOI_TEST_TALK_SECRET"},
                             pay={"connector": "process", "command": f"{sys.executable} {program}"}).start()
        self.assertEqual(server.send(event("e1", "comment", "ann", channel="app", text="tea"),
                                     event("e2", "comment", "bob", channel="pay", text="cake"))[1]["accepted"], 2)
        server.until(lambda: len(posted) == 1 and len(self.delivered()) == 1)
        told = [(each["customer"], each["body"], each["reply_to"]) for each in posted + self.delivered()]
        self.assertEqual(told, [("ann", "About tea: thank you.", "e1"), ("bob", "About cake: thank you.", "e2")])
        lines = lambda who: [x["action"] for x in server.customer(who)[1]["timeline"]]
        server.until(lambda: "delivered" in lines("ann") and "delivered" in lines("bob"))
        self.assertEqual(server.stop()[0], 0)

    def test_a_providers_template_is_named_with_its_values(self):
        server = self.server().start()
        self.assertEqual(server.send(event("a1", "asked", "ann", word="tea"))[1]["accepted"], 1)
        server.until(lambda: len(self.delivered()) == 2)
        by_template, by_text = sorted(self.delivered(), key=lambda each: each["channel"])
        self.assertEqual((by_template["template"], by_template["values"]), ("T_1", {"name": "you", "word": "It is tea"}))
        self.assertEqual(by_text["body"], "as text")
        self.assertNotIn("template", by_text)
        self.assertEqual(server.stop()[0], 0)

    def test_who_is_on_the_list_is_part_of_the_rules_until_others_are_deployed(self):
        server = self.server().start()
        self.assertEqual(server.send(event("r1", "register", "ann", phone="13800138000"),
                                     event("r2", "register", "bob", phone="13900139000"))[1]["accepted"], 2)
        server.until(lambda: len(self.delivered()) == 1)
        self.assertEqual(server.customer("ann")[1]["id"], "ann")
        server.kill()
        (self.rules / "press.csv").write_text("phone\n13700137000\n")
        server.start()
        self.assertEqual(server.send(event("r3", "register", "cy", phone="13700137000"))[1]["accepted"], 1)
        server.until(lambda: len(self.delivered()) == 2)
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual([x["customer"] for x in self.delivered()], ["ann", "cy"])
        (self.rules / "press.csv").unlink()
        done = subprocess.run(server.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("press.csv", done.stderr.decode())

    def test_what_happens_to_everyone_is_seen_once_by_whoever_is_there_over_kills(self):
        server = self.server().start()
        there = [f"c{i}" for i in range(2000)]
        self.assertEqual(server.send(*(event(f"v{c}", "visit", c) for c in there))[1]["accepted"], len(there))
        sale = event("s1", "sale", "*", sku="A1")
        self.assertEqual(server.send(event("x", "visit", "*"), event("y", "sale", "ann", sku="A1"))[1]["rejected"], 2)
        self.assertEqual([r["status"] for r in server.send(sale, sale)[1]["results"]], ["accepted", "duplicate"])
        for _ in range(3):  # wherever it is in telling it
            server.kill()
            server.start()
            self.assertEqual([r["status"] for r in server.send(sale)[1]["results"]], ["duplicate"])
        self.assertEqual(server.send(event("late", "visit", "newcomer"))[1]["accepted"], 1)
        server.until(lambda: len(self.delivered()) == len(there) and "was told to" in server.log.read_text(), 60)
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual(sorted(x["customer"] for x in self.delivered()), sorted(there))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
