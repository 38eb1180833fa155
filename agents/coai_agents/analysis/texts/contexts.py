"""Where in a page the values stand that a template puts in: a tokeniser of HTML for templates.

What escaping does depends on the place (HTML Living Standard, section 13.2, and OWASP's rules for
contexts): text, an attribute in quotes, one without, an address, a handler, a style, a script. The
templates of most engines escape for text only. Whatever an engine writes between its own brackets
is one piece here, so that quotes within it end no attribute.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.analysis.texts.outputs import Output

MOST_PLACES: Final = 5_000
"""Values of one page that are looked at."""

_ADDRESSES: Final = frozenset({"href", "src", "action", "formaction", "data", "xlink:href"})
_OF_NAMES: Final = r"[\w:@.*#\[\]()-]"
"""What names of attributes are made of, those of Vue and Angular too."""
_INK: Final = re.compile(r"\S")
_HANDLER: Final = re.compile(r"on[a-z]{3,24}$", re.IGNORECASE)
_NO_SCRIPT: Final = re.compile(
    r"""type\s*=\s*["']?(?!module|text/(?:java|ecma)script|application/(?:x-)?javascript)""",
    re.IGNORECASE,
)
_LOADS: Final = frozenset({"script", "iframe", "object", "embed", "form", "a", "area", "button"})
"""Elements in which an address that a value begins can run or lead somewhere."""


class Place(NamedTuple):
    """A value in a page."""

    context: str
    """`text`, `unquoted`, `attribute`, `url`, `handler` (in a string of it, else `handler-code`),
    `style`, `script`, `script-string`."""
    span: Span
    value: str


def places_in(text: str, output: Output) -> Iterator[Place]:
    """Yield the values that a template puts into a page, each with what it stands in."""
    for count, place in enumerate(_Page(text, output).places()):
        if count >= MOST_PLACES:
            return
        yield place


class _Page:
    """One page that is read from its beginning to its end."""

    def __init__(self, text: str, output: Output) -> None:
        self._text = text
        self._at = 0
        self._spent: set[re.Pattern[str]] = set()
        """What does not occur from here on: it is looked for no more."""
        pieces = rf"(?P<out>{output.pattern})|(?P<code>{output.code})"
        self._markup = re.compile(
            rf"{pieces}|<(?P<tag>[a-zA-Z][\w:-]*)(?=[\s/>])|<!--(?s:.)*?(?:-->|\Z)"
        )
        self._tag = re.compile(
            rf"{pieces}|(?<!{_OF_NAMES})(?P<name>{_OF_NAMES}++)\s*+=\s*+(?P<quote>[\"']?)"
            r"|(?P<end>/?>)"
        )
        self._quoted = {quote: re.compile(rf"{pieces}|(?P<end>{quote})|[\"'`]") for quote in "\"'"}
        self._bare = re.compile(rf"{pieces}|(?P<end>(?=[\s>]))")
        self._script = re.compile(
            rf"{pieces}|(?P<end>(?=</script))|//[^\n]*?(?=</script|\n|\Z)|/\*(?s:.)*?(?:\*/|(?=</script)|\Z)"
            rf"|(?P<quote>[\"'`])",
            re.IGNORECASE,
        )
        ends = {"`": ""} | dict.fromkeys("\"'", r"|(?=[\r\n])")
        self._string = {
            quote: re.compile(
                rf"{pieces}|(?P<end>{quote}|(?=</script){line_end})|\\.", re.IGNORECASE
            )
            for quote, line_end in ends.items()
        }

    def places(self) -> Iterator[Place]:
        while match := self._markup.search(self._text, self._at):
            self._at = match.end()
            if match["out"] is not None:
                yield self._place("text", match)
            elif match["tag"] is not None:
                yield from self._in_tag(match["tag"].lower())

    def _place(self, context: str, match: re.Match[str]) -> Place:
        return Place(context, Span(*match.span("out")), match["out"])

    def _steps(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Yield the tokens from here on; whoever asks for the next may have moved in between."""
        while self._at < len(self._text) and pattern not in self._spent:
            match = pattern.search(self._text, self._at)
            if match is None:
                self._spent.add(pattern)
                return
            self._at = match.end()
            yield match

    def _in_tag(self, tag: str) -> Iterator[Place]:
        start = self._at
        found: list[Place] = []
        for match in self._steps(self._tag):
            if match["end"] is not None:
                # What never ends is no tag, but the sign for less.
                yield from found
                break
            if match["name"] is not None:
                found += self._in_attribute(tag, match["name"].lower(), match["quote"])
        head = self._text[start : self._at]
        if tag == "script" and not head.endswith("/>") and not _NO_SCRIPT.search(head):
            yield from self._in_script()

    def _in_attribute(self, tag: str, name: str, quote: str) -> Iterator[Place]:
        ink = _INK.search(self._text, self._at)
        begin = len(self._text) if ink is None else ink.start()
        string = ""
        for match in self._steps(self._quoted[quote] if quote else self._bare):
            if match["end"] is not None:
                return
            if match["out"] is not None:
                first = match.start() <= begin
                yield self._place(_context(tag, name, quote, string, first=first), match)
            elif match[0] in "\"'`":
                string = "" if match[0] == string else string or match[0]

    def _in_script(self) -> Iterator[Place]:
        for match in self._steps(self._script):
            if match["end"] is not None:
                return
            if match["out"] is not None:
                yield self._place("script", match)
            elif match["quote"] is not None:
                yield from self._in_string(match["quote"])

    def _in_string(self, quote: str) -> Iterator[Place]:
        for match in self._steps(self._string[quote]):
            if match["end"] is not None:
                return
            if match["out"] is not None:
                yield self._place("script-string", match)


def _context(tag: str, name: str, quote: str, string: str, *, first: bool) -> str:
    """Return what a value in an attribute stands in."""
    if not quote:
        return "unquoted"
    if _HANDLER.match(name):
        return "handler" if string else "handler-code"
    if name in _ADDRESSES and first and tag in _LOADS:
        return "url"
    return "style" if name == "style" else "attribute"
