"""A threat model for people: a STRIDE table, and a data-flow diagram of at most 15 nodes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code, text
from coai_agents.specialists.security.threats.model import STRIDE, elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.specialists.answers import Statement
    from coai_agents.specialists.security.threats.model import Flow, ThreatModel

MOST_NODES: Final = 15
MOST_PLACES: Final = 4

ELSEWHERE: Final = "other folders"

_SPECIAL: Final = re.compile(r"[^\w ./-]", re.ASCII)
"""What could be more than a letter in Mermaid, of names that are a workspace's."""


def as_markdown(model: ThreatModel, said: Sequence[Statement] = ()) -> str:
    """Return the model as a document; what a model says stands apart, marked as its words."""
    return "\n".join(_lines(model, said)).strip() + "\n"


def _lines(model: ThreatModel, said: Sequence[Statement]) -> Iterator[str]:
    yield "# Threat model"
    yield ""
    yield f"From following the values in {model.files} files. What no value in them shows, such as"
    yield "who may do what, is not in it."
    yield ""
    if said:
        yield f"*{code(said[0].by)} says, unchecked:*"
        yield ""
        yield from (f"- {text(each.text)}" for each in said)
        yield ""
    yield from _entries(model)
    yield "## Assets"
    yield ""
    for asset, places in model.assets():
        yield f"- {asset.title}: {_places(places)}"
    yield ""
    yield "## Trust boundaries"
    yield ""
    yield "| from | to | open flows | guarded flows |"
    yield "| --- | --- | ---: | ---: |"
    for one, other, opened, guarded in model.boundaries():
        yield f"| {one} | {other} | {opened} | {guarded} |"
    yield ""
    yield from _stride(model)
    yield "## Data flows"
    yield ""
    yield "```mermaid"
    yield mermaid(model).rstrip()
    yield "```"
    for note in model.notes:
        yield f"\n*{text(note)}*"


def _entries(model: ThreatModel) -> Iterator[str]:
    yield "## Entry points"
    yield ""
    actors = elements().actors
    for actor, label, places in model.entries():
        yield f"- {actors[actor]}, by {text(label)}: {_places(places)}"
    if not model.entries():
        yield "- none is seen"
    yield ""


def _stride(model: ThreatModel) -> Iterator[str]:
    actors = elements().actors
    yield "## STRIDE"
    yield ""
    letters = " | ".join(STRIDE)
    yield f"| who | what | {letters} | open | guarded |"
    yield f"| --- | --- | {' | '.join(':-:' for _ in STRIDE)} | --- | ---: |"
    for each in model.threats():
        marks = " | ".join("x" if letter in each.asset.stride else "" for letter in STRIDE)
        who = actors.get(each.actor, "anybody")
        opened = _places(sorted({flow.sink for flow in each.open})) if each.open else "-"
        yield f"| {who} | {each.asset.title} | {marks} | {opened} | {len(each.guarded)} |"
    yield ""
    yield ", ".join(f"{letter}: {name}" for letter, name in STRIDE.items())
    yield ""


def _places(places: Sequence[object]) -> str:
    more = len(places) - MOST_PLACES
    named = ", ".join(code(str(each)) for each in places[:MOST_PLACES])
    return f"{named} and {more} more" if more > 0 else named


def mermaid(model: ThreatModel) -> str:
    """Return the flows as a Mermaid flowchart: who decides, folders, and what may be harmed."""
    known = elements()
    actors = [each for each in known.actors if any(flow.actor == each for flow in model.flows)]
    assets = [asset for asset, _ in model.assets()]
    folders = collapsed(model.flows, MOST_NODES - len(actors) - min(len(assets), MOST_ASSETS))
    kept = {asset.id for asset in assets[:MOST_ASSETS]}
    names = sorted(set(folders.values()))
    ids = {name: f"p{number}" for number, name in enumerate(names)}
    drawn = ["flowchart LR"]
    drawn += [f'    {each}(["{known.actors[each]}"])' for each in actors]
    drawn += [f'    {ids[name]}["{_SPECIAL.sub("_", name)}"]' for name in names]
    drawn += [f'    {each.id}[("{each.title}")]' for each in assets[:MOST_ASSETS]]
    edges: Counter[tuple[str, str, bool]] = Counter()
    for flow in model.flows:
        folder = ids[folders[flow.folder]]
        if flow.actor:
            edges[flow.actor, folder, flow.guarded] += 1
        if flow.asset in kept:
            edges[folder, flow.asset, flow.guarded] += 1
    for (one, other, guarded), count in sorted(edges.items()):
        arrow = f"-. {count} guarded .->" if guarded else f"-- {count} open -->"
        drawn.append(f"    {one} {arrow} {other}")
    return "\n".join(drawn) + "\n"


MOST_ASSETS: Final = 9
"""Assets that are drawn; the table has all."""


def collapsed(flows: Sequence[Flow], most: int) -> dict[str, str]:
    """Return for every folder the one that it is drawn as, at most so many.

    Deeper folders are drawn as what they are in, until there are few enough; what is left over is
    one node.
    """
    folders = sorted({each.folder for each in flows})
    deepest = max((folder.count("/") for folder in folders), default=0)
    for depth in range(deepest, -1, -1):
        drawn = {folder: "/".join(folder.split("/")[: depth + 1]) for folder in folders}
        if len(set(drawn.values())) <= most:
            return drawn
    counts = Counter(each.folder.split("/")[0] for each in flows)
    named = {name for name, _ in counts.most_common(max(0, most - 1))}
    return {
        folder: top if (top := folder.split("/")[0]) in named else ELSEWHERE for folder in folders
    }
