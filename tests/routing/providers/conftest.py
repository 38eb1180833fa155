"""What the providers' tests share."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="session", autouse=True)
def sdks() -> None:
    """Import the SDKs, so that no test with a short deadline is the one that waits for them."""
    for module in (
        "anthropic",
        "ollama",
        "openai",
        "openai.resources.chat",
        "openai.resources.completions",
    ):
        importlib.import_module(module)
