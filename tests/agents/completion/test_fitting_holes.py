"""Holes cut into the lines of real files: what was there fits, and nothing shown breaks a line."""

from __future__ import annotations

import random
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.outcome import Reason
from coai_agents.source import Source
from coai_agents.syntax import parse
from tests.agents.completion.fitted import MARK, fitted

if TYPE_CHECKING:
    from tree_sitter import Node

ROOT = Path(__file__).parents[3]
STDLIB = Path(sysconfig.get_path("stdlib"))
PYTHON_HEADERS = Path(sysconfig.get_path("include"))
PROGRAMS = ROOT / "tests" / "agents" / "analysis" / "programs"
FILES = {
    "python": [*sorted(STDLIB.glob("*.py")), *sorted((ROOT / "agents").rglob("*.py"))],
    "typescript": sorted((ROOT / "editor-extension").glob("*/*.ts")),
    "javascript": sorted((ROOT / "editor-extension").glob("*/*.mjs")),
    "java": sorted(PROGRAMS.glob("*.java")),
    "csharp": sorted(PROGRAMS.glob("*.cs")),
    "c": sorted(PYTHON_HEADERS.rglob("*.h")),
}
HOLES = 60
"""For each language; thousands were tried when this was written."""
MOST = 30_000
TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Hole:
    """A piece cut out of a line."""

    language: str
    before: str
    text: str
    after: str

    @property
    def line_before(self) -> str:
        return self.before.rpartition("\n")[2].strip()

    @property
    def rest(self) -> str:
        return self.after.partition("\n")[0]

    def errors_with(self, text: str) -> int:
        tree = parse(Source("file:///x", self.before + text + self.after, self.language), budget=5)
        assert tree is not None
        return errors(tree.root)

    def shown_for(self, says: str) -> str:
        """Return what is shown when a model says something here, and check that it does no harm."""
        shown = fitted(says, f"{self.before}{MARK}{self.after}", self.language, piece=7)
        if isinstance(shown, Reason):
            return ""
        assert self.errors_with(shown) <= self.errors_with(""), (self.line_before, says, self.rest)
        return shown


def errors(node: Node) -> int:
    if not node.has_error:
        return 0
    return int(node.is_error or node.is_missing) + sum(map(errors, node.children))


def holes(language: str, count: int) -> list[Hole]:
    chance = random.Random(language)
    texts = [path.read_text("utf-8", "replace") for path in FILES[language]]
    texts = [text for text in texts if 200 < len(text) < MOST and MARK not in text]
    found: list[Hole] = []
    while len(found) < count:
        text = chance.choice(texts)
        lines = text.split("\n")
        number = chance.randrange(len(lines))
        edges = sorted({edge for token in TOKEN.finditer(lines[number]) for edge in token.span()})
        if len(edges) < 4 or len(lines[number]) > 200:
            continue
        start, end = sorted(chance.sample(edges[:-1], 2))
        offset = sum(len(line) + 1 for line in lines[:number])
        start, end = offset + start, offset + end
        hole = Hole(language, text[:start], text[start:end], text[end:])
        if hole.text.strip() and hole.errors_with(hole.text) == 0 and not repeats(hole):
            found.append(hole)
    return found


def repeats(hole: Hole) -> bool:
    """Say whether what was cut out says again what stands around it: `a.next` before `.next`."""
    said, rest = TOKEN.findall(hole.text), TOKEN.findall(hole.rest)
    before = TOKEN.findall(hole.line_before)
    shared = [n for n in range(1, len(rest) + 1) if said[-n:] == rest[:n]]
    again = [n for n in range(1, len(before) + 1) if said[:n] == before[-n:]]
    double_call = hole.rest.startswith("(") and hole.text.endswith(")")
    return bool(shared or again or double_call)


@pytest.mark.parametrize("language", FILES)
def test_what_was_cut_out_fits_whole(language: str) -> None:
    for hole in holes(language, HOLES):
        assert hole.shown_for(hole.text) == hole.text


@pytest.mark.parametrize("language", FILES)
def test_a_model_that_runs_on_into_the_rest_is_cut(language: str) -> None:
    for hole in holes(language, HOLES):
        if TOKEN.search(hole.rest):
            says = f"{hole.text}{hole.rest}\n{hole.after.partition(chr(10))[2][:40]}"
            assert hole.shown_for(says).rstrip() == hole.text.rstrip()


@pytest.mark.parametrize("language", FILES)
def test_a_model_that_begins_with_the_line_is_cut(language: str) -> None:
    for hole in holes(language, HOLES):
        begun = hole.line_before
        if len(TOKEN.findall(begun)) > 1 and re.search(r"[^\W\d]", begun):
            blank = " " if hole.before[-1:] == " " else ""
            says = f"{begun}{blank}{hole.text}{hole.rest}\n"
            assert hole.shown_for(says).strip() == hole.text.strip()


@pytest.mark.parametrize("language", FILES)
def test_what_belongs_elsewhere_breaks_no_line(language: str) -> None:
    found = holes(language, HOLES)
    for hole, other in zip(found, reversed(found), strict=True):
        for end in ("", ")", '"', ";\n", " {\n"):
            shown = hole.shown_for(other.text + end)
            rest = hole.rest.strip()
            assert not (len(TOKEN.findall(rest)) > 1 and shown.strip().endswith(rest))


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_model_that_writes_missing_lines_and_goes_on_is_cut(language: str) -> None:
    found = [missing_lines(language, number) for number in range(HOLES)]
    right = [
        fitted(f"{text}\n{below[:200]}", f"{above}{MARK}\n{below}", language, piece=7) == text
        for above, text, below in found
    ]
    # The lines above and below an empty comment, or a call among its like, tell nothing.
    assert sum(right) >= 0.9 * len(right)


def missing_lines(language: str, seed: int) -> tuple[str, str, str]:
    """Return a file above one to four lines of one block, these lines, and what stands below."""
    chance = random.Random(f"{language} {seed}")
    while True:
        text = chance.choice(FILES[language]).read_text("utf-8", "replace")
        lines = text.split("\n")
        if len(lines) < 12 or len(text) > MOST or MARK in text:
            continue
        start = chance.randrange(3, len(lines) - 6)
        end = start + chance.randint(1, 4)
        cut = lines[start:end]
        depth = len(cut[0]) - len(cut[0].lstrip())
        whole = all((cut[0].strip(), cut[-1].strip(), lines[end].strip()))
        inside = all(not line or len(line) - len(line.lstrip()) >= depth for line in cut)
        if whole and inside and cut[0].strip()[0] not in ")]}":
            above = "\n".join(lines[:start]) + "\n"
            return above, "\n".join(cut), "\n".join(lines[end:])
