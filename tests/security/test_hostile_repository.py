"""The attacker is a repository: it is cloned, and then opened, audited, completed in."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import coai_server
from coai_agents.analysis.findings.findings import Analysis
from coai_agents.analysis.run import analyzer, survey
from coai_routing import processes
from coai_server.cli.audit import alone
from tests.security.hostile import BAD, COAI, HostileRepository
from tests.support.lsp_client import ServerProcess

if TYPE_CHECKING:
    from coai_agents.source import Source


# -------------------------------------------------- its code is never run

MODULE = (sys.executable, "-m", "coai_server")


def _before_main(folder: Path) -> set[str]:
    """Return what Python itself imports for `-m`, before a line of ours can prevent it."""
    (folder / "probe.py").write_text("import sys; print(*sys.modules)")
    command = (sys.executable, "-m", "probe")
    unsafe = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    printed = subprocess.run(
        command, cwd=folder, env=unsafe, capture_output=True, text=True, check=True
    )
    return {"coai_server", *(name.partition(".")[0] for name in printed.stdout.split())}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((str(COAI), "config", "show"), id="a command"),
        pytest.param((str(COAI), "complete", "f.py:2:1"), id="complete, which starts a daemon"),
        pytest.param((*MODULE, "config", "show"), id="python -m"),
        pytest.param((*MODULE, "audit", "f.py"), id="python -m audit"),
    ],
)
def test_no_command_imports_what_lies_in_the_working_directory(
    hostile: HostileRepository, command: tuple[str, ...]
) -> None:
    hostile.write("f.py")
    hostile.trap_modules(*(_before_main(hostile.home) if command[:3] == MODULE else ()))
    ran = hostile.run(command)
    assert hostile.sprung == set()
    assert "Traceback" not in ran.err


def test_no_process_of_an_audit_imports_what_lies_in_the_working_directory(
    hostile: HostileRepository,
) -> None:
    names = [f"bad/f{number}.py" for number in range(49)]
    for name in names:
        hostile.write(name)
    hostile.trap_modules()
    ran = hostile.coai("audit", "--jobs", "2", "--no-cache", ".")
    assert hostile.sprung == set()
    assert ran.code == 1
    assert ran.out.count("command-injection") == len(names)


def test_no_process_of_the_daemon_imports_what_lies_in_the_workspace(
    hostile: HostileRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hostile.write("f.py")
    hostile.trap_modules()
    for program in ("python", "python3", "ruff", "git", "nice"):
        hostile.program(f"tools/{program}")
    monkeypatch.chdir(hostile.folder)
    environment = hostile.environment()
    environment["PATH"] = f"tools::.:{hostile.folder}/tools:{environment['PATH']}"
    with ServerProcess("serve", program=(str(COAI),), env=environment) as daemon:
        uri = hostile.folder.as_uri()
        daemon.initialize(rootUri=uri, workspaceFolders=[{"uri": uri, "name": "x"}])
        daemon.notify("initialized", {})
        item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": BAD}
        daemon.notify("textDocument/didOpen", {"textDocument": item})
        found = daemon.receive(
            lambda message: message.get("method") == "textDocument/publishDiagnostics"
        )
        assert [each["code"] for each in found["params"]["diagnostics"]] == ["command-injection"]
    assert hostile.sprung == set()


def test_nothing_but_built_in_modules_is_imported_before_the_path_is_safe() -> None:
    """`from __future__` imports a module, too."""
    folder = Path(coai_server.__file__).parent
    for name, allowed in (("__init__.py", set[str]()), ("__main__.py", {"sys"})):
        tree = ast.parse((folder / name).read_text("utf-8"))
        imported = {
            each
            for statement in tree.body
            if isinstance(statement, ast.Import | ast.ImportFrom)
            for each in (
                [alias.name for alias in statement.names]
                if isinstance(statement, ast.Import)
                else [str(statement.module)]
            )
        }
        assert imported == allowed
        assert allowed <= set(sys.builtin_module_names)


MODULES = {"subprocess", "multiprocessing", "pty", "webbrowser", "_posixsubprocess", "_winapi"}
STARTERS = {
    *("ProcessPoolExecutor", "create_subprocess_exec", "create_subprocess_shell"),
    *("subprocess_exec", "subprocess_shell", "popen", "startfile", "forkpty", "posix_spawn"),
    *("posix_spawnp", "execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp"),
    *("execvpe", "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp"),
    *("spawnvpe", "os.fork", "os.system", "shutil.which"),
}


USERS_OWN = ("users_command.py", "shutil.which")
"""`coai fix --test` runs what the user typed there, and means what this folder has."""


def test_only_one_module_starts_processes() -> None:
    """The linter says so as well, but for names that are only reached through objects."""
    allowed = Path(processes.__file__)
    found: list[str] = []
    for floor in ("server", "agents", "routing"):
        for path in allowed.parents[2].joinpath(floor).rglob("*.py"):
            if path != allowed:
                text = path.read_text("utf-8")
                if not any(name.rpartition(".")[2] in text for name in STARTERS | MODULES):
                    continue
                tree = ast.parse(text)
                found += [
                    f"{path}:{line}: {name}"
                    for line, name in _starters(tree)
                    if (path.name, name) != USERS_OWN
                ]
    assert found == []


def _starters(tree: ast.Module) -> list[tuple[int, str]]:
    """Return what starts processes where it is used; what is imported for types alone is not."""
    typed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import) and node not in typed:
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node not in typed:
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [node.attr, ast.unparse(node)]
        modules = MODULES if isinstance(node, ast.Import | ast.ImportFrom) else set[str]()
        line = getattr(node, "lineno", 0)
        found += [(line, name) for name in names if name in STARTERS | modules]
    return found


# ------------------------------------------------ files are what they are named


needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")

NAME = f"{'n' * 90}.py"


def _poison(hostile: HostileRepository) -> dict[str, str]:
    """Add a file of each kind that cannot be looked at; return what its note says."""
    outside = hostile.home / "outside.py"
    outside.write_text(BAD)
    folder = hostile.home / "folder"
    folder.mkdir()
    (folder / "inside.json").write_text('{"password": "hunter2hunter2"}')
    (hostile.folder / "link.py").symlink_to(outside)
    (hostile.folder / "up.py").symlink_to("../home/outside.py")
    (hostile.folder / "linked").symlink_to(folder)
    (hostile.folder / "zero.py").symlink_to("/dev/zero")
    (hostile.folder / "nowhere.py").symlink_to("missing.py")
    (hostile.folder / "loop.py").symlink_to("loop.py")
    (hostile.folder / "folder.py").symlink_to(folder)
    os.mkfifo(hostile.folder / "pipe.py")
    with (hostile.folder / "huge.py").open("wb") as stream:
        stream.truncate(1 << 33)
    return {
        "link.py": "leads out",
        "up.py": "leads out",
        "zero.py": "leads out",
        "nowhere.py": "No such file",
        "loop.py": "Too many levels",
        "folder.py": "leads out",
        "pipe.py": "no regular file",
        "huge.py": "more than 5,000,000 bytes",
    }


@needs_links
@pytest.mark.parametrize("many", [0, 60], ids=["in one process", "in several"])
def test_a_poisoned_file_takes_nothing_from_the_others(
    hostile: HostileRepository, many: int
) -> None:
    notes = _poison(hostile)
    hostile.write("nul.py", "\0" * 1000)
    hostile.write("deep.py", f"x = {'[' * 20_000}")
    hostile.write("latin.py").write_bytes(b"x = '\xff\xfe'\n")
    hostile.write(f"long/{NAME}")
    hostile.write("z.py")
    for number in range(many):
        hostile.write(f"more/{number}.py")
    ran = hostile.coai("audit", "--jobs", "2", "--no-cache", "--format", "json", ".")
    document = json.loads(ran.out)
    found = {Path(each["path"]).name for each in document["findings"]}
    assert found == {"z.py", NAME, *(f"{number}.py" for number in range(many))}
    assert ran.code == 1
    said = {Path(path).name: " ".join(some) for path, some in document["notes"].items()}
    assert {name: note for name, note in notes.items() if note not in said[name]} == {}


@needs_links
def test_what_is_outside_is_not_written_by_fixes(hostile: HostileRepository) -> None:
    weak = "def f(a=[]):\n    return a\n"
    (hostile.home / "outside.py").write_text(weak)
    hostile.write("own.py", weak)
    (hostile.folder / "link.py").symlink_to(hostile.home / "outside.py")
    (hostile.folder / "inner.py").symlink_to("own.py")
    # As a shell writes `*.py`: who names a link has not agreed to what it leads to.
    for wanted in (["."], ["link.py", "inner.py", "own.py"]):
        hostile.write("own.py", weak)
        hostile.coai("audit", "--fix", *wanted)
        assert (hostile.home / "outside.py").read_text() == weak
        assert "a=None" in (hostile.folder / "own.py").read_text()
        assert (hostile.folder / "inner.py").is_symlink()


@needs_links
@pytest.mark.parametrize("option", ["--write-baseline"])
def test_no_output_is_written_through_a_link(hostile: HostileRepository, option: str) -> None:
    hostile.write("f.py")
    outside = hostile.home / "outside"
    outside.write_text("mine")
    (hostile.folder / "out.json").symlink_to(outside)
    ran = hostile.coai("audit", option, "out.json", "f.py")
    assert outside.read_text() == "mine"
    assert ran.code == 2


READS_WHAT_IS_OURS = {
    "agents/changes/policy.py",
    *("agents/fixes/fixers.py", "agents/analysis/rules/rule_pages.py"),
    *("agents/analysis/rules/rules.py", "agents/analysis/run/ruff.py"),
    *("agents/symbols/hover.py", "agents/syntax/language.py", "agents/git.py"),
    *("agents/specialists/performance/known.py", "agents/specialists/refactoring/shapes.py"),
    *("agents/specialists/choosing/tree.py", "agents/specialists/architecture/designing.py"),
    # Files of the system: who runs, and since when.
    "agents/workflows/journal/owners.py",
    # A database of advisories that the user names or fetches; too large to be read at once.
    "agents/specialists/security/advisories/database.py",
    *("agents/specialists/fixing/candidates.py", "agents/specialists/diagnosing/knowledge.py"),
    "agents/specialists/documents/frameworks.py",
    "agents/specialists/documents/pages/interface.py",
    "agents/specialists/documents/pages/project.py",
    # Ours, or the user's by name: templates, the daemon's record and log, the token.
    "agents/specialists/documents/templates.py",
    *("server/shared/place.py", "server/shared/start.py", "server/http/security/own_token.py"),
}
"""Modules that open files of COAI's own or the user's, and none of a workspace."""


def test_only_one_module_opens_files_of_a_workspace() -> None:
    top = Path(processes.__file__).parents[2]
    opening: set[str] = set()
    for floor in ("server", "agents"):
        package = top / floor / f"coai_{floor}"
        for path in package.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and _opens(node):
                    opening.add(f"{floor}/{path.relative_to(package).as_posix()}")
    assert opening == READS_WHAT_IS_OURS


def _opens(call: ast.Call) -> bool:
    """Say whether a call opens a file by its name."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "open"
    if not isinstance(call.func, ast.Attribute):
        return False
    whole = ast.unparse(call)
    if call.func.attr == "open":
        # Documents, recorders and editors are opened, too; a file is with a mode.
        return "rb" in whole or "'r'" in whole or whole.startswith("io.open")
    return call.func.attr in {"read_bytes", "write_bytes", "write_text"} or (
        call.func.attr == "read_text" and "resources" not in whole
    )


def dies_of_poison(batch: list[tuple[Path, str, object]]) -> list[Analysis]:
    """Stand for an analysis that native code ends: nothing that is known does so."""
    if any("poison" in text for _, text, _ in batch):
        os._exit(9)
    return [Analysis(path.as_uri(), 0, ()) for path, *_ in batch]


def test_a_file_that_ends_the_process_takes_nothing_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_analyse_batch", dies_of_poison)
    paths = [tmp_path / f"{number}.py" for number in range(survey.WORTH_PROCESSES)]
    for number, path in enumerate(paths):
        path.write_text("poison" if number in (5, 40) else "x = 1")
    before = dict(os.environ)
    found = {
        int(each.path.stem): each.analysis
        for each in survey.survey(paths, survey.AnalysisCache(None), jobs=2, within=[tmp_path])
    }
    assert sorted(found) == list(range(len(paths)))
    assert {number for number, each in found.items() if each.failed} == {5, 40}
    assert "ended its process" in found[5].notes[0]
    assert dict(os.environ) == before


@pytest.mark.parametrize("part", ["secrets_in", "turned_text", "unsuppressed"])
def test_a_fault_of_ours_in_one_file_is_that_files_note(
    hostile: HostileRepository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    part: str,
) -> None:
    for name in ("a.py", "b.py"):
        hostile.write(name, f"{BAD}# {name}\n")
    real = getattr(analyzer, part)

    def faulty(source: Source, *rest: object) -> object:
        if "a.py" in source.text:
            raise IndexError(source.text)
        return real(source, *rest)

    monkeypatch.setattr(analyzer, part, faulty)
    code = alone.audit([str(hostile.folder), "--no-cache"])
    said = capsys.readouterr()
    assert code == 1
    assert "b.py:5:1 error command-injection" in said.out
    assert "failed (IndexError); please report it." in said.err
    (hostile.folder / "b.py").write_text("x = 1\n")
    (hostile.folder / "a.py").write_text("# a.py\n")
    assert alone.audit([str(hostile.folder), "--no-cache"]) == 2


# ------------------------------------------------------ what children are given


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's paths")
def test_an_environment_leads_nowhere_into_the_workspace(hostile: HostileRepository) -> None:
    folder = hostile.folder
    (folder / ".git").mkdir()
    (folder / "below").mkdir()
    (hostile.home / "link").symlink_to(folder)
    inside = (f"{folder}/bin", str(folder), f"{hostile.home}/link/bin", f"{folder}/../repository")
    given = ":".join(["", ".", "bin", *inside, "/usr/bin", str(hostile.home), ""])
    lists = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    for directory in (folder, folder / "below"):
        cleaned = processes.clean_environment(
            {
                **dict.fromkeys(lists, given),
                **dict.fromkeys(("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT"), "x"),
                "PYTHONPYCACHEPREFIX": "cache",
                "PYTHONHOME": str(folder),
                "PYTHONUSERBASE": "/usr",
                "HTTP_PROXY": "kept",
            },
            directory,
        )
        assert cleaned == {
            **dict.fromkeys(lists, f"/usr/bin:{hostile.home}"),
            "PYTHONUSERBASE": "/usr",
            "HTTP_PROXY": "kept",
            "PYTHONSAFEPATH": "1",
            "NoDefaultCurrentDirectoryInExePath": "1",
        }
    assert "PATH" not in processes.clean_environment({"PATH": ":.:"}, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's modes")
def test_a_program_is_never_the_workspaces(
    hostile: HostileRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.program("bin/tool")
    hostile.program("tool")
    monkeypatch.chdir(hostile.folder)
    monkeypatch.setenv("PATH", f":.:bin:{hostile.folder}/bin:{os.environ['PATH']}")
    assert processes.program("tool") is None
    for command in ("tool", "./tool", "bin/tool"):
        with pytest.raises(FileNotFoundError):
            processes.start((command,))
    assert processes.program("sh") is not None
