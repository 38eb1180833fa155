"""What the tests of floor 2 share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from coai_agents.syntax import SyntaxStore, completion_extent, parse

if TYPE_CHECKING:
    from types import FunctionType

PATIENCE = 60.0


@pytest.fixture(autouse=True, scope="session")
def patience() -> None:
    """Let parsing take its time, unless a test says how long.

    Budgets are for people who type; where other tests share the machine, nothing would be parsed.
    """
    functions = (parse, completion_extent, SyntaxStore.__init__)
    for function in cast("tuple[FunctionType, ...]", functions):
        assert function.__kwdefaults__ is not None
        function.__kwdefaults__["budget"] = PATIENCE
