"""What tills, pages and reviewers ask of the running server: of two tills one wins, a lost answer may be asked for again,
and a SIGKILL between a lock and its redemption changes nothing. Whoever meets here, over codes, packets, invitations and reviews, is
served by different groups as it comes. Standard library alone.

till_test.py KOI
"""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import server

KOI = None
GROUPS = 3
RULES = pathlib.Path(__file__).parent / "till.koi"


class Till(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.server = server.Server(KOI, self.scratch.name, RULES, arguments=["--groups", GROUPS]).start()
        self.events = 0
        self.keys = 0

    def tearDown(self):
        if self.server.process.poll() is None:
            self.server.kill()

    def happens(self, kind, who, **data):
        self.events += 1
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status, answer = self.server.send(
            {"id": f"e{self.events}", "type": kind, "time": stamp, "subject": who, "data": data})
        self.assertEqual((status, answer["accepted"]), (200, 1), answer)
        # Who needs more of something than his group has been lent is decided when it has come.
        self.server.until(lambda: self.server.customer(urllib.parse.quote(who))[0] == 200)

    def comes_to(self, wanted, look):
        """What one customer's deed means for another is decided a moment later, where they are of different groups."""
        with contextlib.suppress(AssertionError):
            self.server.until(lambda: look() == wanted)
        self.assertEqual(look(), wanted)

    def code(self, who, incentive):
        def codes():
            status, held = self.server.ask("GET", f"/v1/customers/{who}/incentives")
            self.assertEqual(status, 200, held)
            return [each["code"] for each in held["incentives"] if each["incentive"] == incentive]
        self.server.until(codes)
        return codes()[-1]

    def balance(self, who):
        return self.server.ask("GET", f"/v1/customers/{who}/points")[1]["points"][0]["balance"]

    def post(self, path, body, key=None):
        if key is None:
            self.keys += 1
            key = f"key {self.keys}"
        return self.server.ask("POST", path, json.dumps(body).encode(), {"Idempotency-Key": key})

    def test_a_coupon_is_looked_at_locked_redeemed_and_rolled_back(self):
        self.happens("come", "ann")
        ten = f"/v1/coupons/{self.code('ann', 'ten_off')}"
        status, answer = self.server.ask("POST", ten + "/validate", b'{"amount": "120.00"}')
        self.assertEqual((status, answer["good"], answer["takes_off"]), (200, True, "10.00"))
        self.assertEqual(answer["terms"], {"off": "10.00", "orders_from": "50.00", "combines_with": []})
        status, answer = self.server.ask("POST", ten + "/validate", b'{"amount": "49.99"}')
        self.assertEqual((status, answer["good"], answer["reason"]), (200, False, "threshold"))
        status, answer = self.post(ten + "/lock", {"order": "o1", "amount": "120.00", "hold_seconds": 3600})
        self.assertEqual((status, answer["done"]), (200, True), answer)
        status, answer = self.post(ten + "/redeem", {"order": "o2", "amount": "120.00"})
        self.assertEqual((status, answer["reason"], answer["order"]), (409, "locked", "o1"))
        status, first = self.post(ten + "/redeem", {"order": "o1", "amount": "120.00"}, "mine")
        self.assertEqual((status, first["done"], first["takes_off"]), (200, True, "10.00"))
        self.assertEqual(self.post(ten + "/redeem", {"order": "o1", "amount": "120.00"}, "mine"), (200, first))
        self.assertEqual(self.post(ten + "/redeem", {"order": "o1", "amount": "99.00"}, "mine")[0], 422)
        status, answer = self.post(ten + "/redeem", {"order": "o3", "amount": "120.00"})
        self.assertEqual((status, answer["reason"]), (409, "redeemed"))
        self.assertEqual(self.post(ten + "/rollback", {"order": "o3"})[1]["reason"], "not_held")
        self.assertEqual(self.post(ten + "/rollback", {"order": "o1"})[0], 200)
        status, answer = self.post(ten + "/redeem", {"order": "o3", "amount": "120.00"})
        self.assertEqual((status, answer["done"]), (200, True))
        status, points = self.server.ask("GET", "/v1/customers/ann/points")
        self.assertEqual(points["points"][0]["balance"], 5 + 2)  # each redemption is an event
        self.assertEqual(sum(lot["points"] for lot in points["points"][0]["lots"]), 7)

    def test_an_event_that_waits_for_a_loan_is_a_duplicate_when_it_comes_again(self):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for i in range(12):  # of all groups
            event = {"id": "twice", "type": "come", "time": stamp, "subject": f"t{i}", "data": {}}
            other = {**event, "id": "once"}
            with self.subTest(customer=i):
                _, answer = self.server.send(event, event, other, event)
                self.assertEqual([each["status"] for each in answer["results"]], ["accepted", "duplicate", "accepted", "duplicate"])
            self.server.until(lambda: self.server.customer(f"t{i}")[0] == 200)
            self.assertEqual(self.server.send(event)[1]["duplicates"], 1)

    def test_what_the_order_is_decides(self):
        self.happens("come", "ann")
        ten, care = self.code("ann", "ten_off"), self.code("ann", "care_off")
        path = f"/v1/coupons/{care}/validate"

        def look(**body):
            return self.server.ask("POST", path, json.dumps({"amount": "13.39", **body}).encode())[1]
        answer = look()
        self.assertEqual((answer["reason"], answer["missing"], answer["terms"]["facts"]), ("scope", ["category"], ["category"]))
        answer = look(facts={"category": "粮油"})
        self.assertEqual((answer["reason"], answer["terms"]["facts"]), ("scope", ["category"]))
        self.assertNotIn("missing", answer)
        self.assertEqual(look(facts={"category": "护肤", "till": 7})["takes_off"], "2.00")
        self.assertEqual(look(facts={"category": "护肤"}, amount=1000)["takes_off"], "3.00")
        # Both have to say so, and ten_off does not.
        answer = look(facts={"category": "护肤"}, together=[ten])
        self.assertEqual((answer["reason"], answer["beside"]), ("combination", ten))
        self.assertEqual(answer["terms"]["combines_with"], ["ten_off"])

    def test_what_a_shop_reports_is_redeemed_where_a_till_could_have(self):
        self.happens("come", "ann")
        code = self.code("ann", "ten_off")
        ten = f"/v1/coupons/{code}"
        self.assertEqual(self.post(ten + "/lock", {"order": "o1", "amount": "80.00"})[0], 200)
        self.happens("redeemed", "ann", code=code, amount="9999.00")
        self.happens("redeemed", "bo", code=code)

        def refused(who):
            timeline = self.server.customer(who)[1]["timeline"]
            return [(each["of"], each["reason"], each["code"]) for each in timeline if each.get("action") == "refuse"]
        self.comes_to([("redeem", "locked", code)], lambda: refused("ann"))
        self.comes_to([("redeem", "unknown_code", code)], lambda: refused("bo"))
        self.assertEqual(self.balance("ann"), 5)
        status, answer = self.server.send({"id": "less", "type": "redeemed", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                                           "subject": "ann", "data": {"code": code, "amount": "-5.00"}})
        self.assertEqual(answer["rejected"], 1, answer)
        self.assertIn("`amount` of `redeemed` is negative", json.dumps(answer))
        self.assertEqual(self.post(ten + "/rollback", {"order": "o1"})[0], 200)
        self.happens("redeemed", "ann", code=code, amount="9999.00")
        self.comes_to(5 + 1, lambda: self.balance("ann"))
        status, answer = self.server.ask("POST", ten + "/validate", b'{"amount": "80.00"}')
        self.assertEqual(answer["reason"], "redeemed")

    def test_what_is_not_asked_well_is_refused_in_words(self):
        self.happens("come", "ann")
        ten = f"/v1/coupons/{self.code('ann', 'ten_off')}"
        good = {"order": "o1", "amount": "120.00"}
        status, answer = self.server.ask("POST", ten + "/redeem", json.dumps(good).encode())
        self.assertEqual((status, answer["error"]), (400, "key"))
        for bad in ({"amount": "120.00"}, {"order": "o1"}, {"order": "o1", "amount": 12.5}, {"order": "o1", "amount": "-1.00"},
                    {"order": 1, "amount": "1.00"}, {**good, "facts": []}, {**good, "together": "x"}, []):
            status, answer = self.post(ten + "/redeem", bad)
            self.assertEqual((status, answer["error"]), (400, "body"), bad)
        twice = b'{"order": "o1", "amount": "120.00", "facts": {"sku": "A", "sku": "B"}, "amount": "1.00"}'
        status, answer = self.server.ask("POST", ten + "/redeem", twice, {"Idempotency-Key": "twice"})
        self.assertEqual((status, answer["error"]), (400, "body"))
        self.assertIn("given twice", answer["message"])
        self.assertEqual(self.post(ten + "/lock", {**good, "hold_seconds": 0})[0], 400)
        self.assertEqual(self.post(ten + "/shred", good)[0], 404)
        self.assertEqual(self.server.ask("GET", ten + "/redeem")[0], 405)
        status, answer = self.post("/v1/coupons/T-NOBODYS/redeem", good)
        self.assertEqual((status, answer["reason"]), (404, "unknown_code"))
        self.assertEqual(self.server.ask("POST", "/v1/coupons/T-NOBODYS/validate", b'{"amount": 1}')[1]["reason"], "unknown_code")
        self.assertEqual(self.server.ask("GET", "/v1/customers/nobody/points")[0], 404)
        self.assertEqual(self.server.ask("GET", "/v1/customers/ann/referrals/nothing")[0], 404)

    def test_of_many_tills_at_once_exactly_one_wins(self):
        codes = []
        for i in range(8):
            self.happens("come", f"c{i}")
            codes.append(self.code(f"c{i}", "ten_off"))

        def redeem(job):
            code, till = job
            return code, self.server.ask("POST", f"/v1/coupons/{code}/redeem",
                                         json.dumps({"order": f"o{till}", "amount": "80.00"}).encode(),
                                         {"Idempotency-Key": f"{code} {till}"})
        jobs = [(code, till) for till in range(12) for code in codes]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            results = list(pool.map(redeem, jobs))
        won = [code for code, (status, _) in results if status == 200]
        self.assertEqual(sorted(won), sorted(codes))
        self.assertTrue(all(answer["reason"] == "redeemed" for _, (status, answer) in results if status != 200))

    def test_friends_who_come_at_once_share_exactly_what_there_is(self):
        self.happens("share", "ann")
        path = f"/v1/packets/{self.code('ann', 'party')}/claim"

        def claim(friend):
            return self.server.ask("POST", path, json.dumps({"subject": f"f{friend}"}).encode(),
                                   {"Idempotency-Key": "claim"})
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(claim, range(25)))
        amounts = [float(answer["amount"]) for status, answer in results if status == 200]
        self.assertEqual(len(amounts), 10)
        self.assertAlmostEqual(sum(amounts), 20.0)
        self.assertGreaterEqual(min(amounts), 0.3)
        self.assertTrue(all(answer["reason"] == "all_taken" for status, answer in results if status != 200))
        # The answer may be asked for again by the same name, and a second share by none.
        winner = next(i for i, (status, _) in enumerate(results) if status == 200)
        self.assertEqual(claim(winner), results[winner])
        self.assertEqual(self.post(path, {"subject": f"f{winner}"})[1]["reason"], "taken_before")

    def test_a_kill_between_lock_and_redemption_changes_nothing(self):
        self.happens("come", "ann")
        ten = f"/v1/coupons/{self.code('ann', 'ten_off')}"
        locked = self.post(ten + "/lock", {"order": "o1", "amount": "80.00", "hold_seconds": 3600}, "lock")
        self.assertEqual(locked[0], 200)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.post(ten + "/lock", {"order": "o1", "amount": "80.00", "hold_seconds": 3600}, "lock"), locked)
        self.assertEqual(self.post(ten + "/redeem", {"order": "o2", "amount": "80.00"})[1]["reason"], "locked")
        redeemed = self.post(ten + "/redeem", {"order": "o1", "amount": "80.00"}, "redeem")
        self.assertEqual(redeemed[0], 200)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.post(ten + "/redeem", {"order": "o1", "amount": "80.00"}, "redeem"), redeemed)
        self.assertEqual(self.post(ten + "/redeem", {"order": "o1", "amount": "80.00"})[1]["reason"], "redeemed")
        status, points = self.server.ask("GET", "/v1/customers/ann/points")
        self.assertEqual(points["points"][0]["balance"], 5 + 1)
        self.assertEqual(self.server.stop()[0], 0)

    def test_tills_that_ask_again_over_kills_take_every_code_off_once_and_the_ledger_is_right(self):
        codes = {}
        for i in range(40):
            self.happens("come", f"c{i}")
            codes[self.code(f"c{i}", "ten_off")] = f"c{i}"
        self.happens("share", "ann")
        packet = self.code("ann", "party")
        is_over, end = threading.Event(), time.monotonic() + 300

        def ask(path, body, key):  # until it is answered, whatever becomes of the server
            while True:
                self.assertLess(time.monotonic(), end, "the server did not come back")
                try:
                    status, answer = self.server.ask("POST", path, json.dumps(body).encode(), {"Idempotency-Key": key})
                    if status not in (429, 503):
                        return status, answer
                except (OSError, http.client.HTTPException):
                    pass
                time.sleep(0.01)

        def till(number):
            chance, won, shares = random.Random(number), [], []
            for turn in range(60):
                code, key = chance.choice(sorted(codes)), f"{number} {turn}"
                order = {"order": key, "amount": "80.00"}
                if chance.random() < 0.2:
                    shares.append(ask(f"/v1/packets/{packet}/claim", {"subject": f"f{chance.randrange(40)}"}, key))
                    continue
                if chance.random() < 0.3:
                    locked = ask(f"/v1/coupons/{code}/lock", order, key + " lock")
                    if locked[0] == 200 and chance.random() < 0.3:
                        self.assertEqual(ask(f"/v1/coupons/{code}/rollback", order, key + " back")[0], 200)
                        continue
                status, answer = ask(f"/v1/coupons/{code}/redeem", order, key)
                self.assertEqual(ask(f"/v1/coupons/{code}/redeem", order, key), (status, answer))
                if status == 200 and chance.random() < 0.3:
                    self.assertEqual(ask(f"/v1/coupons/{code}/rollback", order, key + " back")[0], 200)
                elif status == 200:
                    won.append(code)
            return won, shares

        def kill():
            chance = random.Random(1)
            for _ in range(3):
                time.sleep(server.some_while(chance, 0.01, 1))
                self.server.kill()
                self.server.start()
                if is_over.is_set():
                    return
        killer = threading.Thread(target=kill)
        killer.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(till, range(16)))
        is_over.set()
        killer.join()
        won = [code for codes_won, _ in results for code in codes_won]
        self.assertEqual(len(won), len(set(won)), "a code was taken off twice")
        for code, owner in codes.items():
            held = self.server.ask("GET", f"/v1/customers/{owner}/incentives")[1]["incentives"]
            state = next(each for each in held if each.get("code") == code)
            self.assertEqual(state["state"] == "redeemed", code in won, state)
        amounts = [round(float(answer["amount"]) * 100) for _, shares in results for status, answer in shares if status == 200]
        self.assertLessEqual(len(amounts), 10)
        self.assertLessEqual(sum(amounts), 2000)
        self.assertEqual(self.server.stop()[0], 0)
        verified = subprocess.run([KOI, "ledger", "verify", "--data", str(self.server.data)], capture_output=True, text=True,
                                  encoding="utf-8", timeout=120)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def explained(self, who, more=""):
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        status, told = self.server.ask("GET", f"/v1/explain?customer={who}{more}&at={soon}")
        self.assertEqual(status, 200, told)
        return told["done"]

    def test_what_is_explained_is_what_was_given_though_others_were_given_something_before(self):
        friends = ["ann", "bo", "cy", "di"]
        for who in friends:
            self.happens("come", who)
        # Codes are numbered over all customers: his inputs alone would make everybody's the first.
        codes = {who: self.code(who, "ten_off") for who in friends}
        self.assertEqual(len(set(codes.values())), len(friends))
        for who in friends:
            given = [each["code"] for each in self.explained(who, "&campaign=giving")
                     if each["action"] == "give" and each["name"] == "ten_off"]
            self.assertEqual(given, [codes[who]])
        # What a till has asked, and what another's purchase has brought, is of no campaign of his own.
        status, answer = self.post(f"/v1/coupons/{codes['cy']}/redeem", {"order": "o1", "amount": "60.00"})
        self.assertEqual(status, 200, answer)
        self.assertIn("redeem", [each["action"] for each in self.explained("cy")])
        code = self.server.ask("GET", "/v1/customers/bo/referrals/friends")[1]["code"]
        self.happens("register", "eve", invited_by=code)
        self.happens("purchase", "eve", amount="20.00")
        self.comes_to(["5", "7"], lambda: [each["amount"] for each in self.explained("bo")
                                           if each["action"] == "give" and each["name"] == "stars"])
        self.server.kill()
        self.server.start()
        self.assertEqual([each["amount"] for each in self.explained("bo")
                          if each["action"] == "give" and each["name"] == "stars"], ["5", "7"])

    def friends(self, who):
        status, progress = self.server.ask("GET", f"/v1/customers/{urllib.parse.quote(who)}/referrals/friends")
        self.assertEqual(status, 200, progress)
        return progress

    def stages(self, who):
        return [each["stage"] for each in self.friends(who)["friends"]]

    def waiting(self):
        status, queue = self.server.ask("GET", "/v1/reviews")
        self.assertEqual((status, queue["complete"]), (200, True), queue)
        self.assertTrue(all(each.pop("since") for each in queue["reviews"]))
        return queue["reviews"]

    def test_whom_friends_have_brought_is_told_too_and_what_it_all_comes_to(self):
        self.happens("come", "ann")
        code = self.server.ask("GET", "/v1/customers/ann/referrals/friends")[1]["code"]
        self.happens("register", "bo", invited_by="qrscene_koi_" + code)  # as a QR code of WeChat says it
        self.comes_to(["joined"], lambda: self.stages("ann"))
        scene = self.server.ask("GET", "/v1/customers/bo/referrals/friends")[1]["scene"]
        for who in ("cy", "di"):
            self.happens("register", who, invited_by=scene)
        self.happens("purchase", "cy", amount="60.00")
        self.comes_to(["qualified", "in_review"], lambda: self.stages("bo"))
        status, tree = self.server.ask("GET", "/v1/customers/ann/referrals/friends?levels=2")
        self.assertEqual(status, 200, tree)
        self.assertEqual([(each["id"], each["stage"]) for each in tree["friends"]], [("bo", "joined")])
        self.assertEqual([(each["id"], each["stage"]) for each in tree["friends"][0]["friends"]],
                         [("cy", "qualified"), ("di", "in_review")])
        self.assertEqual(self.server.ask("GET", "/v1/customers/ann/referrals/friends?levels=3")[0], 400)
        self.assertEqual(self.server.ask("GET", "/v1/customers/nobody/referrals/friends?levels=2")[0], 404)

        def figures():
            return self.server.ask("GET", "/v1/campaigns")[1]["referrals"][0]
        self.comes_to(3, lambda: figures()["joined"])
        said = figures()
        wanted = {"customers": 4, "inviters": 2, "invitations": 3, "joined": 3, "qualified": 1, "clawed_back": 0,
                  "invitations_per_customer": "0.750000", "conversion": "0.333333", "k_factor": "0.250000"}
        self.assertEqual({name: said[name] for name in wanted}, wanted)
        self.assertIsInstance(said["cycle_seconds"], int)
        self.server.kill()
        self.server.start()
        self.assertEqual(figures(), said)
        metrics = self.server.ask("GET", "/metrics")[1]
        self.assertIn('koi_referral_total{referral="friends",what="invitations"} 3\n', metrics)
        self.assertIn('koi_referral_k_factor{referral="friends"} 0.250000\n', metrics)
        told = subprocess.run([KOI, "status", "--server", f"http://127.0.0.1:{self.server.port}"], capture_output=True, text=True,
                              encoding="utf-8", timeout=60)
        self.assertIn("referral friends: 3 joined, 1 qualified, K 0.250000", told.stdout + told.stderr)

    def invites(self, inviter, *friends):
        self.happens("come", inviter)
        code = self.friends(inviter)["code"]
        for number, friend in enumerate(friends):
            self.happens("register", friend, invited_by=code)
            self.comes_to(number + 1, lambda: len(self.stages(inviter)))

    def test_who_is_held_and_whom_somebody_brought_are_told_in_pages(self):
        held = []
        for inviter in "pqrstu":
            self.invites(inviter, inviter + "1", inviter + "2")
            held.append((inviter, inviter + "2"))
        pages, path = [], "/v1/reviews?limit=4"
        while path:
            status, page = self.server.ask("GET", path)
            self.assertEqual((status, page["complete"]), (200, "more" not in page), page)
            pages.append([(each["inviter"], each["invitee"]) for each in page["reviews"]])
            path = page.get("more")
        self.assertEqual([len(page) for page in pages], [4, 2])
        self.assertEqual(pages[0] + pages[1], held)
        for bad in ("limit=0", "limit=1001", "limit=x", "after_inviter=p"):
            self.assertEqual(self.server.ask("GET", "/v1/reviews?" + bad)[0], 400, bad)

        self.invites("v w", *(f"v{i}" for i in range(5)))
        self.invites("v3", "x1")
        for levels in (1, 2):
            told, path = [], f"/v1/customers/v%20w/referrals/friends?levels={levels}&limit=2"
            while path:
                status, page = self.server.ask("GET", path)
                self.assertEqual((status, page["joined"]), (200, 5), page)
                told.append([(each["id"], [below["id"] for below in each.get("friends", ())]) for each in page["friends"]])
                path = page.get("more")
            self.assertEqual([len(page) for page in told], [2, 2, 1])
            self.assertEqual(sum(told, []), [(f"v{i}", ["x1"] if i == 3 and levels == 2 else []) for i in range(5)])
            self.assertEqual(self.server.ask("GET", f"/v1/customers/v%20w/referrals/friends?levels={levels}&after=zed")[0], 400)

    def upload(self, *codes, name="codes.csv", method="POST"):
        return self.server.ask(method, f"/v1/pools/{name}/codes", "\n".join(codes).encode(), {"Content-Type": "text/plain"})

    def test_codes_of_a_pool_are_uploaded_once_and_each_is_given_once_over_a_kill(self):
        status, answer = self.upload("A-1", "A-2", "A-1", "no code", "", method="PUT")
        self.assertEqual((status, answer), (200, {"codes": 3, "new": 2, "left": 2, "unfit": 1, "first_unfit_line": 4}))
        self.assertEqual(self.upload("A-1", '"A-3"', '{"code": "A-2"}')[1]["new"], 1)
        self.assertEqual(self.upload("A-9", name="nothing.csv")[0], 404)
        self.assertEqual(self.upload("%%")[0], 400)
        self.happens("collect", "ann")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.upload("A-1", "A-2", "A-3")[1], {"codes": 3, "new": 0, "left": 2, "unfit": 0})
        for who in ("bo", "cy", "di"):
            self.happens("collect", who)
        codes = [self.code(who, "pooled") for who in ("ann", "bo", "cy")]
        self.assertEqual(sorted(codes), ["A-1", "A-2", "A-3"])
        self.assertTrue(GROUPS > 1 or codes == sorted(codes))
        self.comes_to(2, lambda: self.balance("di"))
        self.assertEqual(self.post("/v1/coupons/A-2/redeem", {"order": "o1", "amount": "20.00"})[1]["takes_off"], "5.00")
        self.server.stop()
        self.server.start()
        pool = self.server.ask("GET", "/v1/status")[1]["pools"][0]
        self.assertEqual((pool["name"], pool["uploaded"], pool["given"], pool["left"], pool["is_low"]), ("codes.csv", 3, 3, 0, True))

    def test_files_of_codes_are_uploaded_in_parts(self):
        file = pathlib.Path(self.scratch.name) / "codes.txt"
        with open(file, "w", encoding="utf-8") as lines:  # more than one part
            lines.write("L-1\n" + f"{'no code?' * 8}\n" * 70_000 + "\nL-2\r\nL-1")
        told = [subprocess.run([KOI, "pool", "upload", name, file, "--server", f"http://127.0.0.1:{self.server.port}"],
                               capture_output=True, text=True, encoding="utf-8", timeout=120)
                for name in ("codes.csv", "codes.csv", "nothing.csv")]
        self.assertEqual([each.returncode for each in told], [1, 1, 2], told)
        unfit = f"70000 lines are no codes, the first: {file}, line 2\n"
        self.assertEqual(told[0].stdout, "3 codes, 2 of them new; 2 are left in the pool\n" + unfit)
        self.assertEqual(told[1].stdout, "3 codes, 0 of them new; 2 are left in the pool\n" + unfit)
        self.assertIn("no coupon of the rules takes its codes from a pool of that name", told[2].stderr)

    def test_of_two_coupons_the_best_is_used_and_the_answer_says_why(self):
        self.upload("B-1")
        self.happens("collect", "ann")
        third = self.code("ann", "third_off")
        look = {"order": "o1", "amount": "100.00", "together": ["B-1", third]}
        answer = self.server.ask("POST", f"/v1/coupons/{third}/validate", json.dumps(look).encode())[1]
        self.assertEqual((answer["good"], answer["takes_off"], answer["instead_of"]), (True, "30.00", {"code": "B-1", "takes_off": "5.00"}))
        status, answer = self.post("/v1/coupons/B-1/redeem", look)
        self.assertEqual((status, answer["reason"], answer["takes_off"], answer["better"]),
                         (409, "not_best", "5.00", {"code": third, "takes_off": "30.00"}))
        self.assertEqual(self.post(f"/v1/coupons/{third}/redeem", look)[0], 200)

    def test_points_are_spent_once_and_rolled_back(self):
        self.happens("come", "ann")
        spend = {"points": "stars", "amount": 3, "order": "o1"}
        status, answer = self.post("/v1/customers/ann/points/spend", spend, "mine")
        self.assertEqual((status, answer["spent"], answer["balance"]), (200, 3, 2))
        self.assertEqual(self.post("/v1/customers/ann/points/spend", spend, "mine"), (200, answer))
        self.assertEqual(self.post("/v1/customers/ann/points/spend", {**spend, "amount": 2}, "mine")[0], 422)
        status, answer = self.post("/v1/customers/ann/points/spend", spend)
        self.assertEqual((status, answer["reason"], answer["balance"]), (409, "not_enough", 2))
        self.assertEqual(self.post("/v1/customers/ann/points/rollback", {"points": "stars", "order": "o2"})[0], 409)
        status, answer = self.post("/v1/customers/ann/points/rollback", {"points": "stars", "order": "o1"})
        self.assertEqual((status, answer["given_back"], answer["balance"]), (200, 3, 5))
        for bad in ({**spend, "points": "coins"}, {**spend, "amount": 0}, {**spend, "amount": 1.5}, {"points": "stars", "amount": 1}):
            self.assertIn(self.post("/v1/customers/ann/points/spend", bad)[0], (400, 404), bad)
        history = self.server.ask("GET", "/v1/customers/ann/points")[1]["points"][0]["history"]
        self.assertEqual([(each["what"], each["points"]) for each in history], [("earned", 5), ("spent", 3), ("given_back", 3)])

    def test_the_same_key_with_other_facts_is_another_question(self):
        self.happens("come", "ann")
        care = f"/v1/coupons/{self.code('ann', 'care_off')}/redeem"
        asked = {"order": "o1", "amount": "20.00", "facts": {"category": "粮油"}}
        self.assertEqual(self.post(care, asked, "mine")[1]["reason"], "scope")
        self.assertEqual(self.post(care, {**asked, "facts": {"category": "护肤"}}, "mine")[0], 422)

    def test_progress_is_seen_and_who_is_held_for_review_is_approved_or_declined(self):
        self.happens("come", "ann")
        status, progress = self.server.ask("GET", "/v1/customers/ann/referrals/friends")
        self.assertEqual((status, progress["count"], progress["next"]), (200, 0, {"friends": 2, "gives": "ten_off"}))
        self.assertEqual(progress["link"], "https://m.example.com/i/" + progress["code"])
        for friend in ("bo", "cy", "di"):
            self.happens("register", friend, invited_by=progress["code"])
            self.happens("purchase", friend, amount="60.00")
            self.comes_to([friend], lambda: [each["id"] for each in self.friends("ann")["friends"][-1:]])
        self.comes_to(["qualified", "in_review", "in_review"], lambda: self.stages("ann"))
        status, progress = self.server.ask("GET", "/v1/customers/ann/referrals/friends")
        self.assertEqual((progress["joined"], progress["count"]), (3, 1))
        held = [{"referral": "friends", "inviter": "ann", "invitee": who} for who in ("cy", "di")]
        self.assertEqual(self.waiting(), held)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.waiting(), held)
        review = {"inviter": "ann", "referral": "friends", "invitee": "cy", "decision": "approve"}
        self.assertEqual(self.post("/v1/reviews", review)[0], 200)
        self.assertEqual(self.waiting(), held[1:])
        self.assertEqual(self.post("/v1/reviews", {**review, "invitee": "di", "decision": "decline"})[0], 200)
        self.assertEqual(self.post("/v1/reviews", {**review, "invitee": "di"})[0], 404)
        self.assertEqual(self.waiting(), [])
        status, progress = self.server.ask("GET", "/v1/customers/ann/referrals/friends")
        self.assertEqual([each["stage"] for each in progress["friends"]], ["qualified", "qualified", "declined"])
        self.assertNotIn("next", progress)
        status, points = self.server.ask("GET", "/v1/customers/ann/points")
        self.assertEqual(points["points"][0]["balance"], 5 + 14)
        held = self.server.ask("GET", "/v1/customers/ann/incentives")[1]["incentives"]
        self.assertEqual(sum(1 for each in held if each["incentive"] == "ten_off" and each["state"] == "good"), 2)


if __name__ == "__main__":
    KOI = sys.argv.pop(1)
    unittest.main(verbosity=2)
