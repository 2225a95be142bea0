"""What an explanation says was done and was not is what the naive meaning says of the same customer, campaign and instant: the
deeds up to then with the reason of each refusal, the journeys that he is in, and of each event that could have let him in whether
its `where` held, and whether he was among those whom the campaign is for.

    python3 explain_test.py KOI_EXPLAINS [--questions 1000] [--from 0] [--keep FOLDER]
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from meaning import EPOCH, MICROSECOND, Customer
from properties_test import as_lines, compare, deeds_of
from worlds import World, Writer, event_line

A_WORLD = 20  # questions


class Asked(Customer):
    """A life up to an instant, that notes of what each event began whether it had met its `where`, and he the campaign's `for`."""

    def __init__(self, program, name, until):
        super().__init__(program, name, until)
        self.attempts = collections.defaultdict(list)

    def begin(self, index, place, event):
        campaign, trigger = self.campaigns[index], self.campaigns[index].triggers[place]
        met = trigger.first.where is None or self.matches(trigger.first, event, {})
        # Of a trigger in parts it is asked when the last of them has come.
        meant = self.holds(campaign.audience, {trigger.first.alias: event} if trigger.first.alias else {}) if trigger.kind == "event" else None
        self.attempts[campaign.name].append((event.id, met, meant))
        return super().begin(index, place, event)


def life_until(world, customer, at):
    life = Asked(world.program, customer, world.until)
    for event in world.events:
        if event.customer == customer and event.time <= at:
            life.happens(event)
    life.live_until(at, inclusive=True)
    return life


def instant(text):
    return (datetime.datetime.fromisoformat(text) - EPOCH) // MICROSECOND


def differences(world, question, answer):
    """What the explanation says otherwise than the naive meaning."""
    customer, name, at = question
    life = life_until(world, customer, at)
    campaign = next(c for c in world.program.campaigns if c.name == name)
    if not life.history:
        return [] if answer.get("error") == "customer" else [f"nobody was there, and it says {answer}"]
    if "error" in answer:
        return [f"it says {answer['error']}"]
    lines = "".join(json.dumps(done) + "\n" for done in answer["done"]).encode()
    keyed = [c.name for c in world.program.campaigns if c.key]
    mine = [deed for deed in life.deeds if deed[2] == name]
    found = compare(as_lines({customer: mine}, keyed), as_lines(deeds_of(lines), keyed))
    index = life.campaigns.index(campaign)
    # A trigger in parts that could only lead to a second entry where one is all need not begin.
    is_vain = lambda j: j.phase == "forming" and campaign.enter[0] == "once" and (index, j.key) in life.last_entry
    wanted = sorted((j.phase, j.entered) for j in life.journeys[index] if j.phase != "ended" and not is_vain(j))
    got = sorted((j["phase"], instant(j["entered"])) for j in answer["journeys"])
    if wanted != got:
        found.append(f"journeys: {wanted}, told: {got}")
    told = [(a["event"], *(a.get(why, {"holds": True})["holds"] for why in ("where", "for"))) for a in answer["attempts"]]
    noted = life.attempts[name][-50:]
    is_same = lambda mine, its: mine[:2] == its[:2] and mine[2] in (None, its[2])
    if len(told) != len(noted) or not all(map(is_same, noted, told)):
        found.append(f"attempts: {noted}, told: {told}")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("explains")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    worlds, questions = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.keep or pathlib.Path(scratch)
        for seed in range(arguments.first, arguments.first + arguments.questions // A_WORLD):
            world, dice, folder = World(seed), random.Random(f"questions {seed}"), work / str(seed)
            world.events.sort(key=lambda event: event.time)
            folder.mkdir(parents=True)
            (folder / "world.koi").write_text(Writer(world.program).text(), encoding="utf-8")
            (folder / "events.ndjson").write_text("".join(event_line(e) + "\n" for e in world.events), encoding="utf-8")
            begin = world.events[0].time
            customers = sorted({event.customer for event in world.events})
            asked = [(dice.choice(customers), dice.choice(world.program.campaigns).name, dice.randrange(begin, world.until)) for _ in range(A_WORLD)]
            (folder / "questions").write_text("".join(f"{c}\t{n}\t{at}\n" for c, n, at in asked), encoding="utf-8")
            worlds[folder], questions[folder] = world, asked
        done = subprocess.run([arguments.explains, *map(os.fspath, worlds)], capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            print(done.stderr[-6000:])
            return 1
    answers = iter(done.stdout.splitlines())
    failed, counts = 0, collections.Counter()
    for folder, world in worlds.items():
        for question in questions[folder]:
            answer = json.loads(next(answers))
            wrong = differences(world, question, answer)
            counts["questions"] += 1
            counts["done"] += bool(answer.get("done"))
            counts["not done"] += not answer.get("done")
            counts["refused"] += any(d["action"] == "refuse" for d in answer.get("done", []))
            counts["under way"] += bool(answer.get("journeys"))
            counts["attempts"] += len(answer.get("attempts", []))
            counts["not meant"] += any(not a.get("for", {"holds": True})["holds"] for a in answer.get("attempts", []))
            counts["kept out"] += any(not a.get("where", {"holds": True})["holds"] for a in answer.get("attempts", []))
            if wrong:
                failed += 1
                if failed <= 10:
                    print(f"world {folder.name}, {question}:\n  " + "\n  ".join(wrong), flush=True)
    print(", ".join(f"{name} {count}" for name, count in counts.items()) + f", {failed} differ")
    # Else a generator that has gone dull would pass for agreement.
    dull = [name for name in ("done", "not done", "refused", "under way", "attempts", "kept out", "not meant") if counts[name] < counts["questions"] // 50]
    if dull:
        print(f"too few: {dull}")
    return 1 if failed or dull else 0


if __name__ == "__main__":
    sys.exit(main())
