from __future__ import annotations

from typing import Any

import pytest

from coai_server.lsp.capabilities import capabilities


@pytest.mark.parametrize(
    ("client", "whole"),
    [
        ({}, True),
        ({"experimental": None}, True),
        ({"experimental": {"snippetTextEdit": True}}, True),
        ({"experimental": {"coaiStatus": True}}, False),
    ],
)
def test_only_who_cannot_audit_the_workspace_pulls_all_of_it(
    client: dict[str, Any], *, whole: bool
) -> None:
    assert capabilities(client)["diagnosticProvider"]["workspaceDiagnostics"] is whole
