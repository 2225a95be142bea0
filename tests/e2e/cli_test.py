"""The command line from the outside: what it prints, writes and returns. Standard library alone.

cli_test.py KOI SOURCE_FOLDER
"""

import html.parser
import http.server
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree

KOI, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
SHOP = SOURCE / "rules-examples" / "shop"


def event(number, time="2026-03-02T10:00:00Z", kind="register", subject="ann", data=None):
    return {"id": f"e{number}", "type": kind, "time": time, "subject": subject, "data": data or {}}


class GoingOn:
    """A command that goes on until it is interrupted. One that has nothing to say for ever is ended, so that its test fails."""

    def __init__(self, folder, *words):
        self.process = subprocess.Popen([KOI, *map(str, words)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.alarm = threading.Timer(600, self.process.kill)
        self.alarm.start()

    def says(self, *marks):
        """What it says until each of the marks has come, in their order."""
        said = ""
        for mark in marks:
            line = ""
            while mark not in line:
                line = self.process.stdout.readline()
                if not line:
                    raise AssertionError(f"it ended without {mark!r}: {said}")
                said += line
        return said

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait()

    def end(self):
        self.alarm.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Page(html.parser.HTMLParser):
    """A page of coverage: its heading, and the rows of its tables as (class, number, text, what is told of it)."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.heading, self.rows, self.names = [], "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)
        self.names += [name for name, _ in attributes]
        if tag == "tr":
            self.rows.append([dict(attributes).get("class", "")])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> ends something else")

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.rows[-1][-1] += data
        if self.open and self.open[-1] == "h1":
            self.heading += data


class Cli(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def koi(self, *words, status=0, stdin=None, stdout=subprocess.PIPE, **more):
        done = subprocess.run([KOI, *map(str, words)], cwd=self.folder, input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                              timeout=120, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}, **more)
        self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
        out = done.stdout.decode() if done.stdout else ""
        return out + done.stderr.decode()

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def events(self, name, *events):
        return self.file(name, "".join((e if isinstance(e, str) else json.dumps(e, ensure_ascii=False)) + "\n" for e in events))

    def program(self):
        self.koi("init", "p")
        return self.folder / "p"

    def effects(self, *words):
        self.koi("run", *words, "--effects", "effects.ndjson")
        return (self.folder / "effects.ndjson").read_bytes()

    def test_init_makes_a_program_that_checks_tests_and_runs(self):
        for language, words in (("en", "2 passed, 0 failed"), ("zh", "2 个通过，0 个失败")):
            self.koi("init", language, "--language", language)
            self.koi("check", language, "--strict")
            self.koi("fmt", language, "--check")
            self.assertIn(words, self.koi("test", language, "--language", language))
            effects = self.effects(language, "--events", f"{language}/events.ndjson").decode().splitlines()
            self.assertEqual([json.loads(e)["action"] for e in effects], ["enter", "send", "enter", "refuse", "goal"])
        self.assertIn("has something in it already", self.koi("init", "en", status=2))

    def test_the_shop_passes_its_tests(self):
        self.koi("check", SHOP)
        self.assertIn(", 0 failed", self.koi("test", SHOP))

    def test_effects_have_the_documented_form(self):
        effects = self.effects(self.program(), "--events", "p/events.ndjson").decode().splitlines()
        self.assertEqual(list(json.loads(effects[1])), ["time", "customer", "campaign", "action", "name", "channel", "entry", "key"])
        self.assertTrue(effects[1].startswith('{"time":"2026-03-02T10:30:00Z","customer":"ann","campaign":"cart_rescue",'
                                              '"action":"send","name":"cart_reminder","channel":"email","entry":"'))
        self.assertEqual(list(json.loads(effects[3]))[-2:], ["of", "reason"])

    def test_any_number_of_threads_gives_the_same_bytes(self):
        sample = SHOP / "events.ndjson"
        one = self.effects(SHOP, "--events", sample, "--threads", 1, "--until", "2026-06-01")
        self.assertGreater(len(one), 100_000)
        for threads in (2, 7):
            self.assertEqual(one, self.effects(SHOP, "--events", sample, "--threads", threads, "--until", "2026-06-01"))
        self.assertNotEqual(one, self.effects(SHOP, "--events", sample, "--seed", 2, "--until", "2026-06-01"))

    def test_customers_who_turn_out_to_be_one_do_so_on_any_number_of_threads(self):
        chance, lines, seconds = random.Random(7), [], 0
        for number in range(3000):
            seconds += chance.randrange(90)
            person = chance.randrange(60)
            device = chance.randrange(120) if chance.random() < 0.2 else person * 2 + chance.randrange(2)
            kind = chance.choice(["view", "view", "login", "buy", "ask"])
            data = {"view": {"sku": "a"}, "buy": {"amount": "3.00"}, "ask": {},
                    "login": {"phone": f"138{person:08}", "device": f"d{device}"}}[kind]
            lines.append(json.dumps(event(number, f"2026-03-{2 + seconds // 86400:02}T{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z",
                                          kind, chance.choice([f"device:d{device}", f"phone:138{person:08}", f"c{person}"]), data)))
        self.file("events.ndjson", "\n".join(lines))
        rules = SOURCE / "tests" / "rules" / "rule_1_merge.koi"
        one = self.effects(rules, "--events", "events.ndjson", "--threads", 1, "--until", "2026-03-20")
        merged = [json.loads(line) for line in one.decode().splitlines() if '"action":"merge"' in line]
        self.assertGreater(len(merged), 50)
        for each in merged:  # whoever has gone does nothing more
            self.assertNotIn(f'"customer":"{each["name"]}"', one.decode().split(each["key"])[1])
        for threads in (2, 7):
            self.assertEqual(one, self.effects(rules, "--events", "events.ndjson", "--threads", threads, "--until", "2026-03-20"))

    def test_what_concerns_everybody_comes_in_one_order_on_any_number_of_threads(self):
        (self.folder / "p").mkdir()
        self.file("p/a.koi", """
            policy { time zone "Asia/Shanghai"  currency CNY }
            event visit { page: text }
            event sale to everyone { page: text }
            metric visits = count visit over 3 days
            channel push { class direct }
            content hello { body "hello" }
            tier keen by visits among visits > 0 refreshed every day at 03:00 { first: top 10%  rest: the rest }
            campaign greet { class service  enter always  when sale  send hello via push }
            campaign first { class service  enter always  when enters keen.first  send hello via push  when leaves keen.first  tag "was" }
            campaign waits { class service  enter always  when visit as v  wait for sale where page == v.page up to 5 hours { send hello via push } }
        """)
        chance, events, known = random.Random(7), [], {}
        for number in range(3000):
            hour = number // 12  # many at one instant, in the order in which they stand
            time = f"2026-03-{2 + hour // 24:02}T{hour % 24:02}:00:00Z"
            page = chance.choice("abc")
            if chance.random() < 0.02:
                events.append(event(number, time, "sale", "*", {"page": page}))
                known[f"e{number}"] = (time, {e["subject"] for e in events} - {"*"})
            else:
                events.append(event(number, time, "visit", f"c{chance.randrange(80)}", {"page": page}))
        sales = [e for e in events if e["type"] == "sale"]
        events.append(event(4000, "2026-03-28T00:00:00Z", "visit", "new", {"page": "a"}))
        events.append({**sales[-1], "time": "2026-03-28T00:00:01Z"})  # sent again: nobody sees it
        events += [event(4001, "2026-03-28T00:00:02Z", "visit", "*", {"page": "a"}), event(4002, "2026-03-28T00:00:02Z", "sale", "new", {"page": "a"})]
        self.events("events.ndjson", *events)
        words = ("p", "--events", "events.ndjson", "--until", "2026-04-02 00:00", "--rejects", "rejects.ndjson")
        effects = self.effects(*words, "--threads", "1")
        for threads in 2, 7:
            self.assertEqual(self.effects(*words, "--threads", threads), effects)
        rejects = (self.folder / "rejects.ndjson").read_text()
        self.assertIn("happens to one customer; give his id", rejects)
        self.assertIn("happens to everyone; give `*`", rejects)
        greeted = {}
        for effect in map(json.loads, effects.splitlines()):
            if effect["action"] == "enter" and effect["campaign"] == "greet":
                greeted.setdefault(effect["time"], []).append(effect["customer"])
        wanted = {}
        for number, (time, there) in known.items():
            local = f"{time[:8]}{int(time[8:10]) + (int(time[11:13]) + 8) // 24:02}T{(int(time[11:13]) + 8) % 24:02}:00:00+08:00"
            wanted.setdefault(local, []).extend(sorted(there))
        self.assertEqual(greeted, {time: there for time, there in wanted.items() if there})

    def test_the_order_of_lines_and_files_does_not_matter(self):
        lines = (SHOP / "events.ndjson").read_text(encoding="utf-8").splitlines(keepends=True)
        # Lines of one instant keep their order; these have none.
        seen, single = set(), []
        for line in lines:
            time = json.loads(line)["time"]
            if time not in seen:
                single.append(line)
            seen.add(time)
        self.file("sorted.ndjson", "".join(single))
        whole = self.effects(SHOP, "--events", "sorted.ndjson")
        random.Random(3).shuffle(single)
        self.file("mixed.ndjson", "".join(single))
        self.assertEqual(whole, self.effects(SHOP, "--events", "mixed.ndjson"))
        self.file("a.ndjson", "".join(single[::2]))
        self.file("b.ndjson", "".join(single[1::2]))
        self.assertEqual(whole, self.effects(SHOP, "--events", "a.ndjson", "b.ndjson"))

    def test_effects_are_in_order_of_time(self):
        effects = [json.loads(e) for e in self.effects(SHOP, "--events", SHOP / "events.ndjson").decode().splitlines()]
        times = [e["time"] for e in effects]
        self.assertEqual(times, sorted(times, key=lambda t: __import__("datetime").datetime.fromisoformat(t)))

    def test_bad_lines_are_set_aside_and_the_rest_goes_on(self):
        lines = [
            json.dumps(event(1)), "not json", "", json.dumps(event(2, time="0001-01-01T00:00:00Z")),
            json.dumps(event(3, time="9999-12-31T00:00:00Z")), "{\"id\":\"" + "x" * (10 << 20) + "\"}",
            json.dumps(event(4, kind="unheard_of")), json.dumps(event(5, data={"colour": "red"})),
            json.dumps(event(6, data={"email": "secret at home"})), "[" * 100_000, json.dumps(event(1)),
        ]
        path = self.events("bad.ndjson", *lines)
        with path.open("ab") as file:
            file.write(b'{"id":"\xff"}\n{"id":"a\x00b"}\n')
        out = self.koi("run", self.program(), "--events", "bad.ndjson")
        self.assertIn("unknown types: `unheard_of` 1", out)
        self.assertIn("unknown fields: `register.colour` 1", out)
        self.assertRegex(out, r"seen before \(same id\) +1")
        self.assertRegex(out, r"rejected +8")
        rejects = [json.loads(line) for line in (self.folder / "rejects.ndjson").read_text(encoding="utf-8").splitlines()]
        self.assertEqual([r["number"] for r in rejects], [2, 4, 5, 6, 9, 10, 12, 13])
        for reject, says in zip(rejects, ("is not JSON", "1970 and 2199", "1970 and 2199", "longer than 1 MiB", "is not an email address",
                                          "is not JSON", "is not valid UTF-8", "NUL")):
            self.assertIn(says, reject["reason"])
            self.assertLess(len(reject["line"]), 200_000)
        self.assertNotIn("secret", " ".join(r["reason"] for r in rejects))

    def test_nothing_is_written_beside_where_all_is_well(self):
        self.koi("run", self.program(), "--events", "p/events.ndjson")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["p"])

    def test_reads_the_standard_input_and_writes_effects_to_the_standard_output(self):
        program = self.program()
        done = subprocess.run([KOI, "run", program, "--events", "-", "--effects", "-"], cwd=self.folder, capture_output=True, check=False,
                              input=(program / "events.ndjson").read_bytes())
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len([json.loads(line) for line in done.stdout.splitlines()]), 5)
        self.assertIn(b"cart_rescue", done.stderr)

    def test_until_moves_the_clock_on_and_leaves_out_what_is_later(self):
        program = self.program()
        cart = event(1, kind="add_to_cart", data={"sku": "a", "price": "1.00"})
        later = event(2, time="2026-03-03T00:00:00Z")
        self.events("e.ndjson", cart, later)
        self.assertEqual(self.effects(program, "--events", "e.ndjson", "--until", "2026-03-02T10:29:59Z"), b"")
        self.assertEqual(len(self.effects(program, "--events", "e.ndjson", "--until", "2026-03-02 10:30").splitlines()), 2)
        self.assertIn("after the end of the run", self.koi("run", program, "--events", "e.ndjson", "--until", "2026-03-02T11:00:00Z"))
        self.events("e.ndjson", cart)
        self.assertEqual(self.effects(program, "--events", "e.ndjson"), b"")
        self.assertIn("is no time", self.koi("run", program, "--events", "e.ndjson", "--until", "soon", status=2))

    def test_rows_of_csv_are_events_by_a_map(self):
        program = self.program()
        self.file("rows.csv", "\ufeffwhen,who,what,item,price\r\n2026-03-02 10:00,ann,cart,\"tea, \"\"green\"\"\r\ntin\",2.50\r\n"
                              "2026-03-02 10:01,bob,visit,x,1\r\n2026-03-02 12:00,ann,order,x,bad\r\n2026-03-02 12:00,cy,cart,y,1\r\n")
        self.file("rows.map", 'only what is not "visit"\ntype = what { cart -> add_to_cart, order -> purchase }\n'
                              'time = when in "UTC"\nsubject = who\nsku = item\nprice = price\n')
        out = self.koi("run", program, "--events", "rows.csv", "--map", "rows.map")
        self.assertRegex(out, r"left out by the map +1")
        self.assertRegex(out, r"unknown fields: .*`purchase.sku` 1")
        self.assertRegex(out, r"cart_rescue +1")
        self.assertIn("needs `--map FILE`", self.koi("run", program, "--events", "rows.csv", status=2))
        self.file("bad.map", "type = what\ntime = day\nsubject = who\n")
        self.assertIn("bad.map:2: rows.csv has no column `day`", self.koi("run", program, "--events", "rows.csv", "--map", "bad.map", status=2))

    def test_a_page_reports_and_needs_nothing_but_itself(self):
        self.koi("run", SHOP, "--events", SHOP / "events.ndjson", "--report", "html")
        page = (self.folder / "report.html").read_text(encoding="utf-8")
        self.assertIn("<svg", page)
        self.assertNotRegex(page, r"(src|href)=")

    def test_shows_messages_as_their_readers_see_them(self):
        out = self.koi("run", self.program(), "--events", "p/events.ndjson", "--messages", 3)
        self.assertIn("Hello Ann, your teapot for £24.00 is waiting.", out)

    def test_findings_are_one_and_trouble_is_two(self):
        self.file("bad.koi", "metric m = count nothing_such\n")
        out = self.koi("check", "bad.koi", status=1)
        self.assertIn("bad.koi:1:", out)
        for line in self.koi("check", "bad.koi", "--format", "json", status=1).splitlines():
            self.assertTrue(json.loads(line)["code"].startswith("K"))
        self.koi("run", "bad.koi", "--events", "none.ndjson", status=1)
        self.koi("test", "bad.koi", status=1)
        self.koi("frobnicate", status=2)
        self.koi(status=2)
        self.koi("check", status=2)
        self.koi("--help")
        self.koi("run", "--help")
        self.koi("version")

    def test_an_environment_that_names_what_is_not_there_is_no_good_to_check_either(self):
        self.file("sms.koi", "channel sms { class direct }\n")
        for named, says in (("smss", "the rules declare no channel `smss`; they have: sms"), ("sms", "there is no connector `pigeon`")):
            self.file("env.json", json.dumps({"channels": {named: {"connector": "console" if named == "smss" else "pigeon"}}}))
            self.assertIn(says, self.koi("check", "sms.koi", "--env", "env.json", status=2))
        self.file("env.json", json.dumps({"channels": {"sms": {"connector": "console"}}}))
        self.koi("check", "sms.koi", "--env", "env.json")

    def test_says_plainly_what_cannot_be_read(self):
        self.file("empty.koi", "")
        self.file("events.txt", "x")
        (self.folder / "none").mkdir()
        self.file("binary.koi", bytes(range(256)))
        for path, says in (("absent", "no such file"), ("empty.koi", "is empty"), ("none", "has no .koi files"),
                           ("events.txt", "is no .koi file"), ("/dev/zero", "no regular file")):
            self.assertIn(says, self.koi("check", path, status=2))
        self.koi("check", "binary.koi", status=1)
        program = self.program()
        self.assertIn("cannot be read: No such file", self.koi("run", program, "--events", "absent.ndjson", status=2))
        self.assertIn("is a folder", self.koi("run", program, "--events", "none", status=2))

    def test_fmt_writes_the_one_form_and_translates(self):
        text = "event  visit{page:text}\nsegment s when ever visit  # who came\n"
        form = "event visit { page: text }\nsegment s when ever visit  # who came\n"
        path = self.file("a.koi", text)
        self.assertEqual(self.koi("fmt", "a.koi", "--check", status=1), "a.koi\n")
        self.assertEqual(path.read_text(), text)
        self.assertEqual(self.koi("fmt", "a.koi", "--stdout"), form)
        self.assertEqual(self.koi("fmt"), "")
        self.assertEqual(path.read_text(), form)
        self.assertEqual(self.koi("fmt", "--check", "."), "")
        self.koi("fmt", "a.koi", "--lang", "zh")
        self.assertEqual(path.read_text(), "事件 visit ｛ page：文本 ｝\n人群 s 当 曾经 visit  # who came\n")
        self.koi("fmt", "a.koi", "--lang", "en")
        self.assertEqual(path.read_text(), form)
        broken = self.file("b.koi", "event { \n")
        self.assertIn("error[K0101]", self.koi("fmt", ".", status=1))
        self.assertEqual(broken.read_text(), "event { \n")

    def test_explain_tells_a_code_in_both_languages(self):
        self.assertIn("Right:", self.koi("explain", "K0201"))
        self.assertIn("正确的写法：", self.koi("explain", "k0201", "--lang", "zh"))
        self.assertIn("there is no code `K0299`", self.koi("explain", "K0299", status=2))

    def test_junit_is_xml_that_says_what_failed_whatever_the_names(self):
        self.file("a.koi", 'event visit {}\n'
                  'test "good & \\"quoted\\" <b>" { at 2026-03-02 10:00  ann visit {} }\n'
                  'test "坏\x01" { at 2026-03-02 10:00  ann visit {}\n expect set customer.stage for ann }\n')
        self.koi("test", "a.koi", "--junit", "out.xml", status=1)
        suites = xml.etree.ElementTree.parse(self.folder / "out.xml").getroot()
        self.assertEqual((suites.get("tests"), suites.get("failures")), ("2", "1"))
        good, bad = suites.iter("testcase")
        self.assertEqual((good.get("name"), good.get("file"), good.get("line")), ('good & "quoted" <b>', "a.koi", "2"))
        self.assertIsNone(good.find("failure"))
        self.assertEqual(bad.get("name"), "坏\ufffd")
        self.assertIn("expected: set customer.stage", bad.find("failure").get("message"))
        self.assertIn("failed: ", bad.find("failure").text)

    def test_watching_runs_the_tests_again_when_a_file_has_changed(self):
        self.program()
        watching = GoingOn(self.folder, "test", "p", "--watch")
        self.addCleanup(watching.end)
        waits = "-- waiting for a change"
        self.assertNotIn("failed: ", watching.says("2 passed, 0 failed", waits))

        def put(name, text):  # at once, so that it is never seen half written
            self.file("beside", text)
            os.replace(self.folder / "beside", self.folder / "p" / name)
        put("more.koi", 'test "nobody came" { at 2026-03-02 10:00  expect enter cart_rescue }\n')
        self.assertIn("nobody came", watching.says("2 passed, 1 failed", waits))
        put("more.koi", 'test "nobody came" { at 2026-03-02 10:00  expect nothing\n')
        self.assertIn("more.koi:1", watching.says("error[", waits))
        put("more.koi", 'test "nobody came" { at 2026-03-02 10:00  expect nothing }\n')
        watching.says("3 passed, 0 failed", waits)
        (self.folder / "p" / "more.koi").unlink()
        watching.says("2 passed, 0 failed", waits)
        self.assertEqual(watching.interrupt(), 0)

    def test_watching_a_list_of_people_too_and_in_chinese(self):
        (self.folder / "p").mkdir()
        self.file("p/a.koi", 'customer { identify by openid }\nevent visit {}\nchannel push { class direct }\n'
                             'audience press from "press.csv" by openid\ncontent hello { body "hello" }\n'
                             'campaign greet { class service  for in press  when visit  send hello via push }\n'
                             'test "the press is greeted" {\n  given customer ann { openid: "o1" }\n'
                             '  at 2026-03-02 10:00  ann visit {}\n  expect send hello to ann\n}\n')
        self.file("p/press.csv", "openid\no2\n")
        watching = GoingOn(self.folder, "test", "p", "--watch", "--language", "zh")
        self.addCleanup(watching.end)
        watching.says("0 个通过，1 个失败", "等待改动")
        self.file("more.csv", "openid\no2\no1\n")
        os.replace(self.folder / "more.csv", self.folder / "p" / "press.csv")
        watching.says("1 个通过，0 个失败", "等待改动")
        self.assertEqual(watching.interrupt(), 0)

    def test_watching_what_is_not_there_ends_at_once(self):
        self.assertIn("nowhere", self.koi("test", "nowhere", "--watch", status=2))

    def test_the_page_of_coverage_shows_the_rules_and_what_no_test_has_seen(self):
        rules = ('event visit "来访" { page: text }\nchannel push { class direct }\ncontent hello { body "<b>&amp; {customer.id}" }\n'
                 'campaign greet {\n  class service\n  for customer.tags contains "<i>"\n  when visit as v\n'
                 '    if v.page == "a" { send hello via push }\n    else { tag "<script>" }\n}\n'
                 'test "a" { given customer ann { tags: "<i>" } at 2026-03-02 10:00  ann visit { page: "a" }  expect send hello }\n')
        self.file("a.koi", rules)
        for language in "en", "zh":
            said = self.koi("test", "a.koi", "--coverage", "--coverage-html", "page.html", "--language", language)
            page = Page((self.folder / "page.html").read_text(encoding="utf-8"))
            self.assertEqual(page.open, [])
            self.assertFalse({"src", "href", "onclick"} & set(page.names), "it needs nothing but itself")
            self.assertEqual([row[2] for row in page.rows], rules.split("\n"))
            self.assertEqual([row[1] for row in page.rows], [str(i + 1) for i in range(len(page.rows))])
            self.assertEqual(said.strip().split("\n")[-1], page.heading)
            listed = {}
            for line, what in re.findall(r"^a\.koi:(\d+):\d+  greet(?:: |：)(.*)$", said, re.M):
                listed.setdefault(line, []).append(what)
            self.assertGreaterEqual(len(listed), 2)
            told = {row[1]: row[3].split("；" if language == "zh" else "; ") for row in page.rows if row[0] in ("not", "part")}
            self.assertEqual(told, listed)
            self.assertTrue(all(row[3] == "" for row in page.rows if row[0] not in ("not", "part")))
            self.assertIn("seen", [row[0] for row in page.rows])
        self.koi("test", "a.koi", "--coverage-at-least", "100", status=1)

        self.file("a.koi", rules + 'test "b" {\n  given customer ann { tags: "<i>" }\n  at 2026-03-02 10:00  ann visit { page: "b" }\n'
                                   '  expect tag "<script>"\n}\ntest "c" { at 2026-03-02 10:00  bo visit { page: "b" }  expect nothing }\n')
        self.koi("test", "a.koi", "--coverage-html", "page.html", "--coverage-at-least", "100")
        page = Page((self.folder / "page.html").read_text(encoding="utf-8"))
        self.assertIn("100%", page.heading)
        self.assertEqual({row[0] for row in page.rows}, {"", "seen"})

    def test_a_full_disk_and_a_closed_pipe_are_told(self):
        program = self.program()
        self.assertIn("cannot be written", self.koi("run", program, "--events", "p/events.ndjson", "--effects", "/dev/full", status=2))
        with open("/dev/full", "wb") as full:
            self.assertIn("cannot be written", self.koi("check", program, stdout=full, status=2))
        reader, writer = os.pipe()
        os.close(reader)
        self.assertIn("closed", self.koi("run", program, "--events", "p/events.ndjson", stdout=writer, status=2))
        os.close(writer)

    def test_a_part_of_an_upload_whose_answer_was_lost_is_sent_again_and_that_is_said(self):
        parts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                parts.append(self.rfile.read(int(self.headers["Content-Length"])))
                if len(parts) == 2:
                    return  # it has taken them, and hangs up
                codes = 0 if len(parts) == 3 else parts[-1].count(b"A-")
                answer = json.dumps({"codes": parts[-1].count(b"A-"), "new": codes, "left": 3, "unfit": 0}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "codes.txt"
            file.write_bytes(b"A-1\n" + b"\n" * (4 << 20) + b"A-2\nA-3\n")  # two parts
            told = subprocess.run([KOI, "pool", "upload", "spring", file, "--server", f"http://127.0.0.1:{server.server_port}"],
                                  capture_output=True, text=True, encoding="utf-8", timeout=120)
        self.assertEqual(told.stdout, "3 codes, 1 of them new; 3 are left in the pool\nparts whose answer was lost: 1; they were "
                         "sent again, and what was taken of them before is not counted as new\n", told)
        self.assertEqual(parts[1], parts[2])
        self.assertEqual(b"".join(parts[:2]), b"A-1\n" + b"\n" * (4 << 20) + b"A-2\nA-3\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
