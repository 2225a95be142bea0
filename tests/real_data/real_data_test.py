"""Programs over real data: what `koi run` does must equal an independent calculation, line by line.

    python3 real_data_test.py KOI SET        one of the folders beside this file

The data sets are not part of this repository. Where they are at hand (../shared/data beside the clone, or
the folder that KOI_DATA names) they are used; the small made-up extract of the same form, which is part of
it, runs always.
"""

import argparse
import collections
import gzip
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import datetime

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from reckoning import Deed, local, micros  # noqa: E402


def reckoner_of(name):
    spec = importlib.util.spec_from_file_location(f"reckon_{name}", HERE / name / "reckon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Tables(dict):
    """The data set's files by name, each opened anew as text, unpacked where it is packed."""

    def __init__(self, folder, names):
        super().__init__()
        self.folder = folder
        for name in names:
            path = folder / name
            self[name] = path if path.exists() else folder / name.removesuffix(".gz")

    def path(self, name):
        return super().__getitem__(name)

    def __getitem__(self, name):
        path = super().__getitem__(name)
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return io.StringIO(data.decode("utf-8"), newline="")

    def unpacked(self, name, folder):
        """A plain file of it, as `koi run` reads it."""
        path = self.path(name)
        if path.suffix != ".gz":
            return path
        plain = folder / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        return plain


def arguments_of(reckoner, tables, name, folder):
    if hasattr(reckoner, "prepare"):
        return reckoner.prepare(tables, folder)
    (file,) = reckoner.FILES
    return ["--events", str(tables.unpacked(file, folder)), "--map", str(HERE / name / reckoner.MAP)]


def effects_of(path):
    deeds = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            effect = json.loads(line)
            name = effect.get("name", "") if effect["action"] not in ("enter", "leave", "goal") else ""
            at = micros(datetime.datetime.fromisoformat(effect["time"]))
            deeds.append(Deed(at, effect["customer"], effect["campaign"], effect["action"], name))
    return deeds


def compare(expected, actual, zone):
    """Where the two differ, in words; nothing where they are the same."""
    def shown(deed):
        return f"{local(deed.time, zone).isoformat()} {deed.customer} {deed.campaign} {deed.action} {deed.name}"

    wanted, got = collections.Counter(expected), collections.Counter(actual)
    missing, extra = sorted((wanted - got).elements()), sorted((got - wanted).elements())
    lines = [f"  - {shown(d)}" for d in missing[:20]] + [f"  + {shown(d)}" for d in extra[:20]]
    if missing or extra:
        lines.insert(0, f"{len(missing)} missing (-), {len(extra)} too many (+):")
    times = [deed.time for deed in actual]
    if times != sorted(times):
        lines.append("the effects are not in order of time")
    return lines


def run(koi, name, data, what):
    reckoner = reckoner_of(name)
    tables = Tables(data, reckoner.FILES)
    expected = reckoner.reckon(tables)
    counts = collections.Counter((deed.campaign, deed.action) for deed in expected)
    print(f"{name} ({what}): {len(expected)} effects expected")
    for (campaign, action), count in sorted(counts.items()):
        print(f"  {campaign} {action}: {count}")
    if len(expected) < 30 or len({campaign for campaign, _ in counts}) < 3:
        print("too few: this would prove nothing")
        return False
    if koi is None:
        return True
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        effects = folder / "effects.ndjson"
        command = [koi, "run", str(HERE / name), *arguments_of(reckoner, tables, name, folder)]
        command += ["--until", local(reckoner.UNTIL, reckoner.ZONE).isoformat(), "--effects", str(effects)]
        command += ["--rejects", str(folder / "rejects.ndjson")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        findings = getattr(reckoner, "rejected", lambda tables: 0)(tables)
        if done.returncode != 0:
            print(f"koi run ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
            return False
        difference = compare(expected, effects_of(effects), reckoner.ZONE)
        aside = folder / "rejects.ndjson"
        rejected = len(aside.read_text(encoding="utf-8").splitlines()) if aside.exists() else 0
        if rejected != findings:
            difference.append(f"{rejected} lines were set aside, not {findings}")
    print("\n".join(difference) or "  the engine did the same")
    return not difference


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("koi", help="the program to try; - only reckons")
    parser.add_argument("set")
    arguments = parser.parse_args()
    koi = None if arguments.koi == "-" else arguments.koi

    good = run(koi, arguments.set, HERE / arguments.set / "extract", "the made-up extract")
    at_hand = pathlib.Path(os.environ.get("KOI_DATA", HERE.parents[2] / "shared" / "data")) / arguments.set
    if at_hand.is_dir():
        good = run(koi, arguments.set, at_hand, "the whole set") and good
    else:
        print(f"{arguments.set}: the data are not at hand ({at_hand.name} in ../shared/data); only the extract was run")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
