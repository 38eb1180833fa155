"""What the tests of all attackers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.security.hostile import HostileRepository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hostile(tmp_path: Path) -> HostileRepository:
    return HostileRepository(tmp_path)
