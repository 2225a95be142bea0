"""Backups from the outside: taken while events flow, restored when the folder is lost, opened by somebody.

backup_test.py KOI
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from server import Server, lines_of, order, some_while

KOI = os.path.abspath(sys.argv[1])


class BackupTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.backups = self.folder / "backups"
        self.backups.mkdir()
        self.out = self.folder / "out.ndjson"

    def server(self, connector=None):
        to = connector or {"connector": "file", "path": str(self.out)}
        server = Server(KOI, self.folder, environment={"channels": {"app": to, "sms": to}}, arguments=("--backups", self.backups))
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server.start()

    def koi(self, *words, status=0):
        done = subprocess.run([KOI, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "USER": "ann"})
        said = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, status, said)
        return said

    def url(self, server):
        return "--server", f"http://127.0.0.1:{server.port}"

    def backup(self, server):
        said = self.koi("backup", *self.url(server))
        place = pathlib.Path(said.splitlines()[0])
        self.assertTrue((place / "backup.json").exists(), said)
        return place

    def deliveries(self):
        return lines_of(self.out)

    def test_what_was_acknowledged_before_a_backup_is_in_it_and_the_rest_comes_again(self):
        server = self.server()
        stop, acknowledged = threading.Event(), []

        def stream():
            connection = server.connection()
            while not stop.is_set():
                event = order(len(acknowledged), f"c{len(acknowledged) % 50}")
                self.assertEqual(server.send(event, connection=connection)[1]["accepted"], 1)
                acknowledged.append(event)
            connection.close()
        worker = threading.Thread(target=stream)
        worker.start()
        server.until(lambda: len(acknowledged) > 100, within=600)
        before = len(acknowledged)
        place = self.backup(server)
        server.until(lambda: len(acknowledged) > before + 100, within=600)
        stop.set()
        worker.join()
        server.kill()
        shutil.rmtree(server.data)

        self.assertIn("until `koi open`", self.koi("restore", place, "--data", server.data))
        said = len(self.deliveries())
        server.start()
        self.assertEqual(server.ask("GET", "/healthz")[0], 200)
        self.assertEqual(server.ask("GET", "/readyz")[0], 503)
        status, answer = server.send(acknowledged[0])
        self.assertEqual((status, answer["error"]), (503, "held"))
        self.assertIn("koi open", self.koi("status", *self.url(server), status=2))
        self.assertEqual(len(self.deliveries()), said, "nothing is sent before it is opened")
        # A restart does not open it, and neither does a clean stop.
        self.assertEqual(server.stop()[0], 0)
        server.start()
        self.assertEqual(server.send(acknowledged[0])[0], 503)

        self.assertIn("it is open", self.koi("open", *self.url(server), "--why", "the disk is new"))
        self.assertIn("open already", self.koi("open", *self.url(server), "--why", "again", status=2))
        statuses = [r["status"] for r in server.send(*acknowledged)[1]["results"]]
        self.assertEqual(set(statuses[:before]), {"duplicate"})
        self.assertEqual(set(statuses), {"duplicate", "accepted"}, "what came behind the cut comes again")
        for customer in range(50):
            count = sum(e["subject"] == f"c{customer}" for e in acknowledged)
            self.assertEqual(server.customer(f"c{customer}")[1]["metrics"]["orders"], count)
        server.until(lambda: len(self.deliveries()) >= 2 * len(acknowledged), within=600)
        self.assertEqual(server.stop(within=600)[0], 0)
        keys = [line["key"] for line in self.deliveries()]
        self.assertEqual((len(keys), len(set(keys))), (2 * len(acknowledged), 2 * len(acknowledged)))
        history = json.loads((server.data / "restored.json").read_text())
        self.assertEqual((history["by"], history["why"]), ("ann", "the disk is new"))
        server.start()  # and it stays open
        self.assertEqual(server.send(acknowledged[0])[1]["duplicates"], 1)

    def test_what_may_have_been_sent_behind_the_cut_is_not_sent_again_by_who_cannot_tell(self):
        server = self.server({"connector": "console"})
        self.assertEqual(server.send(order(1, "ann"))[1]["accepted"], 1)
        place = self.backup(server)  # the second message is to come a second later

        def lines(what):
            return [line for line in server.customer("ann")[1]["timeline"] if line.get("effect", line.get("kind")) == what or what in json.dumps(line)]
        server.until(lambda: lines("reminder"), within=600)
        server.kill()
        shutil.rmtree(server.data)
        self.koi("restore", place, "--data", server.data)
        server.start()
        self.koi("open", *self.url(server), "--why", "x")
        server.until(lambda: lines("unknown"), within=600)
        status, rest = server.stop(within=600)
        self.assertEqual(status, 0)
        self.assertNotIn("How is", rest)

    def test_a_kill_in_a_backup_harms_nothing_and_leaves_no_half_of_one(self):
        chance = random.Random()
        server = self.server()
        for number in range(8):
            self.assertEqual(server.send(*[order(20 * number + n, f"c{n}") for n in range(20)])[1]["accepted"], 20)
            self.assertEqual(server.ask("POST", "/v1/backups", b"")[0], 202)
            threading.Event().wait(some_while(chance))
            server.kill()
            server.start()
        place = self.backup(server)
        for whole in self.backups.iterdir():
            if whole.suffix != ".part":
                self.koi("restore", whole, "--data", self.folder / "again")
                shutil.rmtree(self.folder / "again")
        self.assertEqual([p for p in self.backups.iterdir() if p.suffix == ".part"], [], "the next backup clears up")
        self.assertEqual(server.stop(within=600)[0], 0)
        shutil.rmtree(server.data)
        self.koi("restore", place, "--data", server.data)
        server.start()
        self.koi("open", *self.url(server), "--why", "x")
        for n in range(20):
            self.assertEqual(server.customer(f"c{n}")[1]["metrics"]["orders"], 8)

    def test_a_backup_is_taken_of_a_folder_at_rest(self):
        server = self.server()
        self.assertEqual(server.send(order(1, "ann"))[1]["accepted"], 1)
        to = self.folder / "copy"
        self.assertIn("koi backup --server", self.koi("backup", "--data", server.data, "--to", to, status=2))
        server.kill()
        self.assertIn("files", self.koi("backup", "--data", server.data, "--to", to))
        self.assertIn("is there already", self.koi("backup", "--data", server.data, "--to", to, status=2))
        again = self.folder / "again"
        self.koi("restore", to, "--data", again)
        self.assertIn("is there already", self.koi("restore", to, "--data", again, status=2))
        self.koi("ledger", "verify", "--data", again)

    def test_what_is_damaged_is_not_restored(self):
        server = self.server()
        self.assertEqual(server.send(order(1, "ann"))[1]["accepted"], 1)
        place, again = self.backup(server), self.folder / "again"
        journal = bytearray((place / "journal.db").read_bytes())
        journal[len(journal) // 2] ^= 1
        damaged = self.folder / "damaged"
        shutil.copytree(place, damaged)
        (damaged / "journal.db").write_bytes(bytes(journal))
        self.assertIn("journal.db is not as it was written", self.koi("restore", damaged, "--data", again, status=2))
        (damaged / "journal.db").unlink()
        self.assertIn("journal.db is not as it was written", self.koi("restore", damaged, "--data", again, status=2))
        manifest = (place / "backup.json").read_text()
        for wrong in ("", "{}", manifest.replace('"identifiers.db"', '"../identifiers.db"'), manifest.replace('"identifiers.db"', '"/etc/passwd"')):
            (damaged / "backup.json").write_text(wrong)
            self.assertIn("backup.json is not as it was written", self.koi("restore", damaged, "--data", again, status=2))
        (damaged / "backup.json").write_text(manifest.replace('"version": 1', '"version": 2'))
        self.assertIn("newer Koi", self.koi("restore", damaged, "--data", again, status=2))
        self.assertIn("is no backup", self.koi("restore", self.backups, "--data", again, status=2))
        self.assertFalse(again.exists())
        self.assertFalse((self.folder / "identifiers.db").exists())

    def test_a_server_makes_backups_where_it_was_told_to(self):
        server = Server(KOI, self.folder)
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        server.start()
        self.assertIn("--backups", self.koi("backup", *self.url(server), status=2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
