"""Packages as an index has them: the files of code in their archives."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.source import normal_language

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 60_000
"""Characters of a file that is looked at."""

LANGUAGES: Final = frozenset(
    {"python", "javascript", "typescript", "typescriptreact", "java", "go"}
)

_ARCHIVE: Final = re.compile(
    r"(?P<name>.+?)-(?P<version>\d[\w.]*?)(?:-py.*)?\.(?:tar\.gz|tgz|zip|whl)$"
)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def packages(folder: Path) -> dict[str, list[Path]]:
    """Return the archives of each package, the oldest version first."""
    found: dict[str, list[tuple[tuple[int, ...], Path]]] = defaultdict(list)
    for path in folder.iterdir():
        named = _ARCHIVE.match(path.name)
        if named:
            found[named["name"].lower()].append((_version(named["version"]), path))
    return {name: [path for _, path in sorted(each)] for name, each in sorted(found.items())}


def texts(archive: Path) -> dict[str, str]:
    """Return the files of code in an archive by their path in it, without its first folder."""
    found: dict[str, str] = {}
    for name, content in _members(archive):
        inner = name if archive.suffix == ".whl" else "/".join(PurePosixPath(name).parts[1:])
        if len(content) <= LONGEST and normal_language("", Path(inner)) in LANGUAGES:
            found[inner] = content.decode("utf-8", "replace").replace("\r\n", "\n")
    return found


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                yield name, zipped.read(name)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            stream = tarred.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()
