"""Whether the machine is busy, told from what the kernel says and from nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from coai_routing import machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("told", "strained"),
    [
        ("some avg10=98.72 avg60=1.0 avg300=1.0 total=1\nfull avg10=0.00 avg60=0.0\n", True),
        ("some avg10=50.00 avg60=0.0 avg300=0.0 total=1\n", True),
        ("some avg10=45.00 avg60=0.0 avg300=0.0 total=1\n", False),
        ("some avg10=4.10 avg60=99.0 avg300=99.0 total=1\nfull avg10=99.00\n", False),
    ],
)
def test_waiting_for_a_processor_is_strain(
    told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, strained: bool
) -> None:
    pressure = tmp_path / "cpu"
    pressure.write_text(told)
    monkeypatch.setattr(machine, "_PRESSURE", pressure)
    assert machine.strain() is strained


@pytest.mark.parametrize(("load", "strained"), [(1.0, False), (9999.0, True)])
def test_where_the_kernel_does_not_tell_who_waited_the_load_counts(
    load: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, strained: bool
) -> None:
    monkeypatch.setattr(machine, "_PRESSURE", tmp_path / "none")
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert machine.strain() is strained


def test_it_looks_once_a_second() -> None:
    now, looks = 100.0, 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return looks > 1

    machine_ = machine.Machine(look, lambda: now)
    assert [machine_.is_strained() for _ in range(5)] == [False] * 5
    now += machine.LOOK_SECONDS
    assert machine_.is_strained()
    assert looks == 2
