"""What is left of long answers, for a while: clients cut what is long, and lose its end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from coai_routing.errors import CoaiError

PAGE_CHARACTERS: Final = 30_000
"""Of a readable answer in one piece. Clients cut at some 25,000 tokens, code has about three
characters to a token, and the structured values are as long at most."""

MOST_KEPT: Final = 50
"""Answers that are kept, of all clients of a process."""
MOST_CHARACTERS: Final = 20_000_000
"""Of all that is kept."""


class NoPageError(CoaiError):
    """A page is not there, or not any more."""


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of an answer; `name` is empty where it is the whole one."""

    text: str
    name: str
    number: int
    count: int

    @property
    def is_last(self) -> bool:
        """Whether nothing follows."""
        return self.number >= self.count


class Pages:
    """Keeps the newest long answers by names that nobody can guess."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: dict[str, list[str]] = {}

    def first(self, text: str) -> Page:
        """Return the first page of an answer, and keep the others if there are any."""
        if len(text) <= PAGE_CHARACTERS:
            return Page(text, "", 1, 1)
        pages = _cut(text)
        name = secrets.token_urlsafe(12)
        self._kept[name] = pages
        while len(self._kept) > MOST_KEPT or (len(self._kept) > 1 and self._size > MOST_CHARACTERS):
            self._kept.pop(next(iter(self._kept)))
        return Page(pages[0], name, 1, len(pages))

    def page(self, name: str, number: int) -> Page:
        """Return a page, counted from 1; raises `NoPageError`."""
        pages = self._kept.get(name)
        if pages is None:
            raise NoPageError(
                f"The answer {name} is not kept any more.", remedy="Call the tool that gave it."
            )
        if not 1 <= number <= len(pages):
            raise NoPageError(f"The answer {name} has {len(pages)} pages.")
        return Page(pages[number - 1], name, number, len(pages))

    @property
    def _size(self) -> int:
        return sum(len(each) for pages in self._kept.values() for each in pages)


def _cut(text: str) -> list[str]:
    """Cut a text into pages, at ends of lines where there are any."""
    pages: list[str] = []
    at = 0
    while at < len(text):
        end = at + PAGE_CHARACTERS
        if end < len(text):
            line = text.rfind("\n", at, end)
            end = line + 1 if line > at else end
        pages.append(text[at:end])
        at = end
    return pages
