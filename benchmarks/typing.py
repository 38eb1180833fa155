"""Whether completion keeps up with typing, and what that costs the model: typing is replayed.

    python -m benchmarks.typing --plot latency.svg

Run it only so, as a module: as a script it would hide the standard library's `typing`.

Passages of real source files are typed through the real daemon in a human rhythm, with pauses,
corrections and accepted suggestions, every keystroke as VS Code sends it. The same keystrokes then
go to a plain client of the same llama.cpp server that calls `/infill` after a fixed debounce of
150 ms, with prompts of the same size. Both go through a proxy that counts; how many prompt tokens
were evaluated in all is llama.cpp's own counter. Each gets a server of its own, with the same
model and options, so that neither finds the other's prompts in its cache.
"""

# ruff: noqa: A005 - it is imported as benchmarks.typing only, and the name says what is measured
from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from benchmarks.support.counting_proxy import counting_proxy
from benchmarks.support.daemon import cpu_seconds, editing, only_server
from benchmarks.support.figures import percentile
from benchmarks.support.histogram import histogram_svg
from benchmarks.support.llama import ServerOptions, alias_for, evaluated_tokens, llama_server
from benchmarks.support.loaded import measure_loaded
from benchmarks.support.replay import DaemonReplay, Limits, PlainReplay
from benchmarks.support.report import Report, options_parser, run
from benchmarks.support.typing_figures import Side, latencies_by_origin, publish
from benchmarks.support.typist import CHARACTERS_A_SECOND, Passage, Typist
from coai_agents.completion.completion_engine import LINE_TOKENS
from coai_routing.errors import CoaiError
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.settings.loading import load
from coai_routing.wiring.configured import open_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.support.counting_proxy import Call
    from benchmarks.support.replay import Moment

MODULES: Final = ("textwrap", "fractions", "shlex", "graphlib", "zipapp")
"""Of the running Python's standard library: ordinary code of several hands."""

SAMPLES: Final = {".ts": "typescript", ".js": "javascript", ".py": "python"}
"""Languages of the daemon's own samples, which no model has seen."""

CHARACTERS: Final = 300

LEAST_BYTES: Final = 500
"""Shorter files have no passage worth typing."""

FEWEST_PROMPT: Final = 200


def passages(*, characters: int, count: int | None) -> list[Passage]:
    """Return what is typed: a passage of each file, so many files at most."""
    found = [
        Passage.of(Path(spec.origin), "python", characters=characters)
        for name in MODULES
        if (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None
    ]
    samples = Path(str(files("coai_server") / "samples"))
    own = sorted(
        path
        for path in samples.rglob("*")
        if path.suffix in SAMPLES and path.stat().st_size > LEAST_BYTES
    )
    # One of the samples after each module, so that few files are of several languages, too.
    for place, path in enumerate(own):
        passage = Passage.of(path, SAMPLES[path.suffix], characters=characters)
        found.insert(min(2 * place + 1, len(found)), passage)
    return found[:count]


def weights(wanted: str | None) -> tuple[Path, str]:
    """Return a model's file and the name it is served by; raises what the store raises."""
    settings = load().settings
    catalog = builtin_catalog()
    path = open_store(settings, catalog).resolve(wanted or settings.engine.model)
    default = catalog.model(catalog.default_model)
    assert default is not None
    return path, alias_for(path, default.file_name)


async def through_the_daemon(
    server: ServerOptions, texts: Sequence[Passage], options: argparse.Namespace
) -> tuple[Side, list[list[Moment]]]:
    """Type everything through the daemon; return the side, and its keystrokes file by file."""
    typed: list[list[Moment]] = []
    async with (
        llama_server(server) as url,
        counting_proxy(url) as proxy,
        editing(only_server(proxy.url)) as editor,
    ):
        cpu, started = cpu_seconds(editor), time.perf_counter()
        for number, passage in enumerate(texts):
            typist = Typist(passage.text, seed=options.seed + number, speed=options.speed)
            typed.append(await DaemonReplay(editor, passage, typist).run())
        seconds = time.perf_counter() - started
        cpu = cpu_seconds(editor) - cpu
        side = Side(
            moments=[moment for moments in typed for moment in moments],
            calls=proxy.calls,
            evaluated=await evaluated_tokens(url),
            seconds=seconds,
            cpu_share=cpu / seconds,
        )
    return side, typed


async def by_the_plain_client(
    server: ServerOptions,
    texts: Sequence[Passage],
    typed: Sequence[Sequence[Moment]],
    limits: Limits,
) -> Side:
    """Make the same keystrokes against a bare server."""
    moments: list[Moment] = []
    async with llama_server(server) as url, counting_proxy(url) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url, timeout=None, trust_env=False) as client:
            started = time.perf_counter()
            for passage, strokes in zip(texts, typed, strict=True):
                made = [moment.stroke for moment in strokes]
                moments += await PlainReplay(client, passage, made, limits).run()
            seconds = time.perf_counter() - started
        return Side(
            moments=moments,
            calls=proxy.calls,
            evaluated=await evaluated_tokens(url),
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    prefix: int
    suffix: int


def limits_like(calls: Sequence[Call]) -> Limits:
    """Return how much the plain client sends so that its prompts are as long as the daemon's."""
    parts = [_parts(call.prompt) for call in calls if not call.reads_ahead]
    if not parts:
        raise CoaiError("The daemon did not ask the model once.")
    prefix = percentile([part.prefix for part in parts], 50)
    suffix = percentile([part.suffix for part in parts], 50)
    return Limits(max(FEWEST_PROMPT, round(prefix)), round(suffix), LINE_TOKENS)


def _parts(prompt: str) -> _Parts:
    """Tell how much of a prompt stands before, and how much after the cursor."""
    for family in builtin_catalog().families:
        fim = family.fim
        if fim.middle and fim.order == "psm" and fim.suffix in prompt and fim.middle in prompt:
            before, _, rest = prompt.partition(fim.suffix)
            after, _, tail = rest.partition(fim.middle)
            return _Parts(len(before) + len(tail), len(after))
    return _Parts(len(prompt), 0)


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    path, alias = await asyncio.to_thread(weights, options.model)
    server = ServerOptions(
        model=str(path), alias=alias, batch_tokens=options.batch, threads=options.threads
    )
    texts = passages(characters=options.characters, count=options.files)
    report = Report("Typing")
    report.say(
        f"{alias}, {server.batch_tokens} tokens a batch; {options.speed:g} characters a second in "
        f"{', '.join(passage.name for passage in texts)}"
    )
    if options.load:
        report.say(f"{options.load} other programs keep the machine busy.")
        await measure_loaded(report, server, texts, options.load)
        return report.finish(options)
    coai, typed = await through_the_daemon(server, texts, options)
    limits = limits_like(coai.calls)
    plain = await by_the_plain_client(server, texts, typed, limits)
    publish(report, coai, plain)
    if options.plot is not None:
        series = {**latencies_by_origin(coai), "plain client": plain.latencies}
        svg = histogram_svg("From keystroke to ghost text", series)
        await asyncio.to_thread(options.plot.write_text, svg, encoding="utf-8")
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("typing", "Replay typing through the daemon and a plain client.")
    parser.add_argument("--files", type=int, help="so many files at most (all)")
    parser.add_argument(
        "--characters", type=int, default=CHARACTERS, help=f"typed in each file ({CHARACTERS})"
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=CHARACTERS_A_SECOND,
        help=f"characters a second ({CHARACTERS_A_SECOND:g})",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides rhythm and mistakes (0)")
    parser.add_argument("--model", metavar="NAME|FILE", help="the model (the default)")
    parser.add_argument("--batch", type=int, default=2048, help="llama.cpp's batch, tokens (2048)")
    parser.add_argument("--threads", type=int, default=0, help="llama.cpp's threads (as suits)")
    parser.add_argument(
        "--load", type=int, default=0, metavar="N", help="beside N busy programs: other figures"
    )
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw the latencies")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
