"""On random programs and events the same is decided with the plan's index as by asking every condition,
late events among them. Larger programs than the naive meaning's, since nothing here has to be slow.

    python3 both_ways_test.py KOI_BOTH_WAYS [--seeds 150] [--from 0] [--keep FOLDER]
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from meaning import HOUR, MINUTE
from worlds import World, Writer, event_line, stamp

AT_ONCE = 25  # worlds for one process


def arrivals(events, dice):
    """Each event with the instant at which it arrives; some are late, a few too late."""
    late = lambda: dice.choice([MINUTE, 20 * MINUTE, HOUR, 2 * HOUR]) if dice.random() < 0.15 else 0
    return sorted(((event.time + late(), i) for i, event in enumerate(events)))


# What asks for consents, which the naive meaning does not know.
CONSENTS = """
channel zz_channel { class direct }
content zz_hello { body "hello" }
segment zz_willing when customer.consent.marketing
segment zz_reachable when customer.consent.service.zz_channel and not in zz_willing
campaign zz_entered { class service  enter always  when enters zz_willing  send zz_hello via zz_channel }
campaign zz_left { class transactional  enter always  when leaves zz_reachable  send zz_hello via zz_channel }
campaign zz_waits { class transactional  enter always  when consented
  leave when not customer.consent.marketing
  wait 1 hour  send zz_hello via zz_channel }
"""


def consents(world, dice):
    """What some of the customers say of consents between the events: (arrival, number, line)."""
    said = []
    for number, event in enumerate(dice.sample(world.events, len(world.events) // 6)):
        data = {"purpose": dice.choice(["marketing", "marketing", "service"])}
        if dice.random() < 0.4:
            data["channel"] = "zz_channel"
        line = {"id": f"said {number}", "type": dice.choice(["consented", "consented", "unsubscribed"]),
                "time": stamp(event.time), "subject": event.customer, "data": data}
        said.append((event.time, len(world.events) + number, json.dumps(line)))
    return said


def write(world, dice, folder):
    folder.mkdir(parents=True)
    if dice.random() < 0.6:  # many campaigns, so that there is something to find
        world.program.campaigns += [world.campaign(i) for i in range(6, 6 + dice.choice([6, 20, 40]))]
    (folder / "world.koi").write_text(Writer(world.program).text() + CONSENTS, encoding="utf-8")
    lines = [line for _, _, line in sorted([(at, i, event_line(world.events[i])) for at, i in arrivals(world.events, dice)]
                                           + consents(world, dice))]
    (folder / "events.ndjson").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (folder / "until").write_text(str(world.until), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("both_ways")
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    failed, effects, late = False, 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.keep or pathlib.Path(scratch)
        for begin in range(arguments.first, arguments.first + arguments.seeds, AT_ONCE):
            folders = []
            for seed in range(begin, min(begin + AT_ONCE, arguments.first + arguments.seeds)):
                folders.append(work / str(seed))
                write(World(seed), random.Random(f"arrivals {seed}"), folders[-1])
            done = subprocess.run([arguments.both_ways, *map(os.fspath, folders)], capture_output=True, text=True,
                                  check=False, timeout=600)
            print(done.stdout.strip() or f"ended with {done.returncode}")
            if done.returncode != 0:
                failed = True
                print(done.stderr[-6000:])
                continue
            words = done.stdout.split()
            effects, late = effects + int(words[2]), late + int(words[4])
    # Else a generator that has gone dull would pass for agreement.
    if effects < 20 * arguments.seeds or late < arguments.seeds:
        failed = True
        print(f"{effects} effects and {late} late events prove little")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
