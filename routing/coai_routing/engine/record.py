"""What the starter of a host, the host, and its users agree on: names, files, and the spec."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_routing.engine.state import EngineOptions
from coai_routing.errors import EngineError
from coai_routing.own_files import ForeignFolderError, own_folder

PROTOCOL = 1
"""Hosts of another protocol are never looked at: it is part of the key."""

_LOG_TAIL_BYTES = 8192


class HostRecord(BaseModel):
    """What a host's state file says: where its control socket is, and the secret that both know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    port: int = Field(gt=0, lt=65536)
    token: str = Field(min_length=32, repr=False)


class HostSpec(BaseModel):
    """What a host is told to run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path
    directory: Path
    key: str
    options: EngineOptions
    first_user_seconds: float = 10.0
    """How long the host waits for its starter to come."""


@dataclass(frozen=True)
class HostFiles:
    """The files of the hosts with one key, all in one private directory."""

    directory: Path
    key: str

    @property
    def record(self) -> Path:
        """Where the host that runs now can be reached. Never trusted without proof."""
        return self.directory / f"engine-{self.key}.json"

    @property
    def start_lock(self) -> Path:
        """Held by the daemon that looks for a host or starts one."""
        return self.directory / f"engine-{self.key}.start.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the host as long as it lives; the kernel releases it however it ends."""
        return self.directory / f"engine-{self.key}.alive.lock"

    @property
    def log(self) -> Path:
        """What the host and llama.cpp say."""
        return self.directory / f"engine-{self.key}.log"

    @property
    def previous_log(self) -> Path:
        """What the host before this one said."""
        return self.directory / f"engine-{self.key}.previous.log"


def library_version() -> str:
    """Return the inference library's version, without loading it."""
    return version("xllamacpp")


def model_identity(model: Path) -> str:
    """Return a digest that changes when the file is another or was written anew.

    Hashing the weights themselves takes seconds; the store has done it where it matters.
    """
    status = model.stat()
    told = f"{model.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
    return hashlib.sha256(told.encode()).hexdigest()


def host_key(model: Path, options: EngineOptions) -> str:
    """Name the hosts that may serve this model with these settled options."""
    settings = options.model_dump_json(exclude={"linger_seconds", "measure_speed"})
    told = f"{PROTOCOL}\n{library_version()}\n{model_identity(model)}\n{settings}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def secure_directory(directory: Path) -> None:
    """Create the directory for this user alone, or make sure that it is so.

    Raises EngineError if it is someone else's: who owns it could make us talk to their process.
    """
    foreign = directory.is_symlink()
    if not foreign:
        try:
            own_folder(directory)
        except ForeignFolderError:
            foreign = True
    if foreign:
        raise EngineError(
            f"{directory} is not a directory of yours.",
            remedy="Remove it, or set another state directory.",
        )


def read_record(path: Path) -> HostRecord | None:
    """Return what the state file says, or None if there is none that makes sense."""
    try:
        return HostRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def log_tail(path: Path, lines: int = 6) -> str:
    """Return the last lines of a log; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
