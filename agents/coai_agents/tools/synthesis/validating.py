"""Validating statements: against the code that they speak of, and against what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.choosing.claims import claim_of
from coai_agents.specialists.choosing.clauses import read_request
from coai_agents.tools.errors import ToolError
from coai_agents.tools.synthesis.weighing import stem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.tools.synthesis.statements import Statement
    from coai_agents.tools.workspace import Folder

MOST_FILES: Final = 50
"""Files that are looked at for what statements say of them."""

SHARE: Final = 0.5
"""Of a part's words, those that an answer to it has at least."""

_ASKING: Final = frozenset(
    {"what", "which", "who", "why", "how", "when", "where", "can", "could", "should", "would"}
    | {"will", "please", "tell", "me", "say", "explain", "describe", "find", "show", "list", "you"}
    | {"i", "we", "my", "our", "if", "any", "there", "do", "does", "is", "are", "give", "name"}
)
_NAMED: Final = re.compile(r"`(?P<name>[A-Za-z_][\w.]*)(?:\(\))?`|\b(?P<called>[a-z_]\w{2,})\(\)")
_QUOTE: Final = re.compile(r"`(?P<code>[^`\n]{8,200})`")


def refute(said: Sequence[Statement], folder: Folder) -> None:
    """Note of statements why the code shows that they do not hold: files and lines that are not.

    What a file says is looked at here and shown to nobody.
    """
    lengths: dict[str, int | None] = {}
    for statement in said:
        for place in statement.evidence:
            if place.path not in lengths:
                if len(lengths) == MOST_FILES:
                    continue
                lengths[place.path] = _lines(folder, place.path)
            count = lengths[place.path]
            if count is None:
                statement.refuted = f"there is no file {place.path}"
            elif max(place.line, place.end_line) > count:
                statement.refuted = f"{place.path} has {count} lines"


def unseen(said: Sequence[Statement], folder: Folder, about: str) -> list[str]:
    """Return names and code that statements quote and the file that all is about does not have.

    A statement may name what the code should use: so this refutes nothing, and says where to look.
    """
    try:
        text = folder.shown(about).text if about else ""
    except ToolError:
        return []
    if not text:
        return []
    found: dict[str, None] = {}
    for statement in said:
        if statement.ground == "fact":
            continue
        for match in _NAMED.finditer(statement.text):
            name = match["name"] or match["called"]
            if name.rpartition(".")[2] not in text:
                found[f"{', '.join(statement.by)}: {name} is not in {about}"] = None
        for match in _QUOTE.finditer(statement.text):
            if " " in match["code"] and match["code"] not in text:
                found[f"{', '.join(statement.by)}: `{match['code']}` is not in {about}"] = None
    return list(found)


def unanswered(question: str, said: Sequence[Statement]) -> list[str]:
    """Return the parts of a question that no statement speaks of."""
    answered = [_words(each.text) for each in said if not each.refuted]
    missing: list[str] = []
    for clause in read_request(question).clauses:
        wanted = _words(clause.text)
        most = max((len(wanted & words) / len(wanted) for words in answered if wanted), default=0.0)
        if wanted and most < SHARE:
            missing.append(clause.text)
    return missing


def _words(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in claim_of(text).words if word not in _ASKING)


def _lines(folder: Folder, path: str) -> int | None:
    """Return how many lines a file has; None where there is none of that name."""
    try:
        return folder.shown(path).line_count
    except ToolError:
        named = [each for each in folder.files() if each.endswith(f"/{path}")]
        return _lines(folder, named[0]) if len(named) == 1 else None
