"""What an audit can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.analysis.findings.findings import Confidence, Severity

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What is to be looked at, what of it counts, and what is to be done about it."""

    paths: tuple[Path, ...] = ()
    """Files and folders; the working directory without any."""
    level: Severity = Severity.WARNING
    """The least severity that counts."""
    confidence: Confidence = Confidence.LOW
    """How sure a finding is that counts, at least."""
    baseline: Path | None = None
    """The file whose fingerprints do not count, see `baseline.write_baseline`."""
    diff: str = ""
    """The git revision since which a line has to have changed for its findings to count."""
    jobs: int = 0
    """Processes; 0 for all cores."""
    cached: bool = True
    """Whether what is remembered of unchanged files is used and kept."""
    fix: bool = False
    """Whether fixes are made that are safe."""
    dry_run: bool = False
    """Whether these are only shown."""
