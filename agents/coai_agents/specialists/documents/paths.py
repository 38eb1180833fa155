"""Paths of routes, from each framework's spelling to OpenAPI's `{name}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from coai_agents.markdown import seen
from coai_agents.specialists.documents.routes import RouteParameter

if TYPE_CHECKING:
    from coai_agents.specialists.documents.frameworks import Framework

MOST_VARIANTS: Final = 16
"""Of a path with optional parts: four of them. Those beyond are written as if they were there."""


def joined(prefix: str, path: str) -> str:
    """Put a path behind a prefix; between them is one slash, or none if the path is nothing."""
    if not path:
        return prefix
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}"


def variants(framework: Framework, path: str) -> list[str]:
    """Return a path with and without each of its optional parts, the longest first."""
    waiting, whole = [path], list[str]()
    while waiting:
        at = waiting.pop(0)
        match = None if framework.optional is None else framework.optional.search(at)
        if match is None:
            whole.append(at)
            continue
        with_it = match.groupdict().get("group")
        if with_it is None:
            with_it = match[0].replace("?", "")
        before, after = at[: match.start()], at[match.end() :]
        waiting.append(f"{before}{with_it}{after}")
        if len(waiting) + len(whole) < MOST_VARIANTS:
            waiting.append(f"{before}{after}")
    return list(dict.fromkeys(whole))


def normalised(framework: Framework, path: str) -> tuple[str, tuple[RouteParameter, ...]]:
    """Return a path with `{name}` for its parameters, and these; a name that comes again counts."""
    parameters: dict[str, RouteParameter] = {}
    parts: list[str] = []
    end = 0
    for match in framework.parameter.finditer(path):
        groups = match.groupdict()
        wanted = groups["name"] or groups.get("rest") or "rest"
        name, number = wanted, 2
        while name in parameters:
            name, number = f"{wanted}_{number}", number + 1
        known = framework.parameter_types.get(groups.get("type") or "")
        parameters[name] = RouteParameter(name, dict(known or {"type": "string"}))
        parts += [_literal(path[end : match.start()]), f"{{{name}}}"]
        end = match.end()
    parts.append(_literal(path[end:]))
    whole = re.sub(r"/{2,}", "/", "".join(parts))
    return whole if whole.startswith("/") else f"/{whole}", tuple(parameters.values())


def _literal(text: str) -> str:
    """Return a part that is no parameter: braces and what nobody sees stand as in an address."""
    return "".join(
        quote(each, errors="replace") if each in "{}?#" or seen(each) != each else each
        for each in text
    )
