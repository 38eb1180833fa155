"""A private file stays here by whatever name it is reached, and so does each piece of it."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.completion.completer import Completer
from coai_agents.completion.cursor import Cursor
from coai_agents.completion.egress_gate import PrivacyEgressGate
from coai_agents.completion.outcome import NoSuggestion, Reason, Suggestion, Trigger
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_agents.context.knowledge import WorkspaceContext
from coai_agents.context.selection import ContextFile
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions, Ground
from coai_agents.source import Source
from coai_routing.errors import EgressRefusedError
from coai_routing.privacy.file_names import Root, look_up, roots_of, spellings_of, written
from coai_routing.privacy.sensitivity import SensitivityRules, assess
from coai_routing.request import Message, ModelRequest
from coai_routing.settings.loading import load
from coai_routing.settings.schema import CompletionSettings
from tests.support.many_names import TwoFolders, write_two_folders
from tests.support.scripted import OpenGate, ScriptedBackends

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes links and names of POSIX")

ASKED = ModelRequest(messages=(Message(role="user", content="x = 1"),))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> TwoFolders:
    # The folder's own name is a link's in some systems.
    return write_two_folders(Path(os.path.realpath(tmp_path_factory.mktemp("names"))))


def by_name() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return list(write_two_folders(Path(folder)).private)


def gate_of(folders: TwoFolders) -> PrivacyEgressGate:
    return PrivacyEgressGate(folders.loaded.for_names, lambda: folders.roots)


# ---------------------------------------------------------------------------------- by every name


@pytest.mark.parametrize("name", by_name())
async def test_a_private_file_does_not_leave_by_any_of_its_names(
    folders: TwoFolders, name: str
) -> None:
    address = folders.private[name]
    own = folders.own(address)
    assert "marked private" in str(assess(ASKED, own.files[0].rules, paths=own.files))
    egress_gate = gate_of(folders)
    with pytest.raises(EgressRefusedError):
        await egress_gate.check(Source(address, "x = 1\n"), "", backend="away")
    piece = ContextFile("x.py", "x = 1", address)
    beside = Source(folders.open["plain"], "y = 1\n")
    assert await egress_gate.permitted(beside, [piece], backend="away") == ()


async def test_other_files_leave(folders: TwoFolders) -> None:
    egress_gate = gate_of(folders)
    for address in folders.open.values():
        # What is in no file is narrowed by every project.
        if address.startswith("file:"):
            await egress_gate.check(Source(address, "y = 1\n"), "", backend="away")
            piece = ContextFile("y.py", "y = 1", address)
            beside = Source(folders.open["plain"], "y = 1\n")
            assert await egress_gate.permitted(beside, [piece], backend="away") == (piece,)


@pytest.mark.parametrize("name", by_name())
@pytest.mark.parametrize("by", ["setting", "coaiignore"])
def test_an_excluded_file_is_refused_by_any_of_its_names(
    folders: TwoFolders, name: str, by: str
) -> None:
    address = folders.private[name]
    roots = [Path(root.path) for root in folders.roots]
    patterns = folders.loaded.for_path(roots[0]).privacy.private
    if by == "setting":
        exclusions = Exclusions(lambda _: ExclusionRules(privacy=patterns), roots=roots)
        refusal = exclusions.refusal(address, "completion")
        assert refusal is not None
        assert refusal.reason is Ground.SETTING
        return
    if name == "not saved, relative":
        pytest.skip("it is in no folder whose file could say something")
    file = folders.top / "real" / ".coaiignore"
    file.write_text("\n".join(patterns), encoding="utf-8")
    try:
        refusal = Exclusions(lambda _: ExclusionRules(), roots=roots).refusal(address, "completion")
    finally:
        file.unlink()
    assert refusal is not None
    assert refusal.reason is Ground.COAIIGNORE


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("file:///c%3A/w/private/x.py", {"private/x.py"}),
        ("file:///C:/w/private/x.py", {"private/x.py"}),
        ("file:///c|/w/private/x.py", {"private/x.py"}),
        ("C:\\w\\pub\\..\\private\\x.py", {"private/x.py"}),
        ("\\\\?\\C:\\w\\private\\x.py", {"private/x.py"}),
        ("//./c:/w/private/x.py", {"private/x.py"}),
        ("\\\\localhost\\c$\\w\\private\\x.py", {"private/x.py"}),
        ("C:\\w\\private.\\x.py. ", {"private./x.py. ", "private/x.py"}),
        ("C:\\w\\private\\x.py::$DATA", {"private/x.py::$DATA", "private/x.py"}),
        ("C:\\W\\Private\\x.py", {"Private/x.py"}),
        ("file://server/share/private/x.py", {"private/x.py"}),
        ("\\\\?\\UNC\\server\\share\\private\\x.py", {"private/x.py"}),
        ("untitled:C:\\w\\private\\x.py", {"private/x.py"}),
    ],
)
def test_windows_paths_have_their_names_too(address: str, names: set[str]) -> None:
    roots = [Root("c:\\w", "c:\\w"), Root("\\\\server\\share", "\\\\server\\share")]
    assert names <= {name for _, name in written(address, roots, windows=True).below}


# ------------------------------------------------------------------------- by ways made at random

STEPS = {"plain": "/{}", "link": "/to_{}", "dots": "/aside/../{}", "dot": "/./{}", "slash": "//{}"}


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = Path(os.path.realpath(tmp_path_factory.mktemp("maze")))
    at = top
    for part in ("w", "private", "ä"):
        (at / part).mkdir()
        (at / "aside").mkdir()
        (at / f"to_{part}").symlink_to(part)
        at /= part
    (at / "x.py").write_text("x = 1\n", encoding="utf-8")
    (top / "w" / "round").symlink_to("round")
    return top


@settings(max_examples=60)
@given(st.data())
def test_every_way_to_a_file_has_its_real_name(maze: Path, data: st.DataObject) -> None:
    steps = data.draw(st.tuples(*[st.sampled_from(sorted(STEPS))] * 3))
    scheme = data.draw(st.sampled_from(["file://", "FILE://localhost", "file:", "untitled:", ""]))
    root = maze / data.draw(st.sampled_from(["w", "to_w"]))
    parts = zip(steps, ("w", "private", "ä"), strict=True)
    way = f"{maze}{''.join(STEPS[step].format(part) for step, part in parts)}/x.py"
    if "link" not in steps and data.draw(st.booleans()):
        # Of a link in another form, a file system that tells forms apart knows nothing.
        way = unicodedata.normalize("NFD", way)
    if scheme:
        escaped = data.draw(st.sets(st.integers(1, 200)))  # the first slash ends the host
        way = scheme + "".join(
            f"%{ord(character):02x}" if place in escaped and character.isascii() else character
            for place, character in enumerate(way)
        )
    names = look_up(way, roots_of([root]))
    assert names.roots == (str(root),)
    relative = names.relative_to(str(root))
    assert "private/ä/x.py" in {unicodedata.normalize("NFC", name) for name in relative}
    assert assess(ASKED, SensitivityRules(private_files=("/private/ä/",)), paths=relative)


@given(st.text(max_size=60), st.booleans())
def test_no_address_breaks_the_function(address: str, windows: bool) -> None:
    spelled = spellings_of(address, windows=windows)
    assert len(spelled) == len(set(spelled))
    assert not any("\0" in each for each in spelled)
    if not windows:
        look_up(address, ())


def test_links_in_a_circle_end(maze: Path) -> None:
    assert look_up(f"{maze}/w/round/x.py", roots_of([maze / "w"])).paths


# ------------------------------------------------------------------ each piece by its own settings


@pytest.mark.parametrize(
    ("b_says", "leaves"),
    [
        ("", True),
        ('[privacy]\nprivate = ["*"]\n', False),
        ("[privacy]\nmode = true\n", False),
        ("[completion]\nallow_cloud = false\n", False),
        ('[privacy]\nprivate = ["/other/"]\n', True),
    ],
)
async def test_a_piece_of_another_folder_leaves_only_if_that_folder_lets_it(
    tmp_path: Path, b_says: str, leaves: bool
) -> None:
    """The whole way: documents of two folders, their context, and the prompt that goes out."""
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        folder.mkdir()
    (b / ".coai.toml").write_text(b_says, encoding="utf-8")
    names = "order customer invoice amount currency discount"
    body = "\n".join(f"    {word} = record.{word} + total_{word}" for word in names.split())
    ours = Source((a / "ours.py").as_uri(), f"def ours(record):\n{body}\n    order = ", "python")
    theirs = Source((b / "theirs.py").as_uri(), f"def theirs_only(record):\n{body}\n", "python")
    user_file = tmp_path / "config.toml"
    user_file.write_text("[completion]\nallow_cloud = true\n", encoding="utf-8")
    loaded = load(
        environ={},
        user_file=user_file,
        directory=tmp_path,
        workspace_roots=[a, b],
    )
    exclusions = Exclusions(lambda root: ExclusionRules.of(loaded.for_path(root)), roots=[a, b])
    context = WorkspaceContext(exclusions)
    for source in (ours, theirs):
        context.opened(source)
    await context.refresh()
    # There is something to leave out.
    shown = context.files(ours, Cursor.at(ours, len(ours.text)), 4000)
    assert [file.origin for file in shown] == [theirs.uri]
    backends = ScriptedBackends(answer=lambda _: "1\n")
    backends.local = False
    documents = {source.uri: source for source in (ours, theirs)}
    completer = Completer(
        backends=backends,  # pyright: ignore[reportArgumentType] - a stand-in
        settings=lambda _: CompletionSettings(debounce_ms=0, target_latency_ms=5000),
        document=documents.get,
        gate=OpenGate(),
        context=context,
        syntax=SyntaxTrees(),
        egress_gate=PrivacyEgressGate(loaded.for_names, lambda: roots_of([a, b])),
    )
    outcome = await completer.complete(ours, len(ours.text), Trigger.INVOKED)
    assert isinstance(outcome, Suggestion)
    (call,) = backends.calls
    assert ("theirs_only" in (call.request.prompt or "")) is leaves
    own = await completer.complete(theirs, len(theirs.text), Trigger.INVOKED)
    refused = isinstance(own, NoSuggestion) and own.reason is Reason.EGRESS_REFUSED
    assert refused is not leaves
    await completer.aclose()
    await context.aclose()


def test_a_router_s_question_is_judged_by_the_rules_of_each_file_that_it_shows(
    folders: TwoFolders,
) -> None:
    rules = SensitivityRules()
    both = [
        *folders.own(folders.open["plain"]).files,
        *folders.own(f"file://{folders.top}/b/z.py").files,
    ]
    assert not assess(ASKED, rules, paths=both[:2])
    assert "privacy mode" in str(assess(ASKED, rules, paths=both))


def test_settings_are_those_of_every_folder_that_a_file_is_in(folders: TwoFolders) -> None:
    names = look_up(folders.private["link in the other folder"], folders.roots)
    held = folders.loaded.for_names((*names.paths, *names.roots))
    assert held.privacy.mode, "b says so"
    assert "/private/" in held.privacy.private, "a says so"
