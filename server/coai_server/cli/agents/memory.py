"""`coai memory`: what is remembered of a folder, shown, exported, forgotten and added to."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, notices, write_json
from coai_server.cli.settings import load_settings
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.memory.store import Episode, Fact, Memory

commands = typer.Typer(
    no_args_is_help=True, help="See, add to and forget what is remembered of your projects."
)


class Kind(StrEnum):
    """What a fact is."""

    CONVENTION = "convention"
    DECISION = "decision"
    GLOSSARY = "glossary"


All = Annotated[bool, typer.Option("--all", help="Of all folders, not only of this one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]


# --------------------------------------------------------------------------- commands


@commands.command("list")
def list_(*, everything: All = False, as_json: AsJson = False) -> None:
    """List what is remembered: changes that solved a problem (e), and facts (f)."""
    memory, folder = _memory(), None if everything else str(_folder())
    episodes, facts = memory.episodes(folder), memory.facts(folder)
    if as_json:
        write_json(_document(episodes, facts))
        return
    lines = [*map(_episode_line, episodes), *map(_fact_line, facts)]
    for line in lines:
        console().print(printable(line), soft_wrap=True, markup=False, highlight=False)
    if not lines:
        where = "Nothing" if everything else "Nothing of this folder"
        console().print(f"{where} is remembered.")


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="As `coai memory list` has it: e3, f12.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one thing that is remembered, whole."""
    memory = _memory()
    kind, number = _named(name)
    found = [
        each for each in (memory.episodes() if kind == "e" else memory.facts()) if each.id == number
    ]
    if not found:
        raise CoaiError(f"Nothing is remembered as {name}.", remedy="See `coai memory list --all`.")
    if as_json:
        write_json(asdict(found[0]))
        return
    for key, value in asdict(found[0]).items():
        if key == "changes":
            for hunk in value:
                before, after = (hunk[side].splitlines() for side in ("before", "after"))
                text = "\n".join(
                    [*(f"- {line}" for line in before), *(f"+ {line}" for line in after)]
                )
                console().print(printable(text), markup=False, highlight=False, soft_wrap=True)
        else:
            line = f"{key}: {value}"
            console().print(printable(line), markup=False, highlight=False, soft_wrap=True)


@commands.command()
def forget(
    names: Annotated[
        list[str] | None, typer.Argument(help="What to forget: e3, f12.", show_default=False)
    ] = None,
    *,
    folder: Annotated[bool, typer.Option("--folder", help="All of this folder.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of all folders.")] = False,
) -> None:
    """Forget: what is forgotten is overwritten on the disk."""
    memory = _memory()
    if everything or folder:
        gone = memory.forget_folder(None if everything else str(_folder()))
    else:
        parts = [_named(name) for name in names or ()]
        if not parts:
            raise CoaiError(
                "Nothing is named.", remedy="Name e3 or f12, or give --folder or --all."
            )
        gone = memory.forget(
            episodes=[number for kind, number in parts if kind == "e"],
            facts=[number for kind, number in parts if kind == "f"],
        )
    console().print(f"{gone} forgotten.")


@commands.command()
def export(*, everything: All = False) -> None:
    """Write what is remembered as JSON."""
    memory, folder = _memory(), None if everything else str(_folder())
    write_json(_document(memory.episodes(folder), memory.facts(folder)))


@commands.command()
def add(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    text: Annotated[str, typer.Argument(help="What holds, in a sentence.")],
    *,
    at: Annotated[
        str | None, typer.Option(metavar="FILE:LINE", help="Where it can be read.")
    ] = None,
) -> None:
    """Remember something of this folder; with a place it is dropped once its place changes."""
    from coai_agents.application.specialists.remember import stated  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)

    _keep([stated(_folder(), kind.value, text, parse_target(at) if at else None)])


@commands.command()
def learn(
    where: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder.")] = Path(),
) -> None:
    """Read conventions, decisions and words from a folder's files; no model has a part in it."""
    from coai_agents.application.specialists.remember import learned  # noqa: PLC0415 (not for `--help`)

    notes: list[str] = []
    facts = learned(_folder(where), where.absolute(), notes)
    for note in notes:
        notices().print(f"Note: {note}", markup=False)
    _keep(facts)


def _keep(facts: list[Fact]) -> None:
    from coai_agents.application.specialists.remember import keep_facts  # noqa: PLC0415 (as above)

    left = len(facts) - len(kept := keep_facts(facts, load_settings(_folder()).settings))
    console().print(f"{len(kept)} remembered.")
    if left:
        notices().print(f"Note: {left} are not, because they hold something sensitive.")


def _memory() -> Memory:
    """Return the memory, whether or not it is added to: it can be seen and forgotten always."""
    from coai_agents.application.specialists.remember import memory  # noqa: PLC0415 (not for `--help`)

    return memory()


def _folder(where: Path = Path()) -> Path:
    """Return the folder whose memories are meant: a repository, or the one that is named."""
    from coai_agents.application.specialists.remember import folder_of  # noqa: PLC0415 (as above)

    return folder_of(where.absolute() / "x", Path.cwd())


def _named(name: str) -> tuple[str, int]:
    if name[:1] not in ("e", "f") or not name[1:].isdecimal():
        raise CoaiError(f"{name} is no name of a memory.", remedy="Write e3 or f12.")
    return name[0], int(name[1:])


def _document(episodes: list[Episode], facts: list[Fact]) -> dict[str, Any]:
    return {
        "episodes": [asdict(each) for each in episodes],
        "facts": [asdict(each) for each in facts],
    }


def _episode_line(episode: Episode) -> str:
    judge = "a test passed" if episode.judge == "test" else "you kept it"
    how = f"{episode.by}; {judge}, used {episode.used} times"
    return f"e{episode.id}  {episode.path}: {episode.title} ({how})"


def _fact_line(fact: Fact) -> str:
    place = f"{fact.path}:{fact.line}" if fact.path else "you said so"
    return f"f{fact.id}  {fact.kind}: {fact.text} ({place})"
