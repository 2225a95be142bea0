"""A server's prize draws are made again by somebody who has its folder, the published rules and the published commitment; what
another server told its customers does not fit to them.

draws_test.py KOI
"""

import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from server import Server

KOI = sys.argv[1]
PLAYS = 120

RULES = """
policy { time zone "UTC"  currency CNY }
event play {}
points stars {}
prize_draw wheel { prize "tea" weight 3 stock 9  prize 7 stars weight 2 stock 20  prize "nothing" weight 4 }
campaign plays { class service  enter always  when play  give wheel }
"""


def plays(order):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [{"id": f"p{i}", "type": "play", "time": stamp, "subject": f"c{i % 40}", "data": {}} for i in order]


def given(server):
    """So many prizes; points that are one count once more."""
    return len([1 for i in range(40) for line in server.customer(f"c{i}")[1].get("timeline", []) if "prize" in line])


class DrawsTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.rules = self.folder / "rules.koi"
        self.rules.write_text(RULES)

    def served(self, name, data=None, arguments=()):
        (self.folder / name).mkdir()
        server = Server(KOI, self.folder / name, self.rules, arguments=("--groups", 2, *arguments))
        if data:
            shutil.copytree(data, server.data)
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server.start()

    def koi(self, *arguments, status=0):
        done = subprocess.run([KOI, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, encoding="utf-8",
                              timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_an_auditor_makes_every_draw_of_a_server_again(self):
        first = self.served("first")
        commitment = first.ask("GET", "/v1/campaigns")[1]["draws_commitment"]
        self.assertEqual(first.stop()[0], 0)
        # The same folder once more, before anything is drawn: the same key, and another order.
        second = self.served("second", first.data)
        first.start()
        for server, order in ((first, range(PLAYS)), (second, reversed(range(PLAYS)))):
            self.assertEqual(server.send(*plays(order))[1]["accepted"], PLAYS)
            server.until(lambda server=server: given(server) >= PLAYS)
        self.assertEqual(first.ask("GET", "/v1/campaigns")[1]["draws_commitment"], commitment)
        self.assertIn("audit a restored backup", self.koi("draws", "--data", first.data, status=2))
        self.assertEqual(first.stop()[0], 0)
        self.assertEqual(second.stop()[0], 0)

        told = self.koi("draws", "--data", first.data, "--reveal")
        self.assertIn(f"commitment {commitment}\n", told)
        self.assertIn(f"{PLAYS} draws were made again, of which the timeline tells {PLAYS} and customers have 40 in hand", told)
        self.assertIn("wheel: ", told)
        self.assertIn(" 9 tea", told)
        key = next(line.split()[1] for line in told.splitlines() if line.startswith("key "))
        halves = struct.pack("<QQ", int(key[:16], 16), int(key[16:], 16))
        self.assertEqual(hashlib.sha256(b"koi-draw-1\0" + halves).hexdigest(), commitment)
        self.koi("draws", self.rules, "--data", first.data, "--key", key)
        self.assertIn("the key makes it", self.koi("draws", "--data", first.data, "--key", "0" * 32, status=1))
        other = self.folder / "other.koi"
        other.write_text(RULES.replace("weight 3", "weight 2"))
        self.assertIn("have other prizes, weights or stocks", self.koi("draws", other, "--data", first.data, status=1))

        # What its customers were told is what the other one told them.
        forged = self.folder / "forged"
        shutil.copytree(first.data, forged)
        shutil.copy(second.data / "timeline.db", forged)
        told = self.koi("draws", "--data", forged, status=1)
        self.assertRegex(told, "WRONG: the timeline of `c[0-9]+` has the prize `[a-z]+` of `wheel` .*, and `wheel` makes it `[a-z]+`")
        self.assertIn("NOT every draw is right", told)

        # The seed as the folder has it, with 0x and without.
        seed = json.loads((first.data / "deployment.json").read_text())["seed"]
        for written in ("0x" + seed, *([] if seed.isdigit() else [seed])):
            self.assertEqual(self.koi("draws", self.rules, "--seed", written), f"commitment {commitment}\n")

    def test_a_backup_of_a_server_that_runs_can_be_audited(self):
        backups = self.folder / "backups"
        backups.mkdir()
        server = self.served("one", arguments=("--backups", backups))
        self.assertEqual(server.send(*plays(range(PLAYS)))[1]["accepted"], PLAYS)
        server.until(lambda: given(server) == PLAYS)
        self.koi("backup", "--server", f"http://127.0.0.1:{server.port}")
        [backup] = backups.iterdir()
        self.koi("restore", backup, "--data", self.folder / "copy")
        told = self.koi("draws", self.rules, "--data", self.folder / "copy")
        self.assertIn(f"commitment {server.ask('GET', '/v1/campaigns')[1]['draws_commitment']}\n", told)
        self.assertIn(f"{PLAYS} draws were made again", told)
        server.stop()

    def test_what_it_is_asked_for_must_be_said(self):
        self.assertIn("draws of what?", self.koi("draws", status=2))
        self.assertIn("put 0x before", self.koi("draws", self.rules, "--seed", "1329046181634717", status=2))
        self.assertIn("put 0x before", self.koi("draws", self.rules, "--seed", "nonsense", status=2))
        self.koi("draws", "--data", self.folder, status=2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
