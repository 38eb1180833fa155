"""What the router costs, and whether it keeps its promises where things go wrong.

    python -m benchmarks.router                     # the quick parts
    python -m benchmarks.router --leaks 10000 --kills 200

The model servers are real sockets: a counting one in a process of its own for times, a real
llama.cpp server behind a faulty proxy for faults, and one that records for what leaves.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.leaks import run_cases
from tests.support.llama import start_llama_server
from tests.support.routing import place, question, routing
from tests.support.tiny_gguf import write_tiny_gguf

from benchmarks.support.crowds import DELAY_MS, LIMIT, MANY, measure_crowds
from benchmarks.support.figures import Spread
from benchmarks.support.quick_model import quick_model
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, quantity, run, spread_row
from coai_routing.errors import CoaiError
from coai_routing.policy.question import Circumstances, plan_route
from coai_routing.pool.deployments import Deployments
from coai_routing.pool.place import Place
from coai_routing.privacy.sensitivity import SensitivityRules, assess
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.registry.capabilities import builtin_capabilities
from coai_routing.request import Capability, ModelReply
from coai_routing.router.cache import AnswerCache

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from coai_routing.providers.base import Provider

PLAN_MS: Final = 1.0
OWN_CPU_MS: Final = 0.5
MEMORY_US: Final = 20.0
DISK_US: Final = 250.0
OVERRUN_MS: Final = 100.0
THROUGHPUT: Final = 0.9

WARM_UP: Final = 30


def _no_provider() -> Provider:
    raise LookupError("planning connects to nothing")


def measure_planning(report: Report, count: int) -> None:
    """Plan over the whole registry, sensitivity apart."""
    places = tuple(
        Place(name, url, local=name not in {"anthropic", "openai"}, connect=_no_provider,
              billed=not url.startswith("http://127"))
        for name, url in (
            ("embedded", "http://127.0.0.1:1"),
            ("llama_server", "http://127.0.0.1:2"),
            ("ollama", "http://127.0.0.1:3"),
            ("vllm", "http://127.0.0.1:4"),
            ("lmstudio", "http://127.0.0.1:5"),
            ("anthropic", "https://api.anthropic.com"),
            ("openai", "https://api.openai.com/v1"),
        )
    )  # fmt: skip
    registry = builtin_capabilities()
    fleet = Deployments(lambda: places, lambda: registry)
    draw = random.Random(1)
    times: list[float] = []
    for _ in range(count):
        policy = registry.policy(draw.choice(list(Capability)))
        begun = time.perf_counter()
        around = Circumstances(
            policy,
            policy.objective,
            allow_cloud=True,
            complexity=draw.random(),
            prompt_tokens=1000,
            max_tokens=500,
        )
        plan_route(fleet.deployments(), around)
        times.append((time.perf_counter() - begun) * 1000)
    source = "def total(values):\n    return sum(values)\n" * 100
    request = question(source).request
    rules = SensitivityRules()
    searching: list[float] = []
    for _ in range(200):
        begun = time.perf_counter()
        assess(request, rules)
        searching.append((time.perf_counter() - begun) * 1000)
    planned = Spread.of(times)
    report.table(
        "Planning",
        SPREAD,
        [
            spread_row("a plan over the whole registry", planned),
            spread_row(f"sensitivity of {len(source) // 1000} kB", Spread.of(searching)),
        ],
    )
    assert planned is not None
    report.hold(Bar("planning, p99", planned.p99, PLAN_MS, "ms"))


async def cpu_per_call(call: Callable[[int], Awaitable[object]], count: int) -> float:
    """Return the milliseconds of this process's CPU that a call costs."""
    for number in range(WARM_UP):
        await call(-number - 1)
    begun = time.process_time()
    for number in range(count):
        await call(number)
    return (time.process_time() - begun) * 1000 / count


async def measure_cost(report: Report, count: int) -> None:
    """Compare the CPU of a call with and without the router, and with LiteLLM's."""
    with quick_model() as url:
        provider = LlamaServerProvider(name="quick", base_url=url)
        bare = await cpu_per_call(
            lambda number: provider.chat(question(f"x{number}").request), count
        )
        async with routing(place("quick", url)) as router:
            ours = await cpu_per_call(lambda number: router.answer(question(f"x{number}")), count)
        # Both ways once more, in the other order, so that a change of the machine's pace shows.
        async with routing(place("quick", url)) as router:
            ours = min(ours, await cpu_per_call(
                lambda number: router.answer(question(f"x{number}")), count
            ))  # fmt: skip
        bare = min(bare, await cpu_per_call(
            lambda number: provider.chat(question(f"x{number}").request), count
        ))  # fmt: skip
        await provider.aclose()
        theirs = await asyncio.to_thread(_litellm, url, count)
    rows = [
        ("the provider alone", quantity(bare), "-"),
        ("the router", quantity(ours), quantity(ours - bare)),
    ]
    if theirs is not None:
        rows.append(("LiteLLM's Router", quantity(theirs), quantity(theirs - bare)))
    else:
        report.say("LiteLLM is not installed: `uv sync --group comparison`.")
    report.table("CPU of a call, in ms", ("", "CPU", "over the provider"), rows)
    report.keep("cpu_ms", {"bare": bare, "router": ours, "litellm": theirs})
    report.hold(Bar("router's own CPU a call", ours - bare, OWN_CPU_MS, "ms"))


def _litellm(url: str, count: int) -> float | None:
    command = [sys.executable, "-m", "benchmarks.support.litellm_cost", url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_ms"])


async def measure_cache(report: Report, count: int) -> None:
    """Look answers up in memory and on disk."""
    reply = ModelReply(text="x" * 2000, finish="stop", model="m", provider="p")
    with tempfile.TemporaryDirectory() as folder:
        cache = AnswerCache(Path(folder) / "answers", entries=count)
        for number in range(count):
            await cache.put(f"{number}", reply, sensitive=False, cost=1.0, seconds=1.0)
        memory = [await _timed(lambda key=f"{n}": cache.get(key)) for n in range(count)]
        await cache.aclose()
        # A memory of one entry, so that every answer comes from the disk.
        cold = AnswerCache(Path(folder) / "answers", entries=1)
        await cold.get("0")
        disk = [await _timed(lambda key=f"{n}": cold.get(key)) for n in range(1, count)]
        await cold.aclose()
    spreads = Spread.of(memory), Spread.of(disk)
    report.table(
        "Answers that are kept",
        ("microseconds", *SPREAD[1:]),
        [spread_row("from memory", spreads[0]), spread_row("from disk, by a thread", spreads[1])],
    )
    assert spreads[0] is not None
    assert spreads[1] is not None
    report.hold(
        Bar("memory hit, p50", spreads[0].p50, MEMORY_US, "us"),
        Bar("disk hit, p50", spreads[1].p50, DISK_US, "us"),
    )


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await call()
    return (time.perf_counter() - begun) * 1e6


async def report_crowds(report: Report) -> None:
    """Ask the same a thousand times at once, then a thousand different things."""
    crowds = await measure_crowds()
    report.table(
        f"{MANY} different requests, {LIMIT} at a time, a backend of {DELAY_MS:.0f} ms",
        ("", "seconds", "of the theoretical", f"of {MANY / LIMIT:.1f} x {DELAY_MS:.0f} ms",
         "of bare aiohttp", "CPU ms a call"),
        [
            (
                name,
                f"{seconds:.3f}",
                f"{crowds.least / seconds:.3f}",
                f"{MANY / LIMIT * DELAY_MS / 1000 / seconds:.3f}",
                f"{crowds.took['bare aiohttp'] / seconds:.3f}",
                quantity(crowds.cpu_ms[name]),
            )
            for name, seconds in crowds.took.items()
        ],
    )  # fmt: skip
    report.say(
        f"The theoretical is {math.ceil(MANY / LIMIT)} rounds of {crowds.lone * 1000:.1f} ms, what "
        f"a lone request takes: {crowds.least:.3f} s. {MANY} identical requests: "
        f"{crowds.upstream} upstream. {crowds.errors} errors."
    )
    share = crowds.least / crowds.took["the router"]
    report.keep("crowd_s", {"theoretical": crowds.least, **crowds.took})
    report.hold(
        Bar(f"upstream calls for {MANY} identical requests", float(crowds.upstream), 1.0),
        Bar(f"errors of {MANY} different requests", float(crowds.errors), 0.0),
        Bar("share of the theoretical throughput", share, THROUGHPUT, at_least=True),
    )


async def measure_faults(report: Report) -> None:
    """Put each fault before a real llama.cpp server; see what comes of it, and how late."""
    from tests.routing.router.test_router import FAULTS, PROVIDERS  # noqa: PLC0415 - brings pytest in
    from tests.support.faulty_server import FaultyServer, refused_url  # noqa: PLC0415 - as above

    rows: list[tuple[str, ...]] = []
    worst = 0.0
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = start_llama_server(write_tiny_gguf(Path(folder) / "tiny.gguf"))
        stack.callback(server.kill)
        for kind, provider in PROVIDERS.items():
            await _warm(server.base_url, provider, server.api_key)
            for name, fault in {**FAULTS, "refused": None}.items():
                listing = {"/v1/models": {"data": [{"id": "m"}]}}
                behaviour = fault(server.base_url) if fault else FAULTS["reset"]("")
                async with FaultyServer(behaviour, listing) as faulty:
                    url = faulty.base_url if fault else refused_url()
                    sick = place("sick", url, provider=provider, key=server.api_key)
                    outcome, late = await _outcome(sick)
                worst = max(worst, late)
                rows.append((f"{kind}: {name}", outcome, quantity(late)))
    report.table("Faults, deadline 0.5 s", ("", "outcome", "ms past it"), rows)
    untyped = sum(outcome.startswith("untyped") for _, outcome, _ in rows)
    report.hold(
        Bar("worst overrun of a deadline", worst, OVERRUN_MS, "ms"),
        Bar("faults without a typed outcome", float(untyped), 0.0),
    )


async def _warm(url: str, provider: Any, key: str | None) -> None:  # noqa: ANN401 - a provider's class
    async with routing(place("well", url, provider=provider, key=key)) as router:
        await router.answer(question(timeout=60.0))


async def _outcome(sick: Place) -> tuple[str, float]:
    """Return what a question ended in, and the milliseconds past its deadline."""
    deadline = 0.5
    async with routing(sick) as router:
        begun = time.perf_counter()
        try:
            await router.answer(question(timeout=deadline))
            outcome = "answer"
        except CoaiError as error:
            outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001 - that there is none is what is measured
            outcome = f"untyped {type(error).__name__}"
        took = time.perf_counter() - begun
    return outcome, max(0.0, (took - deadline) * 1000)


async def measure_leaks(report: Report, count: int) -> None:
    """Ask sensitive and other questions of all kinds; search what got out."""
    with tempfile.TemporaryDirectory() as folder:
        leaks = await run_cases(count, Path(folder))
    report.say(
        f"\n{leaks.cases} cases, {leaks.sensitive} of them sensitive; {leaks.departed} requests "
        f"arrived outside, {leaks.logged} departures logged"
    )
    report.hold(
        Bar("cases", float(leaks.cases), float(count), at_least=True),
        Bar("sensitive content outside", float(len(leaks.leaked())), 0.0),
        Bar("sensitive content in logs and on disk", float(len(leaks.written())), 0.0),
    )


def measure_kills(report: Report, count: int) -> None:
    """Kill a process that writes books and answers, so many times."""
    from tests.routing.records.test_spending import assert_whole, kill_while_writing  # noqa: PLC0415 - brings pytest in

    with tempfile.TemporaryDirectory() as folder:
        settled = kill_while_writing(Path(folder), count, random.Random(0))
        try:
            assert_whole(Path(folder), settled)
            lost = 0.0
        except AssertionError as error:
            report.say(f"lost: {error}")
            lost = 1.0
    report.say(f"\n{count} kills, {settled} entries settled")
    report.hold(Bar("corrupt files or lost entries", lost, 0.0))


def sdks_imported() -> int:
    """Return how many SDKs a fresh `import coai_routing.router.router` brings in."""
    program = (
        "import sys, coai_routing, coai_routing.router.router, coai_routing.wiring.assembly; "
        "print(sum(name in sys.modules for name in "
        "('openai', 'anthropic', 'ollama', 'httpx', 'httpx2', 'litellm', 'diskcache')))"
    )
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("The router")
    measure_planning(report, options.calls * 5)
    await measure_cost(report, options.calls)
    await measure_cache(report, options.calls)
    await report_crowds(report)
    report.hold(Bar("SDKs imported with the router", float(sdks_imported()), 0.0))
    if options.faults:
        await measure_faults(report)
    if options.leaks:
        await measure_leaks(report, options.leaks)
    if options.kills:
        await asyncio.to_thread(measure_kills, report, options.kills)
    return report.finish(options)


def main() -> int:
    """Measure; return the exit code."""
    parser = options_parser("router", "What the router costs, and what it keeps.")
    parser.add_argument("--calls", type=int, default=400, help="calls that are timed")
    parser.add_argument("--faults", action="store_true", help="also inject every fault")
    parser.add_argument("--leaks", type=int, default=0, help="cases of the search for leaks")
    parser.add_argument("--kills", type=int, default=0, help="processes killed while they write")
    return run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
