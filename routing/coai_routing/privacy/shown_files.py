"""A file that a request shows, as the settings of every project that it belongs to judge it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_routing.privacy.file_names import look_up
from coai_routing.privacy.sensitivity import ShownFile
from coai_routing.wiring.configured_routing import sensitivity_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_routing.privacy.file_names import FileNames, Root
    from coai_routing.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class OwnRules:
    """What is to be asked about one file."""

    settings: tuple[Settings, ...]
    """Those of every project that it belongs to by one of its names: each may forbid."""
    files: tuple[ShownFile, ...]
    """Its names with the rules for them, for `sensitivity.assess` and `route.Question.paths`."""


def own_rules(
    address: str, roots: Sequence[Root], settings_for: Callable[[Sequence[str]], Settings]
) -> OwnRules:
    """Look up what holds for the file that a URI or a path names.

    `settings_for` is `LoadedSettings.for_names`. Asks the disk for links: call it in a thread.
    """
    names = look_up(address, roots)
    if not names.roots:
        settings = settings_for(names.paths)
        return OwnRules((settings,), (_shown(names, names.paths, settings),))
    settings_of = {root: settings_for((root,)) for root in names.roots}
    files = [
        _shown(names, names.relative_to(root), settings) for root, settings in settings_of.items()
    ]
    # Patterns of a project speak of what is in it, but some names hold secrets wherever they are.
    anywhere = _shown(names, names.paths, next(iter(settings_of.values())))
    rules = replace(anywhere.rules, private_files=())
    return OwnRules(tuple(settings_of.values()), (*files, replace(anywhere, rules=rules)))


def _shown(names: FileNames, called: Sequence[str], settings: Settings) -> ShownFile:
    return ShownFile(
        tuple(name.replace(os.sep, "/") for name in called),
        sensitivity_rules(settings),
        names.folds_case,
        names.hard_linked,
    )
