"""The specialists as steps of a run: given places in the workspace, they give values of JSON.

Those that change something propose it (`proposals.EDITS`); the user applies the run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source, Span
from coai_agents.specialists.answering.agent import About, answer
from coai_agents.specialists.documentation.agent import (
    Documented,
    document_all,
    file_convention,
    undocumented,
)
from coai_agents.specialists.edits import change, parses_no_worse
from coai_agents.specialists.explaining.agent import explain
from coai_agents.specialists.fixing.agent import fix_findings
from coai_agents.specialists.targets import TargetError, located, parse_target
from coai_agents.syntax.tree import parse
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import TEXT
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.workers.proposals import EDITS, edit, files_in, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Located, Target
    from coai_agents.tools.workspace import Folder
    from coai_agents.workflows.definition.types import Json

MOST_FILES: Final = 20
"""Of a folder, what one step changes."""

SPECIALISTS: Final[Mapping[str, Signature]] = {
    "explain": Signature(
        {"target": TEXT}, TEXT, ("target",), "reads", "what code does: FILE, FILE:LINE, FILE:NAME"
    ),
    "answer": Signature(
        {"target": TEXT, "question": TEXT}, TEXT, ("target", "question"), "reads", "a question"
    ),
    "document": Signature(
        {"target": TEXT}, EDITS, ("target",), "proposes", "documentation of a file or a folder"
    ),
    "fix": Signature({"target": TEXT}, EDITS, ("target",), "proposes", "fixes of findings"),
}


async def consult(name: str, given: Mapping[str, Json], folder: Folder, asker: Asker) -> Done:
    """Ask a specialist; raises `StepFailedError`."""
    asked: dict[str, Callable[[Mapping[str, Json], Folder, Asker], Awaitable[Done]]] = {
        "explain": _explain,
        "answer": _answer,
        "document": _document,
        "fix": _fix,
    }
    if name not in asked:
        raise StepFailedError(f"There is no specialist {name}.", again=False)
    return await asked[name](given, folder, asker)


async def _explain(given: Mapping[str, Json], folder: Folder, asker: Asker) -> Done:
    place, target = await _located(given, folder)
    found = await asyncio.to_thread(lambda: analyse(place.source).findings)
    return _said(await explain(place, asker, findings=found, path=target.file))


async def _answer(given: Mapping[str, Json], folder: Folder, asker: Asker) -> Done:
    target = parse_target(_target(given))
    source = folder.source(target.file)
    about = About(source, Span(0, len(source.text)), target.file)
    if parse(source) is not None:
        place, _ = await _located(given, folder)
        about = About(source, place.span, target.file, place)
    return _said(await answer(str(given["question"]), [about], asker))


def _said(report: Report) -> Done:
    text = report.as_text()
    models = sorted({each.by for each in report.statements if each.origin == "model" and each.by})
    return Done(text, model=", ".join(models), notes=report.notes)


async def _document(given: Mapping[str, Json], folder: Folder, asker: Asker) -> Done:
    notes: list[str] = []
    edits: list[Json] = []
    for name, target in _files(given, folder):
        source = folder.source(name)
        tree = parse(source)
        convention = None if tree is None else file_convention(tree)
        if tree is None or convention is None:
            notes.append(f"{name}: no convention is known for its language.")
            continue
        named = undocumented(tree)
        if target.symbol or target.first:
            named = list((await _locate(source, target)).definitions)
        answers = await document_all(tree, named, convention, asker)
        done = [each for each in answers if isinstance(each, Documented)]
        notes += [f"{name}: {e.name}: {e.why}" for e in answers if not isinstance(e, Documented)]
        if done:
            after = change(source, [each.edit for each in done]).after
            edits.append(edit(name, source.text, after.text))
    return Done({"edits": edits, "summary": _count(edits)}, notes=tuple(notes))


async def _fix(given: Mapping[str, Json], folder: Folder, asker: Asker) -> Done:
    notes: list[str] = []
    edits: list[Json] = []
    for name, target in _files(given, folder):
        source = folder.source(name)
        if parse(source) is None:
            continue
        fixing = await fix_findings(source, target, asker, name)
        notes += fixing.notes
        if fixing.left:
            notes.append(f"{name}: still wrong: {fixing.left}")
        if fixing.after.text != source.text:
            edits.append(edit(name, source.text, fixing.after.text))
    return Done({"edits": edits, "summary": _count(edits)}, notes=tuple(notes))


def proposed(words: str, folder: Folder) -> Done:
    """Return the files that a model wrote as changes; what may not or does not hold is noted."""
    notes: list[str] = []
    edits: list[Json] = []
    for name, after in files_in(words):
        if why := refusal(name):
            notes.append(f"{name} is left out: {why}.")
            continue
        before = folder.source(name) if (folder.root / name).is_file() else None
        new = Source((folder.root / name).as_uri(), after, "")
        old = before or Source(new.uri, "", "")
        if not parses_no_worse(old, new):
            notes.append(f"{name} is left out: what the model wrote does not parse.")
        elif before is None or before.text != after:
            edits.append(edit(name, None if before is None else before.text, after))
    if not edits:
        why = notes[0] if notes else "The model wrote no file that could be used."
        raise StepFailedError(why)
    return Done({"edits": edits, "summary": _count(edits)}, notes=tuple(notes))


def _count(edits: list[Json]) -> str:
    return f"{len(edits)} file{'' if len(edits) == 1 else 's'} would change."


def _files(given: Mapping[str, Json], folder: Folder) -> list[tuple[str, Target]]:
    target = parse_target(_target(given))
    if (folder.root / target.file).is_dir():
        return [(each, parse_target(each)) for each in folder.files(target.file)[:MOST_FILES]]
    return [(target.file, target)]


def _target(given: Mapping[str, Json]) -> str:
    target = given.get("target")
    if not isinstance(target, str) or not target.strip():
        raise StepFailedError("A file or a folder was expected as the target.", again=False)
    return target.strip()


async def _located(given: Mapping[str, Json], folder: Folder) -> tuple[Located, Target]:
    target = parse_target(_target(given))
    return await _locate(folder.source(target.file), target), target


async def _locate(source: Source, target: Target) -> Located:
    try:
        return await located(source, target)
    except TargetError as error:
        raise StepFailedError(error.message, again=False) from error
