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


class Connectors(unittest.TestCase):
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
