"""Documentation as code actions: a function's, or that of all that a file leaves undocumented.

What the signature says is there at once and needs no model. The action with a model's words is
another one, below it and tagged as a model's; its edit is made when the user has chosen it, and if
no model could be asked it is the first one's.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from coai_agents.syntax.definitions import FUNCTIONS, definitions_around
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from coai_agents.source import Edit, Source, Span
    from coai_agents.specialists.asking import Asker, Meter
    from coai_agents.specialists.documentation.agent import Documented, Undocumented
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree
    from coai_server.lsp.server import Server

DOCUMENT_ALL: Final = "source.coai.document"
AGENT: Final = "document"
"""What tells these actions from fixes in `data`."""

MOST: Final = 200
"""Functions that are documented at once."""

TITLE: Final = "Document this function"
TITLE_WORDS: Final = "Document this function with a model's words"
TITLE_ALL: Final = "Document all undocumented functions of this file"


async def tree_of(server: Server, source: Source) -> SyntaxTree | None:
    """Return the tree that completion keeps, or another one."""
    tree = server.services.trees.store.tree(source)
    return tree or await asyncio.to_thread(partial(parse, source))


def function_at(tree: SyntaxTree, offset: int) -> Definition | None:
    """Return the innermost function around a place."""
    around = [each for each in definitions_around(tree, offset) if each.kind in FUNCTIONS]
    return around[-1] if around else None


async def offered(
    server: Server,
    source: Source,
    span: Span,
    *,
    wanted: Callable[[str], bool],
    make: Callable[..., types.CodeAction],
) -> list[types.CodeAction]:
    """Return the actions for a range; `make` makes one of a title, kind, edits and data."""
    actions: list[types.CodeAction] = []
    rewrite = types.CodeActionKind.RefactorRewrite
    if not (wanted(rewrite) or wanted(DOCUMENT_ALL)):
        return actions
    from coai_agents.specialists.documentation.convention import USUAL  # noqa: PLC0415 - not at the start

    tree = await tree_of(server, source) if source.language in USUAL else None
    if tree is None:
        return actions
    found = function_at(tree, span.start) if wanted(rewrite) else None
    if found is not None and found.documentation is None:
        at = {"agent": AGENT, "at": found.span.start}
        edits = partial(skeletons, source, at=found.span.start)
        actions += await _made(make, TITLE, rewrite, edits, {**at, "model": False})
        actions += await _made(make, TITLE_WORDS, rewrite, None, {**at, "model": True})
    if wanted(DOCUMENT_ALL) and await asyncio.to_thread(_lacks, tree):
        edits = partial(skeletons, source, at=None)
        data = {"agent": AGENT, "at": None, "model": False}
        actions += await _made(make, TITLE_ALL, DOCUMENT_ALL, edits, data)
    return actions


def _lacks(tree: SyntaxTree) -> bool:
    """Say whether a public function of a file has no documentation."""
    from coai_agents.specialists.documentation.agent import undocumented  # noqa: PLC0415 - see below

    return bool(undocumented(tree))


async def _made(
    make: Callable[..., types.CodeAction],
    title: str,
    kind: str,
    edits: Callable[[], Sequence[Edit]] | None,
    data: dict[str, Any],
) -> list[types.CodeAction]:
    """Return an action; one that needs a model only where its edit can wait."""
    action = make(title, kind, data=data)
    if action.data is not None:
        return [action]
    if edits is None:
        return []
    found = await asyncio.to_thread(edits)
    return [make(title, kind, data=data, edits=found)] if found else []


async def resolved(
    server: Server, source: Source, asked: dict[str, Any], meter: Meter
) -> tuple[list[Edit], bool]:
    """Return the edits of a chosen action, and whether a model had a part in them."""
    at = asked.get("at")
    place = at if isinstance(at, int) else None
    if not asked.get("model") or place is None:
        return await asyncio.to_thread(skeletons, source, at=place), False
    asker, _ = await server.services.specialists.asker(source)
    tree = await tree_of(server, source)
    told = asker.metered(meter)
    answers = [] if tree is None else [each async for each in documented(tree, place, told)]
    return _edits(answers), any(_by_model(each) for each in answers)


def skeletons(source: Source, *, at: int | None) -> list[Edit]:
    """Return the edits that document a function, or all, by their signatures; takes a while."""
    from coai_agents.specialists.asking import Asker  # noqa: PLC0415 - not before it is wanted

    async def all_of(tree: SyntaxTree) -> list[Documented | Undocumented]:
        return [each async for each in documented(tree, at, Asker())]

    tree = parse(source)
    return [] if tree is None else _edits(asyncio.run(all_of(tree)))


async def documented(
    tree: SyntaxTree, at: int | None, asker: Asker
) -> AsyncGenerator[Documented | Undocumented]:
    """Yield documentation for the function at a place, or for all that have none."""
    # It imports what a session without a question about documentation does not need.
    from coai_agents.specialists.documentation.agent import (  # noqa: PLC0415
        document,
        document_all,
        file_convention,
        undocumented,
    )

    convention = file_convention(tree)
    if convention is None:
        return
    found = None if at is None else function_at(tree, at)
    wanted = undocumented(tree)[:MOST] if at is None else [found] if found is not None else []
    if asker.absent is not None:
        for each in await document_all(tree, wanted, convention, asker):
            yield each
        return
    for definition in wanted:
        yield await document(tree, definition, convention, asker)


def _edits(answers: Sequence[Documented | Undocumented]) -> list[Edit]:
    from coai_agents.specialists.documentation.agent import Documented  # noqa: PLC0415 - see above

    return [each.edit for each in answers if isinstance(each, Documented)]


def _by_model(answer: Documented | Undocumented) -> bool:
    from coai_agents.specialists.answers import Origin  # noqa: PLC0415 - see above
    from coai_agents.specialists.documentation.agent import Documented  # noqa: PLC0415 - see above

    return isinstance(answer, Documented) and answer.origin is Origin.CHECKED
