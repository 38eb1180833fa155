"""Files that hold secrets, known by their names alone.

A name is judged with all that editors, backups and people hang on it: `key.pem.bak`, `.env~`,
`..env.swp`, `server.key.old` are as bad as what they are copies of.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from coai_routing.privacy.secret_forms import Entry
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

BUILTIN: Final = Path(__file__).with_name("secret_files.toml")

MOST_COPIES: Final = 8
"""Suffixes that are taken off a name at most."""

_Words = tuple[Annotated[str, Field(min_length=1, pattern=r"^[^A-Z]+$")], ...]


class SecretFiles(Entry):
    """Which files hold secrets, by glob patterns in small letters."""

    names: _Words
    harmless: _Words
    directories: _Words
    tails: _Words
    copies: _Words

    @functools.cached_property
    def _harmless(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.harmless)))

    @functools.cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.names)))

    @functools.cached_property
    def _copies(self) -> re.Pattern[str]:
        return re.compile(f"(?:{'|'.join(self.copies)})$")

    def _originals(self, name: str) -> Iterator[str]:
        """Return a name, and what it is a copy of."""
        yield name
        if name.startswith((".#", "#")) or (name.startswith(".") and name.endswith(".swp")):
            name = name.removeprefix(".#") if name.startswith(".#") else name[1:].removesuffix("#")
            yield name
        for _ in range(MOST_COPIES):
            shorter = self._copies.sub("", name)
            if shorter in (name, ""):
                return
            name = shorter
            yield name

    def pattern_of(self, path: PurePath) -> str | None:
        """Return the pattern that a path matches; None if it is no file of secrets."""
        *folders, name = (part.lower() for part in path.parts) if path.parts else ("",)
        for directory in self.directories:
            if directory in folders:
                return f"{directory}/"
        originals = tuple(self._originals(name))
        for original in originals:
            joined = "/".join((*folders, original))
            for tail in self.tails:
                if fnmatch.fnmatchcase(joined, f"*/{tail}") or fnmatch.fnmatchcase(joined, tail):
                    return tail
        if any(self._harmless.match(original) for original in originals):
            return None
        for original in originals:
            if self._names.match(original):
                return next(p for p in self.names if fnmatch.fnmatchcase(original, p))
        return None


@functools.cache
def built_in() -> SecretFiles:
    """Return COAI's own rules, read when first wanted."""
    return read_rules(BUILTIN, SecretFiles)


def secret_file_pattern(path: PurePath) -> str | None:
    """Return the built-in pattern by which a file holds secrets, or None.

    Only the path is looked at, in any case: `.env`, `id_rsa`, `*.pem`, anything in `.ssh`, ...
    Templates such as `.env.example` hold none.
    """
    return built_in().pattern_of(path)
