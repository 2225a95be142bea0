"""Bundles and deploys from the outside: built, signed, put live on a server that goes on taking events, and back.

deploy_test.py KOI [KILLS]
"""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from server import Server, lines_of, some_while

KOI = os.path.abspath(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 50

HEAD = """policy { time zone "Asia/Shanghai"  currency CNY }
event order { amount: money }
channel app { class direct }
metric orders = count order
"""
FIRST = HEAD + """content first { body "first words" }
content last { body "first farewell" }
campaign thank { class transactional  enter once  when order  send first via app  wait 3 seconds  send last via app }
test "who orders is thanked" {
  given customer ann {}
  at 2026-03-02 10:00  ann order { amount: ¥1.00 }
  at 2026-03-02 10:00  expect send first to ann
}
"""
SECOND = (FIRST.replace("first words", "second words").replace("first farewell", "second farewell")
          + "metric spend = sum order.amount\n")
GONE = HEAD


class DeployTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.out = self.folder / "out.ndjson"

    def koi(self, *words, status=0):
        done = subprocess.run([KOI, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "USER": "ann"})
        self.assertEqual(done.returncode, status, done.stdout.decode() + done.stderr.decode())
        return done.stdout.decode() + done.stderr.decode()

    def built(self, name, text, *more):
        rules = self.folder / name
        rules.mkdir(exist_ok=True)
        (rules / "rules.koi").write_text(text)
        self.koi("build", rules, "-o", self.folder / f"{name}.koib", *more)
        return self.folder / f"{name}.koib"

    def server(self, rules, *arguments):
        server = Server(KOI, self.folder, rules=rules, arguments=arguments, environment={
            "channels": {"app": {"connector": "file", "path": str(self.out)}}})
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server

    def deploy(self, server, package, *more, status=0):
        return self.koi("deploy", package, "--server", f"http://127.0.0.1:{server.port}", "--why", "spring", *more, status=status)

    def order(self, number, subject):
        return {"id": f"o{number}", "type": "order", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "subject": subject, "data": {"amount": "1.00"}}

    def said(self):
        words = {}
        for line in lines_of(self.out):
            words.setdefault(line["customer"], []).append(line["body"])
        return words

    def test_the_same_sources_make_the_same_bytes_wherever_they_lie(self):
        one = self.built("one", FIRST).read_bytes()
        elsewhere = self.folder / "deep" / "down"
        elsewhere.mkdir(parents=True)
        shutil.copy(self.folder / "one" / "rules.koi", elsewhere / "rules.koi")
        os.utime(elsewhere / "rules.koi", (0, 0))
        self.koi("build", elsewhere, "-o", self.folder / "two.koib")
        self.assertEqual((self.folder / "two.koib").read_bytes(), one)
        os.chdir(elsewhere)
        self.koi("build", "rules.koi", "-o", "three.koib")
        self.assertEqual(pathlib.Path("three.koib").read_bytes(), one)
        os.chdir("/")
        (self.folder / "one" / "a.koi").write_text("content more { body \"more\" }\n" + FIRST[FIRST.index("test "):].replace("thanked", "thanked again"))
        self.koi("build", self.folder / "one", "-o", self.folder / "four.koib")
        self.koi("build", self.folder / "one" / "rules.koi", self.folder / "one" / "a.koi", "-o", self.folder / "five.koib")
        self.assertEqual((self.folder / "four.koib").read_bytes(), (self.folder / "five.koib").read_bytes())

    def manifest(self, package):
        whole = package.read_bytes()
        return json.loads(whole[15:15 + int.from_bytes(whole[7:15], "little")])

    def test_a_bundle_says_what_it_is_compiled_to_and_what_its_tests_have_seen(self):
        package = self.built("first", FIRST + "campaign seldom { class service  when order where amount > ¥9.00  send last via app }\n")
        manifest = self.manifest(package)
        whole = package.read_bytes()
        plan = whole[-33 - manifest["plan"]:-33]
        self.assertIn("campaign seldom", plan.decode())
        self.assertEqual(manifest["tests"], [{"name": "who orders is thanked", "passed": True}])
        coverage = manifest["coverage"]
        self.assertEqual(len(coverage["unseen"]), coverage["of"] - coverage["seen"])
        self.assertTrue(any(line.startswith("rules.koi:") and "seldom" in line for line in coverage["unseen"]), coverage)
        # One that another Koi compiled otherwise is refused, whatever its hash says.
        forged = whole[:-33].replace(plan, plan.replace(b"seldom", b"always"))
        (self.folder / "forged.koib").write_bytes(forged + hashlib.sha256(forged).digest() + b"\0")
        server = self.server(self.built("usual", FIRST))
        server.start()
        self.assertIn("another plan", self.deploy(server, self.folder / "forged.koib", status=2))

    def test_a_program_that_fails_its_tests_is_not_built(self):
        (self.folder / "bad.koi").write_text(FIRST.replace("expect send first to ann", "expect no send first to ann"))
        said = self.koi("build", self.folder / "bad.koi", "-o", self.folder / "bad.koib", status=1)
        self.assertIn("nothing was built", said)
        self.assertFalse((self.folder / "bad.koib").exists())

    def test_events_are_taken_throughout_and_everyone_finishes_what_he_began(self):
        first, second, gone = self.built("first", FIRST), self.built("second", SECOND), self.built("gone", GONE)
        server = self.server(first)
        server.start()
        stop, refused, sent = threading.Event(), [], []

        def stream(worker):
            connection = server.connection()
            self.addCleanup(connection.close)
            number = worker
            while not stop.is_set():
                status, answer = server.send(self.order(number, f"c{number}"), connection=connection)
                if status == 429:  # a slow machine's queue is full: it is sent again, as a source does
                    time.sleep(0.05)
                    continue
                if status != 200 or answer["accepted"] != 1:
                    refused.append((status, answer))
                sent.append(number)
                number += 10
                stop.wait(0.02)  # as many as a slow machine can follow
        workers = [threading.Thread(target=stream, args=(w,)) for w in range(4)]
        for worker in workers:
            worker.start()

        def more(count=40):
            before = len(sent)
            server.until(lambda: len(sent) >= before + count, within=600)
        more()
        told = [self.deploy(server, second)]
        more()
        told.append(self.deploy(server, gone))
        more()
        told.append(self.koi("rollback", "--server", f"http://127.0.0.1:{server.port}", "--why", "too early"))
        more()
        stop.set()
        for worker in workers:
            worker.join()
        self.assertEqual(refused, [])
        pauses = [int(re.search(r"events waited for (\d+) ms", t).group(1)) for t in told]
        self.assertLess(max(pauses), 20000, told)
        self.assertIn("built from the journal", told[0])
        self.assertRegex(told[0], r"journeys? goe?s? on in thank@")

        status = json.loads(self.koi("status", "--server", f"http://127.0.0.1:{server.port}", "--format", "json"))
        self.assertEqual([(t.get("by"), t.get("why")) for t in status["history"]],
                         [("ann", "too early"), ("ann", "spring"), ("ann", "spring"), ("koi serve", "started with these rules")])
        self.assertEqual(status["live"]["bundle"], status["history"][2]["bundle"])

        server.until(lambda: sum(len(w) == 2 for w in self.said().values()) == len(self.said()), within=600)
        words = self.said()
        kinds = {tuple(w) for w in words.values()}
        self.assertEqual(kinds, {("first words", "first farewell"), ("second words", "second farewell")})
        # While the campaign was gone nobody entered it; and nobody was lost or counted twice.
        self.assertLess(len(words), len(sent))
        for number in random.sample(sent, 20):
            metrics = server.customer(f"c{number}")[1]["metrics"]
            self.assertEqual((metrics["orders"], metrics["spend"]), (1, "1.00"), number)
        text = self.koi("status", "--server", f"http://127.0.0.1:{server.port}")
        self.assertRegex(text, r"live   [0-9a-f]{32} since \S+ by ann: too early\n")
        self.assertRegex(text, r"thank: \d+ under way, \d+ entered")
        self.assertEqual(server.stop()[0], 0)

    def test_who_is_under_way_is_moved_and_told_of_before_it_is_done_and_a_stopped_campaign_ends(self):
        slow = FIRST.replace("wait 3 seconds", "wait 3 days")
        server = self.server(self.built("slow", slow))
        server.start()
        for n in range(5):
            self.assertEqual(server.send(self.order(n, f"c{n}"))[1]["accepted"], 1)
        mended = self.built("mended", slow.replace("wait 3 days", "wait 1 second").replace("first farewell", "second farewell"))
        history = server.ask("GET", "/v1/status")[1]["history"]
        moves = ("--migrate", "thank")
        self.assertIn("no step `wait`", self.deploy(server, mended, *moves, "--step", "thank: wait after send first = wait", status=2))
        said = self.deploy(server, mended, *moves, "--preview")
        self.assertIn("migrate thank\n", said)
        self.assertNotIn("live", said)
        self.assertEqual(server.ask("GET", "/v1/status")[1]["history"], history)
        said = self.deploy(server, mended, *moves)
        self.assertRegex(said, r"(?s)^migrate thank\n.*5 journeys go on in the new version of thank\n")
        server.until(lambda: sorted(self.said().values()) == [["first words", "second farewell"]] * 5, within=600)
        # And one that is gone, with those who are in it.
        self.deploy(server, self.built("slow2", slow.replace("first words", "third words")))
        for n in range(5):
            self.assertEqual(server.send(self.order(n + 10, f"d{n}"))[1]["accepted"], 1)
        said = self.deploy(server, self.built("gone", GONE), "--stop", "thank")
        self.assertIn("stop thank\n", said)
        self.assertIn("5 journeys in thank ended", said)
        server.until(lambda: all(c["journeys"] == 0 for c in server.ask("GET", "/v1/status")[1]["under_way"]), within=600)
        self.assertEqual(server.stop(within=600)[0], 0)

    def test_a_canary_is_for_some_over_a_kill_too_until_it_is_promoted_or_rolled_back(self):
        server = self.server(self.built("first", FIRST))
        server.start()
        number = 0

        def everybody(prefix):
            nonlocal number
            for n in range(60):
                self.assertEqual(server.send(self.order(number, f"{prefix}{n}"))[1]["accepted"], 1)
                number += 1
            server.until(lambda: sum(len(w) for c, w in self.said().items() if c.startswith(prefix)) == 120, within=600)
            return {c: w[0] for c, w in self.said().items() if c.startswith(prefix)}
        second = self.built("second", SECOND)
        url = ("--server", f"http://127.0.0.1:{server.port}")
        self.assertIn("no canary", self.koi("promote", *url, "--why", "x", status=2))
        self.deploy(server, second, "--canary", "30%")
        chosen = {c for c, w in everybody("a").items() if w == "second words"}
        self.assertTrue(0 < len(chosen) < 60, chosen)
        self.assertEqual(server.ask("GET", "/v1/status")[1]["live"]["canary"], "30%")
        self.assertIn("for 30% of the customers", self.koi("status", *url))
        shares = {c["name"]: c.get("of_customers") for c in server.ask("GET", "/v1/campaigns")[1]["campaigns"] if not c.get("closed")}
        self.assertEqual(shares, {"thank": "30%"})
        server.kill()
        server.command = lambda *more: [KOI, "serve", "--data", str(server.data), "--listen", "127.0.0.1:0", "--env", str(server.environment)]
        server.start()
        self.assertEqual(server.ask("GET", "/v1/status")[1]["live"]["canary"], "30%")
        self.assertTrue(0 < sum(w == "second words" for w in everybody("b").values()) < 60)
        # More of them, then back, then all of them.
        self.deploy(server, second, "--canary", "60")
        more = sum(w == "second words" for w in everybody("e").values())
        self.assertTrue(0 < more < 60)
        url = ("--server", f"http://127.0.0.1:{server.port}")
        self.koi("rollback", *url, "--why", "no good")
        self.assertEqual(set(everybody("f").values()), {"first words"})
        self.deploy(server, second, "--canary", "0.1%")
        self.koi("promote", *url, "--why", "good")
        self.assertEqual(set(everybody("g").values()), {"second words"})
        self.koi("rollback", *url, "--why", "back")
        self.assertEqual(set(everybody("h").values()), {"first words"})
        self.assertEqual(server.stop(within=600)[0], 0)

    def test_what_customers_share_goes_along_while_it_is_given(self):
        given = """policy { time zone "UTC"  currency CNY }
channel app { class direct }
event grab {}
coupon ten { off ¥10.00  codes generated "T-##########"  budget 60 issued }
content code { body "take {ten.code}" }
campaign grabbing { class service  enter always  when grab give ten send code via app }
"""
        server = self.server(self.built("given", given))
        server.start()
        stop, sent = threading.Event(), []

        def stream():
            connection = server.connection()
            while not stop.wait(0.02):
                grab = {**self.order(len(sent), f"c{len(sent)}"), "type": "grab", "data": {}}
                self.assertEqual(server.send(grab, connection=connection)[1]["accepted"], 1)
                sent.append(grab["subject"])
            connection.close()
        worker = threading.Thread(target=stream)
        worker.start()
        server.until(lambda: len(sent) >= 10, within=600)
        self.deploy(server, self.built("again", given.replace("take {", "here: {") + "metric grabs = count grab\n"))
        server.until(lambda: len(sent) >= 40, within=600)
        self.koi("rollback", "--server", f"http://127.0.0.1:{server.port}", "--why", "words")
        server.until(lambda: len(sent) >= 90, within=600)
        stop.set()
        worker.join()
        server.until(lambda: len(self.said()) == 60, within=600)
        url = ("--server", f"http://127.0.0.1:{server.port}")
        self.assertRegex(self.koi("status", *url), r"(?s)grabbing: .* 60 given, .*\d+ refused: budget\n.*budget ten: \d+ left of 60\n")
        codes = [word.split()[-1] for words in self.said().values() for word in words]
        self.assertEqual((len(codes), len(set(codes))), (60, 60), "no code twice, and no more than there are")
        self.assertEqual(server.stop(within=600)[0], 0)
        self.assertEqual(len(self.said()), 60)
        self.koi("ledger", "verify", "--data", server.data)

    def test_what_is_live_is_served_again_without_naming_it(self):
        server = self.server(self.built("first", FIRST))
        server.start()
        self.deploy(server, self.built("second", SECOND))
        live = server.ask("GET", "/v1/status")[1]["live"]
        server.stop()
        again = Server(KOI, self.folder, rules=self.folder / "none", arguments=())
        again.command = lambda *more: [KOI, "serve", "--data", str(again.data), "--listen", "127.0.0.1:0"]
        again.start()
        self.addCleanup(again.kill)
        self.assertEqual(again.ask("GET", "/v1/status")[1]["live"], live)

    def test_why_somebody_was_not_told_is_told(self):
        rules = self.folder / "why.koi"
        rules.write_text("""policy { time zone "Asia/Shanghai"  currency CNY  cap transactional 1 per day }
customer { city: text?  on register set city = register.city }
event register { city: text? }
event order { amount: money }
channel app { class direct }
metric spend = sum order.amount
content thanks { body "thank you" }
campaign thank { class transactional  enter always  for spend >= ¥5.00 and customer.city == "Hangzhou"
  when order where amount > ¥1.00  send thanks via app  wait 1 hour }
campaign other { class transactional  when order  send thanks via app }
""")
        server = self.server(rules)
        server.start()

        def why(customer, campaign="thank"):
            return json.loads(self.koi("explain", customer, "--campaign", campaign, "--server", f"http://127.0.0.1:{server.port}"))
        register = {**self.order(1, "ann"), "id": "r1", "type": "register", "data": {"city": "Hangzhou"}}
        small, large = self.order(2, "ann"), self.order(3, "ann")
        small["data"]["amount"], large["data"]["amount"] = "0.50", "9.00"
        for event in (register, small, self.order(4, "bo")):
            self.assertEqual(server.send(event)[0], 200)
        bo = self.order(5, "bo")
        bo["data"]["amount"] = "7.00"
        for event in (large, bo):
            self.assertEqual(server.send(event)[0], 200)
        ann = why("ann")
        first, second = ann["attempts"]
        self.assertEqual((first["event"], first["where"]["holds"], first["where"]["values"], first["decided"]),
                         ("o2", False, {"amount": "0.50"}, False))
        self.assertEqual((second["event"], second["for"]["holds"], second["in_already"], second["decided"]), ("o3", True, False, True))
        self.assertEqual([p["values"] for p in second["for"]["of"]], [{"spend": "9.50"}, {"customer.city": "Hangzhou"}])
        self.assertEqual([d["action"] for d in ann["done"]], ["enter", "refuse"])
        self.assertEqual(ann["done"][1]["reason"], "cap")
        [cap] = ann["done"][1]["caps"]
        self.assertEqual((cap["limit"], [m["campaign"] for m in cap["counted"]]), (1, ["other"]))
        [journey] = ann["journeys"]
        self.assertEqual((journey["version"], journey["phase"]), ("thank", "active"))
        self.assertIn("held_back_until", journey)
        last = why("bo")["attempts"][-1]
        self.assertEqual((last["where"]["holds"], last["for"]["holds"], last["decided"]), (True, False, False))
        self.assertEqual([(p["holds"], p["values"]) for p in last["for"]["of"]], [(True, {"spend": "8.00"}), (False, {"customer.city": None})])
        self.assertEqual(why("bo")["journeys"], [])
        self.assertIn("nobody", self.koi("explain", "eve", "--campaign", "thank", "--server", f"http://127.0.0.1:{server.port}", status=2))
        self.assertIn("campaign", self.koi("explain", "bo", "--campaign", "none", "--server", f"http://127.0.0.1:{server.port}", status=2))
        # Of a customer: all campaigns.
        whole = json.loads(self.koi("explain", "ann", "--all", "--server", f"http://127.0.0.1:{server.port}"))
        self.assertEqual({d["campaign"] for d in whole["done"]}, {"thank", "other"})
        self.assertEqual([d for d in whole["done"] if d["campaign"] == "thank"], ann["done"])
        # Of a message: as of when it was decided, and what was refused has a key as well.
        def of_message(key, status=0):
            return self.koi("explain", "ann", "--message", key, "--server", f"http://127.0.0.1:{server.port}", status=status)
        entered = json.loads(of_message(ann["done"][0]["key"]))
        self.assertEqual((entered["campaign"], entered["message"]), ("thank", ann["done"][0]["key"]))
        self.assertEqual([d["action"] for d in entered["done"]], ["enter"])
        self.assertEqual(entered["attempts"], ann["attempts"])
        refused = json.loads(of_message(ann["done"][1]["key"]))
        self.assertEqual(refused["done"], ann["done"])
        [sent] = [d for d in why("ann", "other")["done"] if d["action"] == "send"][:1]
        of_other = json.loads(of_message(sent["key"]))
        self.assertEqual((of_other["campaign"], of_other["done"][-1]["key"]), ("other", sent["key"]))
        self.assertEqual([a["event"] for a in of_other["attempts"]], ["o2"])  # what came later has no part in it
        self.assertIn("key", of_message("0" * 32, status=2))
        self.assertEqual(server.ask("GET", "/v1/explain?customer=ann&campaign=thank&message=0&at=2020-01-01T00:00:00Z")[0], 400)
        # As of an instant: what has come since is not known then. And after a deploy, by the rules of then.
        self.assertEqual(server.ask("GET", "/v1/explain?customer=bo&campaign=thank&at=2020-01-01T00:00:00Z")[0], 404)
        self.deploy(server, self.built("second", SECOND))
        self.assertEqual([d["action"] for d in why("ann")["done"]], ["enter", "refuse"])

    def test_a_bundle_with_another_byte_is_refused_and_nothing_changes(self):
        server = self.server(self.built("first", FIRST))
        server.start()
        before = server.ask("GET", "/v1/status")[1]["history"]
        whole = self.built("second", SECOND).read_bytes()
        altered = self.folder / "altered.koib"
        chance = random.Random(8)
        for at in sorted(chance.sample(range(len(whole)), 40)):
            body = whole[:at] + bytes([whole[at] ^ chance.randrange(1, 256)]) + whole[at + 1:]
            status, answer = server.ask("POST", "/v1/deploys?by=eve&why=mischief", body)
            self.assertEqual(status, 202)
            server.until(lambda: server.ask("GET", f"/v1/deploys/{answer['number']}")[1]["state"] != "under way")
            self.assertEqual(server.ask("GET", f"/v1/deploys/{answer['number']}")[1]["state"], "refused", at)
        altered.write_bytes(body)
        self.assertIn("koi build", self.deploy(server, altered, status=2))
        self.assertEqual(server.ask("GET", "/v1/status")[1]["history"], before)
        self.assertEqual(server.ask("POST", "/v1/deploys", whole)[0], 400, "nobody says who and why")
        self.assertEqual(server.ask("GET", "/v1/deploys/77")[0], 404)

    def test_a_key_ring_takes_what_enough_of_it_have_signed(self):
        ring = self.folder / "ring"
        ring.write_text(self.koi("keys", "make", self.folder / "ann.key") + self.koi("keys", "make", self.folder / "bo.key"))
        self.koi("keys", "make", self.folder / "eve.key")
        self.assertEqual((self.folder / "ann.key").stat().st_mode & 0o777, 0o600)
        self.koi("keys", "make", self.folder / "ann.key", status=2)  # never over one that is there
        self.assertIn(self.koi("keys", "show", self.folder / "bo.key"), ring.read_text())

        def signed(name, *keys):
            package = self.built(name, SECOND, *(("--sign", self.folder / f"{keys[0]}.key") if keys else ()))
            for key in keys[1:]:
                self.koi("keys", "sign", package, "--key", self.folder / f"{key}.key")
            return package
        first = self.built("first", FIRST, "--sign", self.folder / "ann.key")
        self.koi("keys", "sign", first, "--key", self.folder / "bo.key")
        server = self.server(first, "--keys", ring, "--approvals", "2")
        server.start()
        self.assertIn("not signed", self.deploy(server, signed("a"), status=2))
        self.assertIn("nobody whose key", self.deploy(server, signed("b", "eve"), status=2))
        self.assertIn("wants 2", self.deploy(server, signed("c", "ann", "eve"), status=2))
        self.deploy(server, signed("d", "ann", "bo"))
        self.assertEqual(server.ask("GET", "/v1/status")[1]["live"]["by"], "ann, signed by ann and bo")
        # What was approved once is given to all, and taken back, by one: nobody need be woken.
        url = ("--server", f"http://127.0.0.1:{server.port}")
        self.assertIn("wants 2", self.deploy(server, signed("e", "bo"), "--canary", "10%", status=2))
        self.koi("rollback", *url, "--why", "at night", "--by", "bo")
        self.deploy(server, self.folder / "d.koib", "--canary", "10%")
        self.koi("promote", *url, "--why", "it is well", "--by", "bo")
        self.assertEqual([t["by"] for t in server.ask("GET", "/v1/status")[1]["history"]][:4],
                         ["bo", "ann, signed by ann and bo", "bo", "ann, signed by ann and bo"])
        if shutil.which("openssl"):  # by somebody else's hands
            package = (self.folder / "d.koib").read_bytes()
            count = 2
            content, signatures = package[:-(1 + 96 * count)], package[-96 * count:]
            key, signature = signatures[:32], signatures[32:96]
            (self.folder / "m").write_bytes(b"koib 2\n" + content[-32:])
            (self.folder / "s").write_bytes(signature)
            (self.folder / "p").write_bytes(bytes.fromhex("302a300506032b6570032100") + key)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", self.folder / "p", "-rawin",
                                   "-in", self.folder / "m", "-sigfile", self.folder / "s"], check=False, capture_output=True)
            self.assertEqual(done.returncode, 0, done)

    def test_a_stop_while_rules_are_made_ready_leaves_the_old_or_the_new_whole(self):
        packages = [self.built("first", FIRST), self.built("second", SECOND)]
        server = self.server(packages[0])
        server.start()
        server.command = lambda *more: [KOI, "serve", "--data", str(server.data), "--listen", "127.0.0.1:0", "--env", str(server.environment)]
        for turn in range(6):
            self.assertEqual(server.send(self.order(turn, f"c{turn}"))[1]["accepted"], 1)
            before = [t["bundle"] for t in server.ask("GET", "/v1/status")[1]["history"]]
            self.assertEqual(server.ask("POST", "/v1/deploys?by=a&why=b", packages[(turn + 1) % 2].read_bytes())[0], 202)
            self.assertEqual(server.stop(within=600)[0], 0)
            server.start()
            after = [t["bundle"] for t in server.ask("GET", "/v1/status")[1]["history"]]
            self.assertIn(after, (before, [*after[:1], *before]))
            folders = [f.name for f in server.data.iterdir() if f.name.startswith("states-")]
            self.assertLessEqual(len(folders), 1, "what is not live is cleared away")
            self.assertEqual({server.customer(f"c{n}")[1]["metrics"]["orders"] for n in range(turn + 1)}, {1})
        self.assertEqual(server.stop(within=600)[0], 0)

    def test_a_kill_in_a_build_leaves_the_former_bundle_or_the_new_one_whole(self):
        chance = random.Random()
        whole = [self.built("first", FIRST).read_bytes(), self.built("second", SECOND).read_bytes()]
        out = self.folder / "out.koib"
        came = []
        for number in range(KILLS):
            wanted = number % 2
            before = out.read_bytes() if out.exists() else None
            rules = self.folder / ("first", "second")[wanted]
            building = subprocess.Popen([KOI, "build", rules, "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if chance.random() < 0.3 or number % 6 == 5:  # to its end; else at any moment of it
                building.wait(timeout=600)
            else:
                time.sleep(some_while(chance, longest=0.1))
                building.kill()
                building.wait()
            now = out.read_bytes() if out.exists() else None
            self.assertIn(now, (before, whole[wanted]))
            came.append(now == whole[wanted] and now != before)
        self.assertIn(True, came)
        self.koi("build", self.folder / "first", "-o", out)
        self.assertEqual(out.read_bytes(), whole[0])

    def killed(self, ask):
        """Kills a server KILLS times at any moment of what `ask` asks it for. What was is whole each time, or what was asked for;
        in the end everybody who was taken in has been told everything once, and was counted once."""
        slow = FIRST.replace("wait 3 seconds", "wait 30 days")
        packages = [self.built("slow", slow), self.built("slower", slow.replace("30 days", "31 days") + "metric spend = sum order.amount\n"),
                    self.built("other", slow.replace("30 days", "32 days") + "metric most = max order.amount\n")]
        server = self.server(packages[0])
        server.start()
        server.command = lambda *more: [KOI, "serve", "--data", str(server.data), "--listen", "127.0.0.1:0", "--env", str(server.environment)]
        self.deploy(server, packages[1])
        chance = random.Random()
        acknowledged, done = [], 0
        for kill in range(KILLS):
            orders = [self.order(5 * kill + n, f"c{5 * kill + n}") for n in range(5)]
            status, answer = server.send(*orders)
            self.assertEqual((status, answer["accepted"]), (200, 5), answer)
            acknowledged += [order["subject"] for order in orders]
            before = [t["bundle"] for t in server.ask("GET", "/v1/status")[1]["history"]]
            wanted = packages[1 + kill // 4 % 2] if kill % 4 < 2 else packages[0]
            status, asked = ask(server, wanted.read_bytes())
            self.assertEqual(status, 202, asked)
            # When it is over, or at the border, where it goes live; else at any moment of it.
            stage = lambda: server.ask("GET", f"/v1/deploys/{asked['number']}")[1]
            if kill % 4 == 1:
                server.until(lambda: stage()["state"] != "under way", within=600)
            elif kill % 4 == 2:
                server.until(lambda: stage()["state"] != "under way" or stage()["message"].startswith("waiting"), within=600)
            time.sleep(some_while(chance))
            server.kill()
            server.start()
            after = [t["bundle"] for t in server.ask("GET", "/v1/status")[1]["history"]]
            self.assertIn(len(after) - len(before), (0, 1))
            self.assertEqual(after[-len(before):], before)
            done += len(after) - len(before)
        self.assertGreaterEqual(done, KILLS // 5)
        last = self.built("last", slow.replace("30 days", "1 second"))
        said = self.deploy(server, last, "--migrate", "thank")
        self.assertIn("go on in the new version of thank", said)
        server.until(lambda: sum(len(w) for w in self.said().values()) >= 2 * len(acknowledged), within=600)
        self.assertEqual(server.ask("GET", "/v1/status")[1]["live"]["why"], "spring")
        self.assertEqual(server.stop(within=600)[0], 0)
        self.assertEqual(self.said(), {customer: ["first words", "first farewell"] for customer in acknowledged})
        server.start()
        for customer in acknowledged:
            self.assertEqual(server.customer(customer)[1]["metrics"]["orders"], 1, customer)
        self.assertEqual(server.stop(within=600)[0], 0)

    def test_a_kill_in_a_deploy_leaves_the_old_or_the_new_whole(self):
        self.killed(lambda server, package: server.ask("POST", "/v1/deploys?by=a&why=b", package))

    def test_a_kill_in_a_migration_leaves_the_old_or_the_new_whole(self):
        self.killed(lambda server, package: server.ask("POST", "/v1/deploys?by=a&why=b&migrate=thank", package))

    def test_a_kill_in_a_rollback_leaves_the_old_or_the_new_whole(self):
        self.killed(lambda server, _: server.ask("POST", "/v1/rollback?by=a&why=b", b""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
