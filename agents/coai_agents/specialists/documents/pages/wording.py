"""A model's words for pages: a sentence or two for each of its slots, all names in them known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.documents.pages.page import Said
from coai_agents.specialists.words import Words, names_in, sentences
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.asking import Asker

TASK: Final = (
    "You write one or two short sentences for the documentation of a program. Use only the facts "
    "that are listed. Write names from the facts in backticks. No list, no heading, no code."
)
MOST_SENTENCES: Final = 2
MOST_SLOTS: Final = 12
"""Of a page; a model is asked once for each."""
MOST_FACTS: Final = 2_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a model is asked to say, and what it may say it from."""

    about: str
    """In our words, such as "Say what the program is for."."""
    facts: tuple[str, ...]
    paths: tuple[str, ...] = ()


async def worded(
    slots: Sequence[Slot], asker: Asker, root: str = ""
) -> tuple[list[Said], list[str]]:
    """Return what a model says for each slot, empty where nothing of it holds, and notes.

    The slots' paths are below `root`, as the user named it.
    """
    said = [Said() for _ in slots]
    if asker.absent is not None:
        return said, [asker.absent] if slots else []
    dropped = 0
    for number, slot in enumerate(slots[:MOST_SLOTS]):
        facts = "\n".join(f"- {each}" for each in slot.facts)[:MOST_FACTS]
        prompt = Prompt(
            Capability.DOCUMENTATION,
            TASK,
            f"{facts}\n\n{slot.about}",
            max_tokens=96,
            paths=tuple(dict.fromkeys(PurePath(root, each).as_posix() for each in slot.paths)),
        )
        try:
            answer = await asker.say(prompt)
        except NobodyError as error:
            return said, [f"No model words the rest: {error}"]
        words = Words(answer.text, answer.model, whole=True)
        kept, lost = sentences(words, names_in(facts), MOST_SENTENCES)
        dropped += lost
        said[number] = Said(" ".join(kept), answer.model)
    notes = [f"{dropped} of the model's sentences spoke of what is not there."] if dropped else []
    return said, notes
