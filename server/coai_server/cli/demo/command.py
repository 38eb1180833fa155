"""`coai demo`: a real daemon, a real model, and an editor that types, on this screen."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, error_document, notices, run, write_json
from coai_server.cli.settings import load_settings, store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from coai_routing.settings.schema import Settings
    from coai_server.cli.demo.exercise import Exercise
    from coai_server.cli.demo.playing import Played, Step
    from coai_server.cli.readiness import Ready
    from coai_server.editor import Buffer, Ghost


class DemoFailedError(CoaiError):
    """No real completion came back."""


def demo(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A file of yours; it is not changed. The samples unless given.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    *,
    function: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With FILE: complete at the end of this function."),
    ] = None,
    sample: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this sample: python or typescript."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Fetch the model unasked.")] = False,
) -> None:
    """Watch real code being completed, by the model that your editor would use."""
    if function is not None and file is None:
        raise typer.BadParameter("it needs a FILE", param_hint="--function")
    if sample and file is not None:
        raise typer.BadParameter("it cannot be combined with a FILE", param_hint="--sample")
    ask = not yes and not as_json and sys.stdin.isatty() and sys.stderr.isatty()
    try:
        exercises = _exercises(file, function, sample)
        folder = Path.cwd() if file is None else file.absolute().parent
        run(prepare(load_settings(folder).settings, ask=ask))
        ready, played = run(_perform(exercises, file, quiet=as_json))
    except CoaiError as error:
        if as_json:
            write_json(error_document(error))
            raise typer.Exit(1) from error
        raise
    completed = all(each.completed for each in played)
    if as_json:
        write_json(_document(ready, played, ok=completed))
    elif completed:
        console().print(
            f"{ready.model} ({ready.backend}) completed {_count(played)}. Your editor can have"
            " that too: it starts `coai serve`. `coai doctor` says more of the model.",
            soft_wrap=True,
        )
    if not completed:
        if not as_json:
            missing = ", ".join(each.exercise.name for each in played if not each.completed)
            raise DemoFailedError(
                f"No completion came back for {missing}.",
                remedy="The reasons are above; `coai doctor` looks for what is missing.",
            )
        raise typer.Exit(1)


def _exercises(
    file: Path | None, function: str | None, wanted: Sequence[str] | None
) -> list[Exercise]:
    # Imported here, as what parses code is not needed for `--help`.
    from coai_server.cli.demo.exercise import exercise_in, exercise_of, samples  # noqa: PLC0415

    if file is not None:
        return [exercise_in(file.absolute(), function)]
    known = {sample.name: sample for sample in samples()}
    for name in wanted or ():
        if name not in known:
            raise typer.BadParameter(f"{name} is none of {', '.join(known)}", param_hint="--sample")
    return [exercise_of(known[name]) for name in wanted or known]


async def prepare(settings: Settings, *, ask: bool) -> None:
    """Fetch the model that the settings ask for, if nothing else on this machine completes."""
    store = store_of(settings)
    name = settings.engine.model
    if not settings.engine.enabled or settings.completion.backend not in ("auto", "embedded"):
        return
    if store.catalog.model(name) is None or store.status(name).present:
        return
    if settings.completion.backend == "auto" and await _another_completes(settings):
        return
    if settings.engine.download == "never":
        raise DemoFailedError(
            f"{name} is not on this machine, and engine.download is never.",
            remedy=f"Fetch it with `coai models pull {name}`.",
        )
    from coai_server.cli.weights import fetch, megabytes  # noqa: PLC0415 (only where needed)

    model = store.status(name).model
    notices().print(
        f"COAI completes with a model on this machine: {model.title}, {megabytes(model.size)},"
        f" {model.license}. It is fetched once, into {store.directory}."
    )
    if ask and not typer.confirm("Fetch it now?", default=True, err=True):
        raise typer.Abort
    await fetch(store, name)


async def _another_completes(settings: Settings) -> bool:
    """Say whether a model server is running here that the daemon would use."""
    from coai_routing.wiring.local import LocalModels  # noqa: PLC0415 (only where needed)

    models = LocalModels(lambda: settings)
    try:
        await models.backends.look()
        return bool(models.backends.candidates())
    finally:
        await models.aclose()


async def _perform(
    exercises: Sequence[Exercise], file: Path | None, *, quiet: bool
) -> tuple[Ready, list[Played]]:
    from coai_server.cli.demo.playing import play  # noqa: PLC0415 (not for `--help`)
    from coai_server.cli.demo.stage import Stage  # noqa: PLC0415 (as above)
    from coai_server.cli.readiness import SPEED_SECONDS, wait_until_ready  # noqa: PLC0415 (as above)
    from coai_server.editor import launched  # noqa: PLC0415 (as above)

    with _workspace(file) as folder:
        async with launched(folder) as editor:
            with _waiting(quiet=quiet) as watch:
                ready = await wait_until_ready(editor, speed=SPEED_SECONDS, watch=watch)
            played: list[Played] = []
            stage = None if quiet else Stage(console())
            for exercise in exercises:
                if stage is None:
                    played.append(await play(editor, exercise, _Nobody()))
                    continue
                stage.begin(exercise)
                try:
                    played.append(await play(editor, exercise, stage))
                finally:
                    stage.end()
                stage.finish(played[-1].text, exercise)
            return ready, played


@contextmanager
def _workspace(file: Path | None) -> Generator[Path]:
    """Give the folder that the editor opens: the file's, or for the samples an empty one."""
    if file is not None:
        yield file.absolute().parent
        return
    with tempfile.TemporaryDirectory(prefix="coai-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@contextmanager
def _waiting(*, quiet: bool) -> Generator[Callable[[str], None]]:
    """Show that the daemon is starting, and what it does."""
    to = notices()
    if quiet or not to.is_terminal:
        yield lambda _: None
        return
    with to.status("Starting the daemon and its model.") as status:
        yield lambda detail: status.update(f"Starting the daemon and its model. {detail}")


class _Nobody:
    """Watches nothing, for `--json`."""

    async def look(self, buffer: Buffer) -> None:
        """See nothing."""

    async def see(self, buffer: Buffer, ghost: Ghost | None, step: Step) -> None:
        """See nothing."""


def _count(played: Sequence[Played]) -> str:
    names = [each.exercise.name for each in played]
    return " and ".join(names)


def _document(ready: Ready, played: Sequence[Played], *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "backend": ready.backend,
        "model": ready.model,
        "local": ready.local,
        "waitedMs": round(ready.waited_ms, 1),
        "files": [
            {
                "name": each.exercise.name,
                "language": each.exercise.language,
                "ok": each.completed,
                "steps": [_step(step) for step in each.steps],
                "text": each.text,
            }
            for each in played
        ],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "event": step.event,
        "trigger": step.trigger.name.lower(),
        "suggestion": step.suggestion,
        "roundTripMs": round(step.round_trip_ms, 1),
        "account": dict(step.account),
    }
