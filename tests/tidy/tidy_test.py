"""Reads the sources and holds what promises to users rest on: decisions are deterministic (rule 8 of
docs/language.md), headers say what they are, and nothing of a builder's machine is in the tree.

Run by ctest; by hand: python3 tests/tidy/tidy_test.py
"""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What decides: the core, and the values it decides with.
DECISIONS = ("engine/core", "engine/plan", "engine/model")

FORBIDDEN = {
    "a clock": r"\b(?:system|steady|high_resolution|utc|file)_clock\b|<(?:chrono|ctime|time\.h|sys/time\.h)>"
    r"|\b(?:gettimeofday|clock_gettime|timespec_get|localtime(?:_r)?|mktime)\b|\bstd::(?:time|clock)\b",
    "randomness": r"<random>|\brandom_device\b|\bmt19937\w*|\b(?:s?rand|drand48|arc4random\w*|getrandom)\s*\(",
    "a thread": r"<(?:thread|mutex|shared_mutex|atomic|future|condition_variable|pthread\.h)>"
    r"|\bstd::(?:thread|jthread|mutex|atomic\w*|async|future)\b|\bthread_local\b",
    "a locale": r"<(?:locale|clocale|locale\.h)>|\bstd::locale\b|\bsetlocale\b"
    r"|\b(?:isalpha|isdigit|isspace|isupper|islower|isalnum|toupper|tolower)\s*\(",
    "binary floating point": r"\b(?:float|double)\b|<cmath>|\b(?:stod|stof|strtod|strtof)\b",
    "input or output": r"<(?:fstream|iostream|cstdio|filesystem)>|\bstd::(?:cout|cerr|cin|getenv)\b|\bgetenv\b",
    "std::hash, which differs between builds": r"\bstd::hash\b",
    "a set or map ordered by addresses": r"\bstd::(?:map|set)<[^<>,]*\*",
}
UNORDERED = re.compile(r"\bunordered_\w+\s*<[^;{}]*>\s+(\w+)")

# In two pieces each, or this file would be its own finding.
MACHINE_PATHS = re.compile(
    "|".join(("/wo" "rk/", "/tmp/" "bash_jobs", "/ro" "ot/", "/fa" "rm/", "/ho" "me/[a-z]"))
)


def without_comments_and_texts(code):
    """The code alone; line breaks stay, so that line numbers hold. Includes keep their names."""
    pattern = re.compile(
        r'(?P<include>^[ \t]*#\s*include[^\n]*)|//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"'
        r"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
        re.S | re.M,
    )
    return pattern.sub(lambda m: m.group("include") or "\n" * m.group(0).count("\n") or '""', code)


def offences(code):
    """What stands in the code of a decision and must not: (line, what, text)."""
    bare = without_comments_and_texts(code)
    found = []
    for what, pattern in FORBIDDEN.items():
        for match in re.finditer(pattern, bare):
            found.append((bare.count("\n", 0, match.start()) + 1, what, match.group(0)))
    for name in UNORDERED.findall(bare):
        # Looking a key up is no order; walking through is.
        walk = rf"for\s*\([^;)]*:\s*[\w.>-]*\b{name}\s*\)|\b{name}\.c?begin\s*\("
        for match in re.finditer(walk, bare):
            found.append((bare.count("\n", 0, match.start()) + 1, "an unordered walk", match.group(0)))
    return sorted(found)


def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    skipped = {".git", "build", "out"}  # an unpacked archive instead of a clone
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]


class TheSources(unittest.TestCase):
    def test_decision_code_names_no_clock_chance_thread_locale_or_floating_point(self):
        found = []
        for folder in DECISIONS:
            sources = sorted((ROOT / folder).rglob("*.[hc]*"))
            self.assertTrue(sources, f"{folder} holds no code: has it moved?")
            for path in sources:
                if path.suffix not in (".h", ".cpp") or path.name.endswith("_test.cpp"):
                    continue
                for line, what, text in offences(path.read_text()):
                    found.append(f"{path.relative_to(ROOT)}:{line}: {what}: {text}")
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_every_header_begins_with_what_lives_there(self):
        headers = sorted((ROOT / "engine").rglob("*.h"))
        self.assertTrue(headers)
        silent = [str(path.relative_to(ROOT)) for path in headers if not path.read_text().startswith("// ")]
        self.assertFalse(silent, "\n" + "\n".join(silent))

    def test_no_file_names_a_path_of_somebodys_machine(self):
        found = []
        for path in tracked_files():
            if not path.is_file():
                continue
            text = path.read_bytes().decode("utf-8", "replace")
            for match in MACHINE_PATHS.finditer(text):
                found.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)}")
        self.assertFalse(found, "\n" + "\n".join(found))


class TheReader(unittest.TestCase):
    """A test of the sources is worth as much as what it would catch."""

    def test_catches_each_kind_of_offence(self):
        for code in (
            "auto now = std::chrono::system_clock::now();",
            "#include <ctime>",
            "std::mt19937_64 dice;",
            "int n = rand ();",
            "std::mutex lock;",
            "static thread_local int x;",
            "if (isalpha(c)) {}",
            "double share = 0.1;",
            "auto h = std::hash<int>{}(1);",
            "std::map<const Node*, int> seen;",
            "std::unordered_map<int, int> seen;\nfor (const auto& [a, b] : seen) use(a);",
            "std::unordered_set<int> seen_;\nauto it = this->seen_.begin();",
        ):
            self.assertTrue(offences(code), code)

    def test_leaves_words_in_comments_texts_and_lookups_alone(self):
        for code in (
            "// never a double, nor a system_clock",
            "/* rand ( */ int clock_of = 1;",
            'auto s = "std::mutex double";',
            'auto s = R"(float)";',
            "std::unordered_map<int, int> seen;\nreturn seen.find(1);",
            "constexpr auto n = 1'000'000;  // double",
            "timestamp.clock = at;",
        ):
            self.assertEqual(offences(code), [], code)

    def test_tells_the_line(self):
        self.assertEqual(offences('/* a\nb */\n"x"; float y;')[0][0], 3)


if __name__ == "__main__":
    unittest.main()
