"""Statements of access policies as units of their own, in whatever language a policy is written.

What a statement allows follows from its effect, actions, resources and condition together, so a
rule has to see them side by side. `@of` says which resource's policy it is in, and by which path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.entries import Entry, Path, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STATEMENT: Final = "statement"
"""The type of such a unit."""

_NAMES: Final = {
    "actions": "Action",
    "condition": "Condition",
    "effect": "Effect",
    "not_actions": "NotAction",
    "not_principals": "NotPrincipal",
    "not_resources": "NotResource",
    "principals": "Principal",
    "resources": "Resource",
}
"""What Terraform's `aws_iam_policy_document` calls the parts of a statement."""
_PARTS: Final = frozenset({"Action", "NotAction", "Principal", "NotPrincipal"})


def statement_of(unit: Unit, path: Path, entries: Iterable[Entry]) -> Unit | None:
    """Return the statement that these entries, below a path of a resource, are; else nothing."""
    said = [
        Entry((_NAMES.get(each.path[0], each.path[0]), *each.path[1:]), each.text, each.span)
        for each in entries
        if each.path
    ]
    steps = {each.path[0] for each in said}
    if steps.isdisjoint(_PARTS):
        return None
    first = said[0].span
    if "Effect" not in steps:
        # Nothing but Terraform's own block goes without, and then it allows.
        said.append(Entry(("Effect",), "Allow", first))
    said.append(Entry(("@of",), "/".join((unit.type, *path)), first))
    return Unit(STATEMENT, first, said)


def statements_in(unit: Unit) -> Iterator[Unit]:
    """Yield the statements in a resource whose lists have their items apart."""
    below: dict[Path, list[Entry]] = {
        each.path[:-1]: [] for each in unit.entries if each.path[-1:] == ("Effect",)
    }
    for each in unit.entries:
        for size in range(len(each.path)):
            if (inside := below.get(each.path[:size])) is not None:
                inside.append(Entry(each.path[size:], each.text, each.span))
    for head in sorted(below):
        statement = statement_of(unit, head, below[head])
        if statement is not None:
            yield statement
