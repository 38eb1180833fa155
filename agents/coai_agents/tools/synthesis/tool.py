"""The tool `synthesise`: aggregation, conflicts, consensus and validation of what several said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.specialists.untrusted import from_model
from coai_agents.tools.synthesis.statements import statements_of
from coai_agents.tools.synthesis.validating import refute, unanswered, unseen
from coai_agents.tools.synthesis.weighing import conflicts, joined
from coai_agents.tools.tool import LIST, TEXTS, Tool, fields, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import NUMBER, TEXT, Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from coai_agents.tools.synthesis.statements import Statement
    from coai_agents.tools.synthesis.weighing import Conflict
    from coai_agents.tools.tool import Bench, Given
    from coai_agents.tools.workspace import Folder

SYNTHESIS: Final = fields(
    text=TEXT,
    statements=LIST,
    agreed=TEXTS,
    conflicts=LIST,
    refuted=LIST,
    unseen=TEXTS,
    missing=TEXTS,
    consensus=NUMBER,
)

_NOT_VOICES: Final = ("question", "about", "summary")


def synthesise(
    voices: Mapping[str, Json],
    folder: Folder,
    *,
    question: str = "",
    about: str = "",
    summary: str = "",
) -> dict[str, Json]:
    """Return what voices say together; `summary` stands before it, and is no voice.

    `statements` has each once with its provenance, `agreed` what most of the voices say (and two at
    least), `conflicts` what contradicts, `refuted` what the code shows not to hold, `unseen` what
    is quoted and is not in the file `about`, `missing` the parts of the question that nobody speaks
    of, and `consensus` the share of statements, from 0 to 1, that nobody contradicts or refutes.
    """
    said = statements_of(voices, about)
    refute(said, folder)
    whole = joined(said)
    against = conflicts(whole)
    outweighed = {id(side) for each in against for side in (each.one, each.other)} - {
        id(each.kept) for each in against if each.kept is not None
    }
    refuted = [each for each in whole if each.refuted]
    holding = [each for each in whole if not each.refuted and id(each) not in outweighed]
    names = {name for each in whole for name in each.by}
    enough = max(2, len(names) // 2 + 1)
    agreed = [each for each in holding if len(each.by) >= enough]
    missing = unanswered(question, holding)
    quoted = unseen(holding, folder, about)
    found = [each for each in holding if each.ground == "fact" and each not in agreed]
    others = [each for each in holding if each.ground != "fact" and each not in agreed]
    sections = {
        "Found in the code": map(_line, found),
        "Agreed": map(_line, agreed),
        "Said": map(_line, others),
        "Where they disagree": map(_sides, against),
        "Does not hold": (f"{_line(each)}: {each.refuted}" for each in refuted),
        "To be looked at": quoted,
        "Not answered": missing,
    }
    short = [f"{from_model(summary).strip()}\n"] if summary.strip() else []
    lines = (line for title, items in sections.items() for line in _section(title, items))
    return {
        "text": "\n".join([*short, *lines]).strip(),
        "statements": [each.as_json() for each in whole],
        "agreed": [each.text for each in agreed],
        "conflicts": [each.as_json() for each in against],
        "refuted": [each.as_json() for each in refuted],
        "unseen": quoted,
        "missing": missing,
        "consensus": round(len(holding) / len(whole), 3) if whole else 0.0,
    }


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    if listed:
        yield title
        yield from (f"- {line}" for line in listed)
        yield ""


def _line(statement: Statement) -> str:
    where = f" [{', '.join(map(str, statement.evidence))}]" if statement.evidence else ""
    return f"{statement.text} ({', '.join(statement.by)}){where}"


def _sides(conflict: Conflict) -> str:
    sides = " / ".join(map(_line, (conflict.one, conflict.other)))
    kept = f"; kept: {conflict.kept.text}" if conflict.kept is not None else ""
    return f"{sides}: {conflict.why}{kept}"


def _use(given: Given, bench: Bench) -> Json:
    voices = {name: value for name, value in given.items() if name not in _NOT_VOICES}
    question, about = text_of(given, "question"), text_of(given, "about")
    # None where the step that writes it failed.
    summary = str(given.get("summary") or "")
    return synthesise(voices, bench.folder, question=question, about=about, summary=summary)


SYNTHESISING: Final[Mapping[str, Tool]] = {
    "synthesise": Tool(
        Signature(
            {"question": TEXT, "about": TEXT, "summary": TEXT},
            SYNTHESIS,
            (),
            "reads",
            "what several said: joined, weighed, checked against the code and the question",
            any_name=True,
        ),
        _use,
    )
}
