"""Agents that change files: each change is checked, shown, and asked about before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.application.document import document as documented
from coai_agents.source import Edit
from coai_agents.specialists.documentation.agent import Documented
from coai_agents.specialists.edits import change
from coai_agents.specialists.fixing.agent import fix_findings
from coai_agents.specialists.targets import located
from coai_server.acp.files import Proposed
from coai_server.acp.turn import told

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.targets import Target
    from coai_server.acp.turn import Turn

NAME_A_FILE: Final = "Name the file to change, or link to it."


async def fix(turn: Turn) -> Report:
    """Mend findings and errors, by rules first, then by a model, each change checked."""

    async def mended(source: Source, target: Target) -> Report:
        await located(source, target)
        async with turn.editor.tool(f"Look for fixes of {target.file}", "think"):
            state = await fix_findings(source, target, turn.asker, target.file)
        notes = [*state.notes, *(f"Left: {each}" for each in state.left.splitlines())]
        if state.after.text == state.before.text:
            return told(f"{target.file}: nothing is changed.", notes=notes)
        steps = [f"{each.title} ({each.by})." for each in state.steps]
        became = await _proposed(turn, source, state.after.text, f"Fix {target.file}")
        return told(*steps, became, notes=notes)

    return await turn.of_each(mended, NAME_A_FILE)


async def document(turn: Turn) -> Report:
    """Write documentation comments, in the file's own convention."""

    async def commented(source: Source, target: Target) -> Report:
        async with turn.editor.tool(f"Document {target.file}", "think"):
            answers = await documented(source, target, turn.asker)
        if answers is None:
            return told(notes=[f"{target.file}: no convention is known for {source.language}."])
        made = [each for each in answers if isinstance(each, Documented)]
        notes = [f"{each.name}: {each.why}" for each in answers if not isinstance(each, Documented)]
        notes += sorted({each.by for each in made if each.origin == "fact" and each.by})
        if not made:
            return told(f"{target.file}: nothing is to be documented.", notes=notes)
        after = change(source, [each.edit for each in made]).after.text
        became = await _proposed(turn, source, after, f"Document {target.file}")
        names = ", ".join(f"`{each.name}`" for each in made)
        return told(f"Documented: {names}.", became, notes=notes)

    return await turn.of_each(commented, NAME_A_FILE)


async def _proposed(turn: Turn, source: Source, after: str, title: str) -> str:
    assert source.path is not None
    whole = change(source, [Edit(None, after)])
    return await turn.propose(Proposed(source.path, source.text, whole.after.text), title)
