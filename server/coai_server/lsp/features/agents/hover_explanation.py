"""What a model says of a function, below the facts of a hover: if it is there, or comes in time.

A hover never waits for a model for long: what does not come within the budget is prepared for the
next one. As long as the setting is the default, nobody who is not on this machine is asked.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker
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
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BUDGET_SECONDS
    # Not before the first hover, and in a thread: a keystroke may be waiting for something else.
    await asyncio.to_thread(import_module, "coai_agents.specialists.explaining.agent")
    definition = _definition(tree, whole)
    if definition is None:
        return []
    kept = await server.services.specialists.explanations()
    meaning = meaning_of(server, tree, definition)
    # What somebody else said when it was asked for is shown too: nothing leaves for it.
    for scope in ("full", "local"):
        words = await kept.known(f"{meaning}-{scope}")
        if words is not None:
            return [shown(words, tree.source, definition)]
    if mode == "cached":
        return []

    async def asker() -> tuple[Asker, bool]:
        here = mode == "local"
        return await server.services.specialists.asker(tree.source, here=here, background=True)

    from coai_agents.specialists.explaining.agent import prompt_for  # noqa: PLC0415 - see above

    prompt = prompt_for(tree.source, definition.full_span, "")
    task = kept.prepare(f"{meaning}-{mode}", prompt, asker)
    await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
    if not task.done() or task.cancelled():
        return [PREPARING]
    return [shown(task.result(), tree.source, definition)]


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
