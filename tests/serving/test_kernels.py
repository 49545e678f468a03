"""Kernels end some time after their page is gone, and not before."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.websocket import WebSocketClosedError

from flowviz.serving import kernels
from flowviz.serving.kernels import (
    PAGE,
    THREADS,
    HostedKernelManager,
    OwnKernelSpecManager,
    ReapingKernelManager,
)
from flowviz.serving.websocket import PromptWebsocketConnection
from tests.serving.managed import client_of, with_manager

GRACE = 0.6


def with_kernel(check, manager_class=ReapingKernelManager, **options) -> None:
    """Run ``check(manager, kernel_id)`` with a real kernel."""

    async def start(manager) -> None:
        await check(manager, await manager.start_kernel(kernel_name="python3"))

    with_manager(start, manager_class, **options)


async def gone(manager: ReapingKernelManager, kernel_id: str) -> bool:
    """Whether the kernel ends soon after the grace."""
    for _ in range(50):
        if kernel_id not in manager:
            return True
        await asyncio.sleep(GRACE / 10)
    return False


def test_a_closed_page_ends_its_kernel():
    async def check(manager, kernel_id):
        manager.notify_connect(kernel_id)
        process = manager.get_kernel(kernel_id).provisioner.process
        await asyncio.sleep(1.5 * GRACE)
        assert kernel_id in manager, "it was ended while its page was there"
        manager.notify_disconnect(kernel_id)
        assert kernel_id in manager
        assert await gone(manager, kernel_id)
        assert process.poll() is not None

    with_kernel(check, grace=GRACE, connect_within=GRACE)


def test_reconnecting_within_the_grace_keeps_the_kernel():
    async def check(manager, kernel_id):
        manager.notify_connect(kernel_id)
        manager.notify_disconnect(kernel_id)
        await asyncio.sleep(GRACE / 2)
        manager.notify_connect(kernel_id)
        await asyncio.sleep(1.5 * GRACE)
        assert kernel_id in manager

    with_kernel(check, grace=GRACE, connect_within=GRACE)


def test_one_of_two_pages_keeps_the_kernel():
    async def check(manager, kernel_id):
        manager.notify_connect(kernel_id)
        manager.notify_connect(kernel_id)
        manager.notify_disconnect(kernel_id)
        await asyncio.sleep(1.5 * GRACE)
        assert kernel_id in manager

    with_kernel(check, grace=GRACE, connect_within=GRACE)


def test_a_notebook_server_ends_the_kernels_of_pages_alone():
    async def check(manager):
        notebooks = await manager.start_kernel(kernel_name="python3")
        environment = {**os.environ, PAGE: "http://localhost/"}
        environment.pop(THREADS, None)
        pages = await manager.start_kernel(kernel_name="python3", env=environment)
        assert environment[THREADS] == "1"
        for kernel_id in (notebooks, pages):
            manager.notify_connect(kernel_id)
            manager.notify_disconnect(kernel_id)
        assert await gone(manager, pages)
        assert notebooks in manager

    with_manager(check, HostedKernelManager, grace=GRACE, connect_within=GRACE)


def test_a_visitor_who_never_came_leaves_no_kernel():
    async def check(manager, kernel_id):
        assert await gone(manager, kernel_id)

    with_kernel(check, grace=GRACE, connect_within=GRACE)


def test_without_the_reaper_such_a_kernel_stays():
    """The stock manager does leak; otherwise ours would prove nothing."""

    async def check(manager, kernel_id):
        manager.notify_connect(kernel_id)
        manager.notify_disconnect(kernel_id)
        await asyncio.sleep(2 * GRACE)
        assert kernel_id in manager

    with_kernel(check, AsyncMappingKernelManager)


class Channel:
    """A channel of a kernel, which says what the test has it say."""

    socket = SimpleNamespace(closed=False)

    def on_recv(self, hear) -> None:
        self.says = hear

    def close(self) -> None:
        """Nobody listens any more."""


def test_what_is_said_to_a_page_that_is_away_is_kept_and_too_much_ends_its_kernel(monkeypatch):
    monkeypatch.setattr(kernels, "MOST_KEPT", 1_000)

    async def check(manager, kernel_id):
        channel = Channel()
        manager.start_buffering(kernel_id, "its session", {"iopub": channel})
        channel.says([b"x" * 600])
        kept = manager.get_buffer(kernel_id, "its session")["buffer"]
        assert kept == [("iopub", [b"x" * 600])]
        manager.start_buffering(kernel_id, "its session", {"iopub": channel})
        for _ in range(2):
            channel.says([b"x" * 300, b"x" * 300])
        assert manager.get_buffer(kernel_id, "its session") is None
        assert await gone(manager, kernel_id)

    with_kernel(check, grace=1000, connect_within=1000)


NOTES_INTERRUPTS = """
import pathlib, signal, time
folder = pathlib.Path({folder!r})
signal.signal(signal.SIGINT, lambda *_: (folder / "interrupted").touch())
(folder / "busy").touch()
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    "manager_class, interrupted",
    [(ReapingKernelManager, False), (AsyncMappingKernelManager, True)],
    ids=["ours", "Jupyter's, or else ours would prove nothing"],
)
def test_a_busy_kernel_is_ended_without_an_interrupt(tmp_path, manager_class, interrupted):
    async def check(manager, kernel_id):
        kernel = manager.get_kernel(kernel_id)
        process = kernel.provisioner.process
        client = client_of(kernel)
        client.execute(NOTES_INTERRUPTS.format(folder=str(tmp_path)))
        for _ in range(200):
            if (tmp_path / "busy").exists():
                break
            await asyncio.sleep(0.1)
        client.stop_channels()
        assert (tmp_path / "busy").exists()
        await manager.shutdown_kernel(kernel_id)
        assert process.poll() is not None and kernel_id not in manager
        assert (tmp_path / "interrupted").exists() == interrupted

    with_kernel(check, manager_class)


def test_a_kernel_that_goes_on_can_be_interrupted(tmp_path):
    async def check(manager, kernel_id):
        kernel = manager.get_kernel(kernel_id)
        client = client_of(kernel)
        client.execute(NOTES_INTERRUPTS.format(folder=str(tmp_path)))
        for name in ("busy", "interrupted"):
            for _ in range(200):
                if (tmp_path / name).exists():
                    break
                await asyncio.sleep(0.1)
            assert (tmp_path / name).exists()
            await manager.interrupt_kernel(kernel_id)
        client.stop_channels()

    with_kernel(check)


def test_the_kernel_is_this_python(tmp_path, monkeypatch):
    foreign = tmp_path / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["/usr/bin/other"], "display_name": "other"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    specs = OwnKernelSpecManager()
    assert list(specs.find_kernel_specs()) == ["python3"]
    argv = specs.get_kernel_spec("python3").argv
    assert argv[0] in (sys.executable, "python") and "ipykernel_launcher" in argv


def test_what_a_kernel_says_to_a_page_that_is_closing_is_no_error(monkeypatch):
    class Closing:
        def write_message(self, *_, **__):
            raise WebSocketClosedError

    connection = PromptWebsocketConnection.__new__(PromptWebsocketConnection)
    monkeypatch.setattr(PromptWebsocketConnection, "websocket_handler", Closing())
    assert connection.write_message(b"late", binary=True) is None


def test_the_websocket_sends_at_once(monkeypatch):
    calls = []

    class Handler:
        ws_connection = SimpleNamespace(stream=SimpleNamespace())

        def set_nodelay(self, on: bool) -> None:
            calls.append(on)

    monkeypatch.setattr(
        "jupyter_server.services.kernels.connection.channels."
        "ZMQChannelsWebsocketConnection.connect",
        lambda self: calls.append("connected"),
    )
    connection = PromptWebsocketConnection.__new__(PromptWebsocketConnection)
    monkeypatch.setattr(PromptWebsocketConnection, "websocket_handler", Handler())
    PromptWebsocketConnection.connect(connection)
    assert calls == [True, "connected"]


@pytest.mark.parametrize("option", ["grace", "connect_within"])
def test_the_times_are_configurable(option):
    assert ReapingKernelManager.class_traits(config=True)[option]


def test_kernels_compute_on_one_thread_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    spec = OwnKernelSpecManager().get_kernel_spec("python3")
    assert spec.env["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    spec = OwnKernelSpecManager().get_kernel_spec("python3")
    assert spec.env["OMP_NUM_THREADS"] == "3"
