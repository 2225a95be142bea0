"""A visitor logs in: from then on he and the customer are one, over a kill and a clean stop, under either id.

merge_test.py KOI
"""

import pathlib
import sys
import tempfile
import time
import urllib.parse

from server import Server

KOI = sys.argv[1]
RULES = pathlib.Path(__file__).parents[3] / "rules-examples" / "from-visitor-to-customer"


def event(number, kind, subject, **data):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60 + number)) + "Z"
    return {"id": f"e{number}", "type": kind, "time": stamp, "subject": subject, "data": data}


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(KOI, folder, rules=RULES).start()

        def send(*events, **came):
            status, answer = server.send(*events)
            assert status == 200, answer
            assert all(answer[what] == count for what, count in came.items()), answer

        def shown(who):
            status, customer = server.customer(urllib.parse.quote(who))
            assert status == 200, (who, customer)
            return customer

        send(event(1, "add_to_cart", "device:d1", sku="A"), accepted=1)
        send(event(2, "add_to_cart", "c17", sku="B"), accepted=1)
        assert shown("c17")["metrics"]["carts"] == 1
        send(event(3, "login", "c17", phone="13800138000", device="d1"), accepted=1)

        def check_one():
            for who in ("c17", "device:d1", "phone:13800138000"):
                one = shown(who)
                assert one["id"] == "device:d1" and one["same"] == ["c17"], one
                assert {each["kind"] for each in one["identifiers"]} == {"phone", "device"}, one
            return one["metrics"]["carts"]

        assert check_one() == 2
        send(event(2, "add_to_cart", "c17", sku="B"), duplicates=1)  # whoever it was
        server.kill()
        server.start()
        assert check_one() == 2
        send(event(4, "add_to_cart", "c17", sku="C"), event(5, "add_to_cart", "phone:13800138000", sku="D", device="d1"), accepted=2)
        assert check_one() == 4
        # Another phone on the same device is another person.
        send(event(6, "login", "phone:13900139000", phone="13900139000", device="d1"), accepted=1)
        send(event(7, "add_to_cart", "phone:13900139000", sku="E", device="d1"), accepted=1)
        assert shown("phone:13900139000")["metrics"]["carts"] == 1
        assert check_one() == 4
        assert server.stop()[0] == 0
        server.start()
        assert check_one() == 4
        asked = "&campaign=cart_of_a_visitor&at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status, told = server.ask("GET", "/v1/explain?customer=device:d1" + asked)
        assert status == 200 and told["customer"] == "device:d1", (status, told)
        status, told = server.ask("GET", "/v1/explain?customer=c17" + asked)
        assert status == 404 and "device:d1" in str(told), (status, told)
        server.stop()
    print("two customers are one")


main()
