"""Loading settings from all layers.

Of two values for one setting the command line's counts before the editor's, and then that of the
environment, the project file, the user file and the default, in this order.

Nothing that a file or an editor says stops the daemon: what is wrong becomes a `Problem` and the
layer below counts in its place. What comes with the code, a project file or a `.env` file in the
workspace, is not trusted and may only narrow.

One file, because the order of the layers is what it is about.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pydantic import SecretStr

from coai_routing.settings.environment import (
    ENV_FILE_VARIABLE,
    Variable,
    check_variables,
    read_env_file,
    setting_variables,
)
from coai_routing.settings.fields import Branch, Entries, dotted, settings_tree
from coai_routing.settings.files import check_file, check_project, default_user_file, read_text
from coai_routing.settings.layers import (
    DEFAULT_ORIGIN,
    Assigned,
    CheckedLayer,
    Layer,
    Origin,
    Problem,
    RawLayer,
    check_layer,
)
from coai_routing.settings.narrowing import narrowed, refusals
from coai_routing.settings.schema import Settings
from coai_routing.settings.types import BACKEND_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from coai_routing.settings.fields import KeyPath, Node
    from coai_routing.settings.narrowing import Values

ENV_FILE = ".env"
MASK = "********"
_BACKEND = ("completion", "backend")
_CUSTOM = ("endpoints", "custom")


class SettingRow(NamedTuple):
    """A setting as `coai config show` prints it."""

    key: str
    value: str
    origin: str
    description: str


@dataclass(frozen=True)
class Resolved:
    """Settings, and for each by its name (`completion.max_tokens`) where it was set."""

    settings: Settings
    origins: Mapping[str, Origin]


@dataclass(frozen=True)
class Folder:
    """A workspace folder and what holds in it."""

    paths: tuple[str, ...]
    """Its absolute paths, as the editor writes it and with links resolved."""
    resolved: Resolved
    projects: tuple[CheckedLayer, ...] = ()
    """What narrows the user's own settings to these, outer projects first."""


@dataclass(frozen=True)
class LoadedSettings:
    """The settings in force, where each comes from, and what in the layers does not count."""

    settings: Settings
    """What holds for what is in no file, such as an unnamed document: the user's own settings as
    the projects of all workspace folders together narrow them."""
    origins: Mapping[str, Origin]
    problems: tuple[Problem, ...]
    own: Resolved
    """What holds outside of every workspace folder: the user's own settings."""
    folders: tuple[Folder, ...]
    """The workspace folders, inner ones before those that contain them."""
    base: Mapping[KeyPath, Assigned] = field(default_factory=dict["KeyPath", Assigned], repr=False)
    """What the user's own settings were made of."""
    _combined: dict[tuple[int, ...], Settings] = field(
        default_factory=dict[tuple[int, ...], Settings], repr=False, compare=False
    )

    def for_names(self, paths: Iterable[str | Path]) -> Settings:
        """Return what holds for a file that goes by several paths, as every project narrows it.

        A file is in each workspace folder that one of its names is in. Reads only memory; what
        holds for no file if there is no path.
        """
        normal = [_normal(path) for path in paths]
        if not normal:
            return self.settings
        inner = {self._innermost(path) for path in normal}
        owners = tuple(sorted(number for number in inner if number is not None))
        if len(owners) <= 1:
            return self.folders[owners[0]].resolved.settings if owners else self.own.settings
        if owners not in self._combined:
            values: Values = dict(self.base)
            for number in reversed(owners):
                for project in self.folders[number].projects:
                    values = narrowed(values, project)
            self._combined[owners] = _resolved(values).settings
        return self._combined[owners]

    def _innermost(self, normal: str) -> int | None:
        """Return the number of the innermost folder that a path lies in."""
        for number, folder in enumerate(self.folders):
            if any(_contains(root, normal) for root in folder.paths):
                return number
        return None

    def for_path(self, path: str | Path | None) -> Settings:
        """Return what holds for a file, without looking at the disk; `settings` for no file."""
        return self.resolved_for(path).settings

    def resolved_for(self, path: str | Path | None) -> Resolved:
        """Return what holds for a file with the origins; see `for_path`."""
        if path is None:
            return Resolved(self.settings, self.origins)
        number = self._innermost(_normal(path))
        return self.own if number is None else self.folders[number].resolved


def load(
    *,
    overrides: Mapping[str, Any] | None = None,
    client: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None,
    client_is_remote: bool = False,
    environ: Mapping[str, str] | None = None,
    workspace_roots: Iterable[str | Path] = (),
    user_file: Path | None = None,
    directory: Path | None = None,
) -> LoadedSettings:
    """Load settings; raise nothing for what the layers say. It reads files, so use a thread.

    `overrides` are the command line's and `client` the editor's, nested or with dotted names; of
    what an editor has said more than once, the later counts, setting by setting. One that came over
    a network (`client_is_remote`) can name no file, server or variable. The others are the
    process's environment, the user's file and the current directory unless given.
    """
    environ = os.environ if environ is None else environ
    user_file = default_user_file() if user_file is None else user_file
    directory = _current_directory() if directory is None else directory
    roots = [Path(os.path.normpath(Path(root).absolute())) for root in workspace_roots]
    beside, env_file = _env_files(environ, directory, user_file, roots)
    layers = [
        check_file(user_file, Layer.USER) or CheckedLayer(),
        env_file,
        check_variables(setting_variables(_variables(environ))),
        *(_check_client(each, remote=client_is_remote) for each in _several(client)),
        _check_given(overrides, Layer.COMMAND_LINE, is_text=True),
    ]
    problems = [problem for layer in layers for problem in layer.problems]
    values = _merged(layers, problems)
    problems += [*beside.problems, *refusals(values, beside)]

    projects = {root: _projects_of(root) for root in roots}
    base = narrowed(values, beside)
    everywhere = base
    for project in itertools.chain(*projects.values()):
        problems += [*project.problems, *refusals(values, project)]
        everywhere = narrowed(everywhere, project)
    overall = _resolved(everywhere)
    return LoadedSettings(
        settings=overall.settings,
        origins=overall.origins,
        problems=tuple(dict.fromkeys(problems)),
        own=_resolved(base),
        folders=_folders(base, roots, projects),
        base=base,
    )


def rows(loaded: LoadedSettings, path: str | Path | None = None) -> list[SettingRow]:
    """Return every setting that holds for a path with its origin, secrets masked."""
    resolved = loaded.resolved_for(path)
    return [
        SettingRow(
            key=key,
            value=_shown(value),
            origin=resolved.origins[key].describe(),
            description=description,
        )
        for key, value, description in _each_setting(settings_tree(), resolved.settings, ())
    ]


def _projects_of(root: Path) -> tuple[CheckedLayer, ...]:
    """Return the settings of the project that a folder belongs to, as it is written and as it is.

    What is above a folder depends on whether it was reached through a link.
    """
    found = [check_project(root)]
    real = Path(os.path.realpath(root))
    if real != root:
        found.append(check_project(real))
    there = [project for project in found if project is not None]
    if len(there) > 1 and _said(there[0]) == _said(there[1]):
        there.pop()
    return tuple(there)


def _said(project: CheckedLayer) -> dict[KeyPath, Any]:
    return {path: held.value for path, held in project.values.items()}


def _folders(
    base: Values, roots: Sequence[Path], projects: Mapping[Path, Sequence[CheckedLayer]]
) -> tuple[Folder, ...]:
    """Return the folders; what holds in one is narrowed by each that contains it."""
    outer_first = sorted(dict.fromkeys(roots), key=lambda root: len(root.parts))
    paths = {
        root: tuple(dict.fromkeys((_normal(root), _normal(os.path.realpath(root)))))
        for root in outer_first
    }
    folders: list[Folder] = []
    for root in outer_first:
        around = [
            other
            for other in outer_first
            if any(_contains(folder, path) for folder in paths[other] for path in paths[root])
        ]
        narrowing = tuple(itertools.chain.from_iterable(projects[other] for other in around))
        values = base
        for project in narrowing:
            values = narrowed(values, project)
        folders.append(Folder(paths[root], _resolved(values), narrowing))
    return tuple(reversed(folders))


def _env_files(
    environ: Mapping[str, str], directory: Path, user_file: Path, roots: Sequence[Path]
) -> tuple[CheckedLayer, CheckedLayer]:
    """Return what `.env` of the current directory may narrow, and what a trusted `.env` sets.

    It is the user's own in the home directory or beside the user's file, or if a variable names it.
    Anywhere else it may have come with code: editors start servers in the workspace.
    """
    if named := environ.get(ENV_FILE_VARIABLE, "").strip():
        return CheckedLayer(), _check_env_file(directory / _expanded(named), must_be=True)
    here = _normal(directory)
    homes = {_normal(user_file.parent), _normal(_expanded("~"))}
    trusted = here in homes and not any(_contains(_normal(root), here) for root in roots)
    checked = _check_env_file(directory / ENV_FILE, trusted=trusted)
    return (CheckedLayer(), checked) if trusted else (checked, CheckedLayer())


def _check_env_file(file: Path, *, trusted: bool = True, must_be: bool = False) -> CheckedLayer:
    origin = Origin(Layer.ENVIRONMENT if trusted else Layer.PROJECT, file)
    text, problems = read_text(origin)
    if text is None:
        if must_be and not problems:
            problems = [Problem("", f"{ENV_FILE_VARIABLE} names a file that is not there", origin)]
        return CheckedLayer(problems=problems)
    if "COAI_" not in text.upper():
        return CheckedLayer()  # Most of them are of other programs.
    variables, broken = read_env_file(
        text, lambda line: Origin(origin.layer, origin.file, line=line)
    )
    checked = check_variables(setting_variables(variables), trusted=trusted)
    checked.problems[:0] = broken.problems
    return checked


def _variables(environ: Mapping[str, str]) -> Iterator[Variable]:
    for name, text in environ.items():
        yield Variable(name, text, Origin(Layer.ENVIRONMENT, variable=name))


def speaks_of_all(later: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Say whether an editor's later settings have a value for each of the earlier ones."""
    said, before = (_check_client(each).values for each in (later, earlier))
    return said.keys() >= before.keys()


def _several(
    client: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None,
) -> Sequence[Mapping[str, Any] | None]:
    return client if isinstance(client, tuple) else (client,)


def _section(client: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the settings in what an editor sends, which may be in a section of our name."""
    section = client.get("coai") if isinstance(client, dict) else None
    return cast("Mapping[str, Any]", section) if isinstance(section, dict) else client


def _check_client(client: Mapping[str, Any] | None, *, remote: bool = False) -> CheckedLayer:
    return _check_given(_section(client), Layer.CLIENT, is_text=False, remote=remote)


def _check_given(
    values: Mapping[str, Any] | None, layer: Layer, *, is_text: bool, remote: bool = False
) -> CheckedLayer:
    if values is None:
        return CheckedLayer()
    origin = Origin(layer)
    return check_layer(RawLayer(values, lambda _: origin, is_text=is_text, remote=remote))


def _merged(layers: Sequence[CheckedLayer], problems: list[Problem]) -> Values:
    """Return the values that count of trusted layers, the last one the greatest."""
    values: Values = {}
    entries: dict[KeyPath, Origin] = {}
    for layer in layers:
        values.update(layer.values)
        entries.update(layer.entries)
    for path, origin in entries.items():
        if path[:2] == _CUSTOM and (*path, "url") not in values:
            message = "is left out, as it has no url that can be used"
            problems.append(Problem(dotted(path), message, origin))
            values = {key: held for key, held in values.items() if key[: len(path)] != path}
    named = {key[2] for key in values if key[:2] == _CUSTOM}
    values.pop(_BACKEND, None)
    for layer in reversed(layers):
        held = layer.values.get(_BACKEND)
        if held is None:
            continue
        if held.value in named or held.value in BACKEND_NAMES:
            values[_BACKEND] = held
            break
        known = ", ".join((*BACKEND_NAMES, *sorted(named)))
        message = f"expected one of {known}, got {json.dumps(held.value)}"
        problems.append(Problem(dotted(_BACKEND), message, held.origin))
    return values


def _resolved(values: Mapping[KeyPath, Assigned]) -> Resolved:
    nested: dict[str, Any] = {}
    for path, held in values.items():
        table = nested
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = held.value
    settings = Settings.model_validate(nested)
    set_at = {dotted(path): held.origin for path, held in values.items()}
    origins = {
        key: set_at.get(key, DEFAULT_ORIGIN)
        for key, _, _ in _each_setting(settings_tree(), settings, ())
    }
    return Resolved(settings, origins)


def _each_setting(node: Node, value: object, path: KeyPath) -> Iterator[tuple[str, object, str]]:
    """Yield key, value and description of each setting; of an empty map, the map itself."""
    if isinstance(node, Branch):
        for name, child in node.children.items():
            yield from _each_setting(child, getattr(value, name), (*path, name))
    elif isinstance(node, Entries) and value:
        for name, held in cast("dict[str, object]", value).items():
            yield from _each_setting(node.entry, held, (*path, name))
    else:
        yield dotted(path), value, node.description


def _shown(value: object) -> str:
    """Return a value as `coai config show` prints it."""
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return MASK
    return json.dumps(value, default=str)


def _current_directory() -> Path:
    """Return the current directory, or the root if that was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.sep)


def _normal(path: str | Path) -> str:
    """Return an absolute path in one spelling, without looking at the disk."""
    return os.path.normcase(os.path.normpath(Path(path).absolute()))


def _expanded(path: str) -> str:
    """Return a path with `~` expanded, or as it is if there is no such home."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises if there is no home


def _contains(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
