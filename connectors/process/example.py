#!/usr/bin/env python3
"""A channel in Python: each message becomes a file in the folder that is named behind it.

{"channels": {"letters": {"connector": "process", "command": "python3 example.py /var/spool/letters"}}}
"""
import json
import os
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])


def place(key):
    return FOLDER / f"{key}.txt"  # a key is 32 hexadecimal digits


def deliver(delivery):
    """The file is there whole or not at all, and once for one key."""
    text = "\n".join(delivery[part] for part in ("title", "body", "link") if part in delivery)
    unfinished = place(delivery["key"]).with_suffix(".new")
    try:
        unfinished.write_text(text)
        os.replace(unfinished, place(delivery["key"]))
    except OSError as error:
        return {"outcome": "deferred", "wait_ms": 5000, "why": error.strerror}
    return {"outcome": "done"}


for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "deliver":
        answer = deliver(request["delivery"])
    elif request["do"] == "ask":
        answer = {"outcome": "done" if place(request["key"]).exists() else "deferred"}
    else:
        continue  # "cancel": nobody waits for that answer any more
    print(json.dumps({"id": request["id"], **answer}), flush=True)
