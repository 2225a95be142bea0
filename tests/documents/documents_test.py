"""What the documents show is so.

Usage: documents_test.py KOI SOURCE_FOLDER

All ```koi blocks of one document are one program. In README.md a block that begins with `$ ` is a
command and what it prints; `koi` in it is run beside the document's program, which is in the folder
under the name that the text gives it. docs/generated/ is what `koi docs` writes; with
KOI_GOLDEN=write it is written anew.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

koi, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
documents = sorted([root / "README.md", *(root / "docs").rglob("*.md")])


def blocks(document, language):
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


def run(folder, *arguments):
    done = subprocess.run([str(koi), *arguments], cwd=folder, capture_output=True, text=True,
                          encoding="utf-8", env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    return done.returncode, done.stdout + done.stderr


def anchor(heading):
    """The name that a heading is linked by (GitHub's rule)."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


class Documents(unittest.TestCase):
    def test_programs_check_and_their_tests_pass(self):
        programs = 0
        for document in documents:
            program = "\n".join(blocks(document, "koi"))
            if not program:
                continue
            programs += 1
            with self.subTest(document.name), tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "program.koi").write_text(program, encoding="utf-8")
                status, output = run(folder, "check", "program.koi")
                self.assertEqual(status, 0, output)
                if re.search(r"^test ", program, re.M):
                    status, output = run(folder, "test", "program.koi")
                    self.assertEqual(status, 0, output)
        self.assertGreaterEqual(programs, 2)

    def test_readme_shows_what_is_printed(self):
        readme = root / "README.md"
        program = "\n".join(blocks(readme, "koi"))
        events = "".join(blocks(readme, "json"))
        shown = [block for block in blocks(readme, "text") if block.startswith("$ ")]
        self.assertTrue(shown)
        for block in shown:
            with tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "cart.koi").write_text(program, encoding="utf-8")
                (pathlib.Path(folder) / "events.ndjson").write_text(events, encoding="utf-8")
                output = ""
                for line in re.findall(r"^\$ koi (.*)$", block, re.M):
                    output += f"$ koi {line}\n" + run(folder, *line.split())[1]
                self.assertEqual(output, block)

    def test_the_generated_pages_are_what_the_code_writes(self):
        pages = root / "docs" / "generated"
        if os.environ.get("KOI_GOLDEN") == "write":
            run(root, "docs", str(pages))
        self.assertEqual(run(root, "docs", str(pages), "--check"), (0, ""), "./dev docs writes them")

    def test_the_graph_of_modules_is_that_of_the_build(self):
        page = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
        for file in sorted((root / "engine").glob("*/CMakeLists.txt")):
            module = re.search(r"^module\((\w+)(?: USES ([\w ]+?))?(?: PRIVATELY .*)?\)", file.read_text(), re.M)
            if module is None:
                continue  # the command itself
            name, uses = module[1], (module[2] or "").split()
            with self.subTest(module=name):
                self.assertIn(f"{name} ({', '.join(uses)})" if uses else name, page)

    def test_links_lead_somewhere(self):
        for document in documents:
            text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(document.name, link=target):
                    path, _, name = target.partition("#")
                    there = (document.parent / path).resolve() if path else document
                    self.assertTrue(there.exists(), target)
                    if name:
                        headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
                        self.assertIn(name, [anchor(heading) for heading in headings])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
