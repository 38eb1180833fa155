"""What becomes of changes that were offered, told by the texts of their document alone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from coai_agents.application.specialists.kept_changes import Fate, KeptChanges, OfferedChange
from coai_agents.source import Source

BEFORE = "a = 1\nb = 2\n"
AFTER = "a = 1\nb = two(2)\nc = 3\n"


def fates(texts: list[str], *, saved: bool) -> list[Fate]:
    """Return what is told of one change while a document goes through texts."""
    told: list[Fate] = []
    kept = KeptChanges(lambda _, fate: told.append(fate))
    versions = [Source("file:///a.py", text, "python", number) for number, text in enumerate(texts)]
    kept.offered(OfferedChange(versions[0], Source("file:///a.py", AFTER, "python"), "fix"))
    for before, after in pairwise(versions):
        kept.changed(before, after)
    if saved:
        kept.saved(versions[-1])
        kept.saved(versions[-1])
    kept.closed(versions[-1])
    return told


@pytest.mark.parametrize(
    ("texts", "saved", "told"),
    [
        ([BEFORE, AFTER], True, [Fate.KEPT]),
        ([BEFORE, AFTER, AFTER.replace("two(2)", "two( 2 )") + "\nmore = 1\n"], True, [Fate.KEPT]),
        ([BEFORE, AFTER, BEFORE], True, [Fate.UNDONE]),
        ([BEFORE, AFTER, "a = 1\n"], True, [Fate.UNDONE]),
        ([BEFORE, AFTER], False, []),
        ([BEFORE], True, []),
        ([BEFORE, "a = 9\n"], True, []),
    ],
)
def test_a_change_is_kept_when_it_is_saved_and_undone_when_it_is_gone(
    texts: list[str], saved: bool, told: list[Fate]
) -> None:
    assert fates(texts, saved=saved) == told
