"""`koi simulate` over what a server has recorded: the live rules against themselves, and against others.

simulate_test.py KOI
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

from server import Server, lines_of

KOI = sys.argv[1]

CODES = "".join(f"CODE{i:04d}\n" for i in range(8))
RULES = """
policy {{ time zone "Asia/Shanghai"  currency CNY }}
customer {{ phone: phone?  identify by phone }}
channel wallet {{ class direct }}
channel app {{ class direct  cost ¥0.05 }}
event order {{ amount: money  note: text?  kind: enum(food, drink)?  tags: list of text?  weight: number?  at: instant?  day: date? }}
event sharing {{}}
event draw {{}}
event rain to everyone {{}}

points stars {{}}
coupon ten {{ off ¥10.00  codes from pool "codes.txt" }}
red_packet hello {{ amount ¥{amount}  budget ¥3.00  pay via wallet }}
red_packet lucky {{ total ¥5.00 split among 5 by luck at least ¥0.10  claim within 7 days  budget ¥50.00  pay via wallet }}
prize_draw wheel {{ prize "tea" weight 3 stock 2  prize 7 stars weight 2 stock 5  prize "nothing" weight 4 }}

content thanks {{ body "thank you" }}
content wet    {{ body "it rains" }}

campaign thank   {{ class service  enter always  when order where order.amount > ¥5.00  send thanks via app }}
campaign greet   {{ class service  enter once    when order  give hello }}
campaign fission {{ class service  enter always  when sharing  give lucky }}
campaign play    {{ class service  enter always  when draw   give wheel }}
campaign storm   {{ class service  enter always  when rain   send wet via app }}
campaign voucher {{ class service  enter once    when order where order.kind = food  give ten }}
{more}
"""


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


class SimulateTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def rules(self, name, amount="1.00", more="", without=()):
        """A folder of rules, without the lines that begin so."""
        folder = self.folder / name
        folder.mkdir()
        lines = RULES.format(amount=amount, more=more).splitlines(keepends=True)
        (folder / "rules.koi").write_text("".join(line for line in lines if not line.startswith(tuple(without))))
        (folder / "codes.txt").write_text(CODES)
        return folder

    def koi(self, *arguments, status=0):
        done = subprocess.run([KOI, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, encoding="utf-8",
                              timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def simulated(self, rules, *arguments):
        told = self.koi("simulate", rules, "--data", self.server.data, *arguments)
        left = [each.name for each in self.server.data.iterdir() if each.name.startswith("koi-")]
        self.assertEqual(left, [])
        return told

    def row(self, told, name):
        """The cells behind that name."""
        [line] = [line for line in told.splitlines() if re.match(rf"  {re.escape(name)}  ", line)]
        return re.split(r"  +", line.strip())[1:]

    def events(self):
        """A day of a shop: every kind of value, identifiers that bring two together, events that come twice or out of order."""
        now = time.time() - 3600
        events = []
        for i in range(120):
            data = {"amount": f"{i % 9}.50", "weight": i / 4, "day": "2026-11-02", "at": "2026-11-02T10:00:00+08:00",
                    "note": f'a "note" \\ {i}\n你好', "tags": ["a", "b"][: i % 3], "kind": ["food", "drink"][i % 2]}
            if i % 5 == 0:
                data["phone"] = f"+8613800{i % 40:06d}"
            subject = f"phone:+8613800{i % 40:06d}" if i % 7 == 0 else f"c{i % 40}"
            events.append({"id": f"o{i}", "type": "order", "time": stamp(now + i * 3), "subject": subject, "data": data})
        for i in range(30):
            events.append({"id": f"d{i}", "type": "draw", "time": stamp(now + 400 + i), "subject": f"c{i % 11}", "data": {}})
        events.append({"id": "r", "type": "rain", "time": stamp(now + 500), "subject": "*", "data": {}})
        events.append({"id": "s", "type": "sharing", "time": stamp(now + 501), "subject": "c1", "data": {}})
        events[10], events[60] = events[60], events[10]
        return events + events[20:25]

    def lived(self, groups):
        """A server that has lived through all of that, with codes and shares; at rest again."""
        self.live = self.rules("live")
        (self.folder / "server").mkdir()
        self.server = server = Server(KOI, self.folder / "server", self.live, arguments=("--groups", groups))
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        server.start()
        status, answer = server.ask("POST", "/v1/pools/codes.txt/codes", CODES, {"Content-Type": "text/plain"})
        self.assertEqual((status, answer.get("new")), (200, 8), answer)
        self.sent = self.events()
        for begin in range(0, len(self.sent), 30):
            self.assertEqual(server.send(*self.sent[begin : begin + 30])[0], 200)

        def timeline(who):
            return server.customer(who)[1].get("timeline", [])

        server.until(lambda: any("code" in line for line in timeline("c1") if line.get("name") == "lucky"))
        [code] = [line["code"] for line in timeline("c1") if line.get("name") == "lucky" and "code" in line]
        for friend in ("c2", "c3"):
            status, answer = server.ask("POST", f"/v1/packets/{code}/claim", json.dumps({"subject": friend}),
                                        {"Idempotency-Key": f"k-{friend}", "Content-Type": "application/json"})
            self.assertEqual((status, answer.get("done")), (200, True), answer)
        # An answer that is no input of the rest: it is said that it is left out.
        vouchers = []

        def find_vouchers():
            vouchers.extend(line["code"] for i in range(40) for line in timeline(f"c{i}") if line.get("name") == "ten" and "code" in line)
            return vouchers

        server.until(find_vouchers)
        status, answer = server.ask("POST", f"/v1/coupons/{vouchers[0]}/redeem", json.dumps({"amount": "50.00", "order": "x"}),
                                    {"Idempotency-Key": "redeem", "Content-Type": "application/json"})
        self.assertEqual((status, answer.get("done")), (200, True), answer)

    def test_one_group(self):
        self.check(1)

    def test_four_groups(self):
        self.check(4)

    def check(self, groups):
        self.lived(groups)
        self.assertIn("restored backup", self.koi("simulate", self.live, "--data", self.server.data, status=2))
        self.assertEqual(self.server.stop()[0], 0)

        # Against themselves the live rules do nothing else.
        told = self.simulated(self.live, "--effects", self.folder / "live.ndjson")
        self.assertEqual(told.count("→"), 1, told)  # in the line that says what it means
        self.assertEqual(self.row(told, "something else"), ["0"])
        self.assertEqual(self.row(told, "the same at other times"), ["0"])
        self.assertIn("Not decided again, what was asked for at tills, in reviews and of points: 1\n", told)
        claims = [line for line in lines_of(self.folder / "live.ndjson") if line["action"] == "claim"]
        self.assertEqual({line["customer"] for line in claims}, {"c2", "c3"})

        # With others it is what `koi run` makes of the events that were sent, under the server's seed.
        other = self.rules("other", amount="2.00", more='campaign more { class service enter once when order  send wet via app }')
        told = self.simulated(other, "--effects", self.folder / "other.ndjson")
        events = self.folder / "events.ndjson"
        events.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in self.sent))
        seed = int(json.loads((self.server.data / "deployment.json").read_text())["seed"], 16)
        for name, rules in (("live", self.live), ("other", other)):
            self.koi("run", rules, "--events", events, "--seed", seed, "--effects", self.folder / f"{name}-run.ndjson")
            without_claims = [line for line in (self.folder / f"{name}.ndjson").read_text().splitlines()
                              if json.loads(line)["action"] not in ("claim", "redeem") and '"claimed"' not in line]
            self.assertEqual(without_claims, (self.folder / f"{name}-run.ndjson").read_text().splitlines())
        self.compare_figures(told)
        # The last cent goes to the same customer, however many threads there are.
        for threads in (1, 2, 7):
            path = self.folder / f"{threads}.ndjson"
            self.assertEqual(self.simulated(other, "--threads", threads, "--effects", path), told)
            self.assertEqual(path.read_bytes(), (self.folder / "other.ndjson").read_bytes())

    def compare_figures(self, told):
        """What is told, counted once more."""
        live, other = (lines_of(self.folder / f"{name}.ndjson") for name in ("live", "other"))

        def both(count):
            one, two = count(live), count(other)
            return f"{one}" if one == two else f"{one} → {two}"

        def times(lines, **which):
            return sum(all(line.get(key) == value for key, value in which.items()) for line in lines)

        greet = self.row(told, "greet")
        self.assertEqual(greet[1], both(lambda lines: times(lines, campaign="greet", action="enter")))
        self.assertEqual(greet[3], "3 → 1")  # of a budget of 3.00
        self.assertEqual(greet[5], both(lambda lines: times(lines, campaign="greet", action="refuse")))
        self.assertTrue(self.row(told, "more")[1].startswith("– → "), told)
        sent = both(lambda lines: times(lines, action="send"))
        self.assertEqual(self.row(told, "app")[0], sent)
        cost = [f"¥{times(lines, action='send') * 5 // 100}.{times(lines, action='send') * 5 % 100:02d}" for lines in (live, other)]
        self.assertEqual(self.row(told, "app")[1], " → ".join(cost))
        reached = both(lambda lines: len({line["customer"] for line in lines if line["action"] == "send"}))
        self.assertEqual(self.row(told, "customers who are sent a message"), [reached])
        self.assertEqual(self.row(told, "hello CNY"), ["3.00 → 2.00"])
        first = [next(line["time"] for line in lines if line.get("reason") == "budget" and line["name"] == "hello")
                 for lines in (live, other)]
        self.assertIn(" → ".join(first), told)
        self.assertGreater(first[0], first[1])

        def got(lines):
            his = {}
            for line in lines:
                if line["action"] not in ("enter", "leave", "goal", "refuse", "split", "merge"):
                    his.setdefault(line["customer"], []).append((line["action"], line.get("name"), line.get("amount"),
                                                                 line.get("prize")))
            return {who: sorted(map(repr, what)) for who, what in his.items()}

        one, two = got(live), got(other)
        differ = sum(one.get(who) != two.get(who) for who in {*one, *two})
        self.assertEqual(self.row(told, "something else"), [str(differ)])
        self.assertIn("+ ", told)

    def test_rules_that_know_less_or_do_without_competition(self):
        self.lived(2)
        self.assertEqual(self.server.stop()[0], 0)
        # Live rules of another kind since: the history is read by those under which it came.
        self.server.rules = self.rules("second", without=("event rain", "campaign storm"), more="event later { n: int }")
        self.server.start()
        self.assertEqual(self.server.send({"id": "l1", "type": "later", "time": stamp(time.time()), "subject": "c1", "data": {"n": 1}})[0],
                         200)
        # While some have a canary, the live rules are what all others have.
        address = f"http://127.0.0.1:{self.server.port}"
        self.koi("build", self.rules("canary", amount="1.50", more="event later { n: int }"), "-o", "canary.koib")
        self.koi("deploy", "canary.koib", "--canary", "50%", "--by", "ann", "--why", "a few", "--server", address)
        self.assertEqual(self.server.stop()[0], 0)
        told = self.simulated(self.server.rules)
        self.assertEqual(self.row(told, "something else"), ["0"])
        self.assertEqual(self.row(told, "hello CNY"), ["3.00"])

        plain = self.rules("plain", without=("coupon", "red_packet", "prize_draw", "campaign greet", "campaign fission",
                                             "campaign play", "campaign voucher", "event draw"))
        told = [self.simulated(plain, "--threads", threads, "--effects", self.folder / f"{threads}.ndjson") for threads in (1, 2, 7)]
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[0], told[2])
        files = [(self.folder / f"{threads}.ndjson").read_bytes() for threads in (1, 2, 7)]
        self.assertTrue(files[0] and files[0] == files[1] == files[2])
        self.assertIn("Events that the new rules do not know: `draw` 30, `later` 1\n", told[0])
        self.assertEqual(self.row(told[0], "storm")[0].split(" → ")[0], "–")  # not of the live rules

        narrow = self.rules("narrow")
        text = (narrow / "rules.koi").read_text()
        (narrow / "rules.koi").write_text(text.replace("enum(food, drink)", "enum(food)").replace("note: text?  ", ""))
        told = self.simulated(narrow)
        self.assertIn("Fields that the new rules do not know: `order.note` 125\n", told)
        self.assertIn("The new rules cannot read 62 events: `kind` of `order`", told)
        chinese = self.simulated(narrow, "--language", "zh")
        self.assertIn("新规则无法读取", chinese)
        self.assertIn("顾客所得", chinese)

    def test_only_a_part_of_the_time(self):
        self.lived(1)
        self.assertEqual(self.server.stop()[0], 0)
        rain = next(each["time"] for each in self.sent if each["type"] == "rain")
        told = self.simulated(self.live, "--since", rain, "--effects", self.folder / "since.ndjson")
        self.assertEqual(self.row(told, "thank")[1], "0")
        self.assertGreater(int(self.row(told, "storm")[1]), 30)
        self.assertIn("taken out of budgets, from the beginning on", told)
        told = self.simulated(self.live, "--until", self.sent[0]["time"])
        self.assertIn("customers 1 ", told)

    def test_what_it_is_asked_for_must_be_said(self):
        rules = self.rules("live")
        self.assertIn("is no data directory", self.koi("simulate", rules, "--data", self.folder, status=2))
        self.koi("simulate", rules, "--data", self.folder / "nowhere", status=2)
        self.assertIn("give `--effects` a file", self.koi("simulate", rules, "--data", self.folder, "--effects", "-", status=2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
