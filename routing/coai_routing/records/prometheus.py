"""The books in Prometheus's text format, for a collector of text files: counts, never content.

See "Exposition formats" in Prometheus's documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.records.spending import CallTotals

_FAMILIES: Final = (
    ("coai_calls_total", "Calls of models.", "calls"),
    ("coai_prompt_tokens_total", "Tokens of prompts.", "prompt_tokens"),
    ("coai_cached_tokens_total", "Tokens of prompts that came from a cache.", "cached_tokens"),
    ("coai_output_tokens_total", "Tokens of answers.", "output_tokens"),
    ("coai_cost_usd_total", "What calls cost, in US dollars.", "cost_usd"),
    ("coai_call_seconds_total", "Seconds from request to the last byte, together.", "seconds"),
    ("coai_first_word_seconds_total", "Seconds until the first word, together.", "first_seconds"),
)


def render(totals: Sequence[CallTotals]) -> str:
    """Return the text: a family of counters after the other, one line for each kind of call."""
    lines: list[str] = []
    for name, meaning, field in _FAMILIES:
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
        lines += [f"{name}{{{_labels(one)}}} {getattr(one, field):.10g}" for one in totals]
    return "\n".join([*lines, ""])


def _labels(one: CallTotals) -> str:
    labels = {
        "capability": one.capability,
        "alias": one.alias,
        "endpoint": one.endpoint,
        "model": one.model,
        "outcome": one.outcome,
    }
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
