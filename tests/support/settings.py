"""A machine's layers of settings in a temporary directory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coai_routing.settings.loading import LoadedSettings, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.settings.schema import Settings


def settings_of(document: Mapping[str, Any]) -> Settings:
    """Return the settings that an editor's document leads to, loaded as the daemon loads them.

    So a test cannot hold what the loader would refuse.
    """
    with tempfile.TemporaryDirectory() as name:
        nothing = Path(name)
        loaded = load(client=document, environ={}, user_file=nothing / "none", directory=nothing)
    assert not loaded.problems, loaded.problems
    return loaded.settings


@dataclass(frozen=True)
class Machine:
    """Directories of one user: configuration, a workspace, and a current directory elsewhere."""

    root: Path

    @property
    def user_file(self) -> Path:
        return self.root / "config" / "config.toml"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def elsewhere(self) -> Path:
        return self.root / "elsewhere"

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file, named from the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def load(
        self,
        *,
        user: str | bytes | None = None,
        project: str | bytes | None = None,
        env_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        roots: Sequence[Path] | None = None,
        directory: Path | None = None,
    ) -> LoadedSettings:
        """Write the files that are given and load all layers."""
        for folder in (self.workspace, self.elsewhere):
            folder.mkdir(exist_ok=True)
        if user is not None:
            self.write("config/config.toml", user)
        if project is not None:
            self.write("workspace/.coai.toml", project)
        if env_file is not None:
            self.write("elsewhere/.env", env_file)
        return load(
            overrides=overrides,
            client=client,
            environ=environ or {},
            workspace_roots=[self.workspace] if roots is None else roots,
            user_file=self.user_file,
            directory=directory or self.elsewhere,
        )
