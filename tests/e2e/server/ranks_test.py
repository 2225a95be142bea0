"""The running server ranks all customers against each other while events go on, over kills, as an independent count does.

ranks_test.py KOI [CUSTOMERS]
"""

import pathlib
import random
import sys
import tempfile
import time
import unittest

from server import Server, lines_of, some_while

KOI = sys.argv[1]
CUSTOMERS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000

RULES = """
policy {{ time zone "UTC"  currency CNY }}
event purchase {{ amount: money }}
metric spent = sum purchase.amount over 30 days
tier value by spent refreshed every day at {at} {{
  gold: top 5%
  silver: next 15%
  bronze: the rest
}}
tier fifth by spent among spent >= ¥3.00 into quintiles refreshed every day at {at}
channel app {{ class direct }}
content up {{ body "gold" }}
campaign rises {{
  class service
  enter always
  when enters value.gold
    send up via app
}}
"""


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


def purchase(number, who, cents, at):
    return {"id": f"p{number}", "type": "purchase", "time": stamp(at), "subject": who,
            "data": {"amount": f"{cents // 100}.{cents % 100:02d}"}}


def ranked(spent, levels):
    """By (value, id) from the lowest, rank i of n is in the top p where i >= (1 - p) n; shares are in hundredths."""
    order = sorted(spent, key=lambda who: (spent[who], who))
    n, found = len(order), {}
    for i, who in enumerate(order):
        found[who] = next(name for name, share in levels if 100 * i >= (100 - share) * n)
    return found


class RanksTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.chance = random.Random(7)

    def served(self, lead):
        """A server whose customers have all bought before the tiers are refreshed; None where it was too slow for that."""
        folder = self.folder / f"in{lead}"
        folder.mkdir()
        instant = int(time.time()) + lead
        rules = folder / "rules.koi"
        rules.write_text(RULES.format(at=time.strftime("%H:%M:%S", time.gmtime(instant))))
        self.out = folder / "out.ndjson"
        server = Server(KOI, folder, rules=rules, arguments=["--groups", 3],
                        environment={"channels": {"app": {"connector": "file", "path": str(self.out)}}})
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        server.start()
        spent = {f"c{i}": 100 * (i * 7 % 41) for i in range(CUSTOMERS)}
        people = list(spent)
        for i in range(0, len(people), 500):
            piece = people[i:i + 500]
            answer = server.send(*(purchase(f"a{who}", who, spent[who], time.time()) for who in piece))[1]
            self.assertEqual(answer["accepted"], len(piece))
        return (server, spent, instant) if time.time() < instant else None

    def test_everybody_has_the_level_of_the_instant_though_events_go_on_and_the_server_is_killed(self):
        lead, ready = 2, None
        while not ready:
            ready = self.served(lead)
            lead *= 2
        server, spent, instant = ready
        people = list(spent)
        time.sleep(max(0, instant - time.time()) + 0.05)
        for kill in range(3):  # before anybody is told, and wherever it is in telling them
            server.send(*(purchase(f"b{kill}-{who}", who, 100_000, time.time()) for who in self.chance.sample(people, 200)))
            time.sleep(some_while(self.chance))
            server.kill()
            server.start()
        told = lambda: server.log.read_text().count("was refreshed")
        server.until(lambda: all(f"the tier `{name}` was refreshed" in server.log.read_text() for name in ("value", "fifth")), 60)

        connection = server.connection()
        found = {}
        for who in people:
            found[who] = server.ask("GET", "/v1/customers/" + who, connection=connection)[1]["tiers"]
        connection.close()
        value = ranked(spent, [("gold", 5), ("silver", 20), ("bronze", 100)])
        fifth = ranked({who: amount for who, amount in spent.items() if amount >= 300},
                       [("q5", 20), ("q4", 40), ("q3", 60), ("q2", 80), ("q1", 100)])
        self.assertEqual({who: each.get("value") for who, each in found.items()}, value)
        self.assertEqual({who: each["fifth"] for who, each in found.items() if "fifth" in each}, fifth)

        golds = sorted(who for who in people if value[who] == "gold")
        delivered = lambda: lines_of(self.out)
        server.until(lambda: len(delivered()) >= len(golds))
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual(sorted(each["customer"] for each in delivered()), golds)
        # What was told is not told again.
        before = told()
        server.start()
        time.sleep(0.2)
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual(told(), before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
