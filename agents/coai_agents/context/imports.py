"""Where in the workspace an imported module may be: paths to try, the likeliest first.

Nothing here looks at the disk. A path that ends with `/*.go` or the like stands for all such files
of a directory. This is no build system: what it does not find is left out of the prompt, and what
is not in the workspace is never looked for.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from coai_agents.context.outlines import Imported


@dataclass(frozen=True, slots=True)
class Place:
    """A file in a workspace folder, and what must be known about the folder."""

    file: PurePosixPath
    """Relative to the workspace folder."""
    tops: tuple[str, ...] = ()
    """Directories right in the workspace folder, where packages often begin."""
    go_module: tuple[str, PurePosixPath] | None = None
    """The module's name in the nearest `go.mod`, and the directory that it is in."""

    @property
    def folder(self) -> PurePosixPath:
        """The directory that the file is in."""
        return self.file.parent

    def above(self) -> list[PurePosixPath]:
        """Return the file's directory and all above it, the nearest first."""
        return [self.folder, *self.folder.parents]


def import_paths(language: str, imported: Imported, place: Place) -> tuple[str, ...]:
    """Return the paths, relative to the workspace folder, at which an import may be found."""
    candidates = _CANDIDATES.get(language)
    if candidates is None or not imported.module:
        return ()
    try:
        paths = [_normal(path) for path in candidates(imported, place)]
    except ValueError:
        return ()  # what stands there is no name that a file could have
    own = str(place.file)
    return tuple(dict.fromkeys(path for path in paths if path is not None and path != own))


def sibling_paths(language: str, place: Place) -> tuple[str, ...]:
    """Return what a file sees without importing it: its package, or its header."""
    if language in _PACKAGES:
        return (str(place.folder / f"*{_PACKAGES[language]}"),)
    if language in ("c", "cpp"):
        stem = place.file.with_suffix("")
        headers = (f"{stem}{suffix}" for suffix in (".h", ".hpp", ".hh"))
        return tuple(path for path in headers if path != str(place.file))
    return ()


_PACKAGES: Final = {"go": ".go", "java": ".java", "csharp": ".cs"}
"""Languages in which all files of a directory are one package, and their suffix."""


_FOREIGN: Final = re.compile(r"[\\:\x00]")
"""Characters that are no part of a module's file name, and mean something on some system."""


def _normal(path: str | PurePosixPath) -> str | None:
    """Return the path without `.` and `..`; None if it leads out of the folder."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part.startswith("/") or _FOREIGN.search(part):
            return None
        elif part != ".":
            parts.append(part)
    return "/".join(parts) if parts else None


def _python(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    module = imported.module
    dots = len(module) - len(module.lstrip("."))
    parts = [part for part in module[dots:].split(".") if part]
    name = imported.name if imported.name not in (None, "*") else None
    if dots:
        above = place.above()
        if dots > len(above):
            return
        bases = [above[dots - 1]]
    else:
        if parts and parts[0] in sys.stdlib_module_names:
            return
        # The folder itself and its usual parts go first: a module that happens to lie next to the
        # file is not what an absolute import means.
        tops = [PurePosixPath(top) for top in place.tops]
        bases = [PurePosixPath(), PurePosixPath("src"), *tops, *reversed(place.above())]
    for base in bases:
        whole = base.joinpath(*parts)
        if name is not None:
            yield whole / f"{name}.py"
            yield whole / name / "__init__.py"
        if parts:
            yield whole.with_name(f"{whole.name}.py")
        yield whole / "__init__.py"


_SCRIPTS: Final = (".ts", ".tsx", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs", ".d.ts")


def _ecmascript(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    module = imported.module
    if module.startswith("."):
        bases = [place.folder / module]
    else:
        # A path alias of the bundler's, or one relative to the base directory.
        inner = module.removeprefix("@/").removeprefix("~/")
        bases = [PurePosixPath("src", inner)]
        if inner != module or "/" in inner:
            bases += [*(base / "src" / inner for base in place.above()), PurePosixPath(inner)]
    for base in bases:
        if not base.name or base.name == "..":
            yield from (base / f"index{suffix}" for suffix in _SCRIPTS)
            continue
        if base.suffix in _SCRIPTS:
            yield base
            # TypeScript imports `x.ts` under the name that it will have when it is compiled.
            yield from (base.with_suffix(suffix) for suffix in (".ts", ".tsx"))
        yield from (base.with_name(base.name + suffix) for suffix in _SCRIPTS)
        yield from (base / f"index{suffix}" for suffix in _SCRIPTS)


def _go(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    if place.go_module is None:
        return
    name, folder = place.go_module
    if imported.module == name:
        yield folder / "*.go"
    elif imported.module.startswith(f"{name}/"):
        yield folder / imported.module.removeprefix(f"{name}/") / "*.go"


def _java(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    parts = [part for part in imported.module.split(".") if part]
    bases = [*place.above(), PurePosixPath("src/main/java"), PurePosixPath("src")]
    for base in bases:
        folder = base.joinpath(*parts)
        if imported.name not in (None, "*"):
            yield folder / f"{imported.name}.java"
        if parts:
            yield folder.with_name(f"{folder.name}.java")
    if imported.name == "*":
        yield from (base.joinpath(*parts) / "*.java" for base in bases)


def _rust(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    parts = [part for part in imported.module.split("::") if part]
    if imported.name not in (None, "*", "self"):
        parts.append(str(imported.name))
    own = place.folder
    if place.file.name not in ("mod.rs", "lib.rs", "main.rs"):
        own /= place.file.stem
    sources = [folder for folder in place.above() if folder.name == "src"]
    crate = sources[0] if sources else place.folder
    head, *rest = parts or [""]
    if head == "crate":
        base = crate
    elif head in ("super", "self"):
        base = own.parent if head == "super" else own
        while rest and rest[0] == "super":
            base, rest = base.parent, rest[1:]
    else:
        # A module of this file's own, unless it is another crate.
        base, rest = own, parts
    for count in range(len(rest), 0, -1):
        path = base.joinpath(*rest[:count])
        yield path.with_name(f"{path.name}.rs")
        yield path / "mod.rs"
    if len(rest) <= 1 and head in ("crate", "super", "self"):
        yield from (base / name for name in ("mod.rs", "lib.rs", "main.rs"))
        if base.name:
            yield base.with_name(f"{base.name}.rs")


def _c(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    for base in (place.folder, *place.above()):
        yield base / imported.module
        yield base / "include" / imported.module
    yield PurePosixPath("src", imported.module)


def _ruby(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    file = imported.module if imported.module.endswith(".rb") else f"{imported.module}.rb"
    yield place.folder / file
    yield from (PurePosixPath(base, file) for base in ("lib", "app", "app/models", ""))


def _php(imported: Imported, place: Place) -> Iterator[PurePosixPath]:
    if imported.module.endswith(".php"):
        yield place.folder / imported.module
        yield PurePosixPath(imported.module)
        return
    parts = [part for part in imported.module.split("\\") if part]
    if imported.name not in (None, "*"):
        parts.append(str(imported.name))
    if len(parts) > 1:
        # PSR-4: a prefix of the namespace stands for a directory.
        for folder in ("src", "app", "lib"):
            yield PurePosixPath(folder, *parts[1:-1], f"{parts[-1]}.php")
    yield PurePosixPath(*parts[:-1], f"{parts[-1]}.php") if parts else PurePosixPath()


def _bash(imported: Imported, place: Place) -> Iterable[PurePosixPath]:
    return place.folder / imported.module, PurePosixPath(imported.module)


_CANDIDATES: Final[Mapping[str, Callable[[Imported, Place], Iterable[PurePosixPath]]]] = {
    "c": _c,
    "cpp": _c,
    "go": _go,
    "java": _java,
    "javascript": _ecmascript,
    "javascriptreact": _ecmascript,
    "php": _php,
    "python": _python,
    "ruby": _ruby,
    "rust": _rust,
    "shellscript": _bash,
    "typescript": _ecmascript,
    "typescriptreact": _ecmascript,
}
