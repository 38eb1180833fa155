"""The user's own weights: GGUF files that no catalogue lists, where the settings say to look.

`engine.model` may name any such file. What is found here is what a list can offer: files in the
folders and places of `models.local_paths`, and the one in use wherever it is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import ModelFileError
from coai_routing.weights.gguf import check_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_routing.registry.catalog import Catalog, Family
    from coai_routing.weights.gguf import GgufHeader

logger = logging.getLogger(__name__)

MOST: Final = 100
"""Files that are looked into: each takes up to some tenths of a second."""


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """A GGUF file of the user's whose model is known to fill in the middle."""

    path: Path
    title: str
    """As its maker called it, else the file's name."""
    family: str
    size: int
    """In bytes."""
    in_use: bool


def own_weights(catalog: Catalog, places: Sequence[Path], in_use: str) -> tuple[OwnWeights, ...]:
    """Return the files that could be `engine.model`, by their paths; blocks on the disk.

    `in_use` is what `engine.model` is now, a file or not. Left out is what the catalogue names,
    what is no whole GGUF file, and what cannot fill in the middle as far as is known.
    """
    used = None if catalog.model(in_use) is not None else _absolute(in_use)
    found: list[OwnWeights] = []
    for path in _files(catalog, places, used):
        try:
            header = check_file(path)
        except ModelFileError as error:
            logger.debug("%s", error)
            continue
        if (family := family_of_file(catalog, str(path), header)) is not None:
            title, size = header.name or path.stem, path.stat().st_size
            found.append(OwnWeights(path, title, family.name, size, in_use=path == used))
    return tuple(found)


def family_of_file(catalog: Catalog, name: str, header: GgufHeader) -> Family | None:
    """Return the family of a file's model, by the name that the user gave or the file's own."""
    for each in (name, header.name):
        if each and (family := catalog.family_of(each, architecture=header.architecture)):
            return family
    return None


def _absolute(path: str) -> Path | None:
    try:
        return Path(path).expanduser().absolute()
    except (OSError, RuntimeError, ValueError) as error:  # no home directory, or no path at all
        logger.debug("%r is no path: %s", path, error)
        return None


def _files(catalog: Catalog, places: Sequence[Path], used: Path | None) -> list[Path]:
    known = {model.file_name for model in catalog.models}
    paths = {path for place in places for path in _in(place) if path.name not in known}
    if used is not None and used.is_file():
        paths.add(used)
    return sorted(paths)[:MOST]


def _in(place: Path) -> Iterator[Path]:
    """Yield a file, or a folder's files that are called weights; nothing where it is unreadable."""
    try:
        if place.is_dir():
            yield from (path for path in place.iterdir() if path.suffix.lower() == ".gguf")
        elif place.is_file():
            yield place
    except OSError as error:
        logger.debug("%s cannot be looked into: %s", place, error)
