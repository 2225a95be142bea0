"""Follows docs/adding-a-connector.md by its text alone: what the page says is put into a copy of the tree, and
the suite that every connector passes must pass for it.

By hand: python3 tests/connectors/page_test.py FOLDER_TO_BUILD_IN
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(folder):
    page = (ROOT / "docs/adding-a-connector.md").read_text()
    line = re.search(r"^```cmake\n(connector\(\w+\))\n```", page, re.M).group(1)
    files = re.findall(r"^`(connectors/[\w/]+\.\w+)`:\n\n```\w+\n(.*?)^```$", page, re.M | re.S)
    assert len(files) == 3, [name for name, _ in files]

    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for part in ("CMakeLists.txt", "cmake", "connectors", "engine/base", "engine/model", "engine/net", "engine/channel"):
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tree / part)
    (tree / "tests").mkdir()
    (tree / "tests/CMakeLists.txt").write_text("")

    lists = tree / "connectors/CMakeLists.txt"
    before, after = lists.read_text().split("connector_list()")
    lists.write_text(f"{before}{line}\n\nconnector_list(){after}")
    for name, text in files:
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def run(*command):
        print("+", *command, flush=True)
        subprocess.run(command, check=True, env=os.environ | {"CCACHE_BASEDIR": str(tree)})

    build = folder / "build"
    run("cmake", "-S", str(tree), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_UNITY_BUILD=ON",
        "-DCMAKE_UNITY_BUILD_BATCH_SIZE=12", "-DKOI_TESTS=ON")
    run("ninja", "-C", str(build), "connectors_test")
    done = subprocess.run([build / "connectors/connectors_test", "--gtest_filter=*gateway*"], capture_output=True, text=True)
    print(done.stdout[-4000:], done.stderr[-4000:])
    assert done.returncode == 0
    passed = int(re.search(r"\[  PASSED  \] (\d+) tests", done.stdout).group(1))
    assert passed >= 10, f"only {passed} tests ran"


main(pathlib.Path(sys.argv[1]).resolve())
