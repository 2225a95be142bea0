"""`koi connectors` and `koi connector`, from the outside: the example of connectors/process passes the
checks, programs that break a promise fail that check, and a real message goes out.

By hand: python3 tests/connectors/cli_test.py KOI
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KOI = pathlib.Path(sys.argv.pop(1)).resolve()

# A program that keeps every promise but the one that is changed in it.
GOOD = """
import json, sys, os, pathlib
kept = pathlib.Path(sys.argv[1])
def known():
    return kept.read_text().split() if kept.exists() else []
def keep(key):
    with open(kept, "a") as file: file.write(key + "\\n")
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "cancel":
        continue
    if request["do"] == "ask":
        answer = {"outcome": "done" if request["key"] in known() else "deferred"}
    else:
        keep(request["delivery"]["key"])
        answer = {"outcome": "done"}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
"""


def koi(*arguments, **options):
    done = subprocess.run([str(KOI), *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


# A text for the staff of 2,049 bytes in one language; one of five segments that needs no data; and what only data can make too long.
RULES = """policy { time zone "Asia/Shanghai"  currency CNY }
event visit { page: text }
channel work   { class direct }
channel sms    { class direct }
channel wechat { class conversation }
channel pay    { class direct }
red_packet packet { amount ¥1.00  pay via sms }
content note {
  body "短"
  language "en" { body "%s" }
}
content code  { title "Code"  body "%s" }
content page  { body "{visit.page}" }
campaign notes {
  class service  enter always
  when visit
    send note via work
    send code via sms
    send page via work, else wechat
    send page via pay
    give packet
}
""" % ("x" * 2049, "码" * 340)


class Connectors(unittest.TestCase):
    def test_what_a_provider_would_not_take_is_found_before_anything_is_sent(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "rules.koi").write_text(RULES)
            (folder / "sms.json").write_text(json.dumps({"code": {"code": "SMS_1", "text": "${text}", "sign": "小店"}}))
            sms = {"connector": "aliyun_sms", "access_key_id": "id", "access_key_secret": "env:KOI_NO_SECRET", "sign": "店",
                   "templates": str(folder / "sms.json")}
            account = {"connector": "wechat_official", "app_id": "wx1", "app_secret": "env:KOI_NO_SECRET"}
            environment = folder / "env.json"

            def check(*more, **channels):
                work = {"connector": "wecom", "to": "staff", "corp_id": "ww1", "secret": "env:KOI_NO_SECRET", "agent_id": 1}
                environment.write_text(json.dumps({"channels": {"work": work, "sms": sms, "wechat": account, **channels}}))
                return koi("check", folder / "rules.koi", "--env", environment, *more)

            status, out, err = check()
            self.assertEqual((status, err), (1, ""), out)
            for found in [
                    "error[environment]: content `note`, language `en`: too long for the channel `work` (wecom): its text has 2049 bytes, "
                    "of 2048 that are taken\n",
                    "error[environment]: content `code`: too long for the channel `sms` (aliyun_sms): its text has 6 text messages, of 5 "
                    "that are taken\n",
                    "error[environment]: `packet` is paid by the channel `sms` (aliyun_sms), which carries no money",
                    "warning[environment]: content `code` has a title, which the channel `sms` (aliyun_sms) does not send",
                    "warning[environment]: the provider of the channel `wechat` (wechat_official) limits customer-service messages for each "
                    "person, and the rules do not say so: `open 48 hours after replied up to 5,"]:
                self.assertIn(found, out)
            self.assertRegex(out, r"rules\.koi:17:\d+  send note via work")
            self.assertIn("1 file: 3 errors, ", out)
            self.assertNotIn("page", "".join(line for line in out.splitlines() if "[environment]" in line))

            out = check("--language", "zh")[1]
            self.assertIn("内容 `note`，语言 `en`：对渠道 `work`（wecom） 太长：文本有 2049 字节，最多 2048", out)
            lines = [json.loads(line) for line in check("--format", "json")[1].splitlines()]
            self.assertIn(("environment", "error", 17), [(each["code"], each["severity"], each["line"]) for each in lines])

            # Where more is allowed, and money is carried, less is wrong.
            out = check(sms=sms | {"most_segments": 6})[1]
            self.assertNotIn("content `code`: too long", out)
            pays = {"connector": "wechat_pay", "product": "red_packet", "mch_id": "1", "app_id": "wx1", "certificate_key": "/none"}
            out = check(pay=pays)[1]
            self.assertIn("content `page` goes by the channel `pay` (wechat_pay), which carries money alone", out)
            out = check(sms=sms | {"templates": str(folder / "none.json")})[1]
            self.assertIn("the channel `sms` (aliyun_sms): `templates`: ", out)
            # Without an environment nothing of it is known.
            self.assertEqual(koi("check", folder / "rules.koi")[0], 0)
            self.assertEqual(koi("check", folder / "rules.koi", "--env", folder / "nowhere.json")[0], 2)

    def test_the_list_says_what_providers_take(self):
        out = koi("connectors")[1]
        for line in ["  staff: plain text; its text has at most 2048 bytes.", "  red_packet: money; at most 30 requests a second.",
                     "  template: an approved template; at most 100000 messages a day.",
                     "  It sends an approved template; its text has at most `most_segments` text messages.",
                     "  The provider takes at most 150000 requests an hour.", "  Its day begins by the clocks of Asia/Shanghai."]:
            self.assertIn(line + "\n", out)

    def test_the_list_names_each_with_its_settings(self):
        status, out, _ = koi("connectors")
        self.assertEqual(status, 0)
        for name in (path.parent.name for path in ROOT.glob("connectors/*/README.md")):
            self.assertRegex(out, rf"(?m)^{name}$")
        self.assertIn("secret", out)

    def test_the_example_keeps_every_promise(self):
        with tempfile.TemporaryDirectory() as folder:
            status, out, err = koi("connector", "check", "--", "python3", ROOT / "connectors/process/example.py", folder)
            self.assertEqual((status, err), (0, ""), out)
            self.assertGreaterEqual(out.count("ok    "), 10)
            self.assertGreater(len(list(pathlib.Path(folder).iterdir())), 60)

    def test_so_does_the_example_that_receives(self):
        example = ROOT / "connectors/process/gateway_example.py"
        def checked(path):
            return koi("connector", "check", "--receives", "--", "python3", path, env=os.environ | {"GATEWAY_SECRET": "s3cret"})
        status, out, err = checked(example)
        self.assertEqual((status, err), (0, ""), out)
        self.assertIn("ok    a callback that nobody signed is refused and tells nothing", out)
        with tempfile.TemporaryDirectory() as folder:
            credulous = pathlib.Path(folder) / "credulous.py"
            told = example.read_text().replace("if not hmac.compare_digest", "if False and not hmac.compare_digest")
            credulous.write_text(told.replace('told["kind"] == "report"', "True").replace('told["arrived"]', "True")
                                 .replace('told["message"]', '"0" * 32'))
            status, out, _ = checked(credulous)
            self.assertEqual(status, 1)
            self.assertIn("no    a callback that nobody signed is refused and tells nothing\n      it told something", out)

    def check(self, program):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "it's a program.py"
            path.write_text(program)
            status, out, _ = koi("connector", "check", "--to", "phone=+8613800138000", "--", "python3", path,
                                 pathlib.Path(folder) / "kept")
            return status, [line[6:] for line in out.splitlines() if line.startswith("no ")], out

    def test_a_promise_that_is_broken_is_named(self):
        status, broken, out = self.check(GOOD)
        self.assertEqual((status, broken), (0, []), out)
        def changed(old, new):
            self.assertIn(old, GOOD)
            status, broken, out = self.check(GOOD.replace(old, new))
            self.assertEqual(status, 1, out)
            return broken
        self.assertEqual(changed("print(json.dumps", 'print("hello", flush=True); print(json.dumps'), ["a message is taken"])
        self.assertIn("asked about a key that it never saw, it does not say that it has it",
                      changed('"done" if request["key"] in known() else "deferred"', '"done"'))
        self.assertIn("started again, it says the same of that key",
                      changed("kept = pathlib.Path(sys.argv[1])", 'kept = pathlib.Path(f"{sys.argv[1]}{os.getpid()}")'))
        self.assertIn("its reasons hold neither address, nor customer, nor text",
                      changed('answer = {"outcome": "done"}',
                              'answer = {"outcome": "done"}\n'
                              '        if "ttt" in line or "xxx" in line:\n'
                              '            answer = {"outcome": "unknown", "why": request["delivery"]["to"]["phone"]}'))
        self.assertIn("it ends when its input is closed", changed("for line in sys.stdin:", "import itertools, time\n"
                      "def lines():\n    yield from sys.stdin\n    time.sleep(60)\nfor line in lines():"))

    def test_one_real_message_goes_out(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "env.json").write_text(json.dumps({"channels": {
                "letters": {"connector": "file", "path": str(folder / "out")},
                "hook": {"connector": "webhook", "url": "http://127.0.0.1:1/", "secret": "env:KOI_NO_SECRET"}}}))
            for name in ("letters", "file"):
                status, out, err = koi("connector", "test", name, "--config", folder / "env.json", "--to", "email=ann@example.com",
                                       "--body", "Hello Ann")
                self.assertEqual((status, err), (0, ""), out)
                self.assertRegex(out, r"^letters \(file\), key [0-9a-f]{32}: done\n$")
            lines = (folder / "out").read_text().splitlines()
            self.assertEqual(len(lines), 2)
            self.assertIn("Hello Ann", lines[0])
            status, _, err = koi("connector", "test", "hook", "--config", folder / "env.json")
            self.assertEqual(status, 2)
            self.assertIn("KOI_NO_SECRET", err)
            status, _, err = koi("connector", "code", "letters", "--config", folder / "env.json", "--scene", "expo")
            self.assertEqual(status, 2)
            self.assertIn("file makes no codes", err)
            status, _, err = koi("connector", "test", "sms", "--config", folder / "env.json")
            self.assertEqual(status, 2)
            self.assertIn("there are: hook, letters", err)


unittest.main()
