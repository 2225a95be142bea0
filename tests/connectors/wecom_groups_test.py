"""A message to customer groups of WeCom, from the rules to the platform, beside what a client that we did not write asks for the
same (weixin-java-cp, from Maven Central): paths, queries and JSON are equal. And what became of it is the staff's receipt.

By hand: python3 tests/connectors/wecom_groups_test.py FOLDER KOI
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e/server"), str(ROOT / "tests/connectors")]
from server import Server  # noqa: E402
from wechat_requests_test import Platform  # noqa: E402

VERSION = "4.6.0"
TEXT = "{customer.id} 新品 到了"
RULES = f"""
event arrival {{}}
team vip_groups
policy {{ time zone "Asia/Shanghai"  currency CNY }}
campaign 上新 {{ class service  enter always  when arrival  notify vip_groups "{TEXT}" }}
"""
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>koi</groupId><artifactId>group-send</artifactId><version>1</version>
<dependencies><dependency><groupId>com.github.binarywang</groupId><artifactId>weixin-java-cp</artifactId><version>{VERSION}</version></dependency>
</dependencies></project>"""
PATHS = ["/cgi-bin/externalcontact/" + name for name in ("add_msg_template", "get_groupmsg_task", "get_groupmsg_send_result")]


def platform():
    return Platform({
        PATHS[0]: {"errcode": 0, "errmsg": "ok", "fail_list": [], "msgid": "task-1"},
        PATHS[1]: {"errcode": 0, "errmsg": "ok", "task_list": [{"userid": "zhang", "status": 2, "send_time": 1552536375}]},
        PATHS[2]: {"errcode": 0, "errmsg": "ok", "send_list": [
            {"chat_id": group, "userid": "zhang", "status": 1, "send_time": 1552536375} for group in ("wrA", "wrB")]}})


def asked(of):
    """The first request of each path. A cursor that is empty says as much as none."""
    first = {}
    for path, query, body in of.asked:
        first.setdefault(path, (query, {name: value for name, value in (body or {}).items() if value not in ("", None)}))
    return first


def by_koi(folder, koi):
    work = folder / "wecom_groups"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "rules.koi").write_text(RULES)
    os.environ["KOI_TEST_SECRET"] = "secret"
    wecom = platform()
    server = Server(koi, work, rules=work / "rules.koi", environment={"teams": {"vip_groups": {
        "connector": "wecom", "to": "groups", "corp_id": "ww1", "secret": "env:KOI_TEST_SECRET", "sender": "zhang", "groups": "wrA,wrB",
        "look_every": "50ms", "url": wecom.url}}}).start()
    try:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert server.send({"id": "a1", "type": "arrival", "time": stamp, "subject": "tea", "data": {}})[1]["accepted"] == 1
        server.until(lambda: "delivered" in [line["action"] for line in server.customer("tea")[1]["timeline"]])
    finally:
        server.stop()
    return asked(wecom)


def by_the_other(folder, text):
    work = folder / "weixin-java-cp"
    work.mkdir(parents=True, exist_ok=True)
    (work / "pom.xml").write_text(POM)
    path = work / "classpath"
    if not path.exists():
        subprocess.run(["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={path}"], cwd=work, check=True)
    wecom = platform()
    subprocess.run(["java", "-cp", path.read_text().strip(), ROOT / "tests/connectors/GroupSend.java", wecom.url, text], check=True,
                   timeout=120)
    return asked(wecom)


def main(folder, koi):
    if not all(map(shutil.which, ("mvn", "java", "javac"))):
        print("there is no Maven or no JDK here")
        return 77
    ours = by_koi(folder, koi)
    theirs = by_the_other(folder, ours[PATHS[0]][1]["text"]["content"])
    assert list(ours) == PATHS, ours
    for path in PATHS:
        assert ours[path] == theirs[path], (path, ours[path], theirs[path])
    print(f"{len(PATHS)} requests are those of weixin-java-cp")
    return 0


sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]))
