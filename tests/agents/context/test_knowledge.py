"""The workspace's context: what helps is shown, what is excluded never, and nothing by chance."""

from __future__ import annotations

import asyncio
import os
import random
import re
import string
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.completion.cursor import Cursor
from coai_agents.context.knowledge import LEAST_BUDGET, SELECTIONS, WorkspaceContext
from coai_agents.context.reader import MOST_BYTES
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Edit, Source, Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CANARY = "canary_" + "q7"
TOKEN = "".join(random.Random(4).choices(string.ascii_letters + string.digits, k=36))

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")


class Editor:
    """A workspace folder, and an editor that tells its context what happens."""

    def __init__(self, top: Path, *, quiet: float = 3600.0) -> None:
        self.top = top
        self.rules = ExclusionRules()
        self.exclusions = Exclusions(lambda _: self.rules, roots=[top])
        self.context = WorkspaceContext(self.exclusions, quiet=quiet)
        self.sources: dict[str, Source] = {}

    def write(self, name: str, text: str) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def open(self, name: str, text: str, language: str = "", uri: str | None = None) -> Source:
        source = Source(uri or (self.top / name).as_uri(), text, language)
        self.sources[name] = source
        self.context.opened(source)
        return source

    def edit(self, name: str, old: str, new: str) -> Source:
        before = self.sources[name]
        start = before.text.index(old)
        source = before.apply(Edit(Span(start, start + len(old)), new))
        self.sources[name] = source
        self.context.changed(source)
        return source

    def close(self, name: str) -> None:
        self.context.closed(self.sources.pop(name).uri)

    def files(self, name: str, after: str = "", budget: int = 4000) -> dict[str, str]:
        source = self.sources[name]
        at = source.text.index(after) + len(after) if after else len(source.text)
        found = self.context.files(source, Cursor.at(source, at), budget)
        assert sum(len(file.path) + len(file.text) for file in found) <= budget
        assert all(file.origin.endswith(file.path) or "untitled" in file.origin for file in found)
        return {file.path: file.text for file in found}

    def shown(self, name: str, after: str = "", budget: int = 4000) -> str:
        return "\n".join(f"{p}\n{t}" for p, t in self.files(name, after, budget).items())


@pytest.fixture
async def editor(tmp_path: Path) -> AsyncIterator[Editor]:
    top = tmp_path / "project"
    top.mkdir()
    editor = Editor(top)
    yield editor
    await editor.context.aclose()


STORE = '''"""A store."""


def load_order(number: int) -> "Order":
    """Load an order from the database."""
    secret_body = 1
    return secret_body


class Order:
    """An order."""

    total: int

    def pay(self, amount: int) -> bool:
        return amount > self.total


def unrelated(x):
    return x
'''

# ------------------------------------------------------------------------------- definitions


async def test_definitions_that_are_imported_and_used_are_shown(editor: Editor) -> None:
    editor.write("shop/store.py", STORE)
    editor.open("shop/main.py", "from shop.store import Order, load_order\n\norder = load_order(")
    await editor.context.refresh()
    assert editor.files("shop/main.py") == {
        "shop/store.py": 'def load_order(number: int) -> "Order":\n'
        '    """Load an order from the database."""\n'
        "class Order:\n"
        '    """An order."""\n'
        "    total: int\n"
        "    def pay(self, amount: int) -> bool: ..."
    }


@pytest.mark.parametrize(
    "text",
    [
        "from .store import load_order as load\n\norder = load(",
        "from . import store\n\norder = store.load_order(",
        "import shop.store\n\norder = shop.store.load_order(",
        "import shop.store as s\n\norder = s.load_order(",
        "from shop.store import *\n\norder = load_order(",
    ],
)
async def test_however_it_is_imported(editor: Editor, text: str) -> None:
    editor.write("shop/store.py", STORE)
    editor.open("shop/main.py", text)
    await editor.context.refresh()
    assert "def load_order(number: int)" in editor.shown("shop/main.py")
    assert "unrelated" not in editor.shown("shop/main.py")


@pytest.mark.parametrize(
    ("files", "name", "text", "wanted"),
    [
        (
            {"src/store.ts": "export function loadOrder(id: number): Order { return null }\n"},
            "src/main.ts",
            'import { loadOrder } from "./store";\n\nconst order = loadOrder(',
            "export function loadOrder(id: number): Order",
        ),
        (
            {"src/store.js": "export default function loadOrder(id) {}\n"},
            "src/main.js",
            'import loadOrder from "./store.js";\n\nconst order = loadOrder(',
            "function loadOrder(id)",
        ),
        (
            {
                "go.mod": "module example.org/shop\n",
                "store/store.go": "package store\nfunc Load(id int) Order { return Order{} }\n",
                "store/store_test.go": "package store\nfunc Load(wrong bool) {}\n",
            },
            "main.go",
            'package main\nimport "example.org/shop/store"\nfunc main() { store.Load(',
            "func Load(id int) Order",
        ),
        (
            {"store.go": "package main\nfunc loadOrder(id int) Order { return Order{} }\n"},
            "main.go",
            "package main\nfunc main() { loadOrder(",
            "func loadOrder(id int) Order",
        ),
        (
            {"src/main/java/shop/Store.java": "class Store { Order load(int id) {} }"},
            "src/main/java/app/Main.java",
            "package app;\nimport shop.Store;\nclass Main { Store store = new Store(",
            "Order load(int id)",
        ),
        (
            {"src/store.rs": "pub fn load_order(id: u32) -> Order { todo!() }\n"},
            "src/main.rs",
            "use crate::store::load_order;\nfn main() { let order = load_order(",
            "pub fn load_order(id: u32) -> Order",
        ),
        (
            {"store.h": "int load_order(int id);\n"},
            "main.c",
            '#include "store.h"\nint main() { return load_order(',
            "int load_order(int id)",
        ),
        (
            {"lib.sh": "load_order() {\n  echo x\n}\n"},
            "main.sh",
            ". ./lib.sh\nload_order",
            "load_order()",
        ),
    ],
)
async def test_in_every_language_that_has_files_to_import(
    editor: Editor, files: dict[str, str], name: str, text: str, wanted: str
) -> None:
    for path, content in files.items():
        editor.write(path, content)
    editor.open(name, text)
    await editor.context.refresh()
    shown = editor.shown(name)
    assert wanted in shown
    assert "wrong" not in shown


async def test_an_open_document_counts_and_not_the_file_on_disk(editor: Editor) -> None:
    editor.write("store.py", "def load_order(old): ...\n")
    editor.open("store.py", "def load_order(new): ...\n")
    editor.open("main.py", "from store import load_order\n\norder = load_order(")
    await editor.context.refresh()
    assert "def load_order(new)" in editor.shown("main.py")
    editor.edit("store.py", "new", "newer")
    await editor.context.refresh()
    assert "def load_order(newer)" in editor.shown("main.py")
    editor.close("store.py")
    await editor.context.refresh()
    assert "def load_order(old)" in editor.shown("main.py")


async def test_a_changed_file_is_read_again(editor: Editor) -> None:
    path = editor.write("store.py", "def load_order(old): ...\n")
    editor.open("main.py", "from store import load_order\n\norder = load_order(")
    await editor.context.refresh()
    assert "def load_order(old)" in editor.shown("main.py")
    path.write_text("def load_order(quite_new): ...\n", encoding="utf-8")
    await editor.context.refresh()
    assert "def load_order(quite_new)" in editor.shown("main.py")
    path.unlink()
    await editor.context.refresh()
    assert editor.files("main.py") == {}


async def test_what_the_file_defines_far_away_is_shown_and_not_what_is_in_sight(
    editor: Editor,
) -> None:
    filler = "".join(f"number_{n} = {n}\n" for n in range(400))
    text = (
        "def far_away(a: int) -> int:\n    return a\n\n"
        "class Shop:\n    def _helper(self, b: str) -> str:\n        return b\n\n"
        f"{filler}def near(c):\n    return c\n\n"
        "value = far_away(near(shop._helper("
    )
    editor.open("main.py", text)
    await editor.context.refresh()
    shown = editor.shown("main.py", budget=400)
    assert "def far_away(a: int) -> int: ..." in shown
    assert "def _helper(self, b: str) -> str: ..." in shown
    assert "def near" not in shown


async def test_the_outline_of_a_long_file_is_shown_where_there_is_room(editor: Editor) -> None:
    text = "".join(f"def function_{n}():\n    return {n}\n\n" for n in range(300))
    editor.open("main.py", text)
    await editor.context.refresh()
    assert editor.files("main.py", budget=600) == {}
    assert "def function_0(): ...\ndef function_1(): ..." in editor.shown("main.py", budget=1500)


# ----------------------------------------------------------------------- edits and neighbours

HANDLER = """
def handle_{name}(request, session):
    payload = parse_payload(request.body, schema={name}_schema)
    if not payload.is_valid:
        raise InvalidPayload(payload.errors)
    record = session.query({name}_table).filter(identifier=payload.identifier).first()
    record.update(payload.values)
    session.commit()
    return render_response(record, status=200)
"""


async def test_like_pieces_of_open_documents_are_shown_where_there_is_room(editor: Editor) -> None:
    editor.open("users.py", HANDLER.format(name="user"))
    editor.open("other.py", "".join(f"def compute_{n}(x):\n    return x\n" for n in range(20)))
    beginning = HANDLER.format(name="order").split("    record.update")[0]
    editor.open("orders.py", beginning)
    await editor.context.refresh()
    files = editor.files("orders.py", budget=1500)
    assert list(files) == ["users.py"]
    assert "session.commit()" in files["users.py"]
    assert editor.files("orders.py", budget=500) == {}


async def test_only_documents_of_the_same_family_are_compared(editor: Editor) -> None:
    editor.open("users.rb", HANDLER.format(name="user"))
    editor.open("orders.py", HANDLER.format(name="order").split("    record.update")[0])
    await editor.context.refresh()
    assert editor.files("orders.py", budget=1500) == {}


async def test_places_edited_shortly_before_are_shown(editor: Editor) -> None:
    filler = "".join(f"number_{n} = {n}\n" for n in range(200))
    editor.open("a.rb", f"{filler}{HANDLER.format(name='user')}{filler}")
    editor.open("b.py", HANDLER.format(name="order").split("    record.update")[0])
    await editor.context.refresh()
    assert editor.files("b.py", budget=1500) == {}
    editor.edit("a.rb", "record.update(payload.values)", "record.merge(payload.values)")
    editor.edit("b.py", "raise InvalidPayload", "raise WrongPayload")
    await editor.context.refresh()
    files = editor.files("b.py", budget=3000)
    assert "record.merge(payload.values)" in files["a.rb"]
    editor.close("a.rb")
    await editor.context.refresh()
    assert "record.merge(payload.values)" in editor.files("b.py", budget=3000)["a.rb"]


async def test_the_place_being_edited_joins_when_its_document_is_closed(editor: Editor) -> None:
    editor.open("a.rb", HANDLER.format(name="user"))
    editor.edit("a.rb", "record.update", "record.merge")
    editor.close("a.rb")
    editor.open("b.py", HANDLER.format(name="order").split("    record.update")[0])
    await editor.context.refresh()
    assert "record.merge" in editor.shown("b.py", budget=3000)


async def test_what_the_prompt_shows_anyway_is_not_shown_as_edited(editor: Editor) -> None:
    editor.open("a.py", HANDLER.format(name="user"))
    editor.open("b.py", "x = 1\n")
    editor.edit("a.py", "record.update", "record.merge")
    editor.edit("b.py", "x = 1", "x = 2")
    await editor.context.refresh()
    assert editor.files("a.py", budget=3000) == {}


# ------------------------------------------------------------------------------ never by chance


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.py", "import os\n\n\ndef area(radius):\n    return 3.14 * radius ** "),
        ("main.py", "value = unrelated("),
        ("main.py", ""),
        ("notes.txt", "from store import load_order\nload_order("),
        ("main.py", "from store import missing\n\nmissing("),
        ("main.py", "from nowhere import load_order\n\nload_order("),
        ("main.py", "from ../x import \x00 as load_order\n\nload_order("),
    ],
)
async def test_where_nothing_is_relevant_nothing_is_shown(
    editor: Editor, name: str, text: str
) -> None:
    editor.write("store.py", STORE)
    editor.open("store.py", STORE)
    editor.open(name, text)
    await editor.context.refresh()
    assert editor.files(name) == {}


async def test_without_room_or_knowledge_nothing_is_shown(editor: Editor) -> None:
    editor.write("store.py", STORE)
    main = editor.open("main.py", "from store import load_order\n\nload_order(")
    assert editor.context.files(main, Cursor.at(main, 40), 4000) == ()
    await editor.context.refresh()
    assert editor.files("main.py", budget=LEAST_BUDGET - 1) == {}
    assert editor.files("main.py", budget=LEAST_BUDGET + 40) != {}
    unknown = Source("untitled:x", main.text, "python")
    assert editor.context.files(unknown, Cursor.at(unknown, 40), 4000) == ()


async def test_documents_without_a_file_take_part(editor: Editor) -> None:
    editor.open("one", HANDLER.format(name="user"), "python", uri="untitled:Untitled-1")
    editor.open("two", HANDLER.format(name="order")[:300], "python", uri="untitled:Untitled-2")
    await editor.context.refresh()
    assert list(editor.files("two", budget=1500)) == ["untitled"]


async def test_line_ends_of_any_kind_become_new_lines(editor: Editor) -> None:
    editor.write("store.py", STORE.replace("\n", "\r\n"))
    editor.open("main.py", "from store import Order\r\n\r\norder: Order = ")
    await editor.context.refresh()
    assert "\r" not in editor.shown("main.py")
    assert "class Order:\n" in editor.shown("main.py")


# -------------------------------------------------------------------------- privacy and secrets


async def test_secrets_are_redacted_wherever_they_come_from(editor: Editor) -> None:
    secret = f'API_TOKEN = "ghp_{TOKEN}"\n'
    key = f"-----BEGIN PRIVATE KEY-----\n{TOKEN * 3}\n{TOKEN * 3}\n-----END PRIVATE KEY-----"
    editor.write("store.py", secret + f'def load_order(token="{TOKEN}"): ...\n')
    editor.open("open.py", f"{HANDLER.format(name='user')}{secret}'''{key}'''\n")
    editor.open("edited.rb", f"{HANDLER.format(name='cart')}{secret}# {key}\n")
    text = f"from store import API_TOKEN, load_order\n{secret}"
    editor.open("main.py", text + HANDLER.format(name="order") + "load_order(API_TOKEN, ")
    editor.edit("edited.rb", "session.commit()", "session.commit!()")
    editor.edit("main.py", "session.commit()", "session.commit(1)")
    await editor.context.refresh()
    shown = editor.shown("main.py", budget=6000)
    assert {"store.py", "open.py", "edited.rb"} <= set(shown.split("\n"))
    assert TOKEN not in shown
    assert "REDACTED" in shown


async def test_files_of_secrets_are_not_read_even_as_modules(editor: Editor) -> None:
    editor.write("secrets.py", f"def {CANARY}(a): ...\n")
    editor.open("main.py", f"from .secrets import {CANARY}\n\n{CANARY}(")
    await editor.context.refresh()
    assert editor.files("main.py") == {}


async def test_an_exclusion_holds_at_once_for_what_is_known_already(editor: Editor) -> None:
    editor.write("store.py", STORE)
    editor.open("users.py", HANDLER.format(name="user"))
    editor.open(
        "main.py", f"from store import load_order\n{HANDLER.format(name='order')}load_order("
    )
    await editor.context.refresh()
    assert {"store.py", "users.py"} <= set(editor.files("main.py"))
    editor.rules = ExclusionRules(privacy=("store.py", "users.py"))
    assert editor.files("main.py") == {}
    editor.rules = ExclusionRules()
    ignore_file = editor.write(".coaiignore", "store.py\n")
    editor.exclusions.forget(ignore_file)
    assert "store.py" not in editor.files("main.py")
    await editor.context.refresh()
    assert list(editor.files("main.py")) == ["users.py"]


async def test_an_edited_place_in_a_file_that_is_excluded_later_is_dropped(editor: Editor) -> None:
    editor.open("a.rb", HANDLER.format(name="user"))
    editor.open("b.py", HANDLER.format(name="order").split("    record.update")[0])
    editor.edit("a.rb", "record.update", "record.merge")
    editor.close("a.rb")
    await editor.context.refresh()
    assert "a.rb" in editor.files("b.py", budget=3000)
    editor.rules = ExclusionRules(privacy=("*.rb",))
    assert editor.files("b.py", budget=3000) == {}
    await editor.context.refresh()
    editor.rules = ExclusionRules()
    await editor.context.refresh()
    assert editor.files("b.py", budget=3000) == {}


async def test_an_excluded_document_feeds_no_other_and_is_itself_fed(editor: Editor) -> None:
    editor.rules = ExclusionRules(privacy=("users.py",))
    editor.write("store.py", STORE)
    editor.open(
        "users.py", f"from store import load_order\n{HANDLER.format(name='user')}load_order("
    )
    editor.open("orders.py", HANDLER.format(name="order").split("    record.update")[0])
    editor.edit("users.py", "record.update", "record.merge")
    editor.edit("orders.py", "request.body", "request.text")
    await editor.context.refresh()
    assert editor.files("orders.py") == {}
    assert "store.py" in editor.files("users.py")


async def test_gitignored_files_only_where_the_settings_say_so(editor: Editor) -> None:
    editor.write(".gitignore", "generated/\n")
    editor.write("generated/store.py", STORE)
    editor.open("main.py", "from generated.store import load_order\n\nload_order(")
    await editor.context.refresh()
    assert editor.files("main.py") == {}
    editor.rules = ExclusionRules(gitignored_context=True)
    await editor.context.refresh()
    assert "def load_order" in editor.shown("main.py")


@posix_only
async def test_links_lead_to_nothing_outside_of_the_workspace(editor: Editor) -> None:
    outside = editor.top.parent / "outside"
    outside.mkdir()
    (outside / "store.py").write_text(STORE, encoding="utf-8")
    (editor.top / "store.py").symlink_to(outside / "store.py")
    (editor.top / "linked").symlink_to(outside, target_is_directory=True)
    text = "from store import load_order\nfrom linked.store import Order\n\nload_order(Order("
    editor.open("main.py", text)
    await editor.context.refresh()
    assert editor.files("main.py") == {}


async def test_what_is_no_text_of_bearable_size_is_not_read(editor: Editor) -> None:
    editor.write("large.py", "def load_order(a): ...\n" + "x = 1\n" * (MOST_BYTES // 6))
    editor.write("binary.py", "def load_order(a): ...\n\0")
    (editor.top / "folder.py").mkdir()
    for name in ("large", "binary", "folder"):
        editor.open(f"{name}_main.py", f"from {name} import load_order\n\nload_order(")
    await editor.context.refresh()
    for name in ("large", "binary", "folder"):
        assert editor.files(f"{name}_main.py") == {}


WAYS = ("allowed", "coaiignore", "nested", "gitignore", "privacy", "secret", "link")


def lay_out(editor: Editor, number: int, way: str) -> tuple[str, str]:
    """Write a file that is kept out in some way; return its name and its text."""
    folder = f"folder{number}"
    name = f"{folder}/{'secrets' if way == 'secret' else 'module'}.py"
    word = f"{CANARY}_{number}"
    text = f"def {word}(a: int): ...\n{HANDLER.format(name=word)}"
    if way == "link":
        outside = editor.top.parent / f"{number}.py"
        outside.write_text(text, encoding="utf-8")
        (editor.top / folder).mkdir()
        (editor.top / name).symlink_to(outside)
    else:
        editor.write(name, text)
    if way in ("coaiignore", "gitignore"):
        with (editor.top / f".{way}").open("a", encoding="utf-8") as stream:
            stream.write(f"/{folder}/\n")
    elif way == "nested":
        editor.write(f"{folder}/.coaiignore", "module.py\n")
    elif way == "privacy":
        editor.rules = ExclusionRules(privacy=(*editor.rules.privacy, f"{folder}/*.py"))
    return name, text


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(WAYS), st.sampled_from(["imported", "open", "closed"])),
        min_size=1,
        max_size=6,
    )
)
@posix_only
def test_no_excluded_file_s_text_is_in_any_prompt(files: list[tuple[str, str]]) -> None:
    """Whatever keeps a file out, and whether it is open, was edited, or is only imported."""

    async def scenario(top: Path) -> None:
        editor = Editor(top / "project")
        editor.top.mkdir()
        imports: list[str] = []
        uses: list[str] = []
        for number, (way, state) in enumerate(files):
            name, text = lay_out(editor, number, way)
            if state != "imported":
                editor.open(name, text)
                editor.edit(name, "record.update", "record.merge")
            if state == "closed":
                editor.close(name)
            module = name.removesuffix(".py").replace("/", ".")
            imports.append(f"from {module} import {CANARY}_{number}\n")
            uses.append(f"{CANARY}_{number}(1)\n")
        editor.open("main.py", "".join((*imports, HANDLER.format(name="main"), *uses)))
        editor.edit("main.py", "record.update", "record.store")
        await editor.context.refresh()
        allowed = {str(number) for number, (way, _) in enumerate(files) if way == "allowed"}
        for budget in (100, 700, 3000, 20_000):
            shown = editor.shown("main.py", budget=budget)
            assert set(re.findall(rf"{CANARY}_(\d+)", shown)) <= allowed
        assert set(re.findall(rf"def {CANARY}_(\d+)", shown)) == allowed
        await editor.context.aclose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder).resolve()))


# ------------------------------------------------------------------------------------ stability


async def test_typing_on_changes_nothing_byte_for_byte(editor: Editor) -> None:
    editor.write("store.py", STORE)
    editor.open("users.py", HANDLER.format(name="user"))
    editor.open(
        "main.py",
        f"from store import Order, load_order\n{HANDLER.format(name='order')}\n"
        "order: Order = load_order(|",
    )
    await editor.context.refresh()
    first = editor.files("main.py", budget=1500)
    assert list(first) == ["store.py", "users.py"]
    for before, after in (("(|", "(1|"), ("1|", "1)\nprint(|"), ("t(|", "t(order)\n|")):
        editor.edit("main.py", before, after)
        assert editor.files("main.py", budget=1500) == first
    await editor.context.refresh()
    assert list(editor.files("main.py", budget=1500).items()) == list(first.items())


async def test_a_smaller_budget_shows_a_beginning_of_what_a_larger_one_does(
    editor: Editor,
) -> None:
    editor.write("store.py", STORE)
    editor.open("main.py", "from store import Order, load_order\n\norder: Order = load_order(")
    await editor.context.refresh()
    small = editor.shown("main.py", budget=150)
    large = editor.shown("main.py", budget=1000)
    assert small
    assert large.startswith(small)
    assert editor.shown("main.py", budget=150) == small


async def test_many_documents_are_remembered_but_not_all(editor: Editor) -> None:
    editor.write("store.py", STORE)
    for number in range(SELECTIONS + 8):
        editor.open(f"{number}.py", "from store import load_order\n\nload_order(")
    await editor.context.refresh()
    for number in range(SELECTIONS + 8):
        assert "def load_order" in editor.shown(f"{number}.py")


async def test_choosing_asks_no_disk(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    editor.write("store.py", STORE)
    editor.open("main.py", "from store import load_order\n\nload_order(")
    await editor.context.refresh()

    def no_disk(*_: object, **__: object) -> object:
        raise AssertionError("the disk was asked")

    for name in ("stat", "open", "scandir", "lstat"):
        monkeypatch.setattr(os, name, no_disk)
    monkeypatch.setattr(os.path, "realpath", no_disk)
    shown = editor.shown("main.py")
    monkeypatch.undo()
    assert "def load_order" in shown


# ----------------------------------------------------------------------------- in the background


async def until(editor: Editor, name: str, wanted: str) -> None:
    """Wait until something is shown; the test's own time limit is far above what it takes."""
    async with asyncio.timeout(30):
        while wanted not in editor.shown(name):  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)


async def test_documents_are_read_by_themselves_after_a_moment(tmp_path: Path) -> None:
    editor = Editor(tmp_path, quiet=0.01)
    editor.write("store.py", STORE)
    editor.open("main.py", "from store import load_order\n\nload_order(")
    await until(editor, "main.py", "def load_order")
    editor.edit("main.py", "load_order(", "load_order(Order(")
    editor.edit("main.py", "import load_order", "import load_order, Order")
    await until(editor, "main.py", "class Order")
    await editor.context.aclose()


async def test_a_failure_in_the_background_is_logged_and_overcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    editor = Editor(tmp_path, quiet=0.01)
    editor.write("store.py", STORE)

    def fail(_: str) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr("coai_agents.context.reader.redact", fail)
    editor.open("main.py", "from store import load_order\n\nload_order(")
    async with asyncio.timeout(30):
        while "could not" not in caplog.text:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)
    assert editor.files("main.py") == {}
    monkeypatch.undo()
    editor.edit("main.py", "load_order(", "load_order( ")
    await until(editor, "main.py", "def load_order")
    await editor.context.aclose()


async def test_closing_ends_the_work_and_nothing_begins_after_it(tmp_path: Path) -> None:
    editor = Editor(tmp_path, quiet=0.0)
    for number in range(50):
        editor.open(f"{number}.py", HANDLER.format(name=f"n{number}") * 20)
    await asyncio.sleep(0)
    await editor.context.aclose()
    editor.open("late.py", "x = 1\n")
    await editor.context.refresh()
    assert editor.files("late.py") == {}
    await editor.context.aclose()


async def test_what_cannot_be_followed_in_time_is_left_for_later(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.write("store.py", STORE)
    editor.open("main.py", "from store import load_order\n\nload_order(")
    monkeypatch.setattr("coai_agents.context.reader.DEADLINE", -1.0)
    await editor.context.refresh()
    assert editor.files("main.py") == {}
    monkeypatch.undo()
    await editor.context.refresh()
    assert "def load_order" in editor.shown("main.py")


LIBRARY = """\
# Reads all rows of a table that were written since a moment, the oldest first,
# and leaves out those that were taken back meanwhile.
def read_rows(table: str, since: float, limit: int = 100) -> list[Row]:
    pass


def shape(rows: list[Row], width: int) -> list[list[Row]]:
    pass
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("    return shape(read_rows(", "def read_rows("),
        ("    return shape(read_rows(table, 0), ", "def shape("),
        ("    return lib.read_rows(", "def read_rows("),
        ('    log("(", read_rows(', "def read_rows("),
    ],
)
async def test_what_is_called_at_the_cursor_is_shown_first(
    editor: Editor, line: str, wanted: str
) -> None:
    editor.write("some/deep/folder/lib.py", LIBRARY)
    editor.open(
        "main.py",
        "from some.deep.folder import lib\n"
        "from some.deep.folder.lib import Row, read_rows, shape\n\n\n"
        f"def f(table):\n    a = shape([], 1)\n    b = read_rows(table, 1)\n{line}",
    )
    await editor.context.refresh()
    found = editor.files("main.py", budget=120)
    assert list(found) == ["lib.py"]
    assert found["lib.py"].startswith(wanted)


async def test_with_more_room_comments_and_paths_are_shown(editor: Editor) -> None:
    editor.write("some/deep/folder/lib.py", LIBRARY)
    editor.open(
        "main.py",
        "from some.deep.folder.lib import read_rows\n\n\ndef f(table):\n    return read_rows(",
    )
    await editor.context.refresh()
    [(path, text)] = editor.files("main.py", budget=600).items()
    assert path.endswith("some/deep/folder/lib.py")
    assert "Reads all rows" in text
