"""All commands, put together."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli import (
    auth,
    cache,
    complete,
    config,
    doctor,
    models,
    privacy,
    route,
    rules,
    stats,
    why,
)
from coai_server.cli.agents import memory, rate
from coai_server.cli.agents.architecture import architecture
from coai_server.cli.agents.ask import ask
from coai_server.cli.agents.compliance import compliance
from coai_server.cli.agents.document import document
from coai_server.cli.agents.explain import explain
from coai_server.cli.agents.fix import fix
from coai_server.cli.agents.perf import perf
from coai_server.cli.agents.refactor import refactor
from coai_server.cli.agents.review import review
from coai_server.cli.agents.threats import threats
from coai_server.cli.agents.vulns import commands as vulns
from coai_server.cli.audit import command as audit
from coai_server.cli.console import report, tolerate_any_encoding
from coai_server.cli.demo import command as demo
from coai_server.cli.runs import cluster, ensembles, runs
from coai_server.cli.runs.run import run_plan
from coai_server.cli.runs.system import system

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLES: Final = (
    ("coai demo", "watch real code being completed"),
    ("coai doctor", "see which model serves, and what is missing"),
    ("coai why", "see what the last requests ended in"),
    ("coai complete main.py:12:5", "print the suggestion at a place"),
    ("coai audit src", "find what is wrong in files, without a model"),
    ("coai models pull", "fetch the model that the settings use"),
    ("coai config show", "see every setting and where it comes from"),
    ("coai serve", "what your editor runs"),
)

# Paragraphs, because their line breaks are kept.
_EPILOG: Final = "\n\n".join(f"{command:<30}{meaning}" for command, meaning in EXAMPLES)

app = typer.Typer(
    name="coai",
    help="A language server for AI assistance that puts the local model first.",
    epilog=f"Examples:\n\n{_EPILOG}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("why")(why.why)
app.command("complete")(complete.complete)
app.command("audit")(audit.audit)
app.command("explain")(explain)
app.command("ask")(ask)
app.command("fix")(fix)
app.command("refactor")(refactor)
app.command("review")(review)
app.command("document")(document)
app.command("perf")(perf)
app.command("architecture")(architecture)
app.add_typer(vulns, name="vulns")
app.command("compliance")(compliance)
app.command("threats")(threats)
app.command("run")(run_plan)
app.add_typer(runs.commands, name="runs")
app.add_typer(cluster.commands, name="cluster")
app.add_typer(ensembles.commands, name="ensembles")
app.command("profiles")(ensembles.profiles)
app.command("system")(system)
app.add_typer(rules.commands, name="rules")
app.add_typer(models.commands, name="models")
app.add_typer(config.commands, name="config")
app.add_typer(route.commands, name="route")
app.add_typer(privacy.commands, name="privacy")
app.add_typer(cache.commands, name="cache")
app.add_typer(memory.commands, name="memory")
app.command("rate")(rate.rate)
app.command("stats")(stats.stats)
app.add_typer(auth.commands, name="auth")


def add_server(name: str, summary: str, start: Callable[[Sequence[str]], int]) -> None:
    """Add a command that is another door's: everything after its name goes to `start`."""

    @app.command(
        name,
        help=summary,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def _serve(context: typer.Context) -> None:  # pyright: ignore[reportUnusedFunction] - registered
        raise typer.Exit(start(context.args))


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature for callbacks
    if wanted:
        typer.echo(f"coai {version('coai')}")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction] - registered
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    del show_version


_SPECIALISTS: Final = frozenset(
    {
        "architecture", "ask", "compliance", "document", "explain", "fix", "memory", "perf",
        "refactor", "review", "threats", "vulns",
    }
)  # fmt: skip
"""Commands that end with 2 where they could not do what they are for."""


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code, or raise `SystemExit` with it."""
    tolerate_any_encoding()
    try:
        app(args=list(arguments), prog_name="coai")
    except CoaiError as error:
        report(error)
        # To the specialists 1 means that something was found.
        return 2 if arguments[:1] and arguments[0] in _SPECIALISTS else 1
    except KeyboardInterrupt:
        return 130
    return 0
