"""The facts of a threat model: entry points, assets, trust boundaries, and the flows between.

All of it is what the flow engine saw. A flow is open where the engine reports it, and guarded where
something on its way makes the value harmless for what it is used for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from coai_agents.analysis.rules.rules import catalogue
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.security.triage.following import Followed

STRIDE: Final = {
    "S": "Spoofing",
    "T": "Tampering",
    "R": "Repudiation",
    "I": "Information disclosure",
    "D": "Denial of service",
    "E": "Elevation of privilege",
}


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asset(_Form):
    """What a flow may do harm to."""

    id: str = Field(pattern=r"^[a-z]+$")
    title: str = Field(min_length=3)
    categories: tuple[str, ...]
    cwe: tuple[int, ...] = ()
    stride: str = Field(pattern=r"^[STRIDE]+$")


class Elements(_Form):
    """The file."""

    actors: dict[str, str]
    assets: tuple[Asset, ...]

    def asset_of(self, category: str) -> Asset | None:
        """Return what a category of flows is about."""
        return next((each for each in self.assets if category in each.categories), None)

    def asset_of_weakness(self, cwe: Iterable[int]) -> Asset | None:
        """Return what a finding without a flow is about."""
        wanted = set(cwe)
        return next((each for each in self.assets if not wanted.isdisjoint(each.cwe)), None)


@cache
def elements() -> Elements:
    """Return what is known; raises SettingsError that names the file and the key."""
    return read_rules(Path(__file__).with_name("elements.toml"), Elements)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A value's way from who decides it to what it may harm."""

    actor: str
    """remote, local or stored; empty for what has no source in sight."""
    label: str
    """Where it comes in, in the engine's words: `the request (args)`."""
    entry: Place
    asset: str
    rule: str
    sink: Place
    guarded: bool

    @property
    def folder(self) -> str:
        """The folder of the file that it is in."""
        return self.sink.path.rpartition("/")[0] or "."


@dataclass(frozen=True, slots=True)
class Threat:
    """What one actor may do to one asset."""

    actor: str
    asset: Asset
    open: tuple[Flow, ...]
    guarded: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class ThreatModel:
    """The whole of it."""

    flows: tuple[Flow, ...]
    files: int
    notes: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether nothing stands in the way of any flow."""
        return any(not each.guarded for each in self.flows)

    def entries(self) -> list[tuple[str, str, tuple[Place, ...]]]:
        """Return the entry points: who decides, where it comes in, and the places."""
        found: dict[tuple[str, str], set[Place]] = defaultdict(set)
        for each in self.flows:
            if each.actor:
                found[each.actor, each.label].add(each.entry)
        order = list(elements().actors)
        ordered = sorted(found.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1]))
        return [(actor, label, tuple(sorted(places))) for (actor, label), places in ordered]

    def assets(self) -> list[tuple[Asset, tuple[Place, ...]]]:
        """Return what may be harmed, and where it is used."""
        found: dict[str, set[Place]] = defaultdict(set)
        for each in self.flows:
            found[each.asset].add(each.sink)
        return [
            (each, tuple(sorted(found[each.id]))) for each in elements().assets if each.id in found
        ]

    def boundaries(self) -> list[tuple[str, str, int, int]]:
        """Return the trust boundaries: from, to, and how many flows are open and guarded there."""
        known = elements()
        titles = {each.id: each.title for each in known.assets}
        into: dict[tuple[str, str], list[Flow]] = defaultdict(list)
        for each in self.flows:
            if each.actor:
                into[known.actors[each.actor], "The program"].append(each)
            into["The program", titles[each.asset]].append(each)
        return [
            (one, other, sum(not x.guarded for x in some), sum(x.guarded for x in some))
            for (one, other), some in into.items()
        ]

    def threats(self) -> list[Threat]:
        """Return who may do what, the open ones first."""
        found: dict[tuple[str, str], list[Flow]] = defaultdict(list)
        for each in self.flows:
            found[each.actor, each.asset].append(each)
        assets = {each.id: each for each in elements().assets}
        threats = [
            Threat(
                actor,
                assets[asset],
                tuple(each for each in some if not each.guarded),
                tuple(each for each in some if each.guarded),
            )
            for (actor, asset), some in found.items()
        ]
        return sorted(threats, key=lambda each: (-len(each.open), each.asset.id, each.actor))

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "files": self.files,
            "entryPoints": [
                {"actor": actor, "label": label, "places": list(map(str, places))}
                for actor, label, places in self.entries()
            ],
            "assets": [
                {"id": asset.id, "title": asset.title, "places": list(map(str, places))}
                for asset, places in self.assets()
            ],
            "trustBoundaries": [
                {"from": one, "to": other, "open": opened, "guarded": guarded}
                for one, other, opened, guarded in self.boundaries()
            ],
            "flows": [
                {
                    "actor": each.actor,
                    "label": each.label,
                    "entry": str(each.entry),
                    "asset": each.asset,
                    "rule": each.rule,
                    "sink": str(each.sink),
                    "guarded": each.guarded,
                }
                for each in self.flows
            ],
            "stride": [
                {
                    "actor": each.actor,
                    "asset": each.asset.id,
                    "threats": [STRIDE[letter] for letter in each.asset.stride],
                    "open": len(each.open),
                    "guarded": len(each.guarded),
                }
                for each in self.threats()
            ],
            "notes": list(self.notes),
        }


def flows_of(
    source: Source, path: str, followed: Followed | None, findings: Sequence[Finding]
) -> list[Flow]:
    """Return a file's flows, and its findings without a flow that are about an asset."""
    known, rules = elements(), catalogue()
    flows: dict[tuple[object, ...], Flow] = {}
    told = {(each.rule, each.span) for each in (() if followed is None else followed.findings)}
    for sink in () if followed is None else followed.sinks:
        category = rules[sink.rule].category if sink.rule in rules else ""
        asset = known.asset_of(category)
        for each in sink.arrivals if asset is not None else ():
            assert asset is not None
            if each.kind in known.actors:
                flow = Flow(
                    each.kind,
                    each.label,
                    Place(path, source.line_at(each.span.start) + 1),
                    asset.id,
                    sink.rule,
                    Place(path, source.line_at(sink.span.start) + 1),
                    each.cleared or (sink.rule, sink.span) not in told,
                )
                flows.setdefault((flow.actor, flow.entry, flow.asset, flow.sink), flow)
    for finding in findings:
        asset = None if finding.path else known.asset_of_weakness(finding.cwe)
        if asset is not None:
            place = Place(path, source.line_at(finding.span.start) + 1)
            flow = Flow("", "", place, asset.id, finding.rule, place, guarded=False)
            flows.setdefault((flow.asset, flow.rule, flow.sink), flow)
    return list(flows.values())
