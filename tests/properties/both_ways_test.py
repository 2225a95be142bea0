"""On random programs and events the same is decided with the plan's index as by asking every condition,
late events among them. Larger programs than the naive meaning's, since nothing here has to be slow.

    python3 both_ways_test.py KOI_BOTH_WAYS [--seeds 150] [--from 0] [--keep FOLDER]
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from meaning import HOUR, MINUTE
from worlds import World, Writer, event_line

AT_ONCE = 25  # worlds for one process


def arrivals(events, dice):
    """Each event with the instant at which it arrives; some are late, a few too late."""
    late = lambda: dice.choice([MINUTE, 20 * MINUTE, HOUR, 2 * HOUR]) if dice.random() < 0.15 else 0
    return sorted(((event.time + late(), i) for i, event in enumerate(events)))


def write(world, dice, folder):
    folder.mkdir(parents=True)
    if dice.random() < 0.6:  # many campaigns, so that there is something to find
        world.program.campaigns += [world.campaign(i) for i in range(6, 6 + dice.choice([6, 20, 40]))]
    (folder / "world.koi").write_text(Writer(world.program).text(), encoding="utf-8")
    lines = [event_line(world.events[i]) for _, i in arrivals(world.events, dice)]
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
