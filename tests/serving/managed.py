"""Coroutines, and kernels under a manager of ours, as the tests of several files run them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flowviz.serving.kernels import OwnKernelSpecManager, ReapingKernelManager


def run(steps: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns; in a thread, as an open browser has an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, steps).result()


def with_manager(check, manager_class=ReapingKernelManager, **options) -> None:
    """Run ``check(manager)``; all its kernels are ended afterwards."""

    async def steps() -> None:
        manager = manager_class(kernel_spec_manager=OwnKernelSpecManager(), **options)
        try:
            await check(manager)
        finally:
            await manager.shutdown_all(now=True)

    run(steps())


def client_of(kernel) -> Any:
    """A client of a kernel, with its channels open.

    Not the heartbeat's: its thread, ended before it has begun, opens sockets until none are left.
    """
    client = kernel.client()
    client.start_channels(hb=False)
    return client


async def answer(manager, kernel_id: str, code: str) -> str:
    """What a kernel prints."""
    client = client_of(manager.get_kernel(kernel_id))
    try:
        await client.wait_for_ready(timeout=60)
        heard: list[str] = []

        def hear(message: dict) -> None:
            if message["msg_type"] == "stream":
                heard.append(message["content"]["text"])

        await client.execute_interactive(code, output_hook=hear, timeout=60, store_history=False)
        return "".join(heard)
    finally:
        client.stop_channels()
