"""What replayed typing shows: what it cost the model, and what the user saw of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.support.figures import Spread, mean, percentile
from benchmarks.support.report import SPREAD, Bar, quantity, spread_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.support.counting_proxy import Call
    from benchmarks.support.replay import Moment
    from benchmarks.support.report import Report

KNOWN: Final = frozenset({"shown", "cache", "prefetched"})
"""Origins of suggestions for which the model need not be asked."""

ASKED: Final = frozenset({"model", "joined"})

SESSION_TOKENS: Final = 64
"""A request that makes the model read more than this has frozen a new prompt."""

MEDIAN_TOKENS: Final = 2.0
TOKENS_RATIO: Final = 10.0
KNOWN_MS: Final = 10.0
MISS_MS: Final = 350.0
MISS_RATIO: Final = 5.0
CPU_SHARE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Side:
    """One client's run."""

    moments: Sequence[Moment]
    calls: Sequence[Call]
    """What it asked of llama.cpp."""
    evaluated: int
    """Prompt tokens that llama.cpp has evaluated in all, by its own counter."""
    seconds: float
    cpu_share: float = 0.0
    """CPU time of the daemon's process for each second."""

    @property
    def suggested(self) -> list[Moment]:
        """Keystrokes whose suggestion came before the next one."""
        return [moment for moment in self.moments if moment.text]

    @property
    def latencies(self) -> list[float]:
        """Milliseconds from keystroke to suggestion."""
        return _latencies(self.suggested)

    @property
    def superseded(self) -> float:
        """The share of keystrokes whose answer did not come before the next one."""
        return mean([float(moment.answered is None) for moment in self.moments])

    @property
    def prompt_characters(self) -> float:
        """The median length of what the model was given to read."""
        lengths = [len(c.prompt) + len(c.suffix) for c in self.calls if not c.reads_ahead]
        return percentile(lengths, 50) if lengths else 0.0


def tokens_by_keystroke(side: Side) -> list[int]:
    """Return the prompt tokens of the requests that each keystroke led to.

    A request belongs to the last keystroke before it, whatever it was made for. What came before
    the first keystroke is in the total only.
    """
    times = [moment.at for moment in side.moments]
    tokens = [0] * len(times)
    for call in side.calls:
        place = bisect_right(times, call.at) - 1
        if place >= 0:
            tokens[place] += call.evaluated
    return tokens


def latencies_by_origin(side: Side) -> dict[str, list[float]]:
    """Return milliseconds to a suggestion that was known, and to one that the model was asked."""
    return {
        "COAI, known already": _latencies([m for m in side.suggested if m.origin in KNOWN]),
        "COAI, asked the model": _latencies([m for m in side.suggested if m.origin in ASKED]),
    }


def _latencies(moments: Sequence[Moment]) -> list[float]:
    return [moment.latency_ms for moment in moments if moment.latency_ms is not None]


def _ratio(more: float | None, less: float | None) -> float | None:
    return None if more is None or less is None else more / max(less, 1e-9)


def publish(report: Report, coai: Side, plain: Side) -> None:
    """Print everything, and hold it against the bars."""
    _publish_cost(report, coai, plain)
    _publish_latency(report, coai, plain)
    followed = [moment for moment in coai.moments if moment.as_suggested]
    asked_again = [moment for moment in followed if moment.origin == "model"]
    known = [moment for moment in coai.suggested if moment.origin in KNOWN]
    hit_rate = len(known) / max(1, len(coai.suggested))
    report.say(
        f"\nCache hit rate: {100 * hit_rate:.1f} % of {len(coai.suggested)} suggestions. "
        f"Typed as suggested: {len(followed)} keystrokes, for which the model was asked "
        f"{len(asked_again)} times. Accepted: "
        f"{sum(moment.stroke.accepts for moment in coai.moments)} suggestions. "
        f"CPU of the daemon: {100 * coai.cpu_share:.1f} % of one core."
    )
    tokens = tokens_by_keystroke(coai)
    report.keep("hitRate", hit_rate)
    report.keep("cpuShare", coai.cpu_share)
    report.keep("supersededShare", coai.superseded)
    report.keep("tokensByKeystroke", tokens)
    report.keep("plainTokensByKeystroke", tokens_by_keystroke(plain))
    report.keep("evaluatedTokens", {"coai": coai.evaluated, "plain": plain.evaluated})
    report.keep("latencyMs", {**latencies_by_origin(coai), "plain": plain.latencies})
    at_once = Spread.of(_latencies(known))
    miss, theirs = Spread.of(_latencies(_misses(coai))), Spread.of(plain.latencies)
    p50 = None if miss is None else miss.p50
    report.hold(
        Bar("prompt tokens per keystroke, median", percentile(tokens, 50), MEDIAN_TOKENS),
        Bar(
            "prompt tokens in all, times fewer than plain",
            _ratio(plain.evaluated, coai.evaluated),
            TOKENS_RATIO,
            at_least=True,
        ),
        Bar("model asked while typing as suggested", float(len(asked_again)), 0),
        Bar("known already, p95", None if at_once is None else at_once.p95, KNOWN_MS, "ms"),
        Bar("the model within a session, p50", p50, MISS_MS, "ms"),
        Bar(
            "the same, times lower than plain",
            _ratio(None if theirs is None else theirs.p50, p50),
            MISS_RATIO,
            at_least=True,
        ),
        Bar("CPU of the daemon", 100 * coai.cpu_share, CPU_SHARE, "%"),
    )


def _whole(side: Side) -> list[int]:
    """Return the prompt tokens evaluated for each request that came to its end."""
    return [call.evaluated for call in side.calls if call.ended and not call.reads_ahead]


def _misses(coai: Side) -> list[Moment]:
    """Return the suggestions for which the model was asked, within a prompt session."""
    return [m for m in coai.suggested if m.origin in ASKED and m.evaluated <= SESSION_TOKENS]


def _publish_latency(report: Report, coai: Side, plain: Side) -> None:
    asked = [moment for moment in coai.suggested if moment.origin in ASKED]
    named = {
        f"COAI, {origin or '(unknown)'}": [m for m in coai.suggested if m.origin == origin]
        for origin in sorted({moment.origin for moment in coai.suggested})
    }
    named |= {
        "COAI, the model within a prompt session": _misses(coai),
        "COAI, the model when waited for": _waited_for(coai, asked),
        "plain client, with its debounce": plain.suggested,
        "plain client when waited for": _waited_for(plain, plain.suggested),
    }
    report.table(
        "From keystroke to suggestion, where it came before the next keystroke",
        SPREAD,
        [spread_row(name, Spread.of(_latencies(moments))) for name, moments in named.items()],
    )


def _waited_for(side: Side, moments: Sequence[Moment]) -> list[Moment]:
    """Return those after which the user looked up, so that no answer could come too late."""
    before_pauses = {
        id(moment)
        for moment, following in zip(side.moments, side.moments[1:], strict=False)
        if following.stroke.pauses
    }
    return [moment for moment in moments if id(moment) in before_pauses]


def _publish_cost(report: Report, coai: Side, plain: Side) -> None:
    ahead, ahead_too = (sum(call.reads_ahead for call in side.calls) for side in (coai, plain))
    cut, cut_too = (sum(not call.ended for call in side.calls) for side in (coai, plain))
    rows: list[tuple[str, float, float, str]] = [
        ("keystrokes", len(coai.moments), len(plain.moments), ""),
        ("time", coai.seconds, plain.seconds, "s"),
        ("prompt, median", coai.prompt_characters, plain.prompt_characters, "characters"),
        ("requests to the model", len(coai.calls), len(plain.calls), ""),
        ("  of which only read ahead", ahead, ahead_too, ""),
        ("  of which cut off", cut, cut_too, ""),
        ("prompt tokens evaluated, in all", coai.evaluated, plain.evaluated, ""),
    ]
    for name, percent in (("median", 50), ("p95", 95)):
        ours = percentile(tokens_by_keystroke(coai), percent)
        theirs = percentile(tokens_by_keystroke(plain), percent)
        rows.append((f"prompt tokens of a keystroke, {name}", ours, theirs, ""))
    ended = [percentile(_whole(side) or [0], 50) for side in (coai, plain)]
    rows += [
        (
            "  the same on average, by llama.cpp's counter",
            coai.evaluated / len(coai.moments),
            plain.evaluated / len(plain.moments),
            "",
        ),
        ("prompt tokens of a request that ended, median", ended[0], ended[1], ""),
        (
            "suggestions in time, of 100 keystrokes",
            100 * len(coai.suggested) / len(coai.moments),
            100 * len(plain.suggested) / len(plain.moments),
            "",
        ),
        ("superseded requests", 100 * coai.superseded, 100 * plain.superseded, "%"),
    ]
    cells = [
        (name, quantity(ours, unit), quantity(theirs, unit)) for name, ours, theirs, unit in rows
    ]
    report.table("What typing cost", ("", "COAI", "plain client"), cells)
