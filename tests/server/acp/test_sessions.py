"""Sessions are kept privately, shown again, gone on with, and belong to their folder."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from acp import RequestError

from coai_server.acp.sessions import MOST_SESSIONS, SessionError, Sessions

if TYPE_CHECKING:
    from tests.server.acp.conftest import Editor, Shop


def kept_in(shop: Shop) -> Path:
    (found,) = Path(shop.environment["HOME"]).rglob("sessions.sqlite3")
    return found


async def test_a_session_is_loaded_and_gone_on_with_in_another_process(
    shop: Shop, editor: Editor
) -> None:
    async with shop.talk(editor) as talk:
        await talk.mode("explain")
        first = await talk.ask("shop.py:signature")
        name = talk.session
    assert stat.S_IMODE(kept_in(shop).stat().st_mode) == 0o600
    editor.updates.clear()
    async with shop.connected(editor) as agent:
        loaded = await agent.load_session(cwd=str(shop.folder), session_id=name)
        assert loaded.modes is not None
        assert loaded.modes.current_mode_id == "explain"
        assert (editor.user_said, editor.said) == (["shop.py:signature"], first)
        listed = await agent.list_sessions(cwd=str(shop.folder))
        assert [(each.session_id, each.title) for each in listed.sessions] == [
            (name, "shop.py:signature")
        ]
        editor.updates.clear()
        resumed = await agent.resume_session(cwd=str(shop.folder), session_id=name)
        assert resumed.modes is not None
        assert editor.said == ""
        # A follow-up is about the same place.
        from acp import helpers  # noqa: PLC0415

        await agent.prompt(session_id=name, prompt=[helpers.text_block("once more")])
        assert editor.said == first


async def test_a_session_is_of_its_folder(shop: Shop, editor: Editor) -> None:
    async with shop.talk(editor) as talk:
        await talk.ask("/explain shop.py:signature")
        elsewhere = str(shop.outside.parent)
        for cwd, name in [(elsewhere, talk.session), (str(shop.folder), "none"), ("x", "none")]:
            for ask in (talk.agent.load_session, talk.agent.resume_session):
                with pytest.raises(RequestError):
                    await ask(cwd=cwd, session_id=name)
        assert (await talk.agent.list_sessions(cwd=elsewhere)).sessions == []
        with pytest.raises(RequestError):
            await talk.agent.list_sessions(cursor="-1; DROP")


async def test_where_nothing_can_be_kept_it_is_said_and_answered(
    shop: Shop, editor: Editor
) -> None:
    home = Path(shop.environment["HOME"])
    state = home / ".local" / "state"
    state.mkdir(parents=True)
    (state / "coai").write_text("a file where a folder should be")
    async with shop.talk(editor, XDG_STATE_HOME=str(state)) as talk:
        said = await talk.ask("/explain shop.py:signature")
    assert "`data`" in said
    assert "sessions.sqlite3" in said


def test_the_oldest_go_and_what_is_no_database_is_set_aside(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "kept" / "sessions.sqlite3")
    first = sessions.new(tmp_path, "ask")
    sessions.keep(first, [("user", "x"), ("agent", "y")])
    assert sessions.turns(first.id) == [("user", "x"), ("agent", "y")]
    for _ in range(MOST_SESSIONS):
        sessions.keep(sessions.new(tmp_path, "ask"))
    with pytest.raises(SessionError):
        sessions.find(first.id, tmp_path)
    assert sessions.turns(first.id) == []
    (tmp_path / "kept" / "sessions.sqlite3").write_text("no database" * 100)
    assert sessions.listed(None) == []
