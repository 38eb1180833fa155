"""What pages are made of: entries of facts and a model's words, and both as Markdown text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code, fenced
from coai_agents.markdown import text as as_text
from coai_agents.specialists.shown import inline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.specialists.documents.templates import Templates

MOST_TEXT: Final = 600
MOST_NAME: Final = 200
MOST_CODE: Final = 4_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact in a list: what it is about, what is said of it, where it stands."""

    name: str = ""
    text: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A model's words, of which only the names were checked."""

    text: str = ""
    model: str = ""


def opening_facts(title: str, summary: str) -> list[str]:
    """Return the facts that every page begins with, for a model that words it."""
    facts = [f"The program is called `{title}`."]
    return [*facts, f"It says of itself: {summary}"] if summary else facts


def filled(templates: Templates, part: str, entries: Iterable[Entry]) -> str:
    """Return a section of a page; nothing where it has nothing to say."""
    items = "\n".join(
        templates.fill(
            "item",
            name=code(cut(each.name, MOST_NAME)) if each.name else "",
            text=sentence(each.text),
            place=f"({code(each.place)})" if each.place else "",
        )
        for each in entries
    )
    return templates.fill(part, items=items) if items else ""


def spoken(templates: Templates, said: Said | None) -> str:
    """Return a model's words with its name before them; nothing where it said none."""
    if said is None or not said.text:
        return ""
    return templates.fill("words", model=code(said.model or "a model"), text=sentence(said.text))


def sentence(words: str) -> str:
    """Return words as one line of Markdown in which nothing is more than text or code."""
    return inline(cut(words, MOST_TEXT))


def title(words: str) -> str:
    """Return words as a heading."""
    return as_text(cut(words, MOST_NAME))


def block(text: str, language: str) -> str:
    """Return code as a block."""
    return fenced(cut(text, MOST_CODE), language)


def whole(text: str) -> str:
    """Return a page with one blank line at most between others; lines in blocks are their own."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = re.match(r"`{3,}", line)
        if mark and not fence:
            fence = mark[0]
        elif mark and line.rstrip() == fence:
            fence = ""
        if fence or line.strip() or (lines and lines[-1].strip()):
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"


def cut(words: str, most: int) -> str:
    """Return text of so many characters at most."""
    return words if len(words) <= most else f"{words[:most].rstrip()}…"
