"""On random programs and events the engine does what the naive meaning says, whatever the number of
threads.

    python3 properties_test.py KOI [--seeds 200] [--from 0]      many worlds
    python3 properties_test.py KOI --seed 17                     one; a failing one is made small and shown
    python3 properties_test.py KOI --keep 17 NAME                the small one becomes cases/NAME

What once failed is kept in cases/, with the effects that the naive meaning gave, and is tried every time.
"""

import argparse
import collections
import concurrent.futures
import copy
import datetime
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from meaning import EPOCH, MICROSECOND, meaning
from worlds import World, Writer, event_line

CASES = pathlib.Path(__file__).resolve().parent / "cases"


def stamp(us):
    return (EPOCH + datetime.timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run_koi(koi, program, events, until, threads):
    """The bytes of the effects; or raises with what koi said."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "program").mkdir()
        (folder / "program" / "world.koi").write_text(program, encoding="utf-8")
        (folder / "events.ndjson").write_text("".join(line + "\n" for line in events), encoding="utf-8")
        out = folder / "effects.ndjson"
        command = [koi, "run", str(folder / "program"), "--events", str(folder / "events.ndjson")]
        command += ["--until", stamp(until), "--effects", str(out), "--threads", str(threads)]
        command += ["--rejects", str(folder / "rejects.ndjson")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0 or not out.exists():
            raise RuntimeError(f"koi run ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return out.read_bytes()


def deeds_of(effects):
    """The engine's lines as the naive meaning writes them, by customer."""
    lives = collections.defaultdict(list)
    for line in effects.decode("utf-8").splitlines():
        e = json.loads(line)
        at = (datetime.datetime.fromisoformat(e["time"]) - EPOCH) // MICROSECOND
        name = e.get("name", "") if e["action"] in ("send", "set", "refuse") else ""
        if e["action"] == "set" or e.get("of") == "set":
            name = name.removeprefix("customer.")
        lives[e["customer"]].append(
            (at, e["customer"], e["campaign"], e["action"], name, e.get("channel", ""), e.get("of", ""), e.get("reason", ""))
        )
    return lives


def as_lines(lives, keyed):
    """One line a deed, by customer and time. At one instant in the order of decision, but for two things
    that nobody promises: which of two keys of one of the `keyed` campaigns goes first, and whether who
    leaves by a condition does so before or after what other campaigns do at that instant."""
    lines = []
    for customer in sorted(lives):
        for _, instant in itertools.groupby(lives[customer], key=lambda deed: deed[0]):
            deeds = list(instant)
            stays = [deed for deed in deeds if deed[3] != "leave"]
            for is_keyed, group in itertools.groupby(stays, key=lambda deed: deed[2] in keyed):
                lines += sorted(group) if is_keyed else group
            lines += sorted(deed for deed in deeds if deed[3] == "leave")
    return [" ".join([stamp(d[0]), *d[1:]]).rstrip() for d in lines]


class Trial:
    """One world, and the ways in which it can be made smaller."""

    def __init__(self, world):
        self.program, self.events, self.until = world.program, world.events, world.until

    def text(self):
        return Writer(self.program).text()

    def keyed(self):
        return [campaign.name for campaign in self.program.campaigns if campaign.key]

    def expected(self):
        events = sorted(self.events, key=lambda event: event.time)
        return as_lines(meaning(self.program, events, self.until), self.keyed())

    def difference(self, koi, threads=(1, 2, 7)):
        """Empty, or what differs."""
        lines = [event_line(event) for event in self.events]
        outputs = [run_koi(koi, self.text(), lines, self.until, n) for n in threads]
        if any(output != outputs[0] for output in outputs):
            return [f"{threads} threads do not give the same bytes"]
        return compare(self.expected(), as_lines(deeds_of(outputs[0]), self.keyed()))

    def smaller(self):
        """Trials with one thing less, the large things first."""
        size = len(self.events) // 2
        while size:
            for begin in range(0, len(self.events), size):
                yield self.but(events=self.events[:begin] + self.events[begin + size :])
            size //= 2
        campaigns = self.program.campaigns
        for i in range(len(campaigns)):
            yield self.but(campaigns=campaigns[:i] + campaigns[i + 1 :])
        for i, campaign in enumerate(campaigns):
            for change in simpler_campaigns(campaign):
                yield self.but(campaigns=campaigns[:i] + [change] + campaigns[i + 1 :])
        for change in ({"quiet": None}, {"caps": []}, {"sets": []}, {"caps": self.program.caps[:1]}):
            if any(getattr(self.program, name) != value for name, value in change.items()):
                yield self.but(**change)

    def but(self, events=None, **changes):
        other = copy.copy(self)
        other.program = copy.copy(self.program)
        for name, value in changes.items():
            setattr(other.program, name, value)
        other.events = self.events if events is None else events
        return other

    def shrunk(self, koi):
        """As small as it gets while it still differs."""
        smallest, progress = self, True
        while progress:
            progress = False
            for trial in smallest.smaller():
                try:
                    if trial.events and trial.program.campaigns and trial.difference(koi, threads=(1,)):
                        smallest, progress = trial, True
                        break
                except RuntimeError:
                    continue
        return smallest


def simpler_campaigns(campaign):
    def but(**changes):
        other = copy.copy(campaign)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    for change in ({"audience": None}, {"goal": None}, {"leaves": []}, {"hold_out": False}):
        if any(getattr(campaign, name) != value for name, value in change.items()):
            yield but(**change)
    if len(campaign.triggers) > 1:
        for i, trigger in enumerate(campaign.triggers):
            if trigger.steps is not None and campaign.triggers[-1].steps is not None:
                yield but(triggers=[trigger])
    for i, trigger in enumerate(campaign.triggers):
        for change in simpler_triggers(trigger):
            yield but(triggers=campaign.triggers[:i] + [change] + campaign.triggers[i + 1 :])


def simpler_triggers(trigger):
    for steps in simpler_steps(trigger.steps or []):
        other = copy.copy(trigger)
        other.steps = steps
        if steps:
            yield other
    if trigger.kind == "absence" and len(trigger.nots) > 1 or trigger.kind == "sequence" and trigger.nots:
        other = copy.copy(trigger)
        other.nots = trigger.nots[1:]
        yield other


def simpler_steps(steps):
    for i, step in enumerate(steps):
        yield steps[:i] + steps[i + 1 :]
        if step[0] == "for":
            for place in (3, 4):
                yield steps[:i] + step[place] + steps[i + 1 :]
                for block in simpler_steps(step[place]):
                    yield steps[:i] + [(*step[:place], block, *step[place + 1 :])] + steps[i + 1 :]
        if step[0] == "if":
            for _, block in step[1]:
                yield steps[:i] + block + steps[i + 1 :]
            yield steps[:i] + step[2] + steps[i + 1 :]


def compare(expected, actual):
    for i, (wanted, got) in enumerate(zip(expected + [""], actual + [""])):
        if wanted != got:
            return expected[max(0, i - 3) : i] + [f"- {line}" for line in expected[i : i + 4]] + [
                f"+ {line}" for line in actual[i : i + 4]
            ]
    return []


def try_seed(koi, seed):
    trial = Trial(World(seed))
    try:
        return seed, trial.difference(koi), trial.expected()
    except RuntimeError as error:
        return seed, [str(error)], []


def show(trial, difference):
    print(trial.text())
    for event in sorted(trial.events, key=lambda event: event.time):
        print(event_line(event))
    print(f"until {stamp(trial.until)}")
    print("the meaning (-), the engine (+):")
    print("\n".join(difference))


def many(koi, first, count):
    failed, deeds = [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for seed, difference, expected in pool.map(lambda s: try_seed(koi, s), range(first, first + count)):
            if difference:
                failed.append(seed)
                print(f"seed {seed}:\n  " + "\n  ".join(difference), flush=True)
            for line in expected:
                words = line.split()
                deeds[words[-1] if words[3] == "refuse" else words[3]] += 1
    print(f"{count} worlds, {sum(deeds.values())} effects: " + ", ".join(f"{k} {n}" for k, n in deeds.most_common()))
    if count >= 100:  # else a generator that has gone dull would pass for agreement
        for action in ("enter", "leave", "goal", "send", "set", "cap", "quiet_hours", "missing_value", "no_variant", "hold_out", "expired"):
            if deeds[action] < count // 25:
                failed.append(action)
                print(f"too few of {action}: these worlds prove little about it")
    return failed


def kept_cases(koi):
    failed = []
    for folder in sorted(CASES.iterdir()) if CASES.is_dir() else []:
        case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        program = (folder / "world.koi").read_text(encoding="utf-8")
        events = (folder / "events.ndjson").read_text(encoding="utf-8").splitlines()
        effects = deeds_of(run_koi(koi, program, events, case["until"], 1))
        difference = compare(case["effects"], as_lines(effects, case["keyed"]))
        if difference:
            failed.append(folder.name)
            print(f"case {folder.name}:\n  " + "\n  ".join(difference))
    return failed


def keep(koi, seed, name):
    small = Trial(World(seed)).shrunk(koi)
    folder = CASES / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "world.koi").write_text(small.text(), encoding="utf-8")
    (folder / "events.ndjson").write_text("".join(event_line(e) + "\n" for e in small.events), encoding="utf-8")
    case = {"until": small.until, "keyed": small.keyed(), "effects": small.expected()}
    (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("koi")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", nargs=2)
    arguments = parser.parse_args()
    if arguments.keep:
        keep(arguments.koi, int(arguments.keep[0]), arguments.keep[1])
        return 0
    if arguments.seed is not None:
        trial = Trial(World(arguments.seed))
        difference = trial.difference(arguments.koi)
        if difference:
            small = trial.shrunk(arguments.koi)
            show(small, small.difference(arguments.koi))
        return 1 if difference else 0
    failed = kept_cases(arguments.koi) + many(arguments.koi, arguments.first, arguments.seeds)
    if failed:
        print(f"failed: {failed}; one alone: python3 properties_test.py KOI --seed N")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
