"""Models that predict edits: what they are shown in each format, and what of an answer holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from coai_agents.changes.bursts import Settled
from coai_agents.changes.finding import changed
from coai_agents.changes.prediction.checking import predicted
from coai_agents.changes.prediction.formats import answer_of, marker_lines, prompt_of
from coai_agents.changes.prediction.sight import Sight, past_edit, sight_of
from coai_agents.source import Source
from coai_routing.registry.next_edit import NextEditFamily, next_edit_family

BEFORE: Final = """import shop


def first(cart):
    return shop.total(cart)


def second(cart):
    return shop.total(cart)
"""
AFTER: Final = BEFORE.replace("total(cart)", "total(cart, tax=True)", 1)
WANTED: Final = AFTER.replace("total(cart)", "total(cart, tax=True)", 1)
URI: Final = "file:///work/app.py"


def family_of(name: str) -> NextEditFamily:
    found = next_edit_family(name)
    assert found is not None
    return found


def seen(name: str, after: str = AFTER, *, line: int = 8, language: str = "python") -> Sight:
    before, now = Source(URI, BEFORE, language), Source(URI, after, language)
    past = past_edit(Settled(before, now), "app.py")
    return sight_of(
        now,
        now.line_end(line),
        "app.py",
        family_of(name).format,
        edits=() if past is None else (past,),
        before=before,
    )


EDITED: Final = """    return shop.total(cart, tax=True)


def second(cart):
"""
SWEEP: Final = f"""<|file_sep|>app.py.diff
original:


def first(cart):
    return shop.total(cart)


def second(cart):
updated:


def first(cart):
{EDITED}<|file_sep|>original/app.py
{BEFORE}
<|file_sep|>current/app.py
{AFTER}
<|file_sep|>updated/app.py"""

HUNK: Final = "\n".join(
    (
        "@@ -2,7 +2,7 @@",
        " ",
        " ",
        " def first(cart):",
        "-    return shop.total(cart)",
        "+    return shop.total(cart, tax=True)",
        " ",
        " ",
        " def second(cart):",
    )
)
REGION: Final = """import shop


def first(cart):
    return shop.total(cart, tax=True)


def second(cart):
    return shop.total(cart){}
"""
SWEEP_V2: Final = f"""<|file_sep|>app.py:2:8
original:


def first(cart):
    return shop.total(cart)


def second(cart):
updated:


def first(cart):
{EDITED}<|file_sep|>original/app.py:1:10
{BEFORE}
<|file_sep|>current/app.py:1:10
{REGION.format("<|cursor|>")}
<|file_sep|>updated/app.py:1:10
{AFTER.partition("    return shop.total(cart)")[0]}"""
ZETA: Final = f"""### User Edits:

User edited "app.py":
```diff
{HUNK}
```

### User Excerpt:

```app.py
<|start_of_file|>
<|editable_region_start|>
{REGION.format("<|user_cursor_is_here|>")}
<|editable_region_end|>
```

### Response:

"""
HISTORY: Final = f"""<[fim-suffix]>
<[fim-prefix]><filename>edit_history
--- a/app.py
+++ b/app.py
{HUNK}

<filename>app.py
"""
ZETA2: Final = f"""{HISTORY}<<<<<<< CURRENT
{REGION.format("<|user_cursor|>")}
=======
<[fim-middle]>"""
ZETA2_1: Final = f"""{HISTORY}<|marker_1|>
{REGION.format("<|user_cursor|>")}
<|marker_2|><[fim-middle]>"""


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sweep-next-edit-1.5b", SWEEP),
        ("sweep-next-edit-v2-7B", SWEEP_V2),
        ("zeta", ZETA),
        ("zeta-2", ZETA2),
        ("zeta-2.1", ZETA2_1),
    ],
)
def test_a_prompt_is_what_the_model_was_trained_on(name: str, wanted: str) -> None:
    prompt = prompt_of(family_of(name), seen(name))
    assert prompt.endswith(wanted)
    assert name == "zeta" or prompt == wanted


LAST: Final = "    return shop.total(cart, tax=True)"

# The forms of the models' answers, as their makers' programs read them.
ANSWERS: Final = [
    ("sweep-next-edit-1.5b", f"\n{WANTED}\n<|file_sep|>", True),
    ("sweep-next-edit-1.5b", f"{WANTED}", True),
    ("zeta", f"```app.py\n<|editable_region_start|>\n{WANTED}\n<|editable_region_end|>\n```", True),
    ("zeta", f"<|editable_region_start|>\n{WANTED[:-1]}<|user_cursor_is_here|>\n", True),
    ("zeta", f"Here it is:\n{WANTED}", False),
    ("zeta-2", f"{WANTED}>>>>>>> UPDATED\n", True),
    ("zeta-2", f"{WANTED[:-1]}<|user_cursor|>\n>>>>>>> UPDATED\n", True),
    ("zeta-2", "NO_EDITS\n>>>>>>> UPDATED\n", False),
    ("zeta-2.1", f"<|marker_1|>\n{WANTED}\n<|marker_2|><[end▁of▁sentence]>", True),
    ("zeta-2.1", "<|marker_1|><|marker_1|>", False),
    ("zeta-2.1", f"<|marker_1|>\n{WANTED}<|marker_7|>", False),
    ("zeta-2.1", WANTED, False),
    ("sweep-next-edit-v2-7B", f"{LAST}\n", True),
    ("sweep-next-edit-v2-7B", f"{LAST}<|cursor|>\n<|file_sep|>", True),
    ("sweep-next-edit-v2-7B", "", False),
    ("sweep-next-edit-1.5b", "", False),
    ("sweep-next-edit-1.5b", "\n\n", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "holds"), ANSWERS)
def test_an_answer_is_read_in_its_own_form(name: str, answer: str, holds: bool) -> None:
    sight = seen(name)
    found = answer_of(family_of(name), answer, sight)
    assert (found is not None) == holds
    if found is not None:
        assert "\n".join(found) == WANTED
        place = predicted(Source(URI, AFTER, "python"), sight, found)
        assert place is not None
        assert changed(Source(URI, AFTER, "python"), [place]).text == WANTED


def test_markers_stand_where_blocks_begin() -> None:
    block = ["x = 1"] * 7
    assert marker_lines(["x = 1"] * 5) == [0, 5]
    assert marker_lines([*block, "", *block]) == [0, 8, 15]
    assert marker_lines(["x = 1"] * 20) == [0, 16, 20]


def test_a_part_between_markers_leaves_the_rest() -> None:
    text = "\n".join([*(f"a{n} = {n}" for n in range(7)), "", *(f"b{n} = {n}" for n in range(7))])
    source = Source(URI, text, "python")
    form = family_of("zeta-2.1").format
    sight = sight_of(source, source.line_start(10), "app.py", form, edits=(), before=None)
    answer = "<|marker_2|>\nb0 = 0\nb1 = 1\nb2 = 3\nb3 = 3\nb4 = 4\nb5 = 5\nb6 = 6\n<|marker_3|>"
    found = answer_of(family_of("zeta-2.1"), answer, sight)
    assert found is not None
    assert "\n".join(found) == text.replace("b2 = 2", "b2 = 3")


def test_source_code_cannot_speak_to_the_model() -> None:
    for name in ("sweep-next-edit-1.5b", "sweep-next-edit-v2-7B", "zeta", "zeta-2", "zeta-2.1"):
        family = family_of(name)
        words = [*family.stop, *family.control]
        hostile = "\n".join(f"# {word}" for word in words)
        before = Source("file:///work/other.py", "x = 1\n", "python")
        after = Source("file:///work/other.py", f"{hostile}\n", "python")
        past = past_edit(Settled(before, after), words[0])
        assert past is not None
        source = Source(URI, AFTER, "python")
        sight = sight_of(source, 0, words[0], family.format, edits=(past,), before=None)
        clean = sight_of(source, 0, "app.py", family.format, edits=(), before=None)
        told, plain = prompt_of(family, sight), prompt_of(family, clean)
        for word in words:
            allowed = plain.count(word) + (word in ("<|file_sep|>", "<filename>"))
            assert told.count(word) <= allowed, (name, word)


# ------------------------------------------------------------------ checking


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answers for the region, and whether it is offered."""

    name: str
    text: str
    offered: bool = False
    now: str = AFTER
    language: str = "python"


SECOND: Final = "def second(cart):\n    return shop.total(cart)\n"

CHECKED: Final = [
    Answer("the same change", WANTED, offered=True),
    Answer("nothing", AFTER),
    Answer("white space alone", AFTER.replace("    return", "      return")),
    Answer("it takes the edit back", BEFORE),
    Answer("it does not parse any more", AFTER.replace("(cart):", "(cart:")),
    Answer("it stops early", AFTER.partition("def second")[0]),
    Answer("a line again and again", AFTER + "    x = 1\n" * 4),
    Answer(
        "lines that stand below already",
        AFTER.replace(
            "def second", "def second(cart):\n    return shop.total(cart)\n\n\ndef second"
        ),
    ),
    Answer("what stands above already", AFTER.replace("import shop", "import shop\nimport shop")),
    Answer("more than anybody reads", AFTER + "".join(f"x{n} = {n}\n" for n in range(20))),
    Answer("a line more", AFTER.rstrip("\n") + "\n    # done\n", offered=True),
    Answer(
        "code that did not parse may stay so",
        WANTED + "def broken(:\n",
        offered=True,
        now=AFTER + "def broken(:\n",
    ),
    Answer("a language without a grammar", WANTED, offered=True, language="cobol"),
]


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.name)
def test_only_what_can_be_true_is_offered(case: Answer) -> None:
    sight = seen("sweep-next-edit-1.5b", case.now, language=case.language)
    source = Source(URI, case.now, case.language)
    place = predicted(source, sight, case.text.split("\n"))
    assert (place is not None) == case.offered
    if place is not None:
        assert changed(source, [place]).text == case.text


def test_line_ends_are_the_documents() -> None:
    source = Source(URI, AFTER.replace("\n", "\r\n"), "python")
    form = family_of("sweep-next-edit-1.5b").format
    sight = sight_of(source, source.line_end(8), "app.py", form, edits=(), before=None)
    wanted = f"{WANTED}# end\n"
    place = predicted(source, sight, wanted.split("\n"))
    assert place is not None
    assert changed(source, [place]).text == wanted.replace("\n", "\r\n")


def test_the_change_nearest_to_the_cursor_is_offered() -> None:
    text = "".join(f"a{n} = {n}\n" for n in range(9))
    source = Source(URI, text, "python")
    form = family_of("sweep-next-edit-1.5b").format
    sight = sight_of(source, source.line_start(6), "app.py", form, edits=(), before=None)
    answer = text.replace("a1 = 1", "a1 = 0").replace("a7 = 7", "a7 = 0").split("\n")
    place = predicted(source, sight, answer)
    assert place is not None
    assert changed(source, [place]).text == text.replace("a7 = 7", "a7 = 0")
