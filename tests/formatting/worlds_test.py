"""Random programs through the formatter: the same plan, the same bytes the second time.

    python3 worlds_test.py FORMATTING_TEST [--seeds 40] [--from 0]
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "properties"))
from worlds import World, Writer  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("test")
arguments.add_argument("--seeds", type=int, default=40)
arguments.add_argument("--from", type=int, default=0, dest="first")
options = arguments.parse_args()

with tempfile.TemporaryDirectory() as folder:
    for seed in range(options.first, options.first + options.seeds):
        program = Writer(World(seed).program).text()
        (pathlib.Path(folder) / f"world_{seed:05}.koi").write_text(program, encoding="utf-8")
    done = subprocess.run([options.test], env={**os.environ, "KOI_WORLDS": folder}, check=False)
sys.exit(done.returncode)
