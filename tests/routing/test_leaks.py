"""Nothing sensitive leaves, whatever is asked, whatever fails, whatever is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.leaks import run_cases

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_is_sensitive_reaches_neither_the_outside_nor_a_log_nor_the_disk(
    tmp_path: Path,
) -> None:
    leaks = await run_cases(700, tmp_path)
    assert leaks.leaked() == []
    assert leaks.written() == []
    # The test has eyes: much was sensitive, much went out, and all of that was logged.
    assert leaks.sensitive > 300
    assert leaks.departed > 80
    assert leaks.logged >= leaks.departed
    assert b"# case" in leaks.outside
