"""Advisories for tests, in OSV's form."""

from __future__ import annotations

from typing import Any


def advisory(
    name: str,
    package: str,
    *events: str,
    ecosystem: str = "PyPI",
    kind: str = "ECOSYSTEM",
    **more: Any,  # noqa: ANN401 - any member of OSV's form
) -> dict[str, Any]:
    """Return an advisory; an event is `introduced 1.0`."""
    versions = more.pop("versions", [])
    listed = [dict([each.split(" ")]) for each in events]
    about = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": kind, "events": listed}] if listed else [],
        "versions": versions,
    }
    return {
        "id": name,
        "modified": "2024-05-01T00:00:00Z",
        "summary": f"About {package}",
        "affected": [about],
        **more,
    }
