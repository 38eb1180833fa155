"""Tools that look at the workspace: bounded, by its exclusions, and never outside of it."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from coai_agents.tools.errors import ToolError
from coai_agents.tools.registry import ALL, use
from coai_agents.tools.tool import Bench
from coai_agents.tools.workspace import Folder, rules_of
from coai_routing.settings.schema import Settings
from tests.agents.tools.support import used

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json

CODE = '''"""Prices."""


class Basket:
    def total(self, prices):
        """Add total prices."""
        return sum(prices)


def report(basket):
    # total is printed
    print("total", basket.total([1]))
'''


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "prices.py").write_text(CODE)
    (tmp_path / "main.go").write_text("package main\n\nfunc total() int {\n\treturn 1\n}\n")
    (tmp_path / ".env").write_text("TOKEN=total\n")
    (tmp_path / "hidden.py").write_text("total = 1\n")
    (tmp_path / ".coaiignore").write_text("hidden.py\n")
    (tmp_path / "notes.txt").write_text("nothing\n")
    return tmp_path


async def test_symbols_are_what_the_code_defines(shop: Path) -> None:
    found = await used(shop, "symbols", path="prices.py")
    assert [(each["name"], each["line"], each["kind"]) for each in found] == [
        ("Basket", 4, "class"),
        ("Basket.total", 5, "method"),
        ("report", 10, "function"),
    ]
    assert found[1]["signature"] == "def total(self, prices):"
    named = await used(shop, "symbols", name="total")
    assert [(each["path"], each["name"]) for each in named] == [
        ("main.go", "total"),
        ("prices.py", "Basket.total"),
    ]


async def test_references_are_code_not_text(shop: Path) -> None:
    found = await used(shop, "references", name="total")
    assert [(each["path"], each["line"], each["kind"]) for each in found] == [
        ("main.go", 3, "definition"),
        ("prices.py", 5, "definition"),
        ("prices.py", 12, "use"),
    ]


async def test_search_leaves_out_what_is_excluded(shop: Path) -> None:
    found = await used(shop, "search", text="TOTAL")
    assert {line.partition(":")[0] for line in found} == {"prices.py", "main.go"}
    assert await used(shop, "read", path="prices.py", lines="4-5") == (
        "class Basket:\n    def total(self, prices):\n"
    )


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("read", {"path": ".env"}, "as files with secrets do"),
        ("read", {"path": "hidden.py"}, ".coaiignore"),
        ("read", {"path": "../elsewhere.py"}, "outside"),
        ("read", {"path": "/etc/hostname"}, "outside"),
        ("read", {"path": "missing.py"}, "cannot be read"),
        ("read", {"path": "prices.py", "lines": "a-b"}, "lines has to be"),
        ("read", {"path": ["prices.py"]}, "path has to be a text"),
        ("files", {"below": ".."}, "outside"),
        ("symbols", {"path": "hidden.py"}, ".coaiignore"),
        ("references", {"name": ""}, "name has to be"),
        ("document", {"path": "prices.py"}, "none of .pdf"),
        ("document", {"path": "../a.pdf"}, "outside"),
        ("log", {"most": 0}, "from 1 to"),
        ("log", {}, "git"),
        ("blame", {"path": "prices.py"}, "git"),
        ("changes", {}, "git"),
        ("tests", {}, "There is no test command"),
        ("union", {"lists": 3}, "A list was expected"),
        ("nothing", {}, "There is no tool nothing"),
    ],
)
async def test_what_cannot_be_done_says_why(
    shop: Path, tool: str, given: dict[str, Json], said: str
) -> None:
    with pytest.raises(ToolError) as raised:
        await use(tool, given, Bench(Folder(shop)))
    assert said in str(raised.value)


async def test_a_link_out_of_the_workspace_is_not_followed(shop: Path, tmp_path: Path) -> None:
    inner = shop / "inner"
    inner.mkdir()
    (inner / "out.py").symlink_to(shop / "prices.py")
    with pytest.raises(ToolError, match="outside"):
        await used(inner, "read", path="out.py")


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True)


@pytest.fixture
def repository(shop: Path) -> Path:
    git(shop, "init", "-q")
    git(shop, "add", "-f", "prices.py", "hidden.py")
    git(shop, "commit", "-qm", "Add prices")
    (shop / "prices.py").write_text(CODE.replace("sum(prices)", "sum(prices) + 1"))
    git(shop, "commit", "-qam", "Add one\n\nBecause.")
    return shop


async def test_the_log_and_who_wrote_a_line(repository: Path) -> None:
    log = await used(repository, "log")
    assert [(each["author"], each["subject"]) for each in log] == [
        ("Ada", "Add one"),
        ("Ada", "Add prices"),
    ]
    assert len(await used(repository, "log", most=1)) == 1
    assert await used(repository, "log", path="notes.txt") == []
    blamed = await used(repository, "blame", path="prices.py", lines="6-7")
    assert [each["line"] for each in blamed] == [6, 7]
    assert blamed[1]["text"] == "        return sum(prices) + 1"
    assert log[0]["commit"].startswith(blamed[1]["commit"][:7])
    assert log[1]["commit"].startswith(blamed[0]["commit"][:7])


async def test_changes_are_a_diff_of_what_may_be_shown(repository: Path) -> None:
    (repository / "prices.py").write_text("def report():\n    pass\n")
    (repository / "hidden.py").write_text("total = 'SECRET'\n")
    (repository / "new.py").write_text("x = 1\n")
    diff = await used(repository, "changes")
    assert "--- a/prices.py" in diff
    assert "-class Basket:" in diff
    assert "+++ b/new.py" in diff
    assert "SECRET" not in diff
    assert "total = 1" not in diff
    assert ".env is not read" in diff
    (repository / "hidden.py").unlink()
    gone = await used(repository, "changes")
    assert "total = 1" not in gone, "what was deleted is as excluded as before"
    assert "hidden.py is not read" in gone
    only = await used(repository, "changes", path="prices.py", since="HEAD~1")
    assert "new.py" not in only
    with pytest.raises(ToolError):
        await used(repository, "changes", since="--output=/tmp/x")


async def test_nothing_of_a_repository_runs_for_its_history(repository: Path) -> None:
    ran = repository / "ran"
    for key in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "core.pager"):
        git(repository, "config", key, f"touch {ran}")
    git(repository, "config", "core.fsmonitor", f"touch {ran}")
    git(repository, "config", "gpg.program", f"touch {ran}")
    (repository / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    await used(repository, "log", path="prices.py")
    await used(repository, "blame", path="prices.py")
    await used(repository, "changes")
    assert not ran.exists()


async def test_the_users_tests_are_run_as_the_user_typed_them(shop: Path) -> None:
    (shop / "check.py").write_text("import sys; print('2 passed'); sys.exit(int(sys.argv[1]))\n")
    for code, passed in (("0", True), ("3", False)):
        bench = Bench(Folder(shop), test_command=f"python3 check.py {code}")
        found = await use("tests", {"command": "touch evil"}, bench)
        assert (found["passed"], found["output"]) == (passed, "2 passed\n")
    assert not (shop / "evil").exists()
    with pytest.raises(ToolError, match="There is no program"):
        await use("tests", {}, Bench(Folder(shop), test_command="no-such-program-here"))


def test_each_tool_says_what_it_changes() -> None:
    effects = {name: tool.signature.effect for name, tool in ALL.items()}
    assert effects["tests"] == "runs"
    assert effects["calculate"] == "none"
    assert {effects[name] for name in ("read", "log", "blame", "document")} == {"reads"}
    assert all(tool.signature.summary for tool in ALL.values())


CANARY = "TOTAL_OF_SECRETS"
LOOKING_AT: dict[str, dict[str, Json]] = {
    "files": {},
    "read": {"path": "private/plan.py"},
    "search": {"text": CANARY},
    "findings": {"path": "private/plan.py"},
    "symbols": {"path": "private/plan.py"},
    "references": {"name": CANARY, "path": "private/plan.py"},
    "document": {"path": "private/page.html"},
    "blame": {"path": "private/plan.py"},
    "changes": {},
    "log": {"path": "private/plan.py"},
    "synthesise": {
        "voices": {"a": f"`{CANARY}` is defined in private/plan.py:1."},
        "about": "private/plan.py",
    },
}
"""What each tool that reads the workspace is asked of a file that is excluded."""


def test_every_tool_that_reads_is_tried() -> None:
    reading = {name for name, tool in ALL.items() if tool.signature.effect == "reads"}
    assert reading <= LOOKING_AT.keys()


async def test_what_the_settings_exclude_is_refused_by_name(shop: Path) -> None:
    settings = Settings.model_validate({"privacy": {"exclude": ("prices.py",)}})
    for tool in ("read", "findings", "symbols", "blame"):
        with pytest.raises(ToolError, match=r"privacy\.exclude"):
            await use(tool, {"path": "prices.py"}, Bench(Folder(shop, rules_of(settings))))


@pytest.mark.parametrize("tool", LOOKING_AT)
@pytest.mark.parametrize("spelled", ["private/plan.py", "private//./plan.py", "link/plan.py"])
async def test_no_tool_reads_what_the_settings_exclude(shop: Path, tool: str, spelled: str) -> None:
    private = shop / "private"
    private.mkdir()
    (private / "plan.py").write_text(f"{CANARY} = eval(input())\n")
    (private / "page.html").write_text(f"<p>{CANARY}</p>")
    (shop / "link").symlink_to(private)
    git(shop, "init", "-q")
    git(shop, "add", "-f", "private/plan.py")
    git(shop, "commit", "-qm", "Add")
    (private / "plan.py").write_text(f"{CANARY} = eval(input())  # changed\n")
    settings = Settings.model_validate({"privacy": {"exclude": ("private/",)}})
    folder = Folder(shop, rules_of(settings))
    given = {
        key: value.replace("private/plan.py", spelled) if isinstance(value, str) else value
        for key, value in LOOKING_AT[tool].items()
    }
    said = ""
    with suppress(ToolError):
        said = str(await use(tool, given, Bench(folder)))
    assert CANARY not in said.replace(f"`{CANARY}` is defined", "")
    assert "eval" not in said
    assert not [name for name in folder.seen if "plan" in name or "page" in name]
