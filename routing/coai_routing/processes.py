"""Child processes: one place starts them all, so that none ever runs what lies in a workspace.

Whoever opens a repository has not agreed to run it. Python imports what lies in the working
directory before what is installed, and search paths with relative or empty entries find programs
and libraries there. So every child runs in a directory of the installation's, its Python leaves the
working directory out of its path, and its environment has only search paths that are not the
workspace's. `tests/security/test_hostile_repository.py` holds this, and the linter lets no other
module start a process.

Nothing is imported here that `coai audit` over unchanged files does not need.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import subprocess
    from asyncio.subprocess import Process
    from collections.abc import Callable, Generator, Mapping, Sequence
    from concurrent.futures import ProcessPoolExecutor

SAFE_DIRECTORY: Final = Path(sys.prefix)
"""Where children run: whoever can write to it has replaced COAI already."""

REPOSITORY_MARKS: Final = (".git", ".hg", ".jj", ".svn")

_FOLDER_LISTS: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_FOLDERS: Final = ("PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX")
_DROPPED: Final = ("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE")
"""Variables that name code to be run, or that keep a child from ending."""

KEY_VARIABLES: Final = frozenset({
    "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY", "AZURE_OPENAI_API_KEY",
})  # fmt: skip
"""Where vendors' keys are; no child of ours asks a vendor. A test compares `vendors.toml`."""

_SET: Final = {
    # What `-P` says, for the processes that multiprocessing starts with a command of its own.
    "PYTHONSAFEPATH": "1",
    # Windows looks for programs in the working directory first, unless this is set.
    "NoDefaultCurrentDirectoryInExePath": "1",
}

_PACKAGES: Final = ("coai_routing", "coai_agents", "coai_server")
_SYSTEM_FOLDERS: Final = (*os.defpath.split(os.pathsep), "/usr/local/bin")


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of this installation, never one of the workspace."""
    return (sys.executable, "-P", "-m", module, *arguments)


# ------------------------------------------------------------------ environment


def workspace_around(directory: Path) -> Path | None:
    """Return the real folder that is not trusted while a process runs in a directory.

    It is the repository around it, or else the directory itself; None for the home directory and
    those above it, where editors run that were started from the desktop.
    """
    directory = Path(os.path.realpath(directory))
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - no error without a home
    for folder in (directory, *directory.parents):
        if home.is_relative_to(folder):
            break
        if any(os.path.lexists(folder / mark) for mark in REPOSITORY_MARKS):
            return folder
    return None if home.is_relative_to(directory) else directory


def clean_environment(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return an environment in which nothing leads into the workspace around a directory."""
    workspace = workspace_around(directory)
    cleaned = {name: value for name, value in environ.items() if name.upper() not in _DROPPED}
    for name, value in environ.items():
        upper = name.upper()
        if upper in _FOLDER_LISTS:
            kept = [each for each in value.split(os.pathsep) if _is_outside(each, workspace)]
            cleaned[name] = os.pathsep.join(kept)
        elif upper not in _FOLDERS or _is_outside(value, workspace):
            continue
        if upper in _FOLDERS or not cleaned[name]:
            # An empty list of folders means the working directory to some programs.
            del cleaned[name]
    return cleaned | _SET


def _is_outside(folder: str, workspace: Path | None) -> bool:
    """Say whether a folder is absolute, and is not the workspace's unless COAI itself is there."""
    if not Path(folder).is_absolute():
        return False
    if workspace is None or folder in _SYSTEM_FOLDERS:
        return True
    real = Path(os.path.realpath(folder))
    if not real.is_relative_to(workspace):
        return True
    return any(real.is_relative_to(own) for own in _own_folders()) or real in _package_folders()


def _own_folders() -> Sequence[Path]:
    return [Path(os.path.realpath(each)) for each in (sys.prefix, sys.base_prefix)]


def _package_folders() -> Sequence[Path]:
    """Return the folders that COAI was imported from."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _PACKAGES)
    return [Path(os.path.realpath(file)).parents[1] for file in files if file]


def child_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that children get, without vendors' keys, with some variables more."""
    cleaned = clean_environment(os.environ, _working_directory())
    kept = {name: value for name, value in cleaned.items() if not _is_secret(name.upper())}
    return kept | dict(more or {})


def _is_secret(name: str) -> bool:
    ours = name.startswith("COAI_") and name.endswith(("__API_KEY", "_PASSPHRASE"))
    return ours or name in KEY_VARIABLES


_users: dict[str, str] | None = None


def users_environment() -> dict[str, str]:
    """Return the environment as the user has it: for commands that the user typed, and no others.

    It may lead into the workspace, as a virtual environment does that is active there.
    """
    return dict(os.environ) if _users is None else dict(_users)


def harden() -> None:
    """Take what leads into the workspace out of this process's own environment and import path.

    For programs of ours, before they import anything more: what libraries start by themselves has
    this environment, too.
    """
    global _users  # noqa: PLW0603 - the process has one
    _users = _users or dict(os.environ)
    before = os.environ.get("PYTHONPATH", "")
    # With vendors' keys, which this process asks by.
    cleaned = clean_environment(os.environ, _working_directory())
    for name in os.environ.keys() - cleaned.keys():
        del os.environ[name]
    os.environ.update(cleaned)
    kept = cleaned.get("PYTHONPATH", "").split(os.pathsep)
    if before:
        left_out = (each for each in before.split(os.pathsep) if each not in kept)
        gone = {os.path.abspath(each) for each in left_out}  # noqa: PTH100 - as `site` does
        sys.path[:] = [each for each in sys.path if each not in gone]


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        # It is gone, so nothing can lie in it.
        return SAFE_DIRECTORY


# -------------------------------------------------------------------- processes


def program(name: str) -> str | None:
    """Return the absolute path of a program on the search path, without what is the workspace's."""
    suffixes = os.environ.get("PATHEXT", ".EXE").split(os.pathsep) if os.name == "nt" else [""]
    for folder in child_environment().get("PATH", os.defpath).split(os.pathsep):
        for suffix in suffixes:
            path = Path(folder, name + suffix)
            if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
                return str(path)
    return None


def _absolute(command: Sequence[str]) -> list[str]:
    """Return a command whose program is named by its whole path; raises FileNotFoundError."""
    first = command[0]
    found = first if Path(first).is_absolute() else program(first) if _is_name(first) else None
    if found is None:
        raise FileNotFoundError(f"there is no program {first} outside of the workspace")
    return [found, *command[1:]]


def _is_name(text: str) -> bool:
    return Path(text).name == text


def start(
    command: Sequence[str],
    *,
    stderr: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child whose input and output are pipes, its standard error nowhere unless given.

    `environment` is its whole one, cleaned already (`child_environment`). Raises OSError.
    """
    import subprocess  # noqa: PLC0415 - not if nothing is started

    return subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        _absolute(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if stderr is None else stderr,
        cwd=SAFE_DIRECTORY,
        env=child_environment() if environment is None else environment,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    given: bytes = b"",
    directory: Path = SAFE_DIRECTORY,
) -> Ended:
    """Run a child to its end; `given` is its input. Raises OSError, TimeoutError among them."""
    import subprocess  # noqa: PLC0415 - not if nothing is started

    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            _absolute(command),
            input=given,
            capture_output=True,
            cwd=directory,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it took more than {seconds:g} s") from error
    return Ended(done.returncode, done.stdout, done.stderr)


def start_detached(
    command: Sequence[str], *, directory: Path, log: int, defaults: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a child that is to outlive this process, with what it says in an open file.

    `defaults` are variables that it gets unless the environment has them. It has no input and no
    terminal. Who starts it collects its exit code some time, or nobody does.
    Raises OSError.
    """
    import subprocess  # noqa: PLC0415 - not if nothing is started

    class Detached(subprocess.Popen[bytes]):
        def __del__(self) -> None:
            """Do without the base class's warning that the child still runs: it is meant to."""

    flags = 0
    if sys.platform == "win32":
        # CREATE_NO_WINDOW, not DETACHED_PROCESS: a virtual environment's python.exe starts the
        # real one, which would open a console of its own.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return Detached(
        _absolute(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=directory,
        env={**defaults, **child_environment()},
        creationflags=flags,
        start_new_session=sys.platform != "win32",
    )


async def start_async(
    command: Sequence[str],
    *,
    stdin: int | None = None,
    stderr: int | None = None,
    directory: Path = SAFE_DIRECTORY,
    environment: Mapping[str, str] | None = None,
    limit: int = 64 * 1024,
    own_group: bool = False,
) -> Process:
    """Start a child of the event loop as `start` does, but for what is given.

    `limit` is how many bytes one line of its output may have; with `own_group` it leads a process
    group, so that what it starts can be ended with it. Raises OSError.
    """
    import asyncio  # noqa: PLC0415 - not if nothing is started
    from asyncio.subprocess import DEVNULL, PIPE  # noqa: PLC0415 - as above

    return await asyncio.create_subprocess_exec(
        *_absolute(command),
        stdin=PIPE if stdin is None else stdin,
        stdout=PIPE,
        stderr=DEVNULL if stderr is None else stderr,
        cwd=directory,
        env=child_environment() if environment is None else environment,
        limit=limit,
        start_new_session=own_group and sys.platform != "win32",
    )


@contextmanager
def pool(
    workers: int, prepare: Callable[..., None], arguments: tuple[Any, ...]
) -> Generator[ProcessPoolExecutor]:
    """Give processes that are started anew, not forked: the parent may have threads.

    `prepare` is called with the arguments in each. multiprocessing gives its children this
    process's environment, which is a child's meanwhile.
    """
    import multiprocessing  # noqa: PLC0415 - it takes some hundredths of a second to load
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - as above

    before = dict(os.environ)
    harden()
    try:
        with ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=prepare,
            initargs=arguments,
        ) as executor:
            yield executor
    finally:
        os.environ.clear()
        os.environ.update(before)
