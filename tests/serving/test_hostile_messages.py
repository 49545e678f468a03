"""What no page would say to its kernel: it is not done, and the panel goes on."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest
import zmq
from ipykernel.ipkernel import IPythonKernel
from tornado.websocket import WebSocketClosedError

from flowviz.serving.page_kernel import LONGEST, PageKernel, Plain
from flowviz.serving.websocket import MOST_OPEN
from tests.conftest import Server
from tests.load.session import Session
from tests.load.wire import WIDGETS, Message
from tests.serving.managed import run

PANEL = "panel=trajectories&layers=2"
MARKS = ("particles", "grids", "images", "contours", "paths", "shapes", "handles")
MOST = 150 * 2**20
"""Bytes that a kernel or the server may have more after an attack."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = ("serve", "--host", "localhost", "--visitors", "4", "--grace", "5")
    running = Server(*options, cwd=tmp_path_factory.mktemp("hostile"))
    yield running
    running.stop()


class Page(Session):
    """A page whose visitor has opened the browser's tools."""

    async def open(self, query: str) -> None:
        await self.load(query)
        await self.connect()

    async def answered(self) -> list[Message]:
        """What is heard until the kernel has dealt with all that was sent."""
        asked = await self.send("kernel_info_request", "", {})
        heard: list[Message] = []

        def last(message: Message) -> bool:
            heard.append(message)
            return message.kind == "kernel_info_reply" and message.parent == asked

        await self.until(last)
        return heard

    async def state(self, widget: str) -> dict[str, Any]:
        """A widget's state as it is now."""
        await self.send("comm_msg", widget, {"method": "request_state"})
        told = await self.until(
            lambda message: (
                message.updates
                and message.content["comm_id"] == widget
                and "_model_name" in message.state
            )
        )
        return told.with_buffers("state")

    async def until_seen(self, words: str) -> None:
        """Until a widget shows these words."""
        await self.until(lambda message: words in unescape(str(message.state.get("value", ""))))

    def named(self, description: str) -> str:
        """The control of that name."""
        (found,) = (n for n, s in self.widgets.items() if s.get("description") == description)
        return found


async def picture(page: Page) -> tuple[str, list[dict[str, Any]]]:
    """The page's address, and all that its stages draw."""
    header = await page.state(page.all("Header")[0][0])
    stages = [await page.state(name) for name, _ in page.all("Stage")]
    return header["query"], [{mark: stage[mark] for mark in MARKS} for stage in stages]


def memory(server: Server) -> int:
    """Bytes of the server and its kernels."""
    total = 0
    for process in (psutil.Process(server.process.pid), *server.kernels()):
        with suppress(psutil.NoSuchProcess):  # an earlier page's
            total += process.memory_full_info().uss
    return total


# ------------------------------------------------------------------ what is said


class Said(NamedTuple):
    """A message to the kernel about a widget."""

    widget: Any
    data: Any
    buffers: Sequence[bytes] = ()
    kind: str = "comm_msg"
    more: Mapping[str, Any] = {}


def values(mark: Path) -> list[Any]:
    """What a trait may be given, if it is the wrong one."""
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    deep: Any = 0
    for _ in range(500):
        deep = [deep]
    numbers = [True, -1, 10**40, 1e308, math.nan, -math.inf]
    return [
        None,
        *numbers,
        "",
        "x" * 9_000,
        code,
        "<script>x</script>",
        [],
        deep,
        {},
        [code] * 99,
    ]


def updates(page: Page, mark: Path) -> Iterator[Said]:
    """Of one widget of every kind, each trait with every wrong value."""
    kinds = {
        state.get("_anywidget_id", state["_model_name"]): (name, state)
        for name, state in page.widgets.items()
    }
    for name, state in kinds.values():
        ours = "_anywidget_id" in state
        for trait in state if ours else {"value", "index", "children", "layout"} & set(state):
            if not trait.startswith("_"):
                for value in values(mark):
                    yield Said(name, {"method": "update", "state": {trait: value}})


def own_messages(page: Page, mark: Path) -> Iterator[Said]:
    """To one widget of every kind, what some widget understands, and nothing right in it."""
    kinds = {state.get("_anywidget_id", ""): name for name, state in page.widgets.items()}
    sent = itertools.cycle([[], [b"\xff" * 7], [b"\xff" * 400] * 3])
    known = ("preset", "click", "open", "address", "trained", "answer", "flows")
    fields = ("index", "panel", "query", "step", "running", "status", "name", "given", "training")
    some = values(mark)[::3]
    contents: list[Any] = [
        *(None, [], "train", 7, {}, {"kind": None}, {"kind": ["train"]}, {"kind": {}}),
        *({"kind": kind} for kind in ("step", "reset", "ready", "plotly", "data", "code", *known)),
        *({"kind": kind, **dict.fromkeys(fields, v)} for kind in known for v in some),
        {"name": str(mark)},
    ]
    for name, content in itertools.product(kinds.values(), contents):
        yield Said(name, {"method": "custom", "content": content}, next(sent))


def buffers(page: Page, mark: Path) -> Iterator[Said]:
    """Buffers that are not where they are said to be, or not what should be there."""
    stage, _ = page.all("Stage")[0]
    paths: list[Any] = [
        *([], [[]], [["drawn"]], [["drawn"], ["drawn"]], [["drawn", 0]], [["__class__", "x"]]),
        *([["nobody", "x"]], [[0]], [None], None, "drawn", 9, [["handles", 9, "points"]]),
    ]
    sent = [b"", b"\0", b"\xff" * 8, b"\x7f" * 4_000, b"\0\0\x80\x7f" * 100_000]
    for where in paths:
        for data in sent:
            state: dict[str, Any] = {"drawn": None, "handles": []}
            update = {"method": "update", "state": state, "buffer_paths": where}
            yield Said(stage, update, [data])
    for points in ([[0]], [[0, 0, 0]], [["x", "y"]], [[1e300, 0]] * 9, [[0, 0]] * 20_000, 7, [7]):
        handles = [{"points": points, "labels": [], "shape": "point", "noun": ""}]
        yield Said(stage, {"method": "update", "state": {"handles": handles}})


def methods(page: Page, mark: Path) -> Iterator[Said]:
    """What is no message to a widget."""
    bar, _ = page.all("RunBar")[0]
    for method in ("__init__", "close", "eval", 7, None, [], {}):
        yield Said(bar, {"method": method, "state": {}, "content": {}})
    for data in (None, [], "x", 0, {}, {"method": "update"}):
        yield Said(bar, data)


def widgets(page: Page, mark: Path) -> Iterator[Said]:
    """Widgets that are not there, and others that the page would have."""
    for nobody in ("", "nobody", "x" * 99_000, None, 7, [], {}):
        yield Said(nobody, {"method": "request_state"})
        yield Said(nobody, {}, kind="comm_close")
    for target in ("", "os", "os.system", "jupyter.widget", "jupyter.widget.control", None, 7, []):
        for data in ({}, None, [], {"state": None}, {"method": "request_states"}):
            more = {"target_name": target, "target_module": "subprocess"}
            yield Said("new", data, kind="comm_open", more=more)
    base = "@jupyter-widgets/base", "@jupyter-widgets/controls", "@jupyter-widgets/output"
    for module, name in (
        *((f"{base[0]}", "WidgetModel"), (f"{base[1]}", "FileUploadModel")),
        *((f"{base[2]}", "OutputModel"), ("os", "system"), ("anywidget", "AnyModel")),
    ):
        state = {f"_{part}_module_version": "*" for part in ("model", "view")}
        state |= {"_model_module": module, "_model_name": name, "_view_module": module}
        state |= {"_view_name": name, "msg_id": "x", "outputs": [{"text": str(mark)}], "value": []}
        more = {"target_name": "jupyter.widget", "target_module": None}
        yield Said(f"new-{name}", {"state": state}, kind="comm_open", more=more)
        yield Said(f"new-{name}", {"method": "update", "state": state})


# Answers to that many of them are more than the server lets wait.
ASKED = 200


def test_who_asks_and_does_not_listen_is_hung_up_on(server):
    told = len(server.log())

    async def visit() -> None:
        page = Page(server.origin, server.token)
        await page.open(PANEL)
        before = memory(server)
        for _ in range(ASKED):
            await page.send("comm_open", "control", {}, target_name="jupyter.widget.control")
            await page.send("comm_msg", "control", {"method": "request_states"})
        for _ in range(600):
            if "a page does not take what its kernel sends" in server.log():
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("the server keeps it all")
        assert memory(server) - before < MOST
        page.leave()
        other = Page(server.origin, server.token)
        await other.open(PANEL)
        assert await other.answered()
        other.leave()

    run(visit())
    assert "Traceback" not in server.log()[told:]


def test_who_goes_on_while_the_kernel_takes_nothing_is_hung_up_on(server):
    told = len(server.log())

    async def visit() -> None:
        page = Page(server.origin, server.token)
        others = set(server.kernels())
        await page.open(PANEL)
        (kernel,) = set(server.kernels()) - others
        before = memory(server)
        kernel.suspend()
        try:
            with pytest.raises(WebSocketClosedError):
                for _ in range(20):
                    await page.send("comm_msg", "nobody", {}, [b"x" * (9 << 20)])
            deadline = time.monotonic() + 10  # ZeroMQ lets go of it on a thread of its own
            while (grown := memory(server) - before) >= 60 * 2**20:
                assert time.monotonic() < deadline, f"{grown} bytes of what was sent are there"
                await asyncio.sleep(0.2)
        finally:
            kernel.resume()
        await page.connect()
        assert await page.answered()
        page.leave()

    run(visit())
    assert server.log()[told:] == "a kernel does not take what its page sends\n"


@pytest.mark.parametrize("attack", [updates, own_messages, buffers, methods, widgets])
def test_it_is_not_done_and_the_panel_goes_on(server, tmp_path, attack):
    mark = tmp_path / "ran"

    async def visit() -> None:
        page = Page(server.origin, server.token)
        await page.open(PANEL)
        slider, before = page.named("Layers"), memory(server)
        heard: list[Message] = []
        for count, said in enumerate(attack(page, mark)):
            await page.send(said.kind, said.widget, said.data, said.buffers, WIDGETS, **said.more)
            if count % 50 == 49:
                heard += await page.answered()
        heard += await page.answered()
        assert not {message.kind for message in heard} & {"error", "stream"}, "told to a visitor"

        await page.update(slider, value=3)
        await page.until(lambda message: "layers=3" in str(message.state.get("query")))
        await page.hear_for(2)
        address, drawn = await picture(page)
        grown = memory(server) - before
        page.leave()
        fresh = Page(server.origin, server.token)
        await fresh.open(address)
        assert await picture(fresh) == (address, drawn)
        fresh.leave()
        assert grown < MOST

    run(visit())
    assert not mark.exists()
    assert "\x1b" not in server.log() and len(server.log()) < 2_000_000


def test_who_leaves_while_the_kernel_is_silent_is_forgotten(server):
    told = len(server.log())
    host = urlsplit(server.origin)

    async def knock(kernel: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        lines = [
            f"GET /api/kernels/{kernel}/channels?session_id={id(writer)} HTTP/1.1",
            *(f"Host: {host.netloc}", f"Authorization: token {server.token}"),
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return reader, writer

    async def visit() -> None:
        page = Page(server.origin, server.token)
        before = server.kernels()
        await page.load(PANEL)
        (kernel,) = (one for one in server.kernels() if one not in before)
        kernel.suspend()
        waiting = [await knock(page.kernel) for _ in range(MOST_OPEN)]
        await asyncio.sleep(0.5)
        refused, _ = await knock(page.kernel)
        assert b" 503 " in await asyncio.wait_for(refused.readline(), 10)
        for _, writer in waiting:
            writer.close()
        await asyncio.sleep(0.5)
        kernel.resume()
        await page.connect()
        await page.hear_for(7)
        await page.answered()
        page.leave()
        await asyncio.to_thread(kernel.wait, 20)

    run(visit())
    assert "Traceback" not in server.log()[told:] and server.token not in server.log()[told:]


FORMULAS = {
    "x.__class__.__mro__": "a dot after a name means nothing",
    "__import__('os').system('id')": "this character means nothing",
    "__import__(x)": "is not known here",
    "9^9^9^9^9^9^9*x": "infinite",
    "x^" * 480 + "x": "steps deep",
    "(" * 450 + "x" + ")" * 450: "parentheses are nested",
    "x \ud800 \udc80": "this character means nothing",  # halves of others, which UTF-8 has not
    "9" * 900 + "*x": "numbers are limited",
    "<script>alert(1)</script>": "this cannot be read",
    "x \u202e\0": "means nothing",
    "lambda: x": "means nothing",
    "[x for x in x]": "this character means nothing",
    "exp(" * 60 + "x" + ")" * 60: "parentheses are nested",
}


def test_hostile_formulas_are_answered_in_words(server):
    told = len(server.log())

    async def visit() -> None:
        page = Page(server.origin, server.token)
        await page.open(PANEL + "&target=formula")
        (box,) = (name for name, _ in page.all("TextBox"))
        for formula, words in FORMULAS.items():
            await page.update(box, value=formula)
            await page.until_seen(words)
        await page.update(box, value="-(x^2 + y^2)/2")
        await page.until(lambda message: "formula=" in str(message.state.get("query")))
        page.leave()

    run(visit())
    assert "Traceback" not in server.log()[told:]


def test_an_entry_of_the_log_is_short_and_obeyed_by_no_terminal():
    hostile = {"msg": "\x1b[31m\r" + "x" * 99_000, "levelname": "ERROR"}
    text = Plain().format(logging.makeLogRecord(hostile))
    assert text.startswith(r"\x1b[31m\rxx") and len(text) < LONGEST + 99


@pytest.mark.parametrize(("errno", "raised"), [(zmq.ENOTSOCK, False), (zmq.EAGAIN, True)])
def test_a_kernel_that_is_shut_down_ends_without_a_word(errno, raised, monkeypatch):
    async def closed(self, msg):
        raise zmq.ZMQError(errno)

    monkeypatch.setattr(IPythonKernel, "dispatch_control", closed)
    answer = PageKernel.__new__(PageKernel).dispatch_control([])
    with pytest.raises(zmq.ZMQError if raised else StopIteration):
        answer.send(None)  # it awaits nothing: that is all of it
