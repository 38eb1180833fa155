"""Fixes as a door asks for them, in this process and by the one that analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.preferences import Preferences
from coai_agents.application.analyse import Analyses, analyse
from coai_agents.application.fix import Fixes, fix, fix_all
from coai_agents.fixes.fix import Fix
from coai_agents.fixes.together import together
from coai_agents.fixes.verifier import applied, harmless
from coai_agents.source import Edit, Source, Span
from coai_routing.settings.findings_sections import StaticSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BAD = (
    "import requests\n\n\ndef f(a=[]):\n    return a\n\n\n"
    "def g(url):\n    return requests.get(url, timeout=9, verify=False)\n"
)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    return Source(path.as_uri(), path.read_text())


@pytest.fixture
async def analyses() -> AsyncIterator[Analyses]:
    settings = StaticSettings()
    made = Analyses(lambda _: settings, settings_of_path=lambda _: settings, is_open=lambda _: True)
    yield made
    await made.aclose()


def at(text: str) -> Span:
    start = BAD.index(text)
    return Span(start, start)


def test_what_touches_a_cursor_is_fixed_and_nothing_else(source: Source) -> None:
    fixes = fix(source, analyse(source), at("verify=False"))
    assert {each.rule for each in fixes} == {"tls-verification-off"}
    assert "timeout=9)" in applied(source, fixes[0].edits).text
    assert fix(source, analyse(source), at("return a")) == []


def test_what_is_not_shown_is_not_fixed(source: Source) -> None:
    without = Preferences(disabled=frozenset({"mutable-default"}))
    assert fix(source, analyse(source), at("[]"))
    assert fix(source, analyse(source), at("[]"), without) == []
    after = applied(source, fix_all(source, analyse(source), without)).text
    assert "verify" not in after
    assert "a=[]" in after


def test_all_is_fixed_at_once(source: Source) -> None:
    after = applied(source, fix_all(source, analyse(source)))
    assert analyse(after).findings == ()


async def test_the_process_that_analyses_finds_the_same_fixes(
    source: Source, analyses: Analyses
) -> None:
    fixes = Fixes(analyses)
    for span in (at("verify=False"), at("[]"), at("return a"), Span(0, len(BAD))):
        assert await fixes.touching(source, span) == fix(source, analyse(source), span)
    assert await fixes.of_all(source) == fix_all(source, analyse(source))
    assert await analyses.find(source) == analyse(source)


CHANGES: list[tuple[list[Edit], bool]] = [
    ([Edit(Span(BAD.index("9, verify"), BAD.index("9, verify") + 1), "8")], True),
    ([Edit(Span(0, 0), "# Said.\n")], True),
    ([Edit(Span(0, 0), "import hashlib\nhashlib.md5(b'')\n")], False),
    ([Edit(Span(0, 0), "def (\n")], False),
    ([Edit(Span(0, 0), "await f()\n")], False),
    ([Edit(at("):\n    return a\n"), ", b={}")], False),
    ([Edit(Span(len(BAD) - 1, len(BAD) - 1), "  # coai: ignore")], False),
    ([Edit(Span(0, 6), ""), Edit(Span(3, 9), "")], False),
    ([Edit(Span(0, 99_999), "")], False),
]


@pytest.mark.parametrize(("edits", "held"), CHANGES)
def test_one_check_says_what_does_harm(source: Source, edits: list[Edit], held: bool) -> None:
    assert (harmless(source, edits) is not None) is held


async def test_the_process_that_analyses_says_the_same(source: Source, analyses: Analyses) -> None:
    said = [await analyses.worker.harmless(source, edits) for edits, _ in CHANGES]
    assert said == [held for _, held in CHANGES]


def _fix(start: int, end: int, *, rule: str = "r", preferred: bool = True) -> Fix:
    edit = Edit(Span(start, end), "x")
    return Fix("Do it", rule, Span(start, end), (edit,), preferred)


@pytest.mark.parametrize(
    ("fixes", "every", "first"),
    [
        ([], [], []),
        ([_fix(0, 1, preferred=False)], [], []),
        ([_fix(0, 2), _fix(5, 7)], [(0, 2), (5, 7)], [(0, 2)]),
        ([_fix(0, 2), _fix(1, 7)], [(0, 2)], [(0, 2)]),
        ([_fix(0, 2), _fix(2, 4)], [(0, 2)], [(0, 2)]),
        ([_fix(0, 2), _fix(0, 2)], [(0, 2)], [(0, 2)]),
        ([_fix(0, 2), _fix(0, 2, rule="s"), _fix(4, 5)], [(0, 2), (4, 5)], [(0, 2)]),
        ([_fix(3, 4, preferred=False), _fix(0, 2)], [(0, 2)], [(0, 2)]),
    ],
)
def test_fixes_that_collide_wait(
    fixes: list[Fix], every: list[tuple[int, int]], first: list[tuple[int, int]]
) -> None:
    whole, alone = together(fixes)
    spans = [[(e.span.start, e.span.end) for e in some if e.span] for some in (whole, alone)]
    assert spans == [every, first]


def test_where_all_do_harm_together_only_the_first_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from coai_agents.fixes import proposals  # noqa: PLC0415 - replaced below

    source = Source("untitled:x", "a = 1\nb = 2\n", "python")
    edits = [Edit(Span(5, 5), " + (0"), Edit(Span(11, 11), " + 0")]
    found = [Fix("Do it", "r", each.span or Span(0, 0), (each,), preferred=True) for each in edits]

    def both(*_: object) -> list[Fix]:
        return found

    monkeypatch.setattr(proposals, "fixes_touching", both)
    assert fix_all(source, analyse(source)) == edits[:1]
