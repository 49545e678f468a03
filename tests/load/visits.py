"""Many visits one after another: prints what they leave behind.

    python -m tests.load.visits                 # 1,000 visits
    python -m tests.load.visits --visits 100

Each visitor opens the dashboard, moves a slider and leaves. Memory is that of the server and of
the process that forks its kernels; files are those that the server may write: its runtime and
temporary folders.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from tests.conftest import Server
from tests.load.__main__ import kernels_left, pages_written
from tests.load.student import Student

ROWS = 10
"""How many lines are printed, the first of them before most of the visits."""
GRACE = 5
"""Seconds for which a kernel waits for a page that comes back."""


async def visits(server: Server, count: int, folders: list[Path]) -> None:
    """Make the visits, and print a row after each tenth of them, and after a few at first."""
    pages: list[float] = []
    print("| visits | page s, median | server MB | forking process MB | open files | files |")
    print("|--:|--:|--:|--:|--:|--:|")
    rows = {min(10, count), *(count * row // ROWS for row in range(1, ROWS + 1))}
    for visit in range(1, count + 1):
        student = Student(server.origin, server.token, visit)
        await student.visit(active=False, moves_a_second=200, seconds=0.1)
        student.leave()
        if student.seen.failures:
            print(f"visit {visit} failed: {student.seen.failures}")
        else:
            pages.append(student.seen.page)
        if visit in rows:
            left = await kernels_left(server)
            print(_row(server, visit, pages, folders), flush=True)
            if left:
                print(f"{left} kernels are left")
            pages.clear()


def _row(server: Server, visit: int, pages: list[float], folders: list[Path]) -> str:
    process = psutil.Process(server.process.pid)
    memory = [
        sum(one.memory_full_info().uss for one in some) / 2**20
        for some in ([process], process.children(recursive=True))
    ]
    files = sum(path.is_file() for folder in folders for path in folder.rglob("*"))
    cells = [
        f"{visit:,}",
        f"{statistics.median(pages):.2f}" if pages else "–",
        *(f"{size:.0f}" for size in memory),
        str(process.num_fds()),
        str(files),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Make as many visits as were asked for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--visits", type=int, default=1000)
    count = options.parse_args().visits
    with tempfile.TemporaryDirectory() as folder:
        home, runtime, scratch = (Path(folder, name) for name in ("home", "runtime", "tmp"))
        for made in (home, runtime, scratch):
            made.mkdir()
        server = Server(
            *("serve", "--host", "127.0.0.1", "--visitors", "20", "--grace", str(GRACE)),
            cwd=home,
            env={"JUPYTER_RUNTIME_DIR": str(runtime), "TMPDIR": str(scratch)},
        )
        try:
            asyncio.run(pages_written(server))
            start = time.monotonic()
            asyncio.run(visits(server, count, [runtime, scratch]))
            print(f"{count:,} visits took {time.monotonic() - start:.0f} s")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
