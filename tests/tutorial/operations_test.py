"""Does what docs/operations.md says, with a server, and compares what is printed.

Usage: operations_test.py KOI PAGE

Blocks are as in tutorial_test.py; ```json FILE is a file too, a command that ends in `&` runs on, and other commands than
koi's are the shell's. What is never twice the same (keys, hashes, instants, milliseconds) counts as the same. What only
asks is asked until it is answered as the page says. KOI_GOLDEN=write puts into the page what is printed.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

koi, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
text = page.read_text(encoding="utf-8")
WRITE = os.environ.get("KOI_GOLDEN") == "write"
PATIENCE = 120  # seconds
ADDRESS = "http://127.0.0.1:8700"
ASK = ("koi status", "koi explain")
TO_SERVER = (*ASK, "koi deploy", "koi promote", "koi rollback")

# Sends its input as curl does: the page's commands want no more of it.
CURL = """#!/usr/bin/env python3
import sys, urllib.request
request = urllib.request.Request(sys.argv[-1], sys.stdin.buffer.read(), {"Content-Type": "application/x-ndjson"})
print(urllib.request.urlopen(request, timeout=60).read().decode(), end="")
"""


def plain(printed):
    """Without what is never twice the same."""
    printed = re.sub(r"\b[0-9a-f]{64}\b", "HASH", printed)
    printed = re.sub(r"\b[0-9a-f]{32}\b", "ID", printed)
    printed = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)", "INSTANT", printed)
    printed = re.sub(r"\b\d+ under way\b", "N under way", printed)  # as of the last checkpoint
    return re.sub(r"\b\d+ ms\b", "N ms", printed)


class Page:
    def __init__(self, folder):
        self.folder, self.server, self.url = folder, None, ADDRESS
        self.wrong, self.files, self.commands = [], 0, 0
        (folder / "bin").mkdir()
        (folder / "bin" / "koi").symlink_to(koi)
        curl = folder / "bin" / "curl"
        curl.write_text(CURL)
        curl.chmod(0o755)
        sanitizers = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        self.environment = {"LC_ALL": "C.UTF-8", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **sanitizers}

    def serve(self, line):
        words = line.removesuffix("&").split()
        with open(self.folder / "log", "wb") as log:
            self.server = subprocess.Popen([*words, "--listen", "127.0.0.1:0"], cwd=self.folder, env=self.environment,
                                           stdout=subprocess.PIPE, stderr=log)
        first = self.server.stdout.readline().decode()
        found = re.search(r"http://\S+", first)
        assert found, first + (self.folder / "log").read_text()
        self.url = found[0]
        return first

    def once(self, line):
        line = line.replace(ADDRESS, self.url)
        if line.startswith(TO_SERVER):
            line += f" --server {self.url}"
        done = subprocess.run(["sh", "-c", line], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", timeout=PATIENCE, check=False)
        return done.stdout

    def run(self, line, expected):
        if line.endswith("&"):
            printed = self.serve(line)
        else:
            end = time.monotonic() + (2 if WRITE else PATIENCE)
            printed = self.once(line)
            while line.startswith(ASK) and (WRITE or plain(printed) != plain(expected)) and time.monotonic() < end:
                time.sleep(0.1)
                printed = self.once(line)
        return printed.replace(self.url, ADDRESS)

    def do(self, block):
        head, body = block[1], block[2]
        named = re.fullmatch(r"(?:koi|json) (\S+)", head)
        if named:
            file = self.folder / named[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(body, encoding="utf-8")
            self.files += 1
            return block[0]
        if head != "text" or not body.startswith("$ "):
            return block[0]
        printed = ""
        for line, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
            said = self.run(line, expected)
            if plain(said) != plain(expected):
                self.wrong.append(f"$ {line}\nthe page shows\n{expected}\nbut this is printed\n{said}")
            printed += f"$ {line}\n{said}"
            self.commands += 1
        return f"```text\n{printed}```\n"

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.communicate(timeout=PATIENCE)
            assert self.server.returncode == 0, (self.folder / "log").read_text()


with tempfile.TemporaryDirectory() as scratch:
    here = Page(pathlib.Path(scratch))
    try:
        done = re.sub(r"^```([^\n]*)\n(.*?)^```\n", here.do, text, flags=re.S | re.M)
    finally:
        here.end()

if WRITE:
    page.write_text(done, encoding="utf-8")
elif here.wrong:
    sys.exit("\n".join(here.wrong))
if here.files < 4 or here.commands < 10:
    sys.exit(f"only {here.files} files and {here.commands} commands were found in {page}")
print(f"{here.files} files written, {here.commands} commands run, all as the page says")
