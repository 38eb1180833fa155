"""How long the gate and the context keep a keystroke waiting.

    python -m benchmarks.context [WORKSPACE] [--documents N]

Opens the largest Python files of a workspace (by default COAI's own) and asks at every third line,
as a prompt that is frozen there would. Bars: the gate's 99th percentile well below 0.2 ms on a file
of 2,000 lines, the context's below 2 ms; looking for secrets in 100 KB of code 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.gate import CompletionGate
from coai_agents.completion.outcome import Trigger
from coai_agents.context.knowledge import WorkspaceContext
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Source
from coai_agents.syntax import SyntaxStore, in_comment
from coai_routing.privacy.secrets import find_secrets
from coai_routing.settings.schema import CompletionSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BUDGETS = (174, 576, 4_000)
"""Characters for other files: a CPU while typing, the same at rest, and a GPU."""


def milliseconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def report(name: str, times: Sequence[float]) -> None:
    """Print a line of the table."""
    ordered = sorted(times)
    high = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    print(f"{name:<44} {statistics.median(ordered):8.3f} {high:8.3f} {len(ordered):7}")


def documents_of(workspace: Path, count: int) -> list[Source]:
    """Return the largest Python files of a folder as open documents."""
    files = [
        path
        for path in workspace.rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(workspace).parts)
    ]
    files.sort(key=lambda path: (-path.stat().st_size, path))
    return [Source(path.as_uri(), path.read_text("utf-8"), "python") for path in files[:count]]


async def run(workspace: Path, count: int) -> None:
    """Measure everything and print it."""
    exclusions = Exclusions(lambda _: ExclusionRules(), roots=[workspace])
    await exclusions.refresh()
    store = SyntaxStore()
    settings = CompletionSettings()
    gate = CompletionGate(
        settings=lambda _: settings,
        exclusions=exclusions,
        in_comment=lambda source, at: (
            (tree := store.tree(source)) is not None and in_comment(tree, at)
        ),
    )
    context = WorkspaceContext(exclusions)
    sources = documents_of(workspace, count)
    for source in sources:
        context.opened(source)
        store.tree(source, budget=2.0)
    print(f"{'milliseconds':<44} {'median':>8} {'p99':>8} {'times':>7}")
    report("reading all open documents, in the background", [await refresh(context)])
    report("the same again", [await refresh(context) for _ in range(3)])
    whole = "\n".join(source.text for source in sources)
    pieces = [whole[at : at + 100_000] for at in range(0, len(whole) - 100_000, 100_000)]
    if pieces:
        report(
            "secrets in 100 KB of code",
            [milliseconds(lambda text=text: find_secrets(text)) for text in pieces],
        )
    long = Source(
        (workspace / "a_long_file.py").as_uri(), "    value = compute(1)\n" * 2_000, "python"
    )
    store.tree(long, budget=2.0)
    cursors = [Cursor.at(long, long.line_end(line)) for line in range(0, 2_000, 2)]
    await gate.refusal(long, cursors[0], Trigger.AUTOMATIC)
    gated: list[float] = []
    for at in cursors:
        started = time.perf_counter()
        await gate.refusal(long, at, Trigger.AUTOMATIC)
        gated.append((time.perf_counter() - started) * 1000)
    report("gate, 2,000 lines", gated)
    for budget in BUDGETS:
        report(f"context of {budget} characters", choosing(context, sources, budget))
    await context.aclose()


def choosing(context: WorkspaceContext, sources: Sequence[Source], budget: int) -> list[float]:
    """Return how long choosing takes at every third line of the documents."""
    times: list[float] = []
    for source in sources:
        for line in range(0, source.line_count, 3):
            cursor = Cursor.at(source, source.line_end(line))
            started = time.perf_counter()
            context.files(source, cursor, budget)
            times.append((time.perf_counter() - started) * 1000)
    return times


async def refresh(context: WorkspaceContext) -> float:
    """Return how long reading all open documents takes."""
    started = time.perf_counter()
    await context.refresh()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "workspace", nargs="?", type=Path, default=Path(__file__).resolve().parents[1]
    )
    parser.add_argument("--documents", type=int, default=10, help="how many files are open")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.workspace.resolve(), arguments.documents))


if __name__ == "__main__":
    main()
