"""An API reference in Markdown: what files say, as text, and no link but to its own anchors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code, fenced, prose, seen
from coai_agents.markdown import text as as_text
from coai_agents.specialists.shown import inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coai_agents.specialists.documentation.comment import Described
    from coai_agents.specialists.documents.symbols import Module, Symbol
    from coai_agents.specialists.documents.templates import Templates

MOST_NAME: Final = 200
MOST_SIGNATURE: Final = 2_000
MOST_TEXT: Final = 10_000
"""Characters of what one symbol says; more is cut with an ellipsis."""

MOST_ANCHOR: Final = 60


def reference(title: str, modules: Iterable[Module], templates: Templates) -> str:
    """Return the reference of files, by their paths; those without a public symbol are left out."""
    listed = sorted((each for each in modules if each.symbols), key=lambda each: each.path)
    writer = _Writer(templates)
    # Anchors of the contents do not depend on what the modules hold.
    anchors = [writer.anchor(each.path) for each in listed]
    pairs = list(zip(listed, anchors, strict=True))
    whole = templates.fill(
        "document",
        title=as_text(_cut(title, MOST_NAME)),
        contents="\n".join(templates.fill("entry", **_of(*pair)) for pair in pairs),
        modules="\n\n".join(writer.module(*pair) for pair in pairs),
    )
    return f"{_without_gaps(whole)}\n"


class _Writer:
    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._anchors: set[str] = set()

    def anchor(self, name: str) -> str:
        """Return an anchor that no other has, of letters, digits and `-`."""
        words = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:MOST_ANCHOR].strip("-") or "x"
        anchor, number = words, 2
        while anchor in self._anchors:
            anchor, number = f"{words}-{number}", number + 1
        self._anchors.add(anchor)
        return anchor

    def module(self, module: Module, anchor: str) -> str:
        symbols = (self._symbol(module, each) for each in module.symbols)
        return self._templates.fill(
            "module",
            **_of(module, anchor),
            description=prose(_cut(module.comment.description, MOST_TEXT)),
            symbols="\n\n".join(symbols),
        )

    def _symbol(self, module: Module, symbol: Symbol) -> str:
        fill = self._templates.fill
        parameters = [fill("parameter", **_described(each)) for each in symbol.parameters]
        raised = [
            fill("raised", name=_code(each.name), text=_sentence(each.text))
            for each in symbol.raises
        ]
        returns = symbol.returns
        return fill(
            "symbol",
            anchor=self.anchor(f"{module.path}-{symbol.name}"),
            name=_code(symbol.name),
            kind=symbol.kind,
            path=_code(module.path),
            line=str(symbol.line),
            signature=fenced(_cut(symbol.signature, MOST_SIGNATURE), module.language),
            summary=_sentence(symbol.comment.summary),
            description=prose(_cut(symbol.comment.description, MOST_TEXT)),
            parameters=fill("parameters", items="\n".join(parameters)) if parameters else "",
            returns="" if returns is None else fill("returns", **_returned(returns)),
            raises=fill("raises", items="\n".join(raised)) if raised else "",
        )


def _of(module: Module, anchor: str) -> dict[str, str]:
    return {
        "anchor": anchor,
        "path": _code(module.path),
        "language": module.language,
        "summary": _sentence(module.comment.summary),
    }


def _described(each: Described) -> dict[str, str]:
    return {"name": _code(each.name), **_returned(each)}


def _returned(each: Described) -> dict[str, str]:
    kind = f"({_code(each.type)})" if each.type else ""
    return {"type": kind, "text": _sentence(each.text)}


def _code(name: str) -> str:
    return code(_cut(name, MOST_NAME))


def _sentence(words: str) -> str:
    return inline(_cut(words, MOST_TEXT))


def _cut(words: str, most: int) -> str:
    shown = seen(words)
    return shown if len(shown) <= most else f"{shown[:most].rstrip()}…"


def _without_gaps(text: str) -> str:
    """Return text with one blank line at most between others; a fence's lines are its own."""
    return "\n".join(_lines(text)).strip("\n")


def _lines(text: str) -> Iterator[str]:
    before = ""
    for line in text.split("\n"):
        if line.strip() or before.strip():
            yield line
        before = line
