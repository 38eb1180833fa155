"""`coai models`: the weights on this machine, and those that can be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_server.cli.console import console, notices, run, write_json
from coai_server.cli.settings import load_settings, store_of

if TYPE_CHECKING:
    from coai_routing.settings.schema import Settings
    from coai_routing.weights.own_weights import OwnWeights
    from coai_routing.weights.store import ModelStore, StoredModelStatus

commands = typer.Typer(
    no_args_is_help=True, help="List, fetch and remove the weights of local models."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `coai models list` shows.")]


@commands.command("list")
def list_models(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """List the models of the catalogue with what is here of each, and your own files.

    Your own are GGUF files where `models.local_paths` says; `engine.model` takes their paths.
    """
    settings, store = _store()
    default = settings.engine.model
    listed, own = store.listed(), store.own(default)
    if as_json:
        write_json([*(_document(status, default) for status in listed), *map(_own, own)])
        return
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("Name", "Family", "Size", "Licence", "State", box=None, pad_edge=False)
    for status in listed:
        model = status.model
        name = f"{model.name} (in use)" if model.name == default else model.name
        size = f"{model.size / 1e6:,.0f} MB"
        table.add_row(name, model.family, size, model.license, status.state.value)
    for file in own:
        name = f"{file.path} (in use)" if file.in_use else str(file.path)
        table.add_row(name, file.family, f"{file.size / 1e6:,.0f} MB", "", "your own")
    to = console()
    to.print(table)
    to.print(f"\nThey are kept in {store.directory}.", soft_wrap=True)


@commands.command()
def pull(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The model that the settings use unless given."),
    ] = None,
) -> None:
    """Fetch a model's weights, and check them; goes on where an earlier fetch stopped."""
    from coai_server.cli.weights import fetch  # noqa: PLC0415 (not for `--help`)

    settings, store = _store()
    wanted = name or _model_to_pull(settings, store)
    path = run(fetch(store, wanted))
    notices().print(f"{wanted} is ready: {path}", soft_wrap=True)


@commands.command()
def remove(name: Name) -> None:
    """Delete a model's weights from this machine."""
    _, store = _store()
    freed = store.remove(name)
    said = f"Freed {freed / 1e6:,.0f} MB." if freed else f"There was nothing of {name}."
    notices().print(said)


@commands.command()
def path(name: Name) -> None:
    """Print where a model's weights are. Exit code 1 if they are not there."""
    _, store = _store()
    status = store.status(name)
    console().print(str(status.path), soft_wrap=True)
    if not status.present:
        notices().print(f"They are not there yet: run `coai models pull {name}`.")
        raise typer.Exit(1)


def _store() -> tuple[Settings, ModelStore]:
    settings = load_settings(Path.cwd()).settings
    return settings, store_of(settings)


def _model_to_pull(settings: Settings, store: ModelStore) -> str:
    """Return the model in use, or the catalogue's default where that is a file of the user's."""
    in_use = settings.engine.model
    return in_use if store.catalog.model(in_use) is not None else store.catalog.default_model


def _document(status: StoredModelStatus, default: str) -> dict[str, Any]:
    model = status.model
    return {
        "name": model.name,
        "title": model.title,
        "family": model.family,
        "license": model.license,
        "sizeBytes": model.size,
        "state": status.state.name.lower(),
        "bytesPresent": status.bytes_present,
        "path": str(status.path),
        "inUse": model.name == default,
    }


def _own(file: OwnWeights) -> dict[str, Any]:
    return {
        "name": str(file.path),
        "title": file.title,
        "family": file.family,
        "license": None,
        "sizeBytes": file.size,
        "state": "own",
        "bytesPresent": file.size,
        "path": str(file.path),
        "inUse": file.in_use,
    }
