"""The daemon's log: standard error, which editors show, or a file that rotates."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.own_files import is_ours, own_file, own_folder
from coai_server.terminal import printable

if TYPE_CHECKING:
    from io import TextIOWrapper

LEVELS: Final = ("debug", "info", "warning", "error")
"""The least severity that is written, as `log.level` names it."""

FILE_BYTES: Final = 4 * 1024 * 1024
"""A log file that is longer is put aside."""

FILES_KEPT: Final = 3
"""So many that were put aside are kept: `NAME.1` is the newest."""

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


_SUSPECT: Final = re.compile(
    r"[A-Za-z0-9+_=-]{16}|pass|pwd|secret|token|key|auth|cred|sess|cookie|://|-u", re.IGNORECASE
)
"""What is in each line that has a secret; others need not be searched, nor the rules read."""


class LogFileError(CoaiError):
    """The log cannot be written to the file that was asked for."""


class PrintableFormatter(logging.Formatter):
    """Writes records without secrets, so that they steer no terminal and none looks like two."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, lines after the first one indented."""
        text = super().format(record)
        if _SUSPECT.search(text):
            from coai_routing.privacy.secrets import redact  # noqa: PLC0415 (not before such a line)

            text = redact(text)
        return printable(text).replace("\n", "\n    ")


def configure(level: str, file: Path | None = None) -> None:
    """Write what is at least this severe to a file, or to standard error; replaces what was set.

    Raises `LogFileError`, and has changed nothing then.
    """
    handler = _to_standard_error() if file is None else _to_file(file)
    handler.setFormatter(PrintableFormatter(_FORMAT))
    root = logging.getLogger()
    replaced = [old for old in root.handlers if old.get_name() == _NAME]
    handler.set_name(_NAME)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for old in replaced:
        root.removeHandler(old)
        old.close()


_NAME: Final = "coai"


def _to_standard_error() -> logging.Handler:
    # Python's types do not say so, but a stream that was closed at the start is None.
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - as said above
        return logging.NullHandler()
    return logging.StreamHandler(sys.stderr)


def _to_file(file: Path) -> logging.Handler:
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415 (it imports sockets)

    class PrivateFileHandler(RotatingFileHandler):
        def _open(self) -> TextIOWrapper:
            own_file(Path(self.baseFilename))
            return super()._open()

    try:
        # A folder that the user has chosen keeps the rights that it has.
        if is_ours(file.parent) or not file.parent.exists():
            own_folder(file.parent)
        handler = PrivateFileHandler(
            file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
        )
    except OSError as error:
        raise LogFileError(
            f"The log file {file} cannot be written: {error.strerror or error}.",
            remedy="Name another one with --log-file or the setting log.file.",
        ) from error
    handler.rotator = _rename
    return handler


def _rename(source: str, destination: str) -> None:
    """Put a full log file aside, or go on with it where another daemon has it open (Windows)."""
    with contextlib.suppress(OSError):
        Path(source).replace(destination)
