"""Rows of the infilling data sets, and the programs that say whether an answer is right.

The data is OpenAI's human-eval-infilling (MIT) as gzip-compressed JSON lines,
`infilling_KIND.jsonl.gz`: `task_id`, `prompt` (before the cursor), `suffix`, `canonical_solution`,
`entry_point` and `test`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import signal
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: Final = ("singleline", "multiline", "randomspan")

PROGRAM_SECONDS: Final = 10.0
"""How long a program may run; those of the data set take milliseconds."""

AT_ONCE: Final = 2
"""Programs that run at the same time."""

_MEMORY_BYTES: Final = 1 << 30

# The program is what a model wrote: no input, little memory, an empty folder, no environment.
_RUNNER: Final = f"""
import sys
try:
    import resource
except ImportError:
    pass
else:
    resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY_BYTES}, {_MEMORY_BYTES}))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open(sys.argv[1], encoding="utf-8") as file:
    program = file.read()
exec(compile(program, "program.py", "exec"), {{"__name__": "__main__"}})
"""


class NoDataError(CoaiError):
    """The data set is not where it was said to be."""


@dataclass(frozen=True, slots=True)
class Row:
    """A program with a hole."""

    task_id: str
    prompt: str
    """What stands before the cursor."""
    suffix: str
    """What stands after it."""
    solution: str
    entry_point: str
    test: str

    def as_edited(self) -> Row:
        """Return the row as an editor has it: the hole ends before the line's end, not after."""
        if not self.solution.endswith("\n") or self.suffix.startswith("\n"):
            return self
        return replace(self, solution=self.solution[:-1], suffix="\n" + self.suffix)

    def filled(self, text: str, *, replaces: int = 0) -> str:
        """Return the program with the hole filled; `replaces` characters of the suffix go."""
        return self.prompt + text + self.suffix[replaces:]

    def program(self, filled: str) -> str:
        """Return what ends with exit code 0 if the filled program is right."""
        return f"{filled}\n{self.test}\ncheck({self.entry_point})\n"


def load_rows(folder: Path, kind: str) -> list[Row]:
    """Read a data set; raises NoDataError where it is not there or not in its form."""
    path = folder / f"infilling_{kind}.jsonl.gz"
    remedy = "Name the folder that has it with --data DIR."
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [_row(line) for line in lines if line.strip()]
    except OSError as error:
        raise NoDataError(
            f"There is no infilling data: {path} cannot be read ({error.strerror or error}).",
            remedy=remedy,
        ) from error
    except (ValueError, KeyError) as error:
        raise NoDataError(
            f"{path} is not in the form expected: {error!r}.", remedy=remedy
        ) from error


def _row(line: str) -> Row:
    fields = json.loads(line)
    return Row(
        task_id=fields["task_id"],
        prompt=fields["prompt"],
        suffix=fields["suffix"],
        solution=fields["canonical_solution"],
        entry_point=fields["entry_point"],
        test=fields["test"],
    ).as_edited()


def chosen(rows: Sequence[Row], count: int | None, *, seed: int) -> list[Row]:
    """Return so many rows in an order that only the seed decides; all of them without a count."""
    shuffled = sorted(rows, key=lambda row: row.task_id)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]


async def passing(programs: Sequence[str], *, seconds: float = PROGRAM_SECONDS) -> list[bool]:
    """Run programs, a few at a time; tell of each whether it ended well and in time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(program: str) -> bool:
        async with places:
            return await _passes(program, seconds)

    return list(await asyncio.gather(*map(one, programs)))


async def _passes(program: str, seconds: float) -> bool:
    with tempfile.TemporaryDirectory(prefix="coai-program-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "program.py"
        await asyncio.to_thread(file.write_text, program, encoding="utf-8", errors="replace")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-c", _RUNNER, str(file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env={key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ},
            start_new_session=sys.platform != "win32",
        )
        try:
            async with asyncio.timeout(seconds):
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            _end(process)
            await process.wait()


def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
