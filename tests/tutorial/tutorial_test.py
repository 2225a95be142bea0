"""Does a tutorial as it says.

Usage: tutorial_test.py KOI PAGE

A block ```koi FILE is added to the end of that file; a block ```text is commands (`$ koi …`) with what
they print. All of it happens in one empty folder. KOI_GOLDEN=write puts into the page what is printed.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

koi, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
text = page.read_text(encoding="utf-8")
wrong, files, commands = [], 0, 0

with tempfile.TemporaryDirectory() as folder:

    def run(line):
        done = subprocess.run([str(koi), *shlex.split(line)], cwd=folder, capture_output=True, text=True, encoding="utf-8",
                              env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
        return done.stdout + done.stderr

    def do(block):
        global files, commands
        head, body = block[1], block[2]
        if head.startswith("koi "):
            file = pathlib.Path(folder) / head[4:]
            file.parent.mkdir(exist_ok=True)
            with open(file, "a", encoding="utf-8") as out:
                out.write(body)
            files += 1
            return block[0]
        if head != "text" or not body.startswith("$ koi "):
            return block[0]
        printed = ""
        for line in re.findall(r"^\$ koi (.*)$", body, re.M):
            printed += f"$ koi {line}\n{run(line)}"
            commands += 1
        if printed != body:
            wrong.append(f"the page shows\n{body}\nbut this is printed\n{printed}")
        return f"```text\n{printed}```\n"

    done = re.sub(r"^```([^\n]*)\n(.*?)^```\n", do, text, flags=re.S | re.M)

if os.environ.get("KOI_GOLDEN") == "write":
    page.write_text(done, encoding="utf-8")
elif wrong:
    sys.exit("\n".join(wrong))
if files < 5 or commands < 8:
    sys.exit(f"only {files} files and {commands} commands were found in {page}")
print(f"{files} files written, {commands} commands run, all as the page says")
