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

_MODULE: Final = frozenset({"anchor", "path", "language", "summary"})
NAMES: Final[Mapping[str, frozenset[str]]] = {
    "document": frozenset({"title", "contents", "modules"}),
    "entry": _MODULE,
    "module": _MODULE | {"description", "symbols"},
    "symbol": frozenset(
        {
            "anchor", "name", "kind", "path", "line", "signature", "summary", "description",
            "parameters", "returns", "raises",
        }
    ),
    "parameters": frozenset({"items"}),
    "parameter": frozenset({"name", "type", "text"}),
    "returns": frozenset({"type", "text"}),
    "raises": frozenset({"items"}),
    "raised": frozenset({"name", "text"}),
}  # fmt: skip
"""The parts of a reference, and the names that each may have."""


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


def templates(text: str | None = None, name: str = "") -> Templates:
    """Return the templates that stand here, with those of a file's text in their place.

    Raises `TemplateError`.
    """
    parts = _read(BUILT_IN.read_text(encoding="utf-8"), BUILT_IN.name)
    if text is not None:
        parts |= _read(text, name)
    return Templates(parts)


def _read(text: str, file: str) -> dict[str, Template]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(
            f"{file} is no template: {error}.",
            remedy=f"Write a TOML file with any of these keys: {', '.join(NAMES)}.",
        ) from error
    return {part: _part(file, part, value) for part, value in table.items()}


def _part(file: str, part: str, value: object) -> Template:
    if part not in NAMES:
        raise TemplateError(
            f"{file}: `{part}` is no part of a reference.", remedy=f"Known: {', '.join(NAMES)}."
        )
    if not isinstance(value, str):
        raise TemplateError(f"{file}: `{part}` is no text.", remedy="Put it in quotes.")
    template = Template(value)
    if not template.is_valid():
        raise TemplateError(
            f"{file}: `{part}` has a `$` before what is no name.", remedy="Write `$$` for a `$`."
        )
    unknown = sorted(set(template.get_identifiers()) - NAMES[part])
    if unknown:
        raise TemplateError(
            f"{file}: `{part}` cannot have `${unknown[0]}`.",
            remedy=f"It may have {', '.join(f'${each}' for each in sorted(NAMES[part]))}.",
        )
    return template
