"""Putting together what several said: lists, records, votes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import LIST, Tool, list_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import ANY, Json, is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Mapping


def union(lists: Json) -> list[Json]:
    """Return the items of lists within a list or an object, each once, in their order."""
    inner: list[Json] = list(lists.values()) if is_object(lists) else list_of(lists)
    items = [item for each in inner for item in (each if is_list(each) else [each])]
    return list({json.dumps(item, sort_keys=True): item for item in items}.values())


def vote(answers: Json, weights: Json) -> Json:
    """Return the answer with most votes; texts are compared without case and space at the ends.

    Of several with as many the first one wins.
    """
    voters = list(answers.values()) if is_object(answers) else list_of(answers)
    heavy: list[Json] = [1] * len(voters) if weights is None else list_of(weights)
    if not voters or len(heavy) != len(voters):
        raise ToolError("As many answers as weights were expected, and at least one.")
    counted: Counter[str] = Counter()
    first: dict[str, Json] = {}
    for answer, weight in zip(voters, heavy, strict=True):
        plain = answer.strip().casefold() if isinstance(answer, str) else answer
        key = json.dumps(plain, sort_keys=True)
        first.setdefault(key, answer)
        counted[key] += weight
    return first[max(first, key=lambda key: counted[key])]


COMBINING: Final[Mapping[str, Tool]] = {
    "union": Tool(
        Signature({"lists": ANY}, LIST, ("lists",), summary="items of several lists, each once"),
        lambda given, _: union(given["lists"]),
    ),
    "record": Tool(
        Signature({}, ANY, summary="what it is given, as one object", any_name=True),
        lambda given, _: dict(given),
    ),
    "vote": Tool(
        Signature({"answers": ANY}, ANY, ("answers",), summary="what most of them say"),
        lambda given, _: vote(given["answers"], None),
    ),
    "weighted": Tool(
        Signature(
            {"answers": ANY, "weights": LIST}, ANY, ("answers", "weights"), summary="that, weighed"
        ),
        lambda given, _: vote(given["answers"], given["weights"]),
    ),
}
