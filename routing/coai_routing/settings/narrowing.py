"""What a project may change: each setting only in the way that its declaration allows.

Nothing here knows a setting by name. The rule of each stands beside its field; these functions
apply the rules, and can be held to one property: whatever a project says, nothing gets wider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_routing.settings.fields import ANY_NAME, dotted, leaves
from coai_routing.settings.layers import Assigned, Layer, Problem
from coai_routing.settings.markers import EVERY_LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coai_routing.settings.fields import KeyPath, Leaf
    from coai_routing.settings.layers import CheckedLayer
    from coai_routing.settings.markers import Narrowing

Values = dict["KeyPath", Assigned]


def narrowed(values: Mapping[KeyPath, Assigned], project: CheckedLayer) -> Values:
    """Return the values as a project's settings narrow them.

    A value that a layer above the project's has set stays, unless the project may add to it.
    """
    outcome = dict(values)
    for leaf, rule in _asked_fields(project):
        if leaf.path[-1] == ANY_NAME:
            outcome.update(_narrowed_map(leaf.path[:-1], rule, values, project))
            continue
        asked = project.values[leaf.path]
        current = values.get(leaf.path)
        if current is not None and _stands_above(current) and not rule.adds:
            continue
        before = leaf.default if current is None else current.value
        after = rule.meet(before, asked.value)
        if after != before:
            outcome[leaf.path] = Assigned(after, asked.origin)
    return outcome


def refusals(values: Mapping[KeyPath, Assigned], project: CheckedLayer) -> list[Problem]:
    """Return what of a project's settings would have widened the values, as problems."""
    problems: list[Problem] = []
    for leaf, rule in _asked_fields(project):
        if leaf.path[-1] == ANY_NAME:
            path = leaf.path[:-1]
            asked = _entries(project.values, path)
            current = {name: held.value for name, held in _entries(values, path).items()}
            refused = rule.refusals(current, {name: held.value for name, held in asked.items()})
            problems.extend(
                Problem(dotted((*path, refusal.entry)), refusal.why, asked[refusal.entry].origin)
                for refusal in refused
                if refusal.entry is not None
            )
            continue
        held, asked_value = values.get(leaf.path), project.values[leaf.path]
        if held is not None and _stands_above(held) and not rule.adds:
            continue
        before = leaf.default if held is None else held.value
        problems.extend(
            Problem(dotted(leaf.path), refusal.why, asked_value.origin)
            for refusal in rule.refusals(before, asked_value.value)
        )
    return problems


def _asked_fields(project: CheckedLayer) -> Iterator[tuple[Leaf, Narrowing[Any]]]:
    """Yield each setting or map that a project sets, with its rule."""
    for leaf in leaves():
        if leaf.narrowing is None:
            continue
        is_map = leaf.path[-1] == ANY_NAME
        if _entries(project.values, leaf.path[:-1]) if is_map else leaf.path in project.values:
            yield leaf, leaf.narrowing


def _narrowed_map(
    path: KeyPath,
    rule: Narrowing[Any],
    values: Mapping[KeyPath, Assigned],
    project: CheckedLayer,
) -> Values:
    """Return the entries of a map that change, each with where its new value comes from."""
    current, asked = _entries(values, path), _entries(project.values, path)
    met: dict[str, Any] = rule.meet(
        {name: held.value for name, held in current.items()},
        {name: held.value for name, held in asked.items()},
    )
    changed: Values = {}
    for name, value in met.items():
        held = current.get(name)
        if held is not None and (_stands_above(held) or held.value == value):
            continue
        source = asked.get(name) or asked[EVERY_LANGUAGE]
        changed[*path, name] = Assigned(value, source.origin)
    return changed


def _entries(values: Mapping[KeyPath, Assigned], path: KeyPath) -> dict[str, Assigned]:
    return {key[-1]: held for key, held in values.items() if key[:-1] == path}


def _stands_above(held: Assigned) -> bool:
    return held.origin.layer > Layer.PROJECT
