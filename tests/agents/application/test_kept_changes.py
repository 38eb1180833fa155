"""What becomes of changes that were offered, told by the texts of their document alone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from coai_agents.application.specialists.kept_changes import Fate, KeptChanges, OfferedChange
from coai_agents.source import Source

URI = "file:///a.py"

CHANGES = {
    "fix": ("a = 1\nb = 2\n", "a = 1\nb = two(2)\nc = 3\n"),
    "docstring": (
        "def f(a):\n    return a\n",
        'def f(a):\n    """Give it back.\n\n    Args:\n        a: What.\n    """\n    return a\n',
    ),
    "docstring written anew": (
        'def f(a):\n    """Do."""\n    return a\n',
        'def f(a):\n    """Give `a` back."""\n    return a\n',
    ),
    "comment of a script": (
        "function f(a) {\n  return a;\n}\n",
        "/**\n * Give it back.\n * @param {string} a What.\n */\nfunction f(a) {\n  return a;\n}\n",
    ),
    "rename": ("x = 1\nprint(x)\n", "count = 1\nprint(count)\n"),
    "extract": ("print(1 + 2)\nend()\n", "value = 1 + 2\nprint(value)\nend()\n"),
    "inline": ("value = 1 + 2\nprint(value)\nend()\n", "print(1 + 2)\nend()\n"),
    "remove": ("import os\nimport sys\nprint(sys.argv)\n", "import sys\nprint(sys.argv)\n"),
    "sort imports": (
        "import sys\nimport ast\n\nast.x(sys)\n",
        "import ast\nimport sys\n\nast.x(sys)\n",
    ),
    "invert": (
        "if a:\n    one()\nelse:\n    two()\n",
        "if not a:\n    two()\nelse:\n    one()\n",
    ),
    "a line once more": ("f()\ng()\n", "f()\ng()\nf()\n"),
}


def fates(kind: str, texts: list[str], *, saved: bool) -> list[Fate]:
    """Return what is told of one change while a document goes through texts."""
    told: list[Fate] = []
    kept = KeptChanges(lambda _, fate: told.append(fate))
    versions = [Source(URI, text, "python", number) for number, text in enumerate(texts)]
    after = Source(URI, CHANGES[kind][1], "python")
    kept.offered(OfferedChange(versions[0], after, "code"))
    for before, later in pairwise(versions):
        kept.changed(before, later)
    if saved:
        kept.saved(versions[-1])
        kept.saved(versions[-1])
    kept.closed(versions[-1])
    return told


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_kept_when_it_is_saved_and_undone_when_it_is_gone(kind: str) -> None:
    before, after = CHANGES[kind]
    # Editors and formatters lay out anew, and people go on.
    wider = after.replace("    ", "\t").replace("(", "( ")
    for texts, saved, told in (
        ([before, after], True, [Fate.KEPT]),
        ([before, after, f"{after}\nmore = 1\n"], True, [Fate.KEPT]),
        ([before, after, f"more = 1\n{after}"], True, [Fate.KEPT]),
        ([before, after, wider], True, [Fate.KEPT]),
        ([before, after, after.replace("\n", "\r\n")], True, [Fate.KEPT]),
        ([before, after, before], True, [Fate.UNDONE]),
        ([before, after, f"{before}\nmore = 1\n"], True, [Fate.UNDONE]),
        ([before, after, before, after], True, [Fate.UNDONE]),
        ([before, after], False, []),
        ([before], True, []),
        ([before, f"{before}\nmore = 1\n"], True, []),
    ):
        assert fates(kind, texts, saved=saved) == told, texts


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ('    """Give it back.\n\n    Args:\n        a: What.\n    """\n', Fate.KEPT),
        ('    """Give it back.\n\n    Args:\n        a: All.\n    """\n', Fate.KEPT),
        ('    """Give it back."""\n', Fate.UNDONE),
        ("", Fate.UNDONE),
    ],
)
def test_a_docstring_is_kept_where_most_of_its_lines_are(left: str, told: Fate) -> None:
    before, after = CHANGES["docstring"]
    now = f"def f(a):\n{left}    return a + 0\n"
    assert fates("docstring", [before, after, now], saved=True) == [told]


def test_each_document_and_each_change_is_told_of_by_itself() -> None:
    told: list[tuple[str, Fate]] = []
    kept = KeptChanges(lambda change, fate: told.append((change.agent, fate)))
    start = Source(URI, "a = 1\nb = 2\n", "python")
    documented = Source(URI, "# What.\na = 1\nb = 2\n", "python", 1)
    renamed = Source(URI, "# What.\na = 1\ncount = 2\n", "python", 2)
    other = Source("file:///b.py", "a = 1\n", "python")
    kept.offered(OfferedChange(start, documented, "document"))
    kept.offered(OfferedChange(documented, renamed, "refactor"))
    kept.offered(OfferedChange(other, Source(other.uri, "a = 2\n", "python"), "fix"))
    kept.changed(start, documented)
    kept.changed(documented, renamed)
    kept.saved(other)
    assert told == []
    kept.saved(Source(URI, "a = 1\ncount = 2\n", "python", 3))
    assert told == [("document", Fate.UNDONE), ("refactor", Fate.KEPT)]
