"""Watching runs: events from the journal over SSE and WebSocket, without a gap."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from coai_server.http.streams import EventStream
from tests.server.http.support import PATIENCE, Door, error_of, made_door

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

WATCHERS = 200
STEPS = 60


def events_in(lines: Iterator[str], most: int = 10**6) -> list[dict[str, Any]]:
    """Read events until the stream ends, or there are so many."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
            if len(found) >= most:
                break
    return found


def ticket_of(client: httpx.Client) -> str:
    return client.post("/v1/tickets").json()["ticket"]


def state_of(client: httpx.Client, run: str) -> str:
    return client.get(f"/v1/runs/{run}").json()["state"]


def begun(client: httpx.Client, ensemble: str, given: object = "") -> str:
    response = client.post("/v1/runs", json={"ensemble": ensemble, "input": given, "model": False})
    assert response.status_code == 201, response.text
    run = response.json()["run"]
    assert response.headers["location"] == f"/v1/runs/{run}"
    return run


def watched(
    client: httpx.Client, run: str, most: int = 10**6, *, last: str | None = None
) -> list[dict[str, Any]]:
    headers = {} if last is None else {"last-event-id": last}
    with client.stream("GET", f"/v1/runs/{run}/events", headers=headers) as stream:
        if stream.status_code == 204:
            return []
        assert stream.headers["content-type"].startswith("text/event-stream")
        return events_in(stream.iter_lines(), most)


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [each["seq"] for each in events]


def test_a_run_is_watched_from_its_beginning_to_its_end(own: httpx.Client) -> None:
    run = begun(own, "many", ["shop.py"] * 3)
    events = watched(own, run)
    assert (events[0]["kind"], events[-1]["kind"]) == ("created", "finished")
    assert numbers(events) == list(range(len(events)))
    ended = [each for each in events if each["kind"] == "ended"]
    assert {"state", "ms", "model", "tokens", "usd"} <= ended[0].keys()
    report = own.get(f"/v1/runs/{run}").json()
    assert (report["state"], len(report["result"])) == ("done", 3)
    # Who has seen all of a run that has ended is told not to come again.
    last = {"last-event-id": str(events[-1]["seq"])}
    assert own.get(f"/v1/runs/{run}/events", headers=last).status_code == 204


@pytest.mark.parametrize("cut", range(0, 8, 3))
def test_a_client_that_was_dropped_goes_on_without_a_gap(own: httpx.Client, cut: int) -> None:
    run = begun(own, "many", ["shop.py"] * 5)
    seen = watched(own, run, cut + 1)
    while more := watched(own, run, cut + 1, last=str(seen[-1]["seq"])):
        seen += more
    assert numbers(seen) == numbers(watched(own, run))


def test_a_number_that_is_none_begins_at_the_beginning(own: httpx.Client) -> None:
    run = begun(own, "many", ["shop.py"])
    whole = watched(own, run)
    for said in ("", "x", "-1", "1e3", "9" * 40):
        assert watched(own, run, last=said) == whole
    assert numbers(watched(own, run, last="2")) == numbers(whole)[3:]


async def test_many_watch_and_one_that_is_frozen_keeps_nobody_waiting(
    door: Door, own_token: str
) -> None:
    host, port = door.url.removeprefix("http://").split(":")
    headers = {"authorization": f"Bearer {own_token}"}
    limits = httpx.Limits(max_connections=WATCHERS + 10)
    async with httpx.AsyncClient(
        base_url=door.url, headers=headers, timeout=PATIENCE, limits=limits, trust_env=False
    ) as client:
        asked = {"ensemble": "asking", "model": False}
        run = (await client.post("/v1/runs", json=asked)).json()["run"]
        big = {"ensemble": "many", "input": ["shop.py"] * STEPS, "model": False}
        busy = (await client.post("/v1/runs", json=big)).json()["run"]
        # It asks for everything there is, again and again, and reads none of it.
        _, frozen = await asyncio.open_connection(host, int(port))
        head = f"Host: {host}:{port}\r\nAuthorization: Bearer {own_token}\r\n\r\n"
        frozen.write(f"GET /v1/runs/{busy}/events HTTP/1.1\r\n{head}".encode() * 50)

        async def watch(which: str) -> list[int]:
            async with client.stream("GET", f"/v1/runs/{which}/events") as stream:
                lines = [line async for line in stream.aiter_lines()]
            return [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]

        seen = await asyncio.gather(*(watch(busy) for _ in range(WATCHERS)))
        report = (await client.get(f"/v1/runs/{busy}")).json()
        assert report["state"] == "done"
        whole = [each["seq"] for each in report["events"]]
        assert len(whole) > STEPS
        assert all(each == whole for each in seen), "each has every event once, in order"
        frozen.close()
        await client.post(f"/v1/runs/{run}/cancel")


async def test_a_client_that_does_not_read_is_dropped_and_its_stream_is_closed() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[str]:
        try:
            while True:
                yield "data: x\n\n"
        finally:
            closed.set()

    async def frozen(_: object) -> None:
        await asyncio.Event().wait()

    async def connected() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    content = endless()
    await anext(content)
    await EventStream(content, seconds=0.01)({}, connected, frozen)
    assert closed.is_set()


def test_a_question_is_answered_and_the_run_goes_on(own: httpx.Client) -> None:
    run = begun(own, "asking")
    assert watched(own, run)[-1]["kind"] == "waiting"
    (question,) = own.get(f"/v1/runs/{run}").json()["questions"]
    assert (question["step"], question["choices"]) == ("first", ["yes", "no"])
    answers = f"/v1/runs/{run}/answers"
    wrong = own.post(answers, json={"step": "first", "answer": "perhaps"})
    assert (wrong.status_code, "yes, no" in error_of(wrong)["message"]) == (409, True)
    assert own.post(answers, json={"step": "first", "answer": "yes"}).is_success
    assert watched(own, run)[-1]["kind"] == "finished"
    again = own.post(answers, json={"step": "first", "answer": "yes"})
    assert again.status_code == 409
    listed = own.get(f"/v1/runs/{run}/artifacts").json()
    assert {each["step"] for each in listed} == {"first", "seen"}
    assert "shop.py" in str(own.get(f"/v1/runs/{run}/artifacts/seen").json())


def test_runs_are_cancelled_paused_resumed_and_forked(own: httpx.Client) -> None:
    run = begun(own, "asking")
    watched(own, run)
    forked = own.post(f"/v1/runs/{run}/fork", json={})
    assert forked.status_code == 201
    other = forked.json()["run"]
    assert own.get(f"/v1/runs/{other}").json()["parent"] == run
    assert own.post(f"/v1/runs/{other}/resume").is_success
    watched(own, other)
    assert own.post(f"/v1/runs/{other}/cancel").json()["state"] == "cancelled"
    assert own.post(f"/v1/runs/{other}/cancel").status_code == 409
    assert own.post(f"/v1/runs/{other}/resume").status_code == 409
    assert own.post(f"/v1/runs/{run}/pause").json()["state"] == "paused"


def test_a_batch_tells_each_result_as_it_comes(own: httpx.Client) -> None:
    given = [["shop.py"], ["shop.py", "shop.py"], "no list", ["not there.py"]]
    asked = {"ensemble": "many", "inputs": given, "at_once": 2, "model": False}
    with own.stream("POST", "/v1/batch", json=asked) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = events_in(stream.iter_lines())
    assert events[-1] == {"inputs": 4}
    results = {each["index"]: each for each in events if "state" in each}
    assert sorted(results) == [0, 1, 2, 3]
    assert (results[0]["state"], len(results[1]["result"])) == ("done", 2)
    assert (results[2]["state"], results[2]["run"]) == ("failed", None)
    assert "many takes" in results[2]["error"]
    assert results[3]["state"] == "failed"
    # Each is a run like any other.
    assert own.get(f"/v1/runs/{results[0]['run']}").json()["state"] == "done"


# ------------------------------------------------------------------------- WebSockets


def address_of(door: Door, run: str, query: str = "") -> str:
    return f"{door.url.replace('http', 'ws')}/v1/runs/{run}/ws{query}"


async def test_a_websocket_shows_a_run_and_takes_its_answer(
    door: Door, own: httpx.Client, own_token: str
) -> None:
    run = begun(own, "asking")
    async with connect(address_of(door, run), subprotocols=["coai.v1"]) as socket:  # pyright: ignore[reportArgumentType]
        assert socket.subprotocol == "coai.v1"
        await socket.send(json.dumps({"type": "auth", "token": own_token}))
        events: list[dict[str, Any]] = []
        async for message in socket:
            said = json.loads(message)
            events.append(said)
            if said.get("kind") == "waiting":
                await socket.send(json.dumps({"type": "answer", "step": "nobody", "answer": ""}))
                await socket.send(json.dumps({"type": "answer", "step": "first", "answer": "yes"}))
    error = next(each for each in events if each["type"] == "error")
    assert error["message"].startswith("nobody")
    seen = [each["seq"] for each in events if each["type"] == "event"]
    assert seen == list(range(len(seen)))
    assert events[-1]["kind"] == "finished"


async def test_a_websocket_opens_by_ticket_once_and_by_header(
    door: Door, own: httpx.Client, own_token: str
) -> None:
    run = begun(own, "many", ["shop.py"])
    protocols: Any = ["coai.v1", f"coai.ticket.{ticket_of(own)}"]
    async with connect(address_of(door, run), subprotocols=protocols) as socket:
        whole = [json.loads(each) async for each in socket]
    assert whole[-1]["kind"] == "finished"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address_of(door, run), subprotocols=protocols):
            pass
    assert refused.value.response.status_code == 401
    headers = {"authorization": f"Bearer {own_token}"}
    later = address_of(door, run, "?after=1")
    async with connect(later, additional_headers=headers) as socket:
        assert [json.loads(each) async for each in socket] == whole[2:]


async def test_a_websocket_of_a_stranger_a_site_or_with_a_token_in_it_is_refused(
    door: Door, own: httpx.Client, own_token: str
) -> None:
    run = begun(own, "many", ["shop.py"])
    for address, headers, status in (
        (address_of(door, run, f"?token={own_token}"), {}, 400),
        (address_of(door, run), {"origin": "https://evil.example"}, 403),
        (address_of(door, run), {"authorization": "Bearer coai_x"}, 401),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address, additional_headers=headers):
                pass
        assert refused.value.response.status_code == status
    for first in ({"type": "cancel"}, {"type": "auth", "token": "coai_x"}, {"type": "x"}):
        async with connect(address_of(door, run)) as socket:
            await socket.send(json.dumps(first))
            assert json.loads(await socket.recv())["message"]
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_a_viewer_may_look_and_not_answer(door: Door, own: httpx.Client) -> None:
    run = begun(own, "asking")
    viewer = {"authorization": f"Bearer {door.key('looker', '--role', 'viewer')}"}
    async with connect(address_of(door, run), additional_headers=viewer) as socket:
        while json.loads(await socket.recv()).get("kind") != "waiting":
            pass
        await socket.send(json.dumps({"type": "answer", "step": "first", "answer": "yes"}))
        assert "role" in json.loads(await socket.recv())["message"]
    assert state_of(own, run) == "waiting"


# ------------------------------------------------------------------------ the process


def test_a_server_that_was_killed_takes_its_runs_up_and_one_that_ends_pauses_them(
    tmp_path: Path,
) -> None:
    door = made_door(tmp_path, None)
    door.start()
    try:
        with door.client() as client:
            run = begun(client, "many", ["shop.py"] * 150)
            seen = watched(client, run, 5)
        door.stop(signal.SIGKILL)
        door.start()
        with door.client() as client:
            seen += watched(client, run, last=str(seen[-1]["seq"]))
            assert numbers(seen) == list(range(len(seen)))
            assert client.get(f"/v1/runs/{run}").json()["state"] == "done"
            waiting = begun(client, "asking")
            watched(client, waiting)
            with client.stream("GET", f"/v1/runs/{waiting}/events") as stream:
                events_in(stream.iter_lines(), 1)
                assert door.stop() == 0, "a stream does not hold the end up"
    finally:
        if door.process is not None:
            with contextlib.suppress(AssertionError):
                door.stop(signal.SIGKILL)
