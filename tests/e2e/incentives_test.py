"""Who competes is served in one order: `koi run` gives the same bytes with 1, 2 and 7 threads, the last
cent goes to the same customer, and no budget, stock or share is exceeded. Standard library alone.

incentives_test.py KOI
"""

import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

KOI = sys.argv[1]

PROGRAM = """
policy { time zone "UTC"  currency CNY }
channel push { class direct }
event come {}
event share {}
event spin {}
red_packet lucky { amount random ¥1.00 to ¥8.88 average ¥2.00  budget ¥1_000.00, ¥300.00 per hour  claim within 2 hours }
red_packet rest  { amount ¥7.00  budget ¥100.00 }
red_packet group { total ¥10.00 split among 4 by luck at least ¥0.30  claim within 1 day  budget ¥400.00 }
coupon ten { off ¥10.00  codes generated "T-########"  budget 100 issued }
prize_draw wheel { prize "car" weight 1 stock 1  prize "mug" weight 50 stock 30  prize 3 stars weight 100 }
points stars {}
campaign at_once { class service  enter always  when come give lucky }
campaign later   { class service  enter always  when come wait 1 hour give ten give rest or what is left }
campaign sharing { class service  enter always  when share give group }
campaign spinning { class service  enter always  when spin give wheel }
"""


def cents(text):
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part or 0)


class Incentives(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.scratch.name)
        (folder / "p.koi").write_text(PROGRAM, encoding="utf-8")
        chance = random.Random(7)
        lines = []
        for number in range(6000):
            kind = chance.choices(["come", "share", "spin"], [10, 1, 3])[0]
            # Many at one instant, so that ties are what decides.
            time = f"2026-03-02T{8 + number // 1000:02}:{chance.randrange(60):02}:{chance.randrange(0, 60, 20):02}Z"
            lines.append(json.dumps({"id": f"e{number}", "type": kind, "time": time, "subject": f"c{chance.randrange(900)}", "data": {}}))
        (folder / "events.ndjson").write_text("\n".join(lines) + "\n")
        cls.outputs = {}
        for threads in (1, 2, 7):
            out = folder / f"effects-{threads}.ndjson"
            done = subprocess.run([KOI, "run", "p.koi", "--events", "events.ndjson", "--until", "2026-03-05T00:00:00Z",
                                   "--threads", str(threads), "--effects", str(out), "--quiet"], cwd=folder,
                                  capture_output=True, text=True, encoding="utf-8", timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
            cls.outputs[threads] = (out.read_bytes(), done.stdout)
        cls.effects = [json.loads(line) for line in cls.outputs[1][0].splitlines()]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def given(self, name):
        return [e for e in self.effects if e["action"] == "give" and e["name"] == name]

    def test_threads_change_nothing(self):
        self.assertEqual(self.outputs[1], self.outputs[2])
        self.assertEqual(self.outputs[1], self.outputs[7])

    def test_effects_are_in_order_of_time(self):
        times = [e["time"] for e in self.effects]
        self.assertEqual(times, sorted(times))

    def test_no_budget_is_exceeded_and_the_last_cent_is_given(self):
        rest = [cents(e["amount"]) for e in self.given("rest")]
        self.assertEqual(sum(rest), 10_000)
        self.assertEqual(rest, [700] * 14 + [200])
        refused = [e for e in self.effects if e["action"] == "refuse" and e.get("name") == "rest"]
        self.assertTrue(refused)
        self.assertEqual({e["reason"] for e in refused}, {"budget"})

    def test_what_lapses_is_there_again_but_never_more_than_the_budget_at_once(self):
        # Nothing is claimed here: what was given within the last two hours is all that is out.
        by_time = {}
        for e in self.given("lucky"):
            by_time.setdefault(e["time"], []).append(cents(e["amount"]))
        self.assertTrue(by_time)
        hours = {}
        for time, amounts in by_time.items():
            hours.setdefault(time[:13], []).extend(amounts)
        for amounts in hours.values():
            self.assertLessEqual(sum(amounts), 30_000)
            for amount in amounts:
                self.assertTrue(100 <= amount <= 888)

    def test_codes_differ_and_are_no_more_than_were_to_be_issued(self):
        codes = [e["code"] for e in self.given("ten")]
        self.assertEqual(len(codes), 100)
        self.assertEqual(len(set(codes)), 100)

    def test_stock_holds(self):
        prizes = [e["prize"] for e in self.given("wheel")]
        self.assertEqual(prizes.count("mug"), 30)
        self.assertLessEqual(prizes.count("car"), 1)
        self.assertEqual(prizes.count("stars"), len(self.given("stars")))

    def draws(self, *arguments, status=0):
        done = subprocess.run([KOI, "draws", "p.koi", *arguments], cwd=self.scratch.name, capture_output=True, text=True,
                              encoding="utf-8", timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_what_was_committed_to_is_the_key_that_is_shown(self):
        commitment, shown = (line.split()[1] for line in self.draws("--reveal").splitlines())
        self.assertEqual(self.draws(), f"commitment {commitment}\n")
        key = struct.pack("<QQ", int(shown[:16], 16), int(shown[16:], 16))
        self.assertEqual(hashlib.sha256(b"koi-draw-1\0" + key).hexdigest(), commitment)
        self.assertNotIn(commitment, self.draws("--seed", "2"))

    def test_an_auditor_makes_every_draw_again_and_finds_the_one_that_was_changed(self):
        shown = self.draws("--reveal").splitlines()[1].split()[1]
        # Whoever has the key needs no seed.
        told = self.draws("--seed", "9", "--key", shown, "--effects", "effects-1.ndjson")
        self.assertIn(f"{len(self.given('wheel'))} draws were made again", told)
        self.assertGreater(len(self.given("wheel")), 100)
        folder = pathlib.Path(self.scratch.name)
        lines = (folder / "effects-1.ndjson").read_text().splitlines()
        number = next(i for i, line in enumerate(lines) if '"prize":"stars"' in line)
        lines[number] = lines[number].replace('"prize":"stars"', '"prize":"car"')
        (folder / "changed.ndjson").write_text("\n".join(lines) + "\n")
        told = self.draws("--effects", "changed.ndjson", status=1)
        self.assertIn(f"changed.ndjson:{number + 1}: ", told)
        self.assertIn("was given `car`, and `wheel` makes it `stars`", told)
        self.draws("--key", "0" * 32, "--effects", "effects-1.ndjson", status=1)
        self.draws("--key", "nonsense", status=2)

    def test_the_worst_case_is_known_before_anything_is_given(self):
        done = subprocess.run([KOI, "check", "p.koi", "--effective"], cwd=self.scratch.name, capture_output=True,
                              text=True, encoding="utf-8", timeout=60, check=True)
        self.assertIn("`lucky`: to one customer without end a day, without end in all; "
                      "to everybody ¥1000.00 a day, ¥1000.00 in all", done.stdout)
        self.assertIn("`ten`: to one customer without end a day, without end in all; "
                      "to everybody ¥1000.00 a day, ¥1000.00 in all", done.stdout)

    def test_the_accounts_are_told(self):
        self.assertIn("rest CNY", self.outputs[1][1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
