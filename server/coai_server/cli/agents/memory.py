"""`coai memory`: what is remembered of a folder, shown, exported, forgotten and added to."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, notices, write_json
from coai_server.cli.settings import load_settings
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.memory.keeping import Keeper
    from coai_agents.memory.store import Episode, Fact, Memory
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Statement
    from coai_agents.specialists.fixing.agent import Recall

MOST_FILES: Final = 2_000
"""Files of a folder that conventions and words are read from."""

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


# ------------------------------------------------------------------ for other commands


def folder_of(path: Path) -> Path:
    """Return the folder that a file's memories are kept under: its repository, or this one."""
    from coai_routing.processes import workspace_around  # noqa: PLC0415 (not for `--help`)

    whole = path.absolute()
    here = Path.cwd()
    start = here if whole.is_relative_to(here) else whole.parent
    found = workspace_around(start)
    return found if found is not None and whole.is_relative_to(found) else start


def memory_of(path: Path) -> Memory | None:
    """Return the memory, or None where a file's settings have switched it off."""
    from coai_agents.memory.store import Memory, location  # noqa: PLC0415 (as above)

    if not load_settings(folder_of(path)).settings.memory.enabled:
        return None
    return Memory(location())


def keeper(path: Path) -> Keeper | None:
    """Return what writes to the memory what may be kept of a file; None where it is off."""
    from coai_agents.memory.keeping import Keeper  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured_routing import sensitivity_rules  # noqa: PLC0415 (as above)

    memory = memory_of(path)
    if memory is None:
        return None
    return Keeper(memory, sensitivity_rules(load_settings(folder_of(path)).settings))


def recall(path: Path) -> Recall:
    """Return what gives the changes that solved problems before, in the folder of a file."""
    from coai_agents.memory.episodes import remembered  # noqa: PLC0415 (as above)
    from coai_agents.specialists.fixing.agent import nothing  # noqa: PLC0415 (as above)

    memory = memory_of(path)
    if memory is None:
        return nothing
    folder = str(folder_of(path))
    return lambda source, problem: remembered(memory, folder, source, problem)


def facts_about(path: Path, question: str) -> list[Statement]:
    """Return what is remembered of a folder that a question touches, with its places."""
    from coai_agents.memory.facts import facts_for  # noqa: PLC0415 (as above)
    from coai_agents.specialists.answers import Origin, Place, Statement  # noqa: PLC0415 (as above)

    memory = memory_of(path)
    if memory is None:
        return []
    return [
        Statement(
            fact.text,
            Origin.FACT if fact.path else Origin.USER,
            fact.kind,
            (Place(fact.path, fact.line),) if fact.path else (),
        )
        for fact in facts_for(memory, folder_of(path), question)
    ]


# --------------------------------------------------------------------------- commands


@commands.command("list")
def list_(*, everything: All = False, as_json: AsJson = False) -> None:
    """List what is remembered: changes that solved a problem (e), and facts (f)."""
    memory, folder = _memory(), None if everything else str(folder_of(Path("x")))
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
        gone = memory.forget_folder(None if everything else str(folder_of(Path("x"))))
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
    memory, folder = _memory(), None if everything else str(folder_of(Path("x")))
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
    from coai_agents.memory.facts import user_s  # noqa: PLC0415 (as above)
    from coai_agents.specialists.targets import parse_target  # noqa: PLC0415 (as above)

    folder = folder_of(Path("x"))
    target = parse_target(at or "")
    path = Path(target.file).absolute() if at else None
    name = path.relative_to(folder).as_posix() if path and path.is_relative_to(folder) else ""
    if at and not (name and target.first):
        raise CoaiError(f"{at} is no line of a file of {folder}.", remedy="Write FILE:LINE.")
    fact = user_s(folder, kind.value, text, name, target.first)
    if at and not fact.path:
        raise CoaiError(f"{at} cannot be read, or has nothing in it.")
    _keep([fact])


@commands.command()
def learn(
    where: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder.")] = Path(),
) -> None:
    """Read conventions, decisions and words from a folder's files; no model has a part in it."""
    from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 (not for `--help`)
    from coai_agents.memory.facts import gathered  # noqa: PLC0415 (as above)

    folder = folder_of(where.absolute() / "x")
    sources = list(_sources(sorted(files_in([where.absolute()]))[:MOST_FILES]))
    _keep(gathered(folder, sources))


def _sources(paths: list[Path]) -> Iterator[Source]:
    from coai_server.cli.agents.showing import source_of  # noqa: PLC0415 (as above)
    from coai_server.cli.files import SourceFileError  # noqa: PLC0415 (as above)

    for path in paths:
        try:
            yield source_of(path)
        except SourceFileError as error:
            notices().print(f"Note: {error}", markup=False)


def _keep(facts: list[Fact]) -> None:
    kept = keeper(Path("x"))
    if kept is None:
        raise CoaiError(
            "Nothing is remembered, because `memory.enabled` is off.",
            remedy="Switch it on: `coai config show memory.enabled` says where it is set.",
        )
    remembered = kept.facts(facts)
    left = len(facts) - len(remembered)
    console().print(f"{len(remembered)} remembered.")
    if left:
        notices().print(f"Note: {left} are not, because they hold something sensitive.")


def _memory() -> Memory:
    """Return the memory, whether or not it is added to: it can be seen and forgotten always."""
    from coai_agents.memory.store import Memory, location  # noqa: PLC0415 (not for `--help`)

    return Memory(location())


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
