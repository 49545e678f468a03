"""A class on one machine: prints what its students saw, and what it cost.

    python -m tests.load                        # 10, 30 and 60 students
    python -m tests.load --students 100 --seconds 60 --browsers 2

``flowviz serve`` and the students are on this machine and speak over loopback, so the students'
own work counts against the server. They come within the first minute. One in five is active:
trains, and then moves a slider twice a second; the others move it every ten seconds. With
``--browsers`` real ones visit at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from tornado.httpclient import AsyncHTTPClient

from flowviz.serving import paths
from tests.conftest import Server
from tests.load.browsers import Browsers
from tests.load.student import Student

ACTIVE = 5
"""Every how manieth student is active."""
ARRIVE = 60.0
"""Seconds within which all have come, unless they come at once."""
COLUMNS = (
    "students, active · failures · page s, p50 p95 · widgets s, p50 p95 · slider ms, p50 p95 p99 · "
    "train to first step s, p50 · MB a student · kernels left · load"
)


async def lesson(server: Server, students: int, seconds: float, at_once: bool) -> str:
    """One class, as a row of the table."""
    people = [Student(server.origin, server.token, seed) for seed in range(students)]
    arrive = 0 if at_once else ARRIVE

    async def come(place: int, student: Student) -> None:
        await asyncio.sleep(arrive * place / students)
        await student.visit(place % ACTIVE == 0, 2.0, seconds + arrive * (1 - place / students))

    visits = asyncio.gather(*(come(place, student) for place, student in enumerate(people)))
    await asyncio.sleep(arrive + 0.8 * seconds)
    memory = memory_of_kernels(server)
    await visits
    for student in people:
        student.leave()
    left = await kernels_left(server)
    seen = [student.seen for student in people]
    failures = [failure for one in seen for failure in one.failures]
    for failure in sorted(set(failures)):
        print(f"failed {failures.count(failure)} times: {failure}")
    cells = [
        f"{students}, {-(-students // ACTIVE)}",
        str(len(failures)),
        quantiles([one.page for one in seen], (50, 95)),
        quantiles([one.widgets for one in seen], (50, 95)),
        quantiles([1000 * move for one in seen for move in one.moves], (50, 95, 99), 0),
        quantiles([one.first_step for one in seen], (50,)),
        f"{memory / max(students, 1):.0f}",
        str(left),
        f"{os.getloadavg()[0]:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


async def first_visit(server: Server) -> float:
    """Seconds until the page of the very first visitor, who leaves again."""
    first = Student(server.origin, server.token, 0)
    await first.visit(active=False, moves_a_second=1, seconds=0)
    first.leave()
    await kernels_left(server)
    assert first.seen.page is not None, first.seen.failures
    return first.seen.page


def quantiles(values: Sequence[float | None], which: Sequence[int], digits: int = 1) -> str:
    """The percentiles of what there is (the largest twice, as one has none), or a dash."""
    there = sorted(value for value in values if value is not None)
    if not there:
        return "–"
    cuts = statistics.quantiles([*there, there[-1]], n=100, method="inclusive")
    return " ".join(f"{cuts[percent - 1]:.{digits}f}" for percent in which)


def memory_of_kernels(server: Server) -> float:
    """Megabytes of the kernels and of the process that forks them, what is shared counted once."""
    total = 0
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 2**20


async def kernels_left(server: Server) -> int:
    """How many kernels are there some time after all have left."""
    end = time.monotonic() + 60
    while (left := await _kernels(server)) and time.monotonic() < end:
        await asyncio.sleep(0.5)
    return left


async def pages_written(server: Server) -> None:
    """Wait until the server has written its static pages, which costs a core for half a minute."""
    last = server.address(f"/pages/{paths.lessons()[-1].stem}.html")
    while (await AsyncHTTPClient().fetch(last)).code == 202:
        await asyncio.sleep(1)


async def _kernels(server: Server) -> int:
    told = await AsyncHTTPClient().fetch(server.address("/metrics"), request_timeout=60)
    return int(float(re.search(r"^flowviz_visitors (\S+)$", told.body.decode(), re.M)[1]))


def main() -> None:
    """Run the classes that were asked for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--students", type=int, nargs="+", default=[10, 30, 60])
    options.add_argument("--seconds", type=float, default=30, help="that each class lasts")
    options.add_argument("--at-once", action="store_true", help="all come in the same moment")
    options.add_argument("--browsers", type=int, default=0, help="real ones, at the same time")
    chosen = options.parse_args()
    AsyncHTTPClient.configure(None, max_clients=1000)
    titles = COLUMNS.split(" · ")
    print("| " + " | ".join(titles) + " |\n|" + "--:|" * len(titles), flush=True)
    for students in chosen.students:
        with tempfile.TemporaryDirectory() as folder:
            places = str(students + chosen.browsers + 2)
            server = Server(
                "serve",
                *("--host", "127.0.0.1", "--visitors", places, "--grace", "5"),
                cwd=Path(folder),
            )
            try:
                cold = asyncio.run(first_visit(server))
                asyncio.run(pages_written(server))
                with Browsers(server, chosen.browsers) as browsers:
                    lasting = lesson(server, students, chosen.seconds, chosen.at_once)
                    print(asyncio.run(lasting), flush=True)
                print(f"the first visitor of the cold server had the page after {cold:.1f} s")
                for line in browsers.told:
                    print(line, flush=True)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
