"""`coai rate`: whether an answer of a specialist was of help; the next team is chosen by it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coai_server.cli.console import console, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

MOST_LISTED: Final = 10


class Word(StrEnum):
    """What is said of an answer."""

    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"


def rate(
    word: Annotated[
        Word | None, typer.Argument(help="What it was. Without it the last answers are listed.")
    ] = None,
    answer: Annotated[
        str | None, typer.Argument(metavar="[ANSWER]", help="Which one; else the last.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Say whether an answer of `coai ask`, `explain`, `review` and the like was of help.

    A later word on the same answer takes the earlier one's place. Specialists and models are chosen
    by it: see `coai stats --agents`. What is kept holds no code and no question.
    """
    from coai_agents.application.specialists import standing  # noqa: PLC0415 (not for `--help`)

    if word is None:
        rows = [
            {
                "answer": each.id.partition(".")[0],
                "at": datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds"),
                "agent": each.agent,
                "model": each.model,
                "verdict": each.verdict or "",
            }
            for each in standing.last(MOST_LISTED)
        ]
    else:
        rated = standing.rate(answer, helpful=word is Word.HELPFUL)
        rows = [
            {"answer": each.id.partition(".")[0], "agent": each.agent, "model": each.model}
            for each in rated
        ]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        said = "  ".join(str(each) for each in row.values() if each)
        line = said if word is None else f"{said}: {word.value}"
        console().print(printable(line), markup=False, highlight=False)
    if not rows:
        console().print("There is no answer yet.")


def show_agents(since: datetime, *, as_json: bool) -> None:
    """Show how each specialist did with each model since then, for `coai stats --agents`."""
    from coai_agents.application.specialists import standing  # noqa: PLC0415 (not for `--help`)

    rows = standing.table(since.timestamp())
    if as_json:
        write_json(rows)
    elif rows:
        console().print(_table(rows))
        console().print(
            "\nKept: changes that still stood when the file was saved. Standing: how likely the"
            " next answer is of help, by the last ones rated and kept."
        )
    else:
        console().print("No specialist has answered yet.")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table(
        "Agent", "Model", "Answers", "Share", "Answered", "Helpful", "Kept", "Standing", "Mean",
        "USD", box=None, pad_edge=False,
    )  # fmt: skip
    for row in rows:
        judged = row["helpful"] + row["unhelpful"]
        challenger = " (challenger)" if row["challenger"] else ""
        table.add_row(
            printable(row["agent"]),
            printable(f"{row['model'] or '-'}{challenger}"),
            str(row["answers"]),
            f"{row['share']:.0%}",
            f"{row['answered']:.0%}",
            f"{row['helpful']} of {judged}" if judged else "-",
            str(row["kept"] or "-"),
            f"{row['standing']:.2f}" if judged else "-",
            f"{row['meanSeconds']:.1f} s",
            f"{row['usd']:.4f}",
        )
    return table
