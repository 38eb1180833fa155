"""Privacy settings that travel with a run: on every worker they hold beside the worker's own.

They are treated as a project's settings are: they can make less of what a worker's user allows,
never more. So what the user who began a run keeps on the machine stays on each worker's, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coai_routing.settings.fields import dotted, leaves
from coai_routing.settings.layers import Assigned, Layer, Origin, RawLayer, check_layer
from coai_routing.settings.narrowing import narrowed
from coai_routing.settings.schema import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.settings.loading import LoadedSettings

TRAVELS: Final = ("privacy", "routing", "completion")
"""Sections of which what a project may narrow travels with a run."""
_ONLY: Final = frozenset(("routing.allow_cloud", "completion.allow_cloud"))
_ORIGIN: Final = Origin(Layer.PROJECT)


def travelling(settings: Settings) -> dict[str, Any]:
    """Return what of a user's settings holds for a run wherever it is carried out, as JSON."""
    said = settings.model_dump(mode="json")
    told: dict[str, Any] = {}
    for leaf in leaves():
        section, *rest = leaf.path
        if leaf.narrowing is None or section not in TRAVELS or len(rest) != 1:
            continue
        if section == "privacy" or dotted(leaf.path) in _ONLY:
            told.setdefault(section, {})[rest[0]] = said[section][rest[0]]
    return told


def narrowed_by(loaded: LoadedSettings, travelled: Mapping[str, Any]) -> Settings:
    """Return a worker's settings for its folder as those that came with a run narrow them."""
    layer = check_layer(RawLayer(travelled, lambda _: _ORIGIN, trusted=False))
    # Nothing of the worker's stands above what travels, wherever it was set.
    values: dict[Any, Any] = {
        path: Assigned(held.value, Origin(Layer.USER)) for path, held in loaded.base.items()
    }
    for folder in loaded.folders[:1]:
        for project in folder.projects:
            values = narrowed(values, project)
    nested: dict[str, Any] = {}
    for path, held in narrowed(values, layer).items():
        table = nested
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = held.value
    return Settings.model_validate(nested)
