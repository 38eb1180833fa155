"""The names that a file goes by: every rule about paths is judged on all of them.

A rule says "what is in `/private/` stays here", and a file can be reached by many names: through a
link to it or to a folder above it, by `pub/../private/x.py`, by the real path of a workspace folder
that is itself a link, in another case or another Unicode form where the file system does not tell
them apart, with escapes in its URI, by a scheme of an editor's own. `spellings_of` takes an address
apart without touching anything, and `look_up` asks the disk where its names lead; it belongs into a
thread. Of a rule's answers for these names any that forbids holds.

What a name cannot tell: a hard link has no other name that could be found. `FileNames.hard_linked`
says that there are more.
"""

from __future__ import annotations

import itertools
import json
import ntpath
import os
import posixpath
import re
import stat
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FOLDS_CASE: Final = sys.platform in ("win32", "darwin")
"""Whether file systems here usually take `Build` and `build` for the same."""

MOST_LINKS: Final = 40
"""Links that are followed for one name, as in Linux (path_resolution(7))."""

MOST_SPELLINGS: Final = 24
"""Ways to read one address that are looked at; a plain one has one."""

_DECODINGS: Final = 3
"""Times that escapes are undone: some clients escape what is escaped already."""

_NESTINGS: Final = 4
"""Addresses within addresses, as in `jar:file:///a.jar!/x`."""

_WINDOWS: Final = os.name == "nt"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
"""One letter before a colon is a drive."""

_DRIVE: Final = re.compile(r"/*([A-Za-z])[:|](?=[/\\]|$)")
_DEVICE: Final = re.compile(r"[/\\]{2}[?.][/\\](?:UNC(?=[/\\]))?", re.IGNORECASE)
_ADMINISTRATIVE: Final = re.compile(
    r"[/\\]{2}(?:localhost|127\.0\.0\.1|\[?::1\]?|\.)[/\\]([A-Za-z])\$(?=[/\\]|$)", re.IGNORECASE
)
_STREAM: Final = re.compile(r"(?<=[^/\\:]):[^/\\]*$")
_PATHS_IN_QUERY: Final = frozenset({"path", "fspath", "file", "uri"})


# ------------------------------------------------------------------------------ without the disk


def spellings_of(address: str, *, windows: bool = _WINDOWS) -> tuple[str, ...]:
    """Return the paths that a URI or a path may name, the plainest reading first.

    They are absolute where the address is, and normalised, so that no `..` is left where it could
    be taken out; as it was written it follows. Nothing for an address that names no path.
    """
    found: dict[str, None] = {}
    for path in _read(address, windows, _NESTINGS):
        for spelled in _variants(path, windows=windows):
            found[spelled] = None
            if len(found) == MOST_SPELLINGS:
                return tuple(found)
    return tuple(found)


def _read(address: str, windows: bool, deeper: int) -> Iterator[str]:  # noqa: FBT001 - own use
    """Yield the paths in an address, with escapes undone."""
    match = _SCHEME.fullmatch(address)
    if match is None:
        # A path by itself. Escapes in it may be meant or not.
        yield from _decoded(address, once=False)
        return
    rest = match[2]
    if deeper and not _DRIVE.match(rest) and _SCHEME.fullmatch(rest):
        yield from _read(rest, windows, deeper - 1)
        return
    whole = rest.partition("#")[0]
    bare = whole.partition("?")[0]
    # `#` and `?` may stand for themselves: not every client escapes them.
    for part in dict.fromkeys((bare, whole, rest)):
        for path in _without_authority(part, is_file=match[1].lower() == "file"):
            yield from _decoded(path, once=True)
    if deeper:
        for inner in _in_query(rest.partition("?")[2].partition("#")[0]):
            yield from _read(inner, windows, deeper - 1)


def _without_authority(part: str, *, is_file: bool) -> Iterator[str]:
    """Yield the path of a URI's rest, and as a network path where a host is named."""
    if not part.startswith("//"):
        yield part
        return
    authority, slash, path = part[2:].partition("/")
    path = slash + path
    if authority.lower() in ("", "localhost", "127.0.0.1"):
        yield path
        return
    if not path:
        return
    networked = (f"//{authority}{path}", path)
    yield from networked if is_file else reversed(networked)


def _in_query(query: str) -> Iterator[str]:
    """Yield the paths that a query names, as `git:` of VS Code has them."""
    text = os.fsdecode(unquote_to_bytes(query))
    try:
        held: object = json.loads(text) if text.startswith("{") else dict(parse_qsl(query))
    except ValueError:
        return
    if isinstance(held, dict):
        for name, value in cast("dict[str, object]", held).items():
            if isinstance(value, str) and name.lower() in _PATHS_IN_QUERY and value:
                yield value


def _decoded(path: str, *, once: bool) -> Iterator[str]:
    """Yield a path with its escapes undone, and undone again; `once` if they must be at least."""
    if not once:
        yield path
    for _ in range(_DECODINGS):
        plain = os.fsdecode(unquote_to_bytes(path.encode("utf-8", "surrogatepass")))
        if plain != path or once:
            yield plain
        once = False
        if plain == path:
            return
        path = plain


def _variants(path: str, *, windows: bool) -> Iterator[str]:
    if not path or "\0" in path:
        return
    if windows:
        yield from _on_windows(path)
        return
    yield _normal(path)
    yield _collapsed(path)
    if "\\" in path:
        # A client on another system may write names in its own way.
        yield _normal(path.replace("\\", "/"))


def _on_windows(path: str) -> Iterator[str]:
    """Yield the forms of a Windows path.

    Without device prefix, and without a stream and the dots and blanks at the ends of names, which
    Windows takes off.
    """
    plain = _DEVICE.sub(lambda device: "\\" if device[0].upper().endswith("UNC") else "", path)
    plain = _ADMINISTRATIVE.sub(r"\1:", plain)
    plain = _DRIVE.sub(r"\1:", plain, count=1)
    whole = ntpath.normpath(plain)
    yield whole
    drive, rest = ntpath.splitdrive(_STREAM.sub("", whole) if whole.count(":") > 1 else whole)
    names = [name if name in (".", "..") else name.rstrip(". ") for name in rest.split("\\")]
    yield ntpath.normpath(drive + "\\".join(names))


def _collapsed(path: str) -> str:
    """Return a path as it was written, but for slashes that mean nothing."""
    return re.sub(r"/{2,}", "/", path)


def _normal(path: str) -> str:
    """Return a POSIX path without `.`, `..` and doubled slashes, without asking the disk."""
    return posixpath.normpath(_collapsed(path))


# -------------------------------------------------------------------------------- with folders


@dataclass(frozen=True, slots=True)
class Root:
    """A workspace folder, as the editor writes it and with links resolved."""

    path: str
    real: str


def roots_of(paths: Iterable[Path | str]) -> tuple[Root, ...]:
    """Look workspace folders up; asks the disk."""
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - links stay as they are
    return tuple(Root(path, os.path.realpath(path)) for path in absolute)


@dataclass(frozen=True, slots=True)
class FileNames:
    """All names of one file."""

    paths: tuple[str, ...] = ()
    """Absolute ones: every reading of what was written, then where links lead. None for what has no
    path, such as a document that was never saved."""
    likely: tuple[str, ...] = ()
    """Of these, the plainest reading and where links lead from it."""
    below: tuple[tuple[str, str], ...] = ()
    """Workspace folder, as the editor writes it, and name relative to it, with slashes."""
    folds_case: bool = False
    """Whether its file system takes `A` and `a` for the same."""
    hard_linked: bool = False
    """Whether the file has further names that nobody can tell."""

    @property
    def roots(self) -> tuple[str, ...]:
        """The workspace folders that it is in by any of its names."""
        return tuple(dict.fromkeys(root for root, _ in self.below))

    def relative_to(self, root: str) -> tuple[str, ...]:
        """Return its names relative to a workspace folder."""
        return tuple(name for each, name in self.below if each == root)


def written(address: str, roots: Sequence[Root], *, windows: bool = _WINDOWS) -> FileNames:
    """Return the names that an address has by itself, without asking the disk."""
    spelled = spellings_of(address, windows=windows)
    return _named(spelled, (), roots, windows=windows, folds_case=FOLDS_CASE or windows)


def look_up(address: str, roots: Sequence[Root]) -> FileNames:
    """Return all names of what a URI or a path names. Asks the disk: call it in a thread."""
    spelled = spellings_of(address)
    absolute = [path for path in spelled if os.path.isabs(path)]  # noqa: PTH117 - for each of many
    led = [tuple(_along_links(path)) for path in absolute]
    ends = dict.fromkeys((*absolute[:1], *(path for steps in led[:1] for path in steps[-1:])))
    return _named(
        spelled,
        led,
        roots,
        windows=_WINDOWS,
        folds_case=any(map(_folds_case, ends)) if ends else FOLDS_CASE,
        hard_linked=any(map(_is_hard_linked, ends)),
    )


def _named(
    spelled: Sequence[str],
    led: Sequence[Sequence[str]],
    roots: Sequence[Root],
    *,
    windows: bool,
    folds_case: bool,
    hard_linked: bool = False,
) -> FileNames:
    flavour = ntpath if windows else posixpath
    names = dict.fromkeys((*spelled, *itertools.chain.from_iterable(led)))
    absolute = [name for name in names if flavour.isabs(name)]
    plainest = [name for name in spelled[:1] if flavour.isabs(name)]
    below = [
        (root.path, relative)
        for name in absolute
        for root in roots
        for folder in dict.fromkeys((root.path, root.real))
        if (relative := _within(folder, name, folds_case=folds_case, windows=windows)) is not None
    ]
    below += [
        (root.path, name.replace("\\", "/") if windows else name)
        for name in spelled
        if not flavour.isabs(name)
        for root in roots
    ]
    return FileNames(
        tuple(name for name in absolute if ".." not in _parts(name, windows=windows)),
        tuple(dict.fromkeys((*plainest, *itertools.chain.from_iterable(led[:1])))),
        tuple(dict.fromkeys(below)),
        folds_case,
        hard_linked,
    )


def _within(folder: str, path: str, *, folds_case: bool, windows: bool) -> str | None:
    """Return a path relative to a folder, with slashes; None if it is not in there."""
    parts, around = _parts(path, windows=windows), _parts(folder, windows=windows)
    if len(parts) <= len(around):
        return None
    same = all(
        _key(one, folds_case=folds_case) == _key(other, folds_case=folds_case)
        for one, other in zip(parts, around, strict=False)
    )
    return "/".join(parts[len(around) :]) if same else None


def _parts(path: str, *, windows: bool) -> list[str]:
    drive, rest = ntpath.splitdrive(path) if windows else ("", path)
    names = re.split(r"[/\\]", rest) if windows else rest.split("/")
    return [drive.lower().replace("/", "\\"), *(name for name in names if name)]


def _key(name: str, *, folds_case: bool) -> str:
    if name.isascii():
        return name.lower() if folds_case else name
    normal = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", normal.casefold()) if folds_case else normal


# ------------------------------------------------------------------------------- from the disk


def _along_links(path: str) -> Iterator[str]:
    """Yield the names that links lead to, one link after the other, the real one last."""
    at = path
    for _ in range(MOST_LINKS):
        following = _past_first_link(at)
        if following is None:
            break
        at = following
        yield at
    yield os.path.realpath(path)


def _past_first_link(path: str) -> str | None:
    """Return a path with the first link in it replaced by what it points to; None without any."""
    top, *names = Path(path).parts
    for count in range(1, len(names) + 1):
        link = os.path.join(top, *names[:count])  # noqa: PTH118 - as above
        try:
            target = os.readlink(link)  # noqa: PTH115 - as above
        except (OSError, ValueError):
            continue
        around = os.path.join(top, *names[: count - 1])  # noqa: PTH118 - as above
        return os.path.normpath(os.path.join(around, target, *names[count:]))  # noqa: PTH118
    return None


def _folds_case(path: str) -> bool:
    """Say whether the file system there takes both cases of a name for the same file.

    It is asked for the innermost name that is there and has letters, in the other case.
    """
    while True:
        folder, name = os.path.split(path)
        if folder == path or not folder:
            return FOLDS_CASE
        swapped = name.swapcase()
        there = _identity(path) if swapped != name else None
        if there is not None:
            return _identity(os.path.join(folder, swapped)) == there  # noqa: PTH118 - as text
        path = folder


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from all others; None if there is none."""
    try:
        about = os.lstat(path)
    except (OSError, ValueError):
        return None
    return about.st_dev, about.st_ino


def _is_hard_linked(path: str) -> bool:
    try:
        about = os.stat(path)  # noqa: PTH116 - a name that may be anything
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(about.st_mode) and about.st_nlink > 1
