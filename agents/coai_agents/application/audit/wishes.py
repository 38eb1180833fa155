"""What the user wants of findings: rules of their own, and which are shown.

Loading settings takes longer than looking at files that have not changed, so it is left out where
no file and no variable can say anything of findings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.run.survey import Audited
    from coai_routing.settings.findings_sections import StaticSettings
    from coai_routing.settings.loading import LoadedSettings

WORKSPACE_FOLDER: Final = Path(".coai", "rules")

PROJECT_FILE: Final = ".coai.toml"

PYPROJECT_FILE: Final = "pyproject.toml"
"""As both are in `coai_routing.settings.files`, which takes long to load."""

LARGEST_FILE: Final = 256 * 1024
"""Bytes; settings are not read from larger ones."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What holds for the files of one audit."""

    rules: tuple[str, ...] = ()
    """Folders and files that are there, with rules of the user's own that count."""
    loaded: LoadedSettings | None = None
    """The settings, if they may say something of findings."""

    def have_rules(self) -> tuple[str, tuple[str, ...]]:
        """Have these rules in this process; return their digest, and what is wrong with any."""
        if not self.rules:
            return "", ()
        problems = have(self.rules)
        from coai_agents.analysis.rules import user_rules  # noqa: PLC0415 (only with rules of one's own)

        return user_rules.digest(), problems

    def shown(self, audited: Audited) -> Audited:
        """Return a file with the findings that are shown, each as severe as is wanted.

        `static.enabled` does not count, because who asks for an audit wants one, and
        `static.confidence` does not, because that is what editors show.
        """
        if self.loaded is None or not audited.analysis.findings:
            return audited
        from coai_agents.analysis.findings.findings import Confidence  # noqa: PLC0415 (as above)
        from coai_agents.analysis.findings.preferences import Preferences  # noqa: PLC0415 (as above)

        wanted = Preferences.of(self.loaded.for_path(audited.path).static)
        wanted = replace(wanted, enabled=True, confidence=Confidence.LOW)
        if wanted == Preferences():
            return audited
        analysis = wanted.applied(audited.analysis)
        return replace(audited, analysis=analysis)


def wishes_for(paths: Sequence[Path], directory: Path | None = None) -> Wishes:
    """Return what is wanted for files and folders.

    `directory` is where who asks works, this process's working directory unless given.
    """
    here = directory or Path.cwd()
    folders = [
        path if path.is_dir() else path.parent for path in (each.absolute() for each in paths)
    ]
    if not _may_be_set(here, folders):
        own = _user_file().with_name("rules")
        return Wishes((str(own),)) if own.is_dir() else Wishes()
    from coai_routing.settings.loading import load  # noqa: PLC0415 (not where nothing is set)

    loaded = load(workspace_roots=[here, *folders], directory=here)
    places = rule_places(loaded.settings.static, folders)
    return Wishes(tuple(place for place in places if Path(place).exists()), loaded)


def rule_places(static: StaticSettings, folders: Sequence[Path]) -> list[str]:
    """Return the folders and files whose rules count, whether they are there or not.

    Those that come with the code (`.coai/rules`, in a folder or above it) are among them only
    inside of what the user's settings trust.
    """
    trusted = [each.resolve() for each in static.trusted_workspaces]
    around = [
        folder
        for each in folders
        for folder in (each.resolve(), *each.resolve().parents)
        if any(folder.is_relative_to(root) for root in trusted)
    ]
    places = [_user_file().with_name("rules"), *static.rules]
    places += [folder / WORKSPACE_FOLDER for folder in around]
    return list(dict.fromkeys(str(place) for place in places))


def have(places: Sequence[str]) -> tuple[str, ...]:
    """Have the rules of these places in this process; return what is wrong with any."""
    from coai_agents.analysis.rules import user_rules  # noqa: PLC0415 (only with rules of one's own)

    user_rules.use(places)
    return tuple(str(problem) for problem in user_rules.problems())


def _user_file() -> Path:
    """Return what `files.default_user_file` does, without what that module loads."""
    import platformdirs  # noqa: PLC0415 (not for `--help`)

    return Path(platformdirs.user_config_path("coai", appauthor=False)) / "config.toml"


def _may_be_set(here: Path, folders: Sequence[Path]) -> bool:
    """Say whether anything that settings are read from speaks of findings."""
    for name in os.environ:
        upper = name.upper()
        if upper.startswith("COAI_") and ("STATIC" in upper or upper == "COAI_ENV_FILE"):
            return True
    around = dict.fromkeys(
        above for folder in (here, *folders) for above in (folder, *folder.parents)
    )
    if any(
        _has(file, b"static") for file in (_user_file(), *(each / PROJECT_FILE for each in around))
    ):
        return True
    shared = (here / ".env", *(each / PYPROJECT_FILE for each in around))
    return any(_has(file, b"static", b"coai") for file in shared)


def _has(file: Path, *words: bytes) -> bool:
    try:
        content = read_file(file, LARGEST_FILE).lower()
    except OSError:
        # Settings are not read from it either.
        return False
    return all(word in content for word in words)
