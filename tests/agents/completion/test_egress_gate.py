"""What may be shown to a model elsewhere: by the file's settings, its name, and all of its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coai_agents.completion.egress_gate import PrivacyEgressGate
from coai_agents.source import Source
from coai_routing.errors import EgressRefusedError
from coai_routing.privacy.file_names import roots_of
from tests.support.settings import settings_of

ROOT = Path("/work").absolute()
SECRET = "ghp_" + "a1B2c3D4e5F6" * 3
ON: dict[str, Any] = {"completion": {"allow_cloud": True}, "routing": {"allow_cloud": True}}


async def refusal(
    text: str = "x = 1\n",
    *,
    path: str = "src/a.py",
    uri: str | None = None,
    above: str = "",
    backend: str = "cloud",
    **settings: Any,  # noqa: ANN401 - a part of the settings
) -> str:
    """Return why a file may not be shown; empty if it may."""
    known = settings_of({**ON, **settings})
    egress_gate = PrivacyEgressGate(lambda _: known, lambda: roots_of([ROOT]))
    source = Source(uri or (ROOT / path).as_uri(), text)
    try:
        await egress_gate.check(source, above, backend=backend)
    except EgressRefusedError as error:
        return error.message if error.remedy else "no remedy"
    return ""


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({}, ""),
        ({"uri": "untitled:Untitled-1"}, ""),
        ({"uri": "file:///elsewhere/a.py"}, ""),
        ({"text": f"x = 1\n# {SECRET}\n"}, "a secret"),
        ({"text": "x\n" * 32_768 + SECRET}, "a secret"),
        ({"text": "x\n" * 32_768}, ""),
        ({"above": f"y = '{SECRET}'"}, "a secret"),
        ({"path": "deploy/.env"}, "usually holds secrets"),
        ({"path": "internal/a.py", "privacy": {"private": ["/internal/"]}}, "private"),
        ({"path": "src/internal/a.py", "privacy": {"private": ["/internal/"]}}, ""),
        ({"uri": "file:///elsewhere/a.py", "privacy": {"private": ["elsewhere/"]}}, "private"),
        ({"text": "ACME-1", "privacy": {"patterns": ["ACME-[0-9]"]}}, "pattern"),
        ({"text": "mail jane.roe@engines.io"}, "personal data"),
        ({"privacy": {"mode": True}}, "Privacy mode"),
        ({"completion": {}}, "completion.allow_cloud"),
        ({"routing": {}}, "routing.allow_cloud"),
        ({"routing": {}, "backend": "vllm"}, ""),
    ],
)
async def test_what_may_be_shown_elsewhere(case: dict[str, Any], words: str) -> None:
    said = await refusal(**case)
    assert (words in said) if words else not said
    assert SECRET not in said
    assert "jane" not in said
