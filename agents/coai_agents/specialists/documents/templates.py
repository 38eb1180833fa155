"""Templates of documents: text with names to be filled in, and nothing that is executed.

The language is that of `string.Template`. What is filled in is not looked at again, so a `$` in a
file's documentation is text.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN: Final = Path(__file__).with_name("reference.toml")
PAGES: Final = Path(__file__).with_name("pages")

_MODULE: Final = frozenset({"anchor", "path", "language", "summary"})
_ITEMS: Final = frozenset({"items"})
_PAGE: Final = {
    "item": frozenset({"name", "text", "place"}),
    "words": frozenset({"model", "text"}),
}
_GUIDE: Final = ("install", "commands", "options", "environment", "routes", "symbols")
_SHAPE: Final = (
    "size", "entries", "circles", "layers", "hubs", "hot", "together", "outside",
)  # fmt: skip

NAMES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "reference": {
        "document": frozenset({"title", "contents", "modules"}),
        "entry": _MODULE,
        "module": _MODULE | {"description", "symbols"},
        "symbol": frozenset(
            {
                "anchor", "name", "kind", "path", "line", "signature", "summary", "description",
                "parameters", "returns", "raises",
            }
        ),
        "parameters": _ITEMS,
        "parameter": frozenset({"name", "type", "text"}),
        "returns": frozenset({"type", "text"}),
        "raises": _ITEMS,
        "raised": frozenset({"name", "text"}),
    },
    "guide": {
        "document": frozenset({"title", "summary", "words", *_GUIDE}),
        **dict.fromkeys(_GUIDE, _ITEMS),
        **_PAGE,
    },
    "tutorial": {
        "document": frozenset({"title", "summary", "words", "install", "steps"}),
        "install": _ITEMS,
        "step": frozenset(
            {"number", "title", "summary", "words", "code", "gives", "place", "checked"}
        ),
        "gives": frozenset({"output"}),
        **_PAGE,
    },
    "architecture": {
        "document": frozenset({"title", "summary", "words", "drawing", "parts", *_SHAPE}),
        "drawing": frozenset({"mermaid"}),
        "part": frozenset({"name", "text", "words", "place"}),
        "parts": _ITEMS,
        **dict.fromkeys(_SHAPE, _ITEMS),
        **_PAGE,
    },
}  # fmt: skip
"""The kinds of documents, the parts of each, and the names that each part may have."""


_ARTICLES: Final = {
    "reference": "a reference",
    "guide": "a guide",
    "tutorial": "a tutorial",
    "architecture": "an architecture page",
}


class TemplateError(CoaiError):
    """A template cannot be used; the message names the part and what is wrong with it."""


class Templates:
    """The parts of a document by their names."""

    def __init__(self, parts: Mapping[str, Template]) -> None:
        self._parts = parts

    def fill(self, part: str, **values: str) -> str:
        """Return a part with its names filled in, without blank lines around it."""
        text = self._parts[part].substitute(values).strip("\n")
        # A name that was filled in with nothing leaves no second blank.
        return text if "\n" in text else re.sub(r"(?<=\S) {2,}", " ", text).rstrip()


def templates(text: str | None = None, name: str = "", kind: str = "reference") -> Templates:
    """Return the templates that stand here, with those of a file's text in their place.

    Raises `TemplateError`.
    """
    built_in = BUILT_IN if kind == "reference" else PAGES / f"{kind}.toml"
    parts = _read(built_in.read_text(encoding="utf-8"), built_in.name, kind)
    if text is not None:
        parts |= _read(text, name, kind)
    return Templates(parts)


def _read(text: str, file: str, kind: str) -> dict[str, Template]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(
            f"{file} is no template: {error}.",
            remedy=f"Write a TOML file with any of these keys: {', '.join(NAMES[kind])}.",
        ) from error
    return {part: _part(file, part, value, kind) for part, value in table.items()}


def _part(file: str, part: str, value: object, kind: str) -> Template:
    known = NAMES[kind]
    if part not in known:
        raise TemplateError(
            f"{file}: `{part}` is no part of {_ARTICLES[kind]}.",
            remedy=f"Known: {', '.join(known)}.",
        )
    if not isinstance(value, str):
        raise TemplateError(f"{file}: `{part}` is no text.", remedy="Put it in quotes.")
    template = Template(value)
    if not template.is_valid():
        raise TemplateError(
            f"{file}: `{part}` has a `$` before what is no name.", remedy="Write `$$` for a `$`."
        )
    unknown = sorted(set(template.get_identifiers()) - known[part])
    if unknown:
        raise TemplateError(
            f"{file}: `{part}` cannot have `${unknown[0]}`.",
            remedy=f"It may have {', '.join(f'${each}' for each in sorted(known[part]))}.",
        )
    return template
