"""Ignore patterns: what git says of a path, this says too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from coai_routing.privacy.ignore_patterns import judge, parse_ignore_file, parse_line

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git")

NAMES = ("a", "b", "ab", "a.b", "-", "[a]", "*", "A")
FOLDERS = ("a", "b", "ab")
FILES = tuple(
    "/".join((*folders, name))
    for depth in range(4)
    for folders in product(FOLDERS[:2] if depth > 1 else FOLDERS, repeat=depth)
    for name in NAMES
    if name not in FOLDERS or depth == 3
)
PLACES = ("", "a", "a/b", "b")
"""The directories that may have an ignore file of their own."""


def check(files: dict[str, str], path: str, *, ignore_case: bool = False) -> str | None:
    """Return the pattern that excludes a path, and where it stands."""
    parts = path.split("/")
    chain = {
        depth: parse_ignore_file(place or ".", files[place], ignore_case=ignore_case)
        for depth in range(len(parts))
        if (place := "/".join(parts[:depth])) in files
    }
    found = judge(parts, chain)
    return None if found is None else f"{found[0].name}:{found[1]}"


@pytest.mark.parametrize(
    ("patterns", "excluded", "included"),
    [
        ("foo", ["foo", "x/foo", "foo/x"], ["foobar", "x/afoo"]),
        ("/foo", ["foo", "foo/x"], ["x/foo"]),
        ("foo/", ["foo/x", "x/foo/y"], ["foo", "x/foo"]),
        ("x/foo", ["x/foo", "x/foo/y"], ["foo", "y/x/foo"]),
        ("*.py", ["a.py", "x/.py"], ["a.pyc"]),
        ("x/*", ["x/a", "x/a/b"], ["x", "y/x/a"]),
        ("x/**", ["x/a", "x/a/b"], ["x"]),
        ("**/x/y", ["x/y", "a/b/x/y", "x/y/z"], ["y", "x"]),
        ("x/**/y", ["x/y", "x/a/y", "x/a/b/y"], ["y", "a/x/y", "x/ay"]),
        ("**", ["a", "a/b"], []),
        ("a**b", ["ab", "axxb", "x/a--b"], ["a", "b"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[!a-c]x", ["dx", "-x"], ["ax"]),
        ("[^a-c]x", ["dx"], ["ax"]),
        ("[]a]x", ["]x", "ax"], ["bx"]),
        ("[a-]x", ["-x", "ax"], ["bx"]),
        ("[z-a]x", ["zx"], ["ax", "mx", "-x"]),
        ("[[:digit:]_]x", ["1x", "_x"], ["ax"]),
        ("[[:bad:]]x", [], [":x", "bx"]),
        ("[[:a]x", ["[x", ":x", "ax"], ["bx"]),
        (r"[\]]x", ["]x"], ["\\x"]),
        ("[a-", [], ["a", "[a-"]),
        ("?x", ["ax", "éx"], ["x", "abx"]),
        (r"\#x", ["#x"], ["x"]),
        ("#x", [], ["#x", "x"]),
        (r"\!x", ["!x"], ["x"]),
        (r"\*x", ["*x"], ["ax"]),
        ("x\\", [], ["x", "x\\"]),
        ("x   ", ["x"], ["x   "]),
        ("x\\   ", ["x "], ["x", "x  "]),
        ("x\t", ["x\t"], ["x"]),
        (" x", [" x"], ["x"]),
        ("", [], ["x"]),
        ("/", [], ["x"]),
        ("//x", [], ["x"]),
        ("!", [], ["!", "x"]),
        ("x\n!x", [], ["x", "x/y"]),
        ("!x\nx", ["x"], []),
        ("x\n!x/y", ["x/y"], []),
        ("x/*\n!x/y", ["x/z"], ["x/y"]),
        ("\ufeffx", ["x"], []),
        ("a\r\nb\r\n", ["a", "b"], ["c"]),
        ("*.log\n!keep.log", ["a.log"], ["keep.log"]),
    ],
)
def test_a_file_of_patterns(patterns: str, excluded: list[str], included: list[str]) -> None:
    assert [path for path in excluded if check({"": patterns}, path) is None] == []
    assert [path for path in included if check({"": patterns}, path) is not None] == []


@pytest.mark.parametrize(
    ("files", "path", "verdict"),
    [
        ({"": "*.py", "a": "!x.py"}, "a/x.py", None),
        ({"": "*.py", "a": "!x.py"}, "a/y.py", ".:*.py"),
        ({"": "a/", "a": "!x"}, "a/x", ".:a/"),
        ({"": "b", "a": "!b"}, "a/b/c", None),
        ({"": "c", "a": "!b"}, "a/b/c", ".:c"),
        ({"": "!c", "a": "c"}, "a/b/c", "a:c"),
        ({"a": "/b"}, "a/b", "a:/b"),
        ({"a": "/b"}, "a/c/b", None),
        ({"a": "b/c"}, "a/b/c", "a:b/c"),
    ],
)
def test_the_deeper_file_goes_first(files: dict[str, str], path: str, verdict: str | None) -> None:
    assert check(files, path) == verdict


def test_case_counts_unless_told_otherwise() -> None:
    assert check({"": "Build/"}, "build/x") is None
    assert check({"": "Build/"}, "build/x", ignore_case=True) == ".:Build/"


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 250),
        ("?*" * 60 + "b", "a" * 250),
        ("**/a/" * 30 + "b", "/".join("a" * 60)),
        ("/".join(["**", "*a*a*a*b"] * 12), "/".join(["a" * 100] * 40)),
        ("[" * 200, "[" * 200),
    ],
)
def test_hostile_patterns_are_matched_all_the_same(pattern: str, path: str) -> None:
    """It ends at all: a matcher that tries every split would not."""
    assert check({"": pattern}, path) is None


def test_what_can_never_match_is_no_pattern() -> None:
    assert [parse_line(line) for line in ("", "   ", "# x", "/", "!", "[a", "a\\")] == [None] * 7


# ------------------------------------------------------------------------- git as reference

_GITS_EXCEPTION = re.compile(r"!?[^*?\[\\]*[^*?\[\\/]\*\*")
"""Git takes `**` for any depth where it is the first wildcard and comes right after other text."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("repository")
    git(top, "init", "-q", ".")
    for name in FILES:
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return top


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    assert GIT is not None
    done = subprocess.run(
        [GIT, "-c", "core.excludesFile=", "-c", "core.ignoreCase=false", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


atoms = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "-",
        "*",
        "?",
        "[ab]",
        "[!a]",
        "[a-b]",
        "[]-]",
        "\\a",
        "\\*",
        "A",
        "[[:alpha:]]",
    ]
)
segments = st.one_of(
    st.just("**"), st.just("*"), st.lists(atoms, min_size=1, max_size=3).map("".join)
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    before = draw(st.sampled_from(["", "", "", "!"])) + draw(st.sampled_from(["", "", "/"]))
    parts = draw(st.lists(segments, min_size=1, max_size=4))
    line = before + "/".join(parts) + draw(st.sampled_from(["", "", "/", " "]))
    assume(_GITS_EXCEPTION.match(line) is None)
    return line


contents = st.lists(lines(), max_size=4).map("\n".join)


@pytest.mark.skipif(GIT is None or os.name == "nt", reason="needs git and names such as `*`")
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(PLACES), contents, max_size=3))
@example({"": "*\n!*/\n!a.b"})
@example({"": "a/**/b\n!b/a/b", "a": "!*"})
@example({"": "**/a/**", "b": "!/a/"})
def test_git_says_the_same(repository: Path, files: dict[str, str]) -> None:
    for place in PLACES:
        ignore_file = repository / place / ".gitignore"
        ignore_file.unlink(missing_ok=True)
        if place in files:
            ignore_file.write_text(files[place], encoding="utf-8")
    output = git(repository, "check-ignore", "--no-index", "-z", "--stdin", stdin="\0".join(FILES))
    ignored = set(output.split("\0")) - {""}
    assert {path for path in FILES if check(files, path) is not None} == ignored
