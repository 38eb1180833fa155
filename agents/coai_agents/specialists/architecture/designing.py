"""Design requests: options with what each gains and costs, held against the facts of a code base.

What is general is data (`designs.toml`); what is said of this code base is read from its module
graph. A model chooses among the options and says why, a second one chooses without knowing that,
and where they differ both sides stand there. Nothing is decided by either: what no code tells is
listed as what to find out first.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from coai_agents.source import normal_language
from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.architecture.structure import hubs
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.words import Words, names_in, sentences
from coai_agents.syntax.language import GRAMMARS
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.specialists.architecture.report import Architecture
    from coai_agents.specialists.asking import Asker

DATA: Final = Path(__file__).with_name("designs.toml")

TASK: Final = (
    "You advise on a design decision. Choose one of the numbered options for this code base, by "
    "the facts that are listed and nothing else. Say in one or two short sentences why. Write "
    "names of files in backticks."
)
MOST_TOPICS: Final = 2
MOST_NEAR: Final = 8
MOST_NAMED: Final = 4
MOST_SENTENCES: Final = 3
MOST_REQUEST: Final = 2_000

_WANTS: Final = re.compile(
    r"\b(?:we|i|you|it|they|app|service|project|code) (?:\w+ )?"
    r"(?:need|want|should|could|must|have to|plan|would like)\b|"
    r"^\s*(?:add|introduce|design|propose|build|implement|choose|plan|need)\b|"
    r"\b(?:how|where|which|what) (?:should|would|could|can) (?:we|i|you)\b|\bshould (?:we|i)\b|"
    r"\b(?:options|trade-?offs?|pros and cons|alternatives)\b|\b(?:or|vs\.?|versus)\b"
)


class Option(BaseModel):
    """A way to do it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    gains: str
    costs: str
    uses: frozenset[str] = frozenset()


class Topic(BaseModel):
    """A decision that comes up again and again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    words: re.Pattern[str]
    near: re.Pattern[str]
    first: tuple[str, ...]
    options: tuple[Option, ...]


class Chosen(BaseModel):
    """What a model answers."""

    option: int = Field(description="The number of the option.")
    because: str = Field(description="One or two sentences.")


@dataclass(frozen=True, slots=True)
class _Opinion:
    option: str
    because: tuple[str, ...]
    model: str


@cache
def topics() -> tuple[Topic, ...]:
    """Return the decisions that are known."""
    table = tomllib.loads(DATA.read_text("utf-8"))
    return tuple(Topic(**each) for each in table["topics"])


def topics_of(request: str) -> tuple[Topic, ...]:
    """Return what a request is to decide, what it says first; nothing where it decides nothing."""
    text = request[:MOST_REQUEST].lower()
    if not _WANTS.search(text):
        return ()
    found = [
        (match.start(), each)
        for each in topics()
        if (match := re.search(rf"(?<![\w-])(?:{each.words.pattern})(?![\w-])", text)) is not None
    ]
    found.sort(key=lambda pair: pair[0])
    return tuple(each for _, each in found[:MOST_TOPICS])


async def design(request: str, known: Architecture, asker: Asker) -> Report:
    """Return the options for what a request wants, and what models make of them."""
    wanted = topics_of(request)
    facts = tuple(_facts(known))
    sections = [Section("What this code base has", facts)]
    notes: list[str] = list(known.notes)
    if not wanted:
        notes.append("No options are listed for this request; what it needs to know is.")
    for topic in wanted:
        near = tuple(_near(known, topic))
        options = tuple(_option(known, topic))
        sections.append(Section(f"Options: {topic.name}", (*options, *near)))
        opinions = await _opinions(request, topic, (*facts, *options, *near), asker, notes)
        sections += _judged(opinions)
        sections.append(Section("To find out first", tuple(_first(topic))))
    return Report("", tuple(each for each in sections if each.statements), tuple(notes))


def _facts(known: Architecture) -> Iterator[Statement]:
    graph = known.graph
    lines: dict[str, int] = {}
    for file, count in graph.lines.items():
        language = normal_language("", Path(file))
        if language in GRAMMARS:
            lines[language] = lines.get(language, 0) + count
    told = sorted(lines.items(), key=lambda pair: -pair[1])[:MOST_NAMED]
    shown = ", ".join(f"{language} ({count:,} lines)" for language, count in told)
    yield Statement(f"{len(graph.lines)} files: {shown}.", Origin.FACT, "module graph")
    for file, before, behind in hubs(graph, MOST_NAMED):
        text = (
            f"{file} is imported by {before} files and imports {behind}: changes there reach far."
        )
        yield Statement(text, Origin.FACT, "module graph", (Place(file),))
    for circle in known.circles[:1]:
        text = f"{len(circle.files)} files import one another in a circle."
        yield Statement(text, Origin.FACT, "module graph", (Place(circle.files[0]),))
    for spot in known.hot[:1]:
        text = f"{spot.path} changes most for its complexity: {spot.commits} commits."
        yield Statement(text, Origin.FACT, "history", (Place(spot.path),))


def _near(known: Architecture, topic: Topic) -> Iterator[Statement]:
    """Yield the files whose names say that something of the kind is there."""
    pattern = re.compile(rf"(?<![a-z])(?:{topic.near.pattern})", re.IGNORECASE)
    files = [file for file in known.graph.files if pattern.search(file)]
    if files:
        shown = ", ".join(files[:MOST_NEAR])
        more = len(files) - MOST_NEAR
        text = f"By their names, {len(files)} files are about it: {shown}"
        text += f" and {more} more." if more > 0 else "."
        places = tuple(Place(each) for each in files[:MOST_NEAR])
        yield Statement(text, Origin.FACT, "names of files", places)
    else:
        yield Statement("No file's name says that it is about it.", Origin.FACT, "names of files")


def _option(known: Architecture, topic: Topic) -> Iterator[Statement]:
    """Yield the options, those first that are nearest to what is imported already."""
    ranked = sorted(
        ((_importers(known, each), number, each) for number, each in enumerate(topic.options)),
        key=lambda row: (-len(row[0]), row[1]),
    )
    for importers, _, option in ranked:
        text = f"{option.name}: {option.gains}; but {option.costs}."
        if importers:
            used = ", ".join(sorted({name for names in importers.values() for name in names}))
            text += f" Near: {used} is imported here already, by {len(importers)} files."
        else:
            text += " Nothing of it is imported here yet."
        places = tuple(Place(file) for file in sorted(importers)[:MOST_NAMED])
        yield Statement(text, Origin.FACT, "catalogue, module graph", places)


def _importers(known: Architecture, option: Option) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file, modules in known.graph.outside.items():
        used = {name for each in modules if (name := _library(each, option.uses))}
        if used:
            found[file] = used
    return found


def _library(module: str, uses: frozenset[str]) -> str:
    parts = re.split(r"[./:\\]", module)
    candidates = (module, parts[0], "/".join(module.split("/")[:2]), *parts[-2:])
    return next((each for each in candidates if each in uses), "")


def _first(topic: Topic) -> Iterator[Statement]:
    for each in topic.first:
        yield Statement(each, Origin.FACT, "catalogue")


# ------------------------------------------------------------------ what models say


async def _opinions(
    request: str, topic: Topic, facts: Sequence[Statement], asker: Asker, notes: list[str]
) -> list[_Opinion]:
    """Return what one model chooses, and what another one does that has not seen that."""
    if asker.absent is not None:
        notes.append(asker.absent)
        return []
    options = "\n".join(
        f"{number}. {each.name}: {each.gains}; but {each.costs}."
        for number, each in enumerate(topic.options, 1)
    )
    told = "\n".join(
        f"- {each.text} {', '.join(map(str, each.evidence))}".rstrip() for each in facts
    )
    prompt = Prompt(
        Capability.ARCHITECTURE_DESIGN,
        TASK,
        f"Wanted: {request[:MOST_REQUEST]}\n\nFacts:\n{told}\n\nOptions:\n{options}",
        max_tokens=160,
        complexity=0.6,
        paths=tuple(dict.fromkeys(place.path for each in facts for place in each.evidence)),
    )
    found: list[_Opinion] = []
    try:
        found.append(await _opinion(prompt, topic, asker))
        for alias in (await asker.others(prompt, found[0].model))[:1]:
            second = await _opinion(prompt, topic, asker.wishing(alias=alias))
            found += [second] if second.model != found[0].model else []
    except NobodyError as error:
        notes.append(str(error))
    if len(found) == 1:
        notes.append("No second model could be asked, so nobody has validated the choice.")
    return [each for each in found if each.option]


async def _opinion(prompt: Prompt, topic: Topic, asker: Asker) -> _Opinion:
    """Return a model's choice, without one where it names no option; raises `NobodyError`."""
    chosen, said = await asker.fill(prompt, Chosen)
    if not 1 <= chosen.option <= len(topic.options):
        return _Opinion("", (), said.model)
    words = Words(chosen.because, said.model, whole=True)
    kept, _ = sentences(words, names_in(prompt.about), MOST_SENTENCES)
    return _Opinion(topic.options[chosen.option - 1].name, tuple(kept), said.model)


def _judged(opinions: Sequence[_Opinion]) -> Iterator[Section]:
    if not opinions:
        return
    names = {each.option for each in opinions}
    agree = len(opinions) > 1 and len(names) == 1
    title = "Disagreement" if len(names) > 1 else "Proposed"
    said: list[Statement] = []
    for each in opinions:
        said.append(Statement(f"{each.option}.", Origin.MODEL, each.model))
        said += [Statement(text, Origin.MODEL, each.model) for text in each.because]
    yield Section(title, tuple(said))
    if agree:
        both = " and ".join(each.model for each in opinions)
        text = f"{both} chose it, each without knowing of the other."
        yield Section("Validated", (Statement(text, Origin.CHECKED, both, agreed=len(opinions)),))
    elif len(names) > 1:
        sides = "; ".join(f"{each.model}: {each.option}" for each in opinions)
        text = f"The models disagree, and which facts weigh more is yours to say. {sides}."
        yield Section("Both sides", (Statement(text, Origin.FACT, "comparison"),))
