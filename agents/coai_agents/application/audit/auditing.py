"""An audit of files and folders: asked for as one value, answered as one, without any model.

What few audits need is imported where it is needed: over files that have not changed, loading it
takes longer than all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coai_agents.analysis.run import remembered
from coai_agents.analysis.run.survey import MOST_BYTES, files_in, survey
from coai_agents.application.audit.baseline import read_baseline
from coai_agents.application.audit.selection import Selection
from coai_agents.application.audit.wishes import wishes_for
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.application.audit.fixing import Repair
    from coai_agents.application.audit.request import AuditRequest
    from coai_agents.application.audit.selection import Row
    from coai_agents.application.audit.wishes import Wishes


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found. Where files were fixed, it is what is left in them."""

    rows: tuple[Row, ...]
    """The findings that count."""
    audited: tuple[Audited, ...]
    """Every file that was looked at, in order, with its notes."""
    repairs: tuple[Repair, ...] = ()
    """What became of the files that had something to fix, if that was asked for."""
    problems: tuple[str, ...] = ()
    """What is wrong with rules of the user's own."""

    @property
    def failed(self) -> bool:
        """Whether something could not be looked at."""
        return any(each.analysis.failed for each in self.audited)

    def as_json(self) -> dict[str, Any]:
        """Return findings, notes by file, and the number of files."""
        notes = {str(each.path): list(each.analysis.notes) for each in self.audited}
        return {
            "findings": [row.as_json() for row in self.rows],
            "notes": {path: some for path, some in notes.items() if some},
            "files": len(self.audited),
        }


def _unwatched(found: Iterable[Audited], total: int) -> Iterable[Audited]:
    del total
    return found


def audit(
    request: AuditRequest,
    wishes: Wishes | None = None,
    *,
    watched: Callable[[Iterable[Audited], int], Iterable[Audited]] = _unwatched,
) -> AuditReport:
    """Look at files, fix them if that is asked for, and return what is found.

    `wishes` are what the user wants of findings; unless given they are read for the request's
    paths. Rules of the user's own count in this whole process afterwards. `watched` may show how
    far it is: it is given the files as they come and their number, and yields them on.

    Raises `AuditError` where the baseline is none, and `GitError` where git does not tell what
    changed. A file that cannot be read is named by a note and raises nothing.
    """
    wanted = list(request.paths) or [Path.cwd()]
    files = files_in(wanted)
    changed = _changed_lines(request.diff, wanted, files) if request.diff else None
    if changed is not None:
        files = [file for file in files if file in changed]
    known = frozenset[str]() if request.baseline is None else read_baseline(request.baseline)
    wishes = wishes or wishes_for(wanted)
    own, problems = wishes.have_rules()
    store = remembered.AnalysisCache(remembered.cache_path() if request.cached else None, own)
    found = survey(files, store, jobs=request.jobs, rules=wishes.rules, within=wanted)
    audited = sorted(watched(found, len(files)), key=lambda one: one.path)
    selection = Selection(request.level, changed, known, wishes, request.confidence)
    repairs: list[Repair] = []
    if request.fix:
        from coai_agents.application.audit.fixing import repair  # noqa: PLC0415 - as said above

        repairs = repair(audited, selection, write=not request.dry_run)
        now = {each.path: each.after for each in repairs if each.after is not None}
        audited = [now.get(each.path, each) for each in audited]
    rows = tuple(row for each in audited for row in selection.rows_of(each))
    return AuditReport(rows, tuple(audited), tuple(repairs), problems)


def _changed_lines(
    revision: str, paths: Sequence[Path], files: Sequence[Path]
) -> dict[Path, list[range]]:
    """Return the lines of files that changed since a revision; raises `GitError`."""
    from coai_agents.git import changed_lines  # noqa: PLC0415 - as said above

    def read(path: Path) -> bytes | None:
        try:
            return read_file(path, MOST_BYTES, paths)
        except OSError:
            # Its note is to be seen.
            return None

    folders = [path if path.is_dir() else path.parent for path in paths]
    return changed_lines(revision, folders, files, read)
