"""What a provider takes, on a running server: a day's number holds over a kill, and what is over it goes another way if the rules have
one, with the reason kept; rules with a text that their channel does not take are not put live; the staff is reached by address.

By hand: python3 tests/connectors/limits_test.py KOI
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/server"))
from server import Server, lines_of  # noqa: E402

ahead = 12 - time.gmtime().tm_hour  # where it is noon, so that no day ends meanwhile
RULES = """
event greet { with_another: bool }
team care
channel app   { class direct }
channel other { class direct }
channel work  { class direct }
content hello { body "Hello." }
policy { time zone "Etc/GMT%+d"  currency CNY }
campaign by_two { class transactional  enter always  when greet where with_another      send hello via app, else other }
campaign by_one { class transactional  enter always  when greet where not with_another  send hello via app }
campaign calls  { class transactional  enter always  when failed  notify care "{failed.channel or \"\"}" }
""" % -ahead
LONGER = RULES + """
content long { body "%s" }
campaign says { class transactional  enter always  when greet  send long via work }
""" % ("长" * 700)


def main(koi):
    os.environ["KOI_TEST_SECRET"] = "s3cret"
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name, text in [("rules", RULES), ("longer", LONGER)]:
            (folder / name).mkdir()
            (folder / name / "rules.koi").write_text(text)
        file = lambda name: {"connector": "file", "path": str(folder / name)}
        server = Server(koi, folder, rules=folder / "rules", environment={
            "channels": {"app": file("app") | {"per_day": 2}, "other": file("other"),
                         "work": {"connector": "wecom", "to": "staff", "corp_id": "ww1", "secret": "env:KOI_TEST_SECRET", "agent_id": 1,
                                  "url": "http://127.0.0.1:1"}},
            "teams": {"care": file("care") | {"address": "care@example.com"}}}).start()

        def greet(*who, with_another=True):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            events = [{"id": f"g{name}", "type": "greet", "time": stamp, "subject": name, "data": {"with_another": with_another}}
                      for name in who]
            assert server.send(*events)[1]["accepted"] == len(who)

        def out(name):
            path = folder / name
            return lines_of(path)

        def customers(name):
            return sorted(each["customer"] for each in out(name))

        try:
            greet("ann", "bob")
            server.until(lambda: customers("app") == ["ann", "bob"])
            greet("cy")
            server.until(lambda: customers("other") == ["cy"])
            server.until(lambda: len(out("care")) == 1)

            def went():
                lines = [(line["action"], line.get("channel"), line.get("reason")) for line in server.customer("cy")[1]["timeline"]]
                return [line for line in lines[::-1] if line[0] in ("send", "failed")]
            server.until(lambda: went() == [("send", "app", None), ("failed", "app", "quota"), ("send", "other", None)])
            told = out("care")[0]
            assert (told["to"], told["body"]) == ({"address": "care@example.com"}, "app"), told

            server.kill()
            server.start()
            greet("eve", with_another=False)  # who waits for the next day
            greet("dan")
            server.until(lambda: customers("other") == ["cy", "dan"])
            assert customers("app") == ["ann", "bob"]
            assert "what its provider takes in a day is used up" in server.log.read_text()

            def does(*words):
                return subprocess.run([koi, *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                                      env=os.environ | {"USER": "ann"})
            assert does("build", folder / "longer", "-o", folder / "longer.koib").returncode == 0
            url = f"http://127.0.0.1:{server.port}"
            wrong = "content `long`: too long for the channel `work` (wecom): its text has 2100 bytes, of 2048 that are taken"
            shown = does("deploy", folder / "longer.koib", "--server", url, "--why", "test", "--preview")
            assert wrong in shown.stdout, (shown.stdout, shown.stderr)
            refused = does("deploy", folder / "longer.koib", "--server", url, "--why", "test")
            assert refused.returncode != 0 and wrong in refused.stdout + refused.stderr, (refused.stdout, refused.stderr)
        finally:
            server.stop()
    print("two a day went one way and the rest another, over a kill too, and a text that is too long stayed out")


main(sys.argv[1])
