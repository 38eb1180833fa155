"""The user's tests, as a gate: the command that the user typed, in the user's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import Tool, fields, number_of
from coai_agents.tools.users_command import TestCommandError, run_command, words_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import BOOLEAN, NUMBER, TEXT, Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench, Given

SECONDS: Final = 600
KEPT_CHARACTERS: Final = 8_000
"""Of what the command writes, its end: test runners say there what failed."""

TESTED: Final = fields(passed=BOOLEAN, output=TEXT, seconds=NUMBER)


async def _tests(given: Given, bench: Bench) -> Json:
    if not bench.test_command:
        raise ToolError(
            "There is no test command.", remedy="Name yours: `coai run NAME --test COMMAND`."
        )
    root = bench.folder.root
    seconds = number_of(given, "seconds", SECONDS, 24 * 3600)
    try:
        words = words_of(bench.test_command, root)
        tried = await run_command(words, seconds=seconds, directory=root)
    except TestCommandError as error:
        raise ToolError(error.message, remedy=error.remedy) from error
    except OSError as error:
        raise ToolError(f"The test command cannot be run: {error}.") from error
    return {
        "passed": tried.passed,
        "output": tried.output[-KEPT_CHARACTERS:],
        "seconds": round(tried.seconds, 1),
    }


TESTING: Final[Mapping[str, Tool]] = {
    "tests": Tool(
        Signature({"seconds": NUMBER}, TESTED, (), "runs", "the user's tests, by `--test COMMAND`"),
        _tests,
    )
}
