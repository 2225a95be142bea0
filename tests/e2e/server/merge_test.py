"""Visitors log in: from then on each and the customer are one, over a kill and a clean stop, under either id, whichever groups
serve the two.

merge_test.py KOI GROUPS
"""

import pathlib
import sys
import tempfile
import time
import urllib.parse

from server import Server

KOI, GROUPS = sys.argv[1], int(sys.argv[2])
RULES = pathlib.Path(__file__).parents[3] / "rules-examples" / "from-visitor-to-customer"
PEOPLE = 1 if GROUPS == 1 else 20  # so many that pairs of any two groups are among them


class Person:
    """A visitor on a device, a customer of the shop's own id, and his phone."""

    def __init__(self, number):
        self.number = number
        self.device, self.name = f"d{number}", f"c{number}"
        self.phone, self.other_phone = str(13800138000 + number), str(13900139000 + number)

    def event(self, number, kind, subject, **data):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60 + number)) + "Z"
        return {"id": f"e{self.number}-{number}", "type": kind, "time": stamp, "subject": subject, "data": data}

    def ids(self):
        return self.name, f"device:{self.device}", f"phone:{self.phone}"


def main():
    people = [Person(number) for number in range(17, 17 + PEOPLE)]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(KOI, folder, rules=RULES, arguments=("--groups", GROUPS)).start()

        def send(events_of, **came):
            """What each does, all in one request."""
            events = [event for person in people for event in events_of(person)]
            status, answer = server.send(*events)
            assert status == 200, answer
            assert all(answer[what] == count * PEOPLE for what, count in came.items()), answer

        def shown(who):
            status, customer = server.customer(urllib.parse.quote(who))
            assert status == 200, (who, customer)
            return customer

        def carts(who, count):
            """Waits until so many are counted; who is new is known a moment after his first event was answered."""
            def counted():
                status, customer = server.customer(urllib.parse.quote(who))
                return status == 200 and customer["metrics"]["carts"] == count
            server.until(counted)

        def is_one(person, count):
            """Does each of his ids show the same, with so many carts?"""
            for who in person.ids():
                one = shown(who)
                kinds = {each["kind"] for each in one["identifiers"]}
                if one["id"] != f"device:{person.device}" or one.get("same") != [person.name]:
                    return False
                if kinds != {"phone", "device"} or one["metrics"]["carts"] != count:
                    return False
            return True

        def check_one(count):
            for person in people:
                server.until(lambda person=person: is_one(person, count))

        send(lambda he: [he.event(1, "add_to_cart", f"device:{he.device}", sku="A")], accepted=1)
        send(lambda he: [he.event(2, "add_to_cart", he.name, sku="B")], accepted=1)
        for person in people:
            carts(person.name, 1)
        send(lambda he: [he.event(3, "login", he.name, phone=he.phone, device=he.device)], accepted=1)
        check_one(2)
        send(lambda he: [he.event(2, "add_to_cart", he.name, sku="B")], duplicates=1)  # whoever it was
        server.kill()
        server.start()
        check_one(2)
        send(lambda he: [he.event(4, "add_to_cart", he.name, sku="C"),
                         he.event(5, "add_to_cart", f"phone:{he.phone}", sku="D", device=he.device)], accepted=2)
        check_one(4)
        # Another phone on the same device is another person.
        send(lambda he: [he.event(6, "login", f"phone:{he.other_phone}", phone=he.other_phone, device=he.device)], accepted=1)
        send(lambda he: [he.event(7, "add_to_cart", f"phone:{he.other_phone}", sku="E", device=he.device)], accepted=1)
        for person in people:
            carts(f"phone:{person.other_phone}", 1)
        check_one(4)
        # What he refuses under the id that he has no more, he has refused.
        send(lambda he: [he.event(8, "unsubscribed", he.name)], accepted=1)
        for person in people:
            server.until(lambda person=person: any(not each["granted"] for each in shown(person.name)["consents"]))
        assert server.stop()[0] == 0
        server.start()
        check_one(4)
        asked = "&campaign=cart_of_a_visitor&at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))  # all of this second
        for person in people[:4]:
            status, told = server.ask("GET", f"/v1/explain?customer=device:{person.device}" + asked)
            assert status == 200 and told["customer"] == f"device:{person.device}", (status, told)
            status, told = server.ask("GET", f"/v1/explain?customer={person.name}" + asked)
            assert status == 404 and f"device:{person.device}" in str(told), (status, told)
        server.stop()
    print("two customers are one")


main()
