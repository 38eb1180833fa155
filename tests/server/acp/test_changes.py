"""Changes: shown, asked about, and written through the editor, or not at all."""

from __future__ import annotations

import asyncio
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from acp import helpers
from acp.schema import FileEditToolCallContent

from tests.server.acp.conftest import SHOP, Editor

if TYPE_CHECKING:
    from acp.client.connection import ClientSideConnection
    from acp.schema import ResourceContentBlock

    from tests.server.acp.conftest import Shop

FIXED: Final = "yaml.safe_load(text)"

CHOICES: Final = [
    ("once", True),
    ("always", True),
    ("reject", False),
    ("", False),
    ("something else", False),
]


@pytest.mark.parametrize("fs", [True, False])
async def test_a_change_is_written_if_it_is_permitted(
    shop: Shop, editor: Editor, *, fs: bool
) -> None:
    editor.has_files = fs
    async with shop.talk(editor) as talk:
        for mode, (chooses, permitted) in product(("fix", "document"), CHOICES):
            shop.file.write_text(SHOP)
            # A session of its own, because "always" holds for one.
            talk.session = (await talk.agent.new_session(cwd=str(shop.folder))).session_id
            for noted in (editor.updates, editor.permissions, editor.written, editor.unsaved):
                noted.clear()
            editor.chooses = chooses
            await talk.mode(mode)
            said = await talk.ask("shop.py:read")
            (asked,) = editor.permissions
            assert asked.content
            (shown,) = asked.content
            assert isinstance(shown, FileEditToolCallContent)
            assert (shown.path, shown.old_text) == (str(shop.file), SHOP)
            after = shown.new_text if permitted else SHOP
            assert editor.written.get(shop.file, SHOP) == (after if fs else SHOP)
            assert shop.file.read_text() == (SHOP if fs else after)
            assert ("was written" in said) == permitted
            ended = [each.status for each in editor.of("tool_call_update") if each.status]
            assert ("failed" in ended) != permitted
    kinds = [each.kind for each in editor.options[0]]
    assert kinds == ["allow_once", "allow_always", "reject_once"]


async def test_always_holds_for_the_session_and_no_longer(shop: Shop, editor: Editor) -> None:
    editor.chooses = "always"
    async with shop.talk(editor) as talk:
        await talk.ask("/document shop.py:total_of")
        await talk.ask("/document shop.py:signature")
        assert len(editor.permissions) == 1
        assert editor.written[shop.file].count('"""') == 4
        other = await talk.agent.new_session(cwd=str(shop.folder))
        talk.session = other.session_id
        shop.file.write_text(SHOP)
        editor.unsaved.clear()
        await talk.ask("/document shop.py:signature")
        assert len(editor.permissions) == 2


async def test_what_is_not_saved_yet_is_what_is_looked_at_and_changed(
    shop: Shop, editor: Editor
) -> None:
    editor.unsaved[shop.file] = SHOP.replace("total_of", "sum_of")
    editor.unsaved[shop.folder / "new.py"] = "def fresh(value):\n    return value\n"
    async with shop.talk(editor) as talk:
        assert "`prices`" in await talk.ask("/explain shop.py:sum_of")
        assert "`value`" in await talk.ask("/explain", _link(shop.folder / "new.py"))
        await talk.ask("/document shop.py:sum_of")
    assert "def sum_of" in editor.written[shop.file]
    assert shop.file.read_text() == SHOP


async def test_a_file_that_changed_while_a_person_thought_is_not_overwritten(
    shop: Shop, editor: Editor
) -> None:
    typed = SHOP + "# typed meanwhile\n"
    editor.on_permission = lambda: editor.unsaved.update({shop.file: typed})
    async with shop.talk(editor) as talk:
        said = await talk.ask("/document shop.py:signature")
        assert "has changed meanwhile" in said
        editor.on_permission = lambda: None
    assert not editor.written


async def test_cancelling_answers_the_prompt_and_the_session_goes_on(
    shop: Shop, editor: Editor
) -> None:
    editor.chooses = None
    async with shop.talk(editor) as talk:
        prompt = asyncio.create_task(
            _asked(talk.agent, talk.session, "/document shop.py:signature")
        )
        await editor.asking.wait()
        await talk.agent.cancel(session_id=talk.session)
        assert await prompt == "cancelled"
        assert "`data`" in await talk.ask("/explain shop.py:signature")
        # Nothing to cancel, and a session that is not there, are no errors.
        await talk.agent.cancel(session_id=talk.session)
        await talk.agent.cancel(session_id="none")
        assert "`data`" in await talk.ask("/explain shop.py:signature")
    assert not editor.written


async def test_a_session_answers_one_prompt_at_a_time_and_others_go_on(
    shop: Shop, editor: Editor
) -> None:
    editor.chooses = None
    async with shop.talk(editor) as talk:
        prompt = asyncio.create_task(
            _asked(talk.agent, talk.session, "/document shop.py:signature")
        )
        await editor.asking.wait()
        with pytest.raises(Exception, match="Invalid request"):
            await _asked(talk.agent, talk.session, "/explain shop.py")
        other = await talk.agent.new_session(cwd=str(shop.folder))
        assert (
            await _asked(talk.agent, other.session_id, "/explain shop.py:signature") == "end_turn"
        )
        await talk.agent.close_session(session_id=talk.session)
        assert await prompt == "cancelled"


GATED: Final = """\
name: ship
input: text
nodes:
  - kind: human
    name: first
    question: Shall it begin?
    choices: [go, stop]
  - kind: tool
    name: seen
    tool: read
    given: {path: input}
    depends_on: [first]
  - kind: human
    name: words
    question: How is it?
    depends_on: [seen]
"""


async def test_the_gates_of_a_workflow_are_permissions(shop: Shop, editor: Editor) -> None:
    mine = Path(shop.environment["HOME"]) / ".config" / "coai" / "ensembles"
    mine.mkdir(parents=True)
    (mine / "ship.yaml").write_text(GATED)
    editor.chooses = "0"
    async with shop.talk(editor, XDG_CONFIG_HOME=str(mine.parent.parent)) as talk:
        said = await talk.ask("/run ship shop.py")
        editor.chooses = ""
        left = await talk.ask("/run ship shop.py")
    first, second = editor.permissions
    assert first.title == second.title == "Shall it begin?"
    assert [each.name for each in editor.options[0]] == ["go", "stop"]
    # What wants words cannot be chosen: the run waits, and who answers it is told.
    assert "and waiting" in said
    assert "coai runs resume" in said
    assert "and waiting" in left
    steps = {each.content: each.status for each in editor.of("plan")[-2].entries}
    assert steps


async def test_what_a_run_proposes_is_asked_about(shop: Shop, editor: Editor) -> None:
    async with shop.talk(editor) as talk:
        said = await talk.ask("/run bug-fix shop.py:read")
    assert "shop.py was written" in said
    assert FIXED in editor.written[shop.file]


async def _asked(agent: ClientSideConnection, session: str, words: str) -> str:
    answered = await agent.prompt(session_id=session, prompt=[helpers.text_block(words)])
    return answered.stop_reason


def _link(path: Path) -> ResourceContentBlock:
    return helpers.resource_link_block("whatever", path.as_uri())
