"""What a model says of a function, below the facts of a hover: if it is there, or comes in time.

A hover never waits for a model for long: what does not come within the budget is prepared for the
next one. As long as the setting is the default, nobody who is not on this machine is asked.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker, Prompt
    from coai_agents.specialists.words import Words
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree
    from coai_server.lsp.server import Server

BUDGET_SECONDS: Final = 0.6
"""How long a hover waits; a reader who rests on a name does not notice it yet."""

PREPARING: Final = "*An explanation is being prepared: hover again.*"


async def below(server: Server, tree: SyntaxTree, whole: Span) -> list[str]:
    """Return what is shown below a definition's facts: nothing, or one paragraph."""
    mode = server.services.settings_of(tree.source.uri).explanations.hover
    if mode == "off":
        return []
    deadline = asyncio.get_running_loop().time() + BUDGET_SECONDS
    # Not before the first hover, and in a thread: a keystroke may be waiting for something else.
    await asyncio.to_thread(import_module, "coai_agents.specialists.explaining.agent")
    definition = _definition(tree, whole)
    if definition is None:
        return []
    from coai_agents.specialists.explaining.agent import prompt_for  # noqa: PLC0415 - see above

    words = await _words(
        server,
        tree.source,
        meaning_of(server, tree, definition),
        lambda: prompt_for(tree.source, definition, ""),
        deadline,
    )
    if words is None:
        return [] if mode == "cached" else [PREPARING]
    return [shown(words, tree.source, definition)]


async def of_finding(server: Server, tree: SyntaxTree, finding: Finding) -> list[str]:
    """Return how a weakness would be exploited, as far as a model's words hold; mostly nothing.

    Nobody waits for it, because what the finding says is enough: the next hover has it.
    """
    mode = server.services.settings_of(tree.source.uri).explanations.hover
    if mode == "off" or not finding.cwe:
        return []
    deadline = asyncio.get_running_loop().time()
    await asyncio.to_thread(import_module, "coai_agents.specialists.security.reasons")
    from coai_agents.specialists.security import reasons  # noqa: PLC0415 - see `below`
    from coai_agents.specialists.shown import inline  # noqa: PLC0415 - as above

    key = reasons.reason_key(tree, finding, server.services.settings.engine.model or "")
    if not key:
        return []
    path = server.documents.path_in_folder(tree.source.uri)
    words = await _words(
        server, tree.source, key, lambda: reasons.prompt_for(tree, finding, path), deadline
    )
    if words is None:
        return [] if mode == "cached" else [PREPARING]
    said = reasons.checked(words, tree, finding, path).statements
    if not said:
        return []
    from coai_agents.markdown import code  # noqa: PLC0415 - see `below`

    told = " ".join(inline(each.text) for each in said)
    return [f"{reasons.TITLE}: *{code(words.model)} says, unchecked:* {told}"]


async def _words(
    server: Server,
    source: Source,
    meaning: str,
    prompt: Callable[[], Prompt],
    deadline: float,
) -> Words | None:
    """Return what is kept, or what comes in time; None where it is not there yet."""
    mode = server.services.settings_of(source.uri).explanations.hover
    kept = await server.services.specialists.explanations()
    # What somebody else said when it was asked for is shown too: nothing leaves for it.
    for scope in ("full", "local"):
        words = await kept.known(f"{meaning}-{scope}")
        if words is not None:
            return words
    if mode == "cached":
        return None

    async def asker() -> tuple[Asker, bool]:
        here = mode == "local"
        return await server.services.specialists.asker(source, here=here, background=True)

    task = kept.prepare(f"{meaning}-{mode}", prompt(), asker)
    left = deadline - asyncio.get_running_loop().time()
    await asyncio.wait({task}, timeout=max(0.0, left))
    return task.result() if task.done() and not task.cancelled() else None


def meaning_of(server: Server, tree: SyntaxTree, definition: Definition) -> str:
    """Return what an explanation is kept by: the code's meaning, our prompt and our model.

    Behind a dash follows whom it may have been asked of: `full` or `local`, as in the setting.
    """
    from coai_agents.specialists.explaining.agent import VERSION  # noqa: PLC0415 - see `below`
    from coai_agents.specialists.meaning import meaning_key  # noqa: PLC0415 - as above

    return meaning_key(tree, definition, "explain", VERSION, server.services.settings.engine.model)


def _definition(tree: SyntaxTree, whole: Span) -> Definition | None:
    from coai_agents.syntax.definitions import definitions_around  # noqa: PLC0415 - see `below`

    # All around one place: an outline of the whole file would take several times as long.
    around = definitions_around(tree, max(whole.start, whole.end - 1))
    return next((each for each in around if each.full_span == whole), None)


def shown(words: Words, source: Source, definition: Definition) -> str:
    """Return a model's words of a definition as Markdown, as far as they hold against its code."""
    from coai_agents.markdown import code  # noqa: PLC0415 - see `below`
    from coai_agents.specialists.explaining.agent import checked  # noqa: PLC0415 - as above
    from coai_agents.specialists.shown import inline  # noqa: PLC0415 - as above

    section, _ = checked(words, source, definition.full_span, "")
    if section.statements:
        said = " ".join(inline(each.text) for each in section.statements)
        return f"*{code(words.model)} says, unchecked:* {said}"
    if words.why:
        return f"*No model explains this.* {inline(words.why)}"
    return f"*{code(words.model)} said nothing that holds against the code.*"
