"""Refactorings as code actions: by the syntax tree where that decides, by a model below them.

What needs no model has been made and verified when it is offered, in a thread. What a model would
make is offered by its name, marked as a model's, and made when the user has chosen it; an answer
that does not pass its checks is an error that says so, never an edit. Both are made again for the
version that they were offered for, and for no other.
"""

from __future__ import annotations

import asyncio
import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coai_agents.source import Span
from coai_server.lsp.features.agents.documenting import function_at, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsprotocol import types

    from coai_agents.source import Edit, Source
    from coai_agents.specialists.asking import Meter
    from coai_agents.specialists.refactoring.catalogue import Refactoring
    from coai_agents.syntax.tree import SyntaxTree
    from coai_server.lsp.server import Server

AGENT: Final = "refactoring"
"""What tells these actions from others in `data`."""

SORT_IMPORTS: Final = "source.coai.sortImports"
KINDS: Final = ("refactor.extract", "refactor.inline", "refactor.rewrite", SORT_IMPORTS)

_HEAVY: Final = "coai_agents.specialists.refactoring.agent"


async def offered(
    server: Server,
    source: Source,
    span: Span,
    *,
    wanted: Callable[[str], bool],
    make: Callable[..., types.CodeAction],
) -> list[types.CodeAction]:
    """Return the actions for a range; `make` makes one of a title, kind, edits and data."""
    if not any(wanted(each) for each in KINDS):
        return []
    tree = await tree_of(server, source)
    if tree is None or tree.has_error:
        return []
    await asyncio.to_thread(import_module, _HEAVY)
    actions: list[types.CodeAction] = []
    for each in await asyncio.to_thread(_found, tree, span, wanted):
        data = _data(each.kind.name, span, each.title)
        action = make(each.title, each.kind.lsp, data=data)
        if action.data is None:
            action = make(each.title, each.kind.lsp, data=data, edits=each.change.edits)
        actions.append(action)
    if wanted("refactor.rewrite"):
        actions += _by_models(tree, span, make)
    return actions


def _data(kind: str, span: Span, title: str = "", *, model: bool = False) -> dict[str, Any]:
    where = [span.start, span.end]
    return {"agent": AGENT, "kind": kind, "span": where, "title": title, "model": model}


def _found(tree: SyntaxTree, span: Span, wanted: Callable[[str], bool]) -> list[Refactoring]:
    from coai_agents.specialists.refactoring.catalogue import (  # noqa: PLC0415 - not at the start
        KINDS as CATALOGUE,
    )
    from coai_agents.specialists.refactoring.catalogue import (  # noqa: PLC0415 - as above
        offered as found_at,
    )
    from coai_agents.specialists.refactoring.catalogue import (  # noqa: PLC0415 - as above
        refactorings,
    )
    from coai_agents.specialists.refactoring.site import RefusalError  # noqa: PLC0415 - as above

    found: list[Refactoring] = []
    if any(wanted(each) for each in KINDS[:3]):
        found = [each for each in found_at(tree, span) if wanted(each.kind.lsp)]
    if wanted(SORT_IMPORTS):
        with contextlib.suppress(RefusalError):
            found += refactorings(CATALOGUE["sort-imports"], tree, span)
    return found


def _by_models(
    tree: SyntaxTree, span: Span, make: Callable[..., types.CodeAction]
) -> list[types.CodeAction]:
    """Return what a model can be asked for here, where the client can wait for the edit."""
    from coai_agents.specialists.refactoring.rewriting import (  # noqa: PLC0415 - not at the start
        MODEL_KINDS,
        is_stub,
    )
    from coai_agents.specialists.refactoring.shapes import family  # noqa: PLC0415 - as above

    function = function_at(tree, span.start)
    language = tree.source.language
    known = {family(language), language}
    if function is None or function.body is None or not family(language):
        return []
    stub = is_stub(tree, function)
    actions: list[types.CodeAction] = []
    for kind in MODEL_KINDS.values():
        if (kind.families and not known & set(kind.families)) or (kind.name == "implement") != stub:
            continue
        if kind.name in ("rename", "comprehension", "async") and not _fits(kind.name, tree, span):
            continue
        action = make(
            f"{kind.title} with a model", kind.lsp, data=_data(kind.name, span, model=True)
        )
        if action.data is not None:
            actions.append(action)
    return actions


def _fits(kind: str, tree: SyntaxTree, span: Span) -> bool:
    """Say whether there is something of the kind at a place, as far as can be told cheaply."""
    function = function_at(tree, span.start)
    text = "" if function is None else tree.source.slice(function.span)
    if kind == "async":
        return ".then(" in text
    if kind == "comprehension":
        return "for " in text or "for(" in text
    from coai_agents.specialists.refactoring.names import Names  # noqa: PLC0415 - as above

    use = Names(tree).at(span.start)
    return use is not None and use.binding is not None and use.binding.is_local


async def resolved(
    server: Server, source: Source, asked: dict[str, Any], meter: Meter
) -> tuple[Sequence[Edit], bool]:
    """Return the edits of a chosen action, and whether a model made them; none where it failed.

    Raises `RefusalError` with what is wrong with a model's answers.
    """
    start, end = (int(each) for each in asked["span"])
    span = Span(start, end)
    await asyncio.to_thread(import_module, _HEAVY)
    if not asked.get("model"):
        tree = await tree_of(server, source)
        found = [] if tree is None else await asyncio.to_thread(_found, tree, span, lambda _: True)
        wanted = (str(asked.get("kind")), str(asked.get("title")))
        same = (e.change.edits for e in found if (e.kind.name, e.title) == wanted)
        return next(same, ()), False
    from coai_agents.specialists.refactoring.agent import Request, by_model  # noqa: PLC0415 - not at the start

    asker, _ = await server.services.specialists.asker(source)
    path = server.documents.path_in_folder(source.uri)
    request = Request(str(asked.get("kind")), source, span, path=path)
    made = await by_model(request, asker.metered(meter))
    return made.change.edits, True
