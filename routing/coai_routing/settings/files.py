"""Reading the files that hold settings, and finding those of a project."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from coai_routing.settings.fields import leaves
from coai_routing.settings.layers import (
    CheckedLayer,
    Layer,
    Origin,
    Problem,
    RawLayer,
    check_layer,
)
from coai_routing.settings.located_toml import TomlDocument, read_toml
from coai_routing.settings.markers import AddPatterns, includes
from coai_routing.settings.patterns import rebased
from coai_routing.workspace_files import FileKindError, FileSizeError, read_file

if TYPE_CHECKING:
    from coai_routing.settings.fields import KeyPath

PROJECT_FILE = ".coai.toml"
PYPROJECT_FILE = "pyproject.toml"
PYPROJECT_TABLE = ("tool", "coai")

LARGEST_FILE = 256 * 1024
"""Bytes; a file that is larger holds something else, and reading it would delay the start."""

REPOSITORY_MARKS = (".git", ".hg", ".jj", ".svn")


def default_user_file() -> Path:
    """Return where the user's own settings are kept on this platform."""
    import platformdirs  # noqa: PLC0415 - not needed where the file is given

    return Path(platformdirs.user_config_path("coai", appauthor=False)) / "config.toml"


def read_text(origin: Origin) -> tuple[str | None, list[Problem]]:
    """Return the text of an origin's file, or None with the reason unless there is no file."""
    file = origin.file
    assert file is not None
    try:
        # A project's settings may be a link: what they say can only narrow.
        content = read_file(file, LARGEST_FILE)
    except FileNotFoundError:
        return None, []
    except FileKindError:
        return None, [Problem("", "is not a file", origin)]
    except FileSizeError:
        return None, [Problem("", f"is larger than {LARGEST_FILE // 1024} KiB", origin)]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return None, [Problem("", f"cannot be read: {why}", origin)]
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, [Problem("", "is not UTF-8 text", replace(origin, line=line))]


def check_file(file: Path, layer: Layer) -> CheckedLayer | None:
    """Check a TOML file of settings; None if there is none."""
    origin = Origin(layer, file)
    text, problems = read_text(origin)
    if text is None:
        return CheckedLayer(problems=problems) if problems else None
    return _check_document(read_toml(text), origin, ())


def check_project(folder: Path) -> CheckedLayer | None:
    """Check the settings of the project that a folder belongs to; None if it has none.

    Looked for in the folder and then in those above it up to the top of the repository, as a folder
    of a repository may be opened by itself. The first directory that has settings counts.
    """
    for directory in _search_path(folder):
        own = check_file(directory / PROJECT_FILE, Layer.PROJECT)
        shared = _check_pyproject(directory / PYPROJECT_FILE)
        if own is not None and shared is not None:
            file = directory / PYPROJECT_FILE
            message = f"is not read, as {PROJECT_FILE} in the same directory counts"
            key = ".".join(PYPROJECT_TABLE)
            own.problems.append(Problem(key, message, Origin(Layer.PROJECT, file)))
        found = own or shared
        if found is not None:
            _rebase(found, folder.relative_to(directory).parts)
            return found
    return None


def _rebase(checked: CheckedLayer, below: tuple[str, ...]) -> None:
    """Let the patterns of a project above a folder read from that folder, as everyone's do."""
    for leaf in leaves():
        held = checked.values.get(leaf.path)
        if not below or held is None or not isinstance(leaf.narrowing, AddPatterns):
            continue
        patterns = [(p,) if includes(p) else rebased(p, below) for p in held.value]
        checked.values[leaf.path] = replace(held, value=tuple(itertools.chain(*patterns)))


def _check_pyproject(file: Path) -> CheckedLayer | None:
    """Check `[tool.coai]`; None if the file has no such table."""
    origin = Origin(Layer.PROJECT, file)
    text, _ = read_text(origin)
    if text is None or PYPROJECT_TABLE[-1] not in text:
        return None  # What is wrong with a file that does not speak of us is not ours to say.
    document = read_toml(text)
    values: Any = document.values
    for part in PYPROJECT_TABLE:
        values = cast("dict[str, Any]", values).get(part) if isinstance(values, dict) else None
    if values is None:
        return None
    return _check_document(replace(document, values=values), origin, PYPROJECT_TABLE)


def _check_document(document: TomlDocument, origin: Origin, table: KeyPath) -> CheckedLayer:
    def place(path: KeyPath) -> Origin:
        return replace(origin, line=document.line((*table, *path)))

    trusted = origin.layer is not Layer.PROJECT
    checked = check_layer(RawLayer(document.values, place, trusted=trusted))
    checked.problems[:0] = [
        Problem("", f"expected TOML, got: {broken.reason}", replace(origin, line=broken.line))
        for broken in document.broken
        if broken.table[: len(table)] == table
    ]
    return checked


def _search_path(folder: Path) -> list[Path]:
    """Return a folder and those above it within its repository; only itself outside of one."""
    directories = [folder, *folder.parents]
    for index, directory in enumerate(directories):
        if any(os.path.lexists(directory / mark) for mark in REPOSITORY_MARKS):
            return directories[: index + 1]
    return [folder]
