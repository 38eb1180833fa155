"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# Machines are shared and noisy: how long an example took says nothing.
settings.register_profile("coai", deadline=None)
settings.load_profile("coai")

pytest_plugins = ["tests.support.databases", "tests.support.llama"]
