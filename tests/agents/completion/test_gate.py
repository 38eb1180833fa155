"""The gate: every reason for not completing, and what is held back only while typing."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.gate import LONGEST_LINE, MOST_CHARACTERS, CompletionGate
from coai_agents.completion.outcome import Reason, Trigger
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Source
from coai_routing.settings.schema import CompletionSettings

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Asked:
    """A gate, and all that it looks at."""

    folder: Path
    settings: CompletionSettings = field(default_factory=CompletionSettings)
    rules: ExclusionRules = field(default_factory=ExclusionRules)
    comment: bool = False
    now: float = 1000.0
    offsets: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        self.exclusions = Exclusions(lambda _: self.rules, roots=[self.folder])
        self.gate = CompletionGate(
            settings=lambda _: self.settings,
            exclusions=self.exclusions,
            in_comment=self._in_comment,
            clock=lambda: self.now,
        )

    def _in_comment(self, _: Source, offset: int) -> bool:
        self.offsets.append(offset)
        return self.comment

    def refusal(
        self,
        text: str = "|",
        *,
        trigger: Trigger = Trigger.AUTOMATIC,
        name: str = "main.py",
        uri: str | None = None,
    ) -> tuple[Reason, str] | None:
        """Ask at the `|` in a text."""
        offset = text.index("|")
        whole = text[:offset] + text[offset + 1 :]
        source = Source(uri or (self.folder / name).as_uri(), whole)
        return asyncio.run(self.gate.refusal(source, Cursor.at(source, offset), trigger))

    def reason(self, text: str = "|", **place: str) -> Reason | None:
        refusal = self.refusal(text, name=place.get("name", "main.py"), uri=place.get("uri"))
        return None if refusal is None else refusal[0]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_nothing_set_allows(asked: Asked) -> None:
    assert asked.refusal("x = |") is None


@pytest.mark.parametrize(
    ("settings", "name", "reason"),
    [
        ({"enabled": False}, "a.py", Reason.DISABLED),
        ({"languages": {"python": False}}, "a.py", Reason.DISABLED_FOR_LANGUAGE),
        ({"languages": {"python": False}}, "a.go", None),
        ({"languages": {"*": False}}, "a.go", Reason.DISABLED_FOR_LANGUAGE),
        ({"languages": {"*": False, "go": True}}, "a.go", None),
        ({"languages": {"*": False}}, "a.unknown", Reason.DISABLED_FOR_LANGUAGE),
    ],
)
def test_settings_switch_off(
    asked: Asked, settings: dict[str, object], name: str, reason: Reason | None
) -> None:
    asked.settings = CompletionSettings.model_validate(settings)
    assert asked.reason(name=name) is reason


def test_a_language_that_is_off_is_named(asked: Asked) -> None:
    asked.settings = CompletionSettings(languages={"*": False})
    assert asked.refusal() == (Reason.DISABLED_FOR_LANGUAGE, "It is `python`.")
    assert asked.refusal(name="x") == (Reason.DISABLED_FOR_LANGUAGE, "It is `not known`.")


@pytest.mark.parametrize("trigger", list(Trigger))
def test_snoozing_holds_back_until_its_end(asked: Asked, trigger: Trigger) -> None:
    asked.gate.snooze(asked.now + 61)
    assert asked.refusal(trigger=trigger) == (Reason.SNOOZED, "For 2 more minutes.")
    asked.now += 30
    assert asked.refusal(trigger=trigger) == (Reason.SNOOZED, "For 1 more minute.")
    asked.now += 31
    assert asked.gate.snoozed_until is None
    assert asked.refusal(trigger=trigger) is None


def test_snoozing_may_have_no_end_and_be_ended(asked: Asked) -> None:
    asked.gate.snooze(math.inf)
    assert asked.gate.snoozed_until == math.inf
    assert asked.refusal() == (Reason.SNOOZED, "Until they are woken.")
    asked.gate.snooze(-math.inf)
    assert asked.refusal() is None


@pytest.mark.parametrize("trigger", list(Trigger))
def test_excluded_files_are_refused_however_one_asks(asked: Asked, trigger: Trigger) -> None:
    asked.rules = ExclusionRules(completion=("gen/",))
    assert asked.refusal(name="gen/x.py", trigger=trigger) == (
        Reason.EXCLUDED,
        "It matches `gen/` in completion.exclude.",
    )
    assert asked.refusal(name=".env", trigger=trigger) == (
        Reason.SECRET_FILE,
        "It matches `.env`, as files with secrets do.",
    )


def test_the_uri_s_scheme_opens_no_back_door(asked: Asked) -> None:
    for scheme in ("untitled", "git", "vscode-notebook-cell"):
        uri = f"{scheme}:{(asked.folder / '.env').as_uri().removeprefix('file://')}"
        assert asked.reason(uri=uri) is Reason.SECRET_FILE
    assert asked.reason(uri="untitled:Untitled-1") is None


def test_many_documents_are_judged_each_by_itself(asked: Asked) -> None:
    asked.rules = ExclusionRules(completion=("*0.py",))
    reasons = [asked.reason(name=f"{number}.py") for number in range(600)]
    assert reasons == [Reason.EXCLUDED if n % 10 == 0 else None for n in range(600)]


LINE = "x" * 79 + "\n"


@pytest.mark.parametrize(
    ("text", "too_large"),
    [
        ("", False),
        (LINE * (MOST_CHARACTERS // len(LINE)), False),
        (LINE * (MOST_CHARACTERS // len(LINE)) + LINE, True),
        ("x" * LONGEST_LINE, False),
        ("x" * (LONGEST_LINE + 1), True),
        (LINE * 2000 + "x" * LONGEST_LINE + "\n", False),
        (LINE * 2000 + "x" * (LONGEST_LINE + 1), True),
        ("\n" + "x" * (LONGEST_LINE + 1), True),
        # A long line elsewhere is data, and people write around it.
        (LINE * 2000 + "x" * (LONGEST_LINE + 1) + "\n", False),
        (("x" * LONGEST_LINE + "\n") * 3, False),
        (("x" * LONGEST_LINE + "\r") * 3, False),
        (("x" * LONGEST_LINE + "\r\n") * 3, False),
        ("x" * (LONGEST_LINE + 1) + "\r", False),
    ],
)
def test_files_that_nobody_wrote_by_hand_are_refused(
    asked: Asked, text: str, too_large: bool
) -> None:
    refusal = asked.refusal(text + "|")
    assert (refusal is not None and refusal[0] is Reason.TOO_LARGE) == too_large


@given(st.lists(st.integers(0, LONGEST_LINE + 2), min_size=1, max_size=5), st.data())
def test_only_the_cursors_line_may_be_too_long(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], data: st.DataObject
) -> None:
    asked = Asked(tmp_path_factory.getbasetemp())
    number = data.draw(st.integers(0, len(lengths) - 1))
    lines = ["x" * length for length in lengths]
    lines[number] = f"{lines[number]} |"
    refusal = asked.refusal(data.draw(st.sampled_from(["\n", "\r\n"])).join(lines))
    assert (refusal is not None) == (lengths[number] + 1 > LONGEST_LINE)


@pytest.mark.parametrize(
    ("text", "middle"),
    [
        ("fo|o", True),
        ("fo|1", True),
        ("_|_", True),
        ("é|é", True),
        ("foo|", False),
        ("|foo", False),
        ("foo(|bar)", False),
        ("foo| bar", False),
        ("foo|\nbar", False),
        ("|", False),
    ],
)
def test_in_the_middle_of_a_word_only_what_is_asked_for(
    asked: Asked, text: str, middle: bool
) -> None:
    assert asked.reason(text) is (Reason.MIDDLE_OF_WORD if middle else None)
    assert asked.refusal(text, trigger=Trigger.INVOKED) is None


def test_in_a_comment_only_what_is_asked_for(asked: Asked) -> None:
    asked.comment = True
    assert asked.reason("# x |") is Reason.IN_COMMENT
    assert asked.refusal("# x |", trigger=Trigger.INVOKED) is None


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("a\nb |\nc", 4),
        ("a\r\nb |\r\nc", 5),
        ("a\rb |\rc", 4),
        ("a\r\n\r\n|", 5),
        ("a\r\n|", 3),
        ("|a\r\n", 0),
        ("a\r|\n", 2),
        ("x\r\na\r|\n", 6),
    ],
)
def test_the_comment_is_looked_for_at_the_cursor(asked: Asked, text: str, offset: int) -> None:
    assert asked.refusal(text) is None
    assert asked.offsets == [offset]
