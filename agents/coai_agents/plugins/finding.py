"""Finding plug-ins: by the entry points of installed packages, loaded when they are used.

Names are read without importing anything. Nothing is loaded from a workspace: neither a package
that lies in one, nor one whose module would come from there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.errors import WorkflowError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from coai_agents.plugins.interfaces import Plugin

Group: TypeAlias = Literal["coai.agents", "coai.tools", "coai.providers", "coai.formatters"]
GROUPS: Final[tuple[Group, ...]] = (
    "coai.agents",
    "coai.tools",
    "coai.providers",
    "coai.formatters",
)


class PluginError(WorkflowError):
    """A plug-in cannot be used; the message names its package."""


@dataclass(frozen=True)
class Plugins:
    """All plug-ins that are installed, and those that a program gives itself."""

    workspace: Path | None = None
    """The folder that nothing is loaded from."""
    given: Mapping[Group, Mapping[str, Plugin]] = field(
        default_factory=dict["Group", "Mapping[str, Plugin]"]
    )
    """What a program adds without a package; it comes before what is installed."""
    _loaded: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])

    @cached_property
    def _found(self) -> dict[Group, dict[str, EntryPoint]]:
        found: dict[Group, dict[str, EntryPoint]] = {}
        for group in GROUPS:
            found[group] = {}
            for each in entry_points(group=group):
                # The first one on the path counts, as it does for modules.
                found[group].setdefault(each.name, each)
        return found

    def names(self, group: Group) -> list[str]:
        """Return what there is of a group; imports nothing."""
        return sorted({*self.given.get(group, {}), *self._found[group]})

    def package(self, group: Group, name: str) -> str:
        """Return the package that a plug-in is of; empty for one that a program gives."""
        if name in self.given.get(group, {}):
            return ""
        dist = self._found[group][name].dist
        return "" if dist is None else f"{dist.name} {dist.version}"

    def get(self, group: Group, name: str) -> Plugin:
        """Return a plug-in, imported now if it was not; raises `PluginError`."""
        if name in (given := self.given.get(group, {})):
            return given[name]
        if (group, name) not in self._loaded:
            self._loaded[group, name] = self._load(group, name)
        return self._loaded[group, name]

    def _load(self, group: Group, name: str) -> Plugin:
        entry = self._found[group].get(name)
        if entry is None:
            raise PluginError(
                f"No installed package offers {name} in {group}.", remedy="Install its package."
            )
        package = self.package(group, name) or entry.value
        self._refuse_workspace(entry, package)
        try:
            plugin = entry.load()
            return plugin() if isinstance(plugin, type) else plugin
        except Exception as error:
            raise PluginError(
                f"{name} of {package} cannot be loaded: {type(error).__name__}: {error}",
                remedy="Ask its author, or uninstall it.",
            ) from error

    def _refuse_workspace(self, entry: EntryPoint, package: str) -> None:
        if self.workspace is None:
            return
        places = [] if entry.dist is None else [Path(str(entry.dist.locate_file("")))]
        spec = find_spec(entry.module.partition(".")[0])
        if spec is not None and spec.origin is not None:
            places.append(Path(spec.origin))
        root, own = self.workspace.resolve(), Path(sys.prefix).resolve()
        for place in (each.resolve() for each in places):
            if place.is_relative_to(root) and not place.is_relative_to(own):
                raise PluginError(
                    f"{package} lies in the workspace, {root}, and nothing is loaded from there.",
                    remedy="Install it where COAI is installed.",
                )


class Signatures(Mapping[str, Signature]):
    """Signatures of ours and of plug-ins, which are loaded when theirs is looked at.

    A name of ours is never a plug-in's.
    """

    def __init__(self, own: Mapping[str, Signature], plugins: Plugins, group: Group) -> None:
        self._own = own
        self._plugins = plugins
        self._group: Group = group

    def __getitem__(self, name: str) -> Signature:
        """Return a signature; raises `PluginError` for a plug-in that cannot be loaded."""
        if name in self._own:
            return self._own[name]
        if name not in self._plugins.names(self._group):
            raise KeyError(name)
        signature = self._plugins.get(self._group, name).signature
        if not isinstance(signature, Signature):
            raise PluginError(f"{name} in {self._group} has no signature.")
        return signature

    def __contains__(self, name: object) -> bool:
        """Say whether there is one; loads nothing."""
        return name in self._own or name in self._plugins.names(self._group)

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        yield from self._own
        yield from (name for name in self._plugins.names(self._group) if name not in self._own)

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)
