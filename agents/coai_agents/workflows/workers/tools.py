"""Tools: what a step may do without a model, each with its effect, its arguments and its result.

None of them writes, sends or runs anything: those that look at files are bounded and honour what
git ignores; what several agents said is put together by those that take lists.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import ANY, NUMBER, TEXT, Type, is_list, is_object
from coai_agents.workflows.engine.work import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.workers.workspace import Folder

TEXTS: Final = Type("list", item=TEXT)
LIST: Final = Type("list", item=ANY)
FINDING: Final = Type(
    "object",
    fields=(
        *(("path", TEXT), ("line", NUMBER), ("rule", TEXT)),
        *(("severity", TEXT), ("message", TEXT)),
    ),
)
FINDINGS: Final = Type("list", item=FINDING)

MOST_FOUND: Final = 200

TOOLS: Final[Mapping[str, Signature]] = {
    "files": Signature({"below": TEXT}, TEXTS, effect="reads", summary="files of the workspace"),
    "read": Signature({"path": TEXT}, TEXT, ("path",), "reads", "a file's text"),
    "search": Signature(
        {"text": TEXT, "below": TEXT}, TEXTS, ("text",), "reads", "lines that hold a text"
    ),
    "findings": Signature(
        {"path": TEXT}, FINDINGS, ("path",), "reads", "static findings of a file or a folder"
    ),
    "union": Signature(
        {"lists": ANY}, LIST, ("lists",), summary="items of several lists, each once"
    ),
    "record": Signature({}, ANY, summary="what it is given, as one object", any_name=True),
    "vote": Signature({"answers": ANY}, ANY, ("answers",), summary="what most of them say"),
    "weighted": Signature(
        {"answers": ANY, "weights": LIST}, ANY, ("answers", "weights"), summary="the same, weighed"
    ),
}


def use_tool(name: str, given: Mapping[str, Json], folder: Folder) -> Json:
    """Use a tool; it may take a while, so in a thread. Raises `StepFailedError`."""
    looking: dict[str, Callable[[Mapping[str, Json], Folder], Json]] = {
        "files": lambda given, folder: folder.files(_text(given, "below")),
        "read": lambda given, folder: folder.source(_text(given, "path")).text,
        "search": _search,
        "findings": _findings,
    }
    if name in looking:
        return looking[name](given, folder)
    if name == "record":
        return dict(given)
    if name == "union":
        return union(given["lists"])
    if name == "vote":
        return vote(given["answers"], None)
    if name == "weighted":
        return vote(given["answers"], given["weights"])
    raise StepFailedError(f"There is no tool {name}.", again=False)


async def use_tool_soon(name: str, given: Mapping[str, Json], folder: Folder) -> Json:
    """Use a tool without holding the loop."""
    return await asyncio.to_thread(use_tool, name, given, folder)


def union(lists: Json) -> list[Json]:
    """Return the items of lists within a list or an object, each once, in their order."""
    inner: list[Json] = list(lists.values()) if is_object(lists) else _listed(lists)
    items = [item for each in inner for item in (each if is_list(each) else [each])]
    return list({json.dumps(item, sort_keys=True): item for item in items}.values())


def vote(answers: Json, weights: Json) -> Json:
    """Return the answer with most votes; texts are compared without case and space at the ends.

    Of several with as many the first one wins.
    """
    voters = list(answers.values()) if is_object(answers) else _listed(answers)
    heavy: list[Json] = [1] * len(voters) if weights is None else _listed(weights)
    if not voters or len(heavy) != len(voters):
        raise StepFailedError("As many answers as weights were expected, and at least one.")
    counted: Counter[str] = Counter()
    first: dict[str, Json] = {}
    for answer, weight in zip(voters, heavy, strict=True):
        plain = answer.strip().casefold() if isinstance(answer, str) else answer
        key = json.dumps(plain, sort_keys=True)
        first.setdefault(key, answer)
        counted[key] += weight
    return first[max(first, key=lambda key: counted[key])]


def _listed(value: Json) -> list[Json]:
    if not is_list(value):
        raise StepFailedError("A list was expected.", again=False)
    return value


def _text(given: Mapping[str, Json], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise StepFailedError(f"{name} has to be a text.", again=False)
    return value


def _search(given: Mapping[str, Json], folder: Folder) -> list[str]:
    wanted = _text(given, "text").casefold()
    found: list[str] = []
    for name in folder.files(_text(given, "below")):
        try:
            lines = folder.peek(name).text.splitlines()
        except StepFailedError:
            continue
        here = [
            f"{name}:{number}: {line.strip()[:200]}"
            for number, line in enumerate(lines, 1)
            if wanted in line.casefold()
        ]
        if here:
            folder.seen.add(name)
        found += here
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]


def _findings(given: Mapping[str, Json], folder: Folder) -> list[Json]:
    path = _text(given, "path")
    names = folder.files(path) if (folder.root / path).is_dir() else [path]
    found: list[Json] = []
    for name in names:
        try:
            source = folder.peek(name)
        except StepFailedError:
            if len(names) == 1:
                raise
            continue
        here: list[Json] = [
            {
                "path": name,
                "line": source.line_at(each.span.start) + 1,
                "rule": each.rule,
                "severity": each.severity.value,
                "message": each.message,
            }
            for each in analyse(source).findings
        ]
        if here:
            folder.seen.add(name)
        found += here
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]
