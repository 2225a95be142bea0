#!/usr/bin/env python3
"""A channel that receives: what an SMS gateway pushes, signed with the secret in GATEWAY_SECRET.

{"channels": {"sms": {"connector": "process", "command": "python3 gateway_example.py", "receives": true}}}
"""
import hashlib
import hmac
import json
import os
import sys

SECRET = os.environ["GATEWAY_SECRET"].encode()


def receive(request):
    """Anybody can call the address: nothing is believed before its signature is verified."""
    body = request.get("body", "")
    signature = hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), request["headers"].get("x-signature", "").encode()):
        return {"answer": {"status": 403}}
    told = json.loads(body)
    if told["kind"] == "report":
        failed = {} if told["arrived"] else {"failure": "unreachable"}
        return {"answer": {"body": "ok"}, "reports": [{"key": told["message"], **failed}]}
    event = {"id": f"gateway:{told['id']}", "type": "replied", "time": told["time"], "person": told["from"]}
    left = [{**event, "id": event["id"] + ":left", "type": "unsubscribed"}] if told["text"] == "TD" else []
    return {"answer": {"body": "ok"}, "events": [event, *left]}


for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "receive":
        answer = receive(request["request"])
    elif request["do"] == "deliver":  # here it would go to the gateway, which recognises a key
        answer = {"outcome": "pending", "within_ms": 86_400_000, "why": "the gateway reports on it"}
    elif request["do"] == "ask":
        answer = {"outcome": "deferred"}  # so it may come again
    else:
        continue
    print(json.dumps({"id": request["id"], **answer}), flush=True)
