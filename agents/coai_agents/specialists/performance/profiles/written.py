"""Profiles that are JSON: speedscope's, Chrome's and Node's `.cpuprofile`, pyinstrument's.

Formats: the schema of speedscope's file format, `Profiler.Profile` of the Chrome DevTools protocol,
and what pyinstrument's JSON renderer writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coai_agents.specialists.performance.profiles.profile import (
    MOST_DEPTH,
    Frame,
    Profile,
    ProfileError,
    Stack,
    from_stacks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_SECONDS: Final = {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1.0}


def read_json(content: Json) -> Profile:
    """Read a profile that was parsed already; raises `ProfileError`."""
    try:
        if "shared" in content and "profiles" in content:
            return _speedscope(content)
        if "nodes" in content and "startTime" in content:
            return _chrome(content)
        if "root_frame" in content:
            return from_stacks("seconds", _pyinstrument(content["root_frame"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"The profile breaks off or is malformed: {error!r}.") from error
    raise ProfileError(
        "The JSON is none of the known profiles.",
        remedy="Known are speedscope's, `.cpuprofile` and pyinstrument's.",
    )


# -------------------------------------------------------------------- speedscope


def _speedscope(content: Json) -> Profile:
    frames = [
        Frame(str(each["name"]), str(each.get("file") or ""), int(each.get("line") or 0))
        for each in content["shared"]["frames"]
    ]
    profiles = content["profiles"]
    unit = str(profiles[0].get("unit", "none"))
    same = [each for each in profiles if each.get("unit", "none") == unit]
    stacks = (
        stack
        for each in same
        for stack in (_sampled if each["type"] == "sampled" else _evented)(each, frames)
    )
    scale = _SECONDS.get(unit, 1.0)
    scaled = (Stack(each.frames, each.weight * scale, each.line) for each in stacks)
    return from_stacks("seconds" if unit in _SECONDS else unit, scaled)


def _sampled(profile: Json, frames: list[Frame]) -> Iterator[Stack]:
    for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
        indices: list[int] = sample[:MOST_DEPTH]
        yield Stack([frames[each] for each in indices], float(weight))


def _evented(profile: Json, frames: list[Frame]) -> Iterator[Stack]:
    open_now: list[Frame] = []
    since = float(profile.get("startValue", 0.0))
    for event in profile["events"]:
        at = float(event["at"])
        if open_now and at > since:
            yield Stack(tuple(open_now), at - since)
        since = at
        if event["type"] == "O":
            if len(open_now) >= MOST_DEPTH:
                raise ProfileError("The profile's calls are nested deeper than any are.")
            opened: int = event["frame"]
            open_now.append(frames[opened])
        else:
            open_now.pop()


# ------------------------------------------------------------------ .cpuprofile


def _chrome(content: Json) -> Profile:
    nodes = {int(node["id"]): node for node in content["nodes"]}
    above = {
        int(child): number for number, node in nodes.items() for child in node.get("children", ())
    }
    above |= {number: int(node["parent"]) for number, node in nodes.items() if "parent" in node}
    stacks = {number: _path(number, above, nodes) for number in nodes}
    if content.get("samples") and content.get("timeDeltas"):
        weights: dict[int, float] = {}
        for number, delta in zip(content["samples"], content["timeDeltas"], strict=False):
            # A delta may be below 0: the samples' clock is not the one of the machine.
            weights[int(number)] = weights.get(int(number), 0.0) + max(0.0, float(delta)) / 1e6
        unit = "seconds"
    else:
        weights = {number: float(node.get("hitCount", 0)) for number, node in nodes.items()}
        unit = "samples"
    return from_stacks(
        unit,
        (
            stack
            for number, weight in weights.items()
            for stack in _by_line(nodes[number], stacks[number], weight)
        ),
    )


def _by_line(node: Json, frames: list[Frame], weight: float) -> Iterator[Stack]:
    """Spread a node's weight over its lines, where the profile counts hits for each."""
    ticks = [(int(each["line"]), int(each["ticks"])) for each in node.get("positionTicks", ())]
    hits = sum(count for _, count in ticks)
    if not hits:
        yield Stack(frames, weight)
        return
    for line, count in ticks:
        yield Stack(frames, weight * count / hits, line)


def _path(number: int, above: dict[int, int], nodes: dict[int, Json]) -> list[Frame]:
    frames: list[Frame] = []
    at: int | None = number
    while at is not None and len(frames) < MOST_DEPTH:
        call = nodes[at]["callFrame"]
        name = str(call.get("functionName") or "(anonymous)")
        if at in above or name != "(root)":
            frames.append(
                Frame(name, str(call.get("url") or ""), int(call.get("lineNumber", -1)) + 1)
            )
        at = above.get(at)
    return frames[::-1]


# ----------------------------------------------------------------- pyinstrument


def _pyinstrument(root: Json) -> Iterator[Stack]:
    waiting: list[tuple[Json, tuple[Frame, ...]]] = [(root, ())]
    while waiting:
        node, around = waiting.pop()
        name = str(node.get("function") or "")
        frames = around
        # "[self]" and its like stand for time of the frame that they are in.
        if not (name.startswith("[") and name.endswith("]")):
            file = str(node.get("file_path") or "")
            frames = (*around, Frame(name, file, int(node.get("line_no") or 0)))
        children: list[Json] = node.get("children") or []
        if len(frames) > MOST_DEPTH:
            raise ProfileError("The profile's calls are nested deeper than any are.")
        own = float(node["time"]) - sum(float(child["time"]) for child in children)
        if own > 0:
            yield Stack(frames, own)
        waiting.extend((child, frames) for child in children)
