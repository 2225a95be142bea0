"""The program of the tests: what it does with the next delivery stands in the file `act` of its folder,
and what it took is written to the file `taken`. Who knows the token may tell that somebody replied."""

import json
import os
import pathlib
import sys
import time

folder = pathlib.Path(sys.argv[1])


def taken():
    file = folder / "taken"
    return file.read_text().split() if file.exists() else []


def take(key):
    with open(folder / "taken", "a") as file:
        file.write(key + "\n")


for line in sys.stdin:
    request = json.loads(line)
    act = (folder / "act").read_text()
    answer = {"outcome": "done"}
    if request["do"] == "cancel":
        continue
    if request["do"] == "receive":
        asked = request["request"]
        answer = {"answer": {"status": 403}}
        if asked["headers"].get("x-token") == "t0ken":
            answer = {"answer": {"body": "taken"}, "events": [{"id": "1", "type": "replied", "person": asked["body"]}]}
    elif request["do"] == "ask":
        answer["outcome"] = "done" if request["key"] in taken() else "deferred"
    elif act.startswith("refuse"):
        answer = {"outcome": "refused", "failure": act[7:] or "unreachable", "why": "it is as it is"}
    elif act == "busy":
        answer = {"outcome": "deferred", "wait_ms": 7000, "throttled": True, "why": "too much"}
    else:
        take(request["delivery"]["key"])
        if act == "silent":
            time.sleep(3600)
        if act == "hang up":
            os._exit(3)
        while act == "slow":
            print("{", end="", flush=True)
            time.sleep(0.03)
        if act == "broken":
            print(f'{{"id": {request["id"]}, "outco', end="", flush=True)
            os._exit(3)
        if act == "nonsense":
            print("<html>", flush=True)
            continue
    print(json.dumps({"id": request["id"], **answer}), flush=True)
