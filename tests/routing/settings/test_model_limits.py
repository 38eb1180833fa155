"""Limits of models: a map of settings whose entries need no address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_routing.settings.loading import load
from coai_routing.settings.router_sections import ModelLimit

if TYPE_CHECKING:
    from pathlib import Path


def test_limits_are_by_alias_or_profile(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[cluster.limits."local.code"]\nat_once = 2\n[cluster.limits.quick]\nper_minute = 4\n'
    )
    loaded = load(environ={"COAI_CLUSTER__LIMITS__DEFAULT__AT_ONCE": "3"}, user_file=file)
    assert loaded.problems == ()
    assert loaded.settings.cluster.limits == {
        "local.code": ModelLimit(at_once=2),
        "quick": ModelLimit(per_minute=4),
        "default": ModelLimit(at_once=3),
    }
