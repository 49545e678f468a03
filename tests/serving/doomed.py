"""A server's kernels, for a test that kills the server: prints its processes' ids and waits."""

from __future__ import annotations

import asyncio
import sys

from tests.serving.managed import with_manager


async def wait(manager) -> None:
    manager.prepare()
    kernel_id = await manager.start_kernel(kernel_name="python3")
    kernel = manager.get_kernel(kernel_id).provisioner.process
    print(manager.warm.process.pid, kernel.pid, flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    with_manager(wait, connection_dir=sys.argv[1])
