# ruff: noqa: INP001 (a script beside those for Node.js, in no package)
"""Print the part of requirements.lock that the server needs to run, with its hashes.

The extension ships it, so that the environment which it makes holds the very files that were tested
and not what an index says they are. Only names are chosen here; every line is the lock's.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def runtime_lock(lock: str, dependencies: list[str]) -> str:
    """Return the lock's entries that these requirements lead to; raises `KeyError` for one missing.

    Who asked for an entry stands in comments below it, as uv writes them.
    """
    entries: dict[str, str] = {}
    children: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        lines = entry.splitlines()
        name = _name(lines[0])
        entries[name] = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
        for line in lines:
            comment = line.strip().removeprefix("#").strip()
            if line.lstrip().startswith("#") and comment != "via":
                children.setdefault(_name(comment.removeprefix("via ")), set()).add(name)
    wanted: set[str] = set()
    waiting = [_name(each) for each in dependencies]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += children.get(name, ())
    return "".join(f"{entries[name]}\n" for name in sorted(wanted))


def _name(requirement: str) -> str:
    """Return the normalised name that a requirement begins with (PEP 503)."""
    match = _NAME.match(requirement)
    if match is None:
        raise ValueError(f"no requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match[0]).lower()


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    sys.stdout.write(runtime_lock(lock, project["dependencies"]))
