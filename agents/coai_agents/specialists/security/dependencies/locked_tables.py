"""Lock files that are TOML with a `[[package]]` for each: uv, Poetry, PDM and Cargo."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.security.dependencies.located import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Span

_NAMED: Final = re.compile(r"""(?<![\w-])name\s*=\s*["']([^"'\n]+)["']""")


@dataclass
class Block:
    """One package of a lock file."""

    name: str = ""
    version: tuple[str, Span] | None = None
    needs: list[str] = field(default_factory=list[str])
    own: bool = False
    """Whether it is the project itself, or another one of its workspace."""


_OWN: Final = re.compile(r"(?:^|[{\s,])(?:virtual|editable)\s*=")


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the packages of a lock file."""
    block: Block | None = None
    number = -1
    for each in read_toml(text):
        if each.table == "package" and each.number != number:
            if block is not None:
                yield block
            block, number = Block(), each.number
        if block is None:
            continue
        if each.table == "package":
            _add(block, each.key, each.value, each.string())
        elif each.table in {"package.dependencies", "package.dev-dependencies"}:
            block.needs.append(each.key)
        if each.table.startswith(("package.optional", "package.dev")) and each.value[:1] == "[":
            block.needs += _NAMED.findall(each.value) if block.own else ()
    if block is not None:
        yield block


def _add(block: Block, key: str, value: str, string: tuple[str, Span] | None) -> None:
    if key == "name" and string is not None:
        block.name = string[0]
    elif key == "version":
        block.version = string
    elif key == "source":
        block.own = _OWN.search(value) is not None
    elif key == "dependencies":
        named = _NAMED.findall(value)
        # Cargo writes "name" or "name version"; PDM a requirement.
        bare = re.findall(r"""["']([A-Za-z0-9_.-]+)(?:[^"'\n]*)["']""", value)
        block.needs += named or bare
