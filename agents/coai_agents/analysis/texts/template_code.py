"""Programs within templates: Ruby in ERB, HAML and Slim, Java in JSP, as documents of their own.

Statements stand in their order and at their lines, so that a value that a request brings is
followed through them as in any other program; what is page and no program is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Program = tuple[str, list[int]]
"""A program, and for each of its characters the place in the template."""

_ERB: Final = re.compile(r"<%(?P<kind>[#%]|={0,2}|-)(?P<code>(?s:.)*?)-?%>")
_HAML: Final = re.compile(
    r"^[ \t]*(?:[%.#][\w.:#%-]{0,200}(?:\{[^\n]{0,300}\}|\([^\n]{0,300}\)|\[[^\n]{0,200}\])?)?"
    r"(?P<kind>!==?|&==?|==?|-(?!#)|~)(?P<code>[^\n]{1,1000})$",
    re.MULTILINE,
)
_SLIM: Final = re.compile(
    r"^[ \t]*(?:[\w.#-]{1,200}(?:[ \t]+[\w-]+=(?:\"[^\"\n]{0,200}\"|\S{1,200})){0,12}[ \t]*)?"
    r"(?P<kind>==?[<>']{0,2}|-)(?P<code>[ \t][^\n]{1,1000})$",
    re.MULTILINE,
)
_BLOCK: Final = re.compile(
    r"^\s*(?:if|unless|elsif|while|until|case|when)\b|^\s*(?:else|ensure|begin|end)\b.*"
    r"|\bdo\s*(?:\|[^|\n]{0,100}\|)?\s*$"
)
"""What opens a block, whose end in HAML and Slim is an indentation."""

_JSP: Final = re.compile(r"<%(?P<kind>--|[@!=]?)(?P<code>(?s:.)*?)%>")
_ENCODED: Final = re.compile(
    r"\s*(?![\w.]{0,200}(?:unescape|decode))[\w.]{0,200}?(?:filter|escape|encode|sanitize)\w*+\s*+"
    r"\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)[\s;]*",
    re.IGNORECASE,
)
"""An expression that, as a whole, is what its own library makes harmless for a page."""
_JSP_BEGIN: Final = (
    "class Page { void _jspService(HttpServletRequest request, HttpServletResponse response)"
    " throws Exception { java.io.PrintWriter out = response.getWriter();"
)


class _Builder:
    """A program as it grows."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._places: list[int] = []

    def take(self, text: str, at: int) -> None:
        """Add what stands in the template."""
        self._text.append(text)
        self._places.extend(range(at, at + len(text)))

    def add(self, text: str, at: int) -> None:
        """Add what only the program needs."""
        self._text.append(text)
        self._places.extend([at] * len(text))

    def built(self) -> Program:
        return "".join(self._text), self._places


def _closed(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield pieces of a program; behind the last end none is closed, and none is looked for."""
    return pattern.finditer(text, 0, text.rfind("%>") + 2)


def _erb(text: str) -> Program:
    program = _Builder()
    for each in _closed(_ERB, text):
        if each["kind"] in ("#", "%"):
            continue
        start = each.start("code")
        if each["kind"] == "==":
            program.add("raw(", each.start())
            program.take(each["code"], start)
            program.add(")", each.end() - 1)
        else:
            program.take(each["code"], start)
        program.add("\n", each.end() - 1)
    return program.built()


def _by_lines(pattern: re.Pattern[str], raw: str) -> Callable[[str], Program]:
    """Return the reader of a language in which indentation ends blocks."""

    def read(text: str) -> Program:
        program = _Builder()
        for each in pattern.finditer(text):
            code = _BLOCK.sub(lambda said: " " * len(said[0]), each["code"])
            unescaped = each["kind"].startswith(raw)
            program.add("raw(" if unescaped else "", each.start())
            program.take(code, each.start("code"))
            program.add(")\n" if unescaped else "\n", each.end() - 1)
        return program.built()

    return read


def _jsp(text: str) -> Program:
    program = _Builder()
    program.add(_JSP_BEGIN, 0)
    code = False
    for each in _closed(_JSP, text):
        kind, at, last = each["kind"], each.start("code"), each.end() - 1
        if kind in ("--", "@", "!"):
            continue
        code = True
        if kind == "=" and _ENCODED.fullmatch(each["code"]):
            continue
        if kind == "=":
            program.add("\nout.print(", each.start())
            program.take(each["code"].rstrip("; \t\n"), at)
            program.add(");", last)
        else:
            program.add("\n", each.start())
            program.take(each["code"], at)
    program.add("\n}}", len(text) - 1)
    return program.built() if code else ("", [])


PROGRAMS: Final[dict[str, tuple[str, Callable[[str], Program]]]] = {
    "erb": ("ruby", _erb),
    "haml": ("ruby", _by_lines(_HAML, "!")),
    "slim": ("ruby", _by_lines(_SLIM, "==")),
    "jsp": ("java", _jsp),
}
"""By format: the language, and what reads a program out of a template."""
