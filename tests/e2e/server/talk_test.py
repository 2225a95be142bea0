"""The running server answers what was written, and knows who is on a list that stands beside its rules.

talk_test.py KOI
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from server import RULES, Server, order

KOI = sys.argv[1]


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
        return [json.loads(line) for line in self.out.read_text().splitlines()] if self.out.exists() else []

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
        self.assertIn(("refuse", "unreachable"), lines("bob"))
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
