"""An audit that goes on beside other work: one file after the other, by a process of its own.

What is found is what `analyse.Analyses` finds, by the same rules, so that a document has the same
findings when it is opened.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker
from coai_agents.source import Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.application.analyse import Analyses

logger = logging.getLogger(__name__)

BATCH: Final = 64
"""Files whose text is read and looked up at a time."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was looked at, and what was found in it, whether or not settings show it."""

    path: Path
    source: Source
    analysis: Analysis


class FolderAudit:
    """Looks at the files of folders; whoever makes one closes it."""

    def __init__(self, analyses: Analyses) -> None:
        """Take what knows which rules count."""
        self._analyses = analyses
        self._worker = AnalysisWorker()

    async def files(self, folders: Sequence[Path]) -> list[Path]:
        """Return the files to look at, as an audit has them; raises nothing."""
        from coai_agents.analysis.run.survey import files_in  # noqa: PLC0415 - few sessions need it

        return await asyncio.to_thread(files_in, folders)

    async def look(
        self,
        files: Sequence[Path],
        folders: Sequence[Path],
        *,
        begins: Callable[[int], bool] = lambda _: True,
    ) -> AsyncGenerator[Looked]:
        """Yield what is found in files, from memory where they are as they were.

        `folders` are what was asked for: what leads out of them is not read. `begins` is told the
        number of each file before it is looked at, from 0, and says whether to go on. A file that
        cannot be read, or not be analysed, is left out; the log says so of the latter.
        """
        from coai_agents.analysis.run import remembered  # noqa: PLC0415 - as above

        # What is remembered is of our rules alone, and for every workspace.
        own = await self._analyses.has_own_rules()
        cache = remembered.AnalysisCache(None if own else remembered.cache_path())
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            texts = await asyncio.to_thread(read, batch, folders)
            known = await asyncio.to_thread(cache.known, [key for _, key in texts.values()])
            fresh: dict[str, Analysis] = {}
            goes_on = True
            for number, path in enumerate(batch, start):
                if not (goes_on := begins(number)):
                    break
                if path not in texts:
                    continue
                source, key = texts[path]
                analysis = known.get(key) or await self._analysed(source)
                if analysis is None:
                    continue
                if key not in known:
                    fresh[key] = analysis
                yield Looked(path, source, analysis)
            await asyncio.to_thread(cache.keep, fresh)
            if not goes_on:
                return

    async def _analysed(self, source: Source) -> Analysis | None:
        try:
            return await self._analyses.analysed(source, self._worker)
        except AnalysisError as error:
            logger.warning("%s", error)
            return None

    async def aclose(self) -> None:
        """End the process."""
        await self._worker.aclose()


def read(paths: Sequence[Path], folders: Sequence[Path]) -> dict[Path, tuple[Source, str]]:
    """Return each file that can be read, and the key that its analysis has; takes a while."""
    from coai_agents.analysis.run import survey  # noqa: PLC0415 - as above
    from coai_agents.analysis.run.remembered import key_of  # noqa: PLC0415 - as above

    texts: dict[Path, tuple[Source, str]] = {}
    for path in paths:
        text = survey.read(path, folders)
        if text is not None:
            texts[path] = Source(path.as_uri(), text), key_of(path, text)
    return texts
