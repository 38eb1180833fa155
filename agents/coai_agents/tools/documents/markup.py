"""The text of HTML: what a reader sees of it, without scripts, styles and markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_SILENT: Final = frozenset({"script", "style", "template", "noscript", "svg", "head", "iframe"})
_BLOCKS: Final = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "tr", "table", "section", "article", "pre", "blockquote"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "header", "footer", "main", "nav", "dt", "dd", "hr"}
)
_BLANK: Final = re.compile(r"[ \t\r\f\v]+")
_LINES: Final = re.compile(r"\n\s*\n\s*")


class _Text(HTMLParser):
    """Collects text; what is in a silent element, however it is nested, is left out."""

    def __init__(self, most: int) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._most = most
        self._size = 0
        self._silent: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._in_title = tag == "title"
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag in _BLOCKS:
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BLOCKS:
            self._add("\n")
        elif tag in ("td", "th"):
            self._add("\t")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._silent == ["head"] and data.strip():
            # A body without its tag ends a head that nothing closes.
            self._silent.clear()
        if not self._silent and not self._in_title:
            self._add(data)

    def _add(self, text: str) -> None:
        if self._size < self._most:
            self.pieces.append(text[: self._most - self._size])
            self._size += len(text)


def text_of_html(markup: str, most: int) -> tuple[str, str]:
    """Return the title and the text of a page, at most so many characters of it."""
    parser = _Text(most)
    parser.feed(markup)
    parser.close()
    text = _BLANK.sub(" ", "".join(parser.pieces))
    lines = "\n".join(line.strip() for line in text.split("\n"))
    return " ".join(parser.title.split()), _LINES.sub("\n\n", lines).strip()
