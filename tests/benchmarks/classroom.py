"""How soon an answer is on the lecturer's page, and what a class costs its server.

    python tests/benchmarks/classroom.py                  # prints a markdown table
    python tests/benchmarks/classroom.py --students 500

``flowviz serve --class`` and all its students are on this machine: every student has a stream of
their own over a connection of their own, as an open page has, and answers once over another one.
No page is drawn, no kernel runs. An answer is there once the lecturer's stream says a count that
holds it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from conftest import Server  # noqa: E402

from flowviz.serving import paths, questions  # noqa: E402

TASK = next(
    asked for path in paths.lessons() for asked in questions.read(path) if asked.kind == "choice"
)
PATIENCE = 3600.0


@dataclass
class Heard:
    """When a stream has said which count of answers."""

    counts: list[tuple[float, int]] = field(default_factory=list)
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    _rest: str = ""

    def take(self, chunk: bytes) -> None:
        *events, self._rest = (self._rest + chunk.decode()).split("\n\n")
        for event in events:
            kind, text = (re.search(rf"^{n}: (.*)$", event, re.M) for n in ("event", "data"))
            if kind is None or text is None:
                continue
            told = json.loads(text[1]).get("predictions", {}).get(TASK.text)
            if told is not None:
                self.counts.append((time.monotonic(), told["answered"]))
            if kind[1] == "whole":
                self.whole.set()

    def since(self, count: int) -> float:
        """When so many answers were first told of."""
        return next(at for at, told in self.counts if told >= count)

    async def until(self, count: int) -> None:
        while not self.counts or self.counts[-1][1] < count:
            await asyncio.sleep(0.02)


class Class:
    """A server with a lecturer and many students, who all hear of it."""

    def __init__(self, server: Server, students: int) -> None:
        self.server, self.students = server, [f"{i:032x}" for i in range(students)]
        self._client = SimpleAsyncHTTPClient(max_clients=2 * students + 10)
        self._token = {"Authorization": f"token {server.token}"}
        self.board, self.heard = Heard(), [Heard() for _ in self.students]

    async def gather(self) -> float:
        """Connect them all; seconds until everybody has heard the whole."""
        key = re.search(r"http\S+class\?key=\w+", self.server.log())
        assert key is not None
        shown = await self._client.fetch(
            HTTPRequest(key[0], follow_redirects=False), raise_error=False
        )
        cookies = "; ".join(c.split(";")[0] for c in shown.headers.get_list("Set-Cookie"))
        began = time.monotonic()
        self._hear("board", self.board, {"Cookie": cookies})
        for name, heard in zip(self.students, self.heard, strict=True):
            self._hear(f"events?student={name}", heard, self._token)
        await asyncio.gather(*(heard.whole.wait() for heard in (self.board, *self.heard)))
        return time.monotonic() - began

    async def answer(self, within: float) -> list[tuple[float, float]]:
        """Everybody answers once, at any time within so many seconds.

        Returns:
            When each answer was sent and when it was taken, in the order in which they were taken.
        """
        spans = []

        async def one(name: str) -> None:
            await asyncio.sleep(random.uniform(0, within))
            body = {"student": name, "task": TASK.text, "answer": random.randrange(3)}
            began = time.monotonic()
            await self._client.fetch(self._url("answer"), method="POST", body=json.dumps(body),
                                     headers=self._token)  # fmt: skip
            spans.append((began, time.monotonic()))

        await asyncio.gather(*map(one, self.students))
        for heard in (self.board, *self.heard):
            await heard.until(len(self.students))
        return spans

    def _hear(self, stream: str, heard: Heard, headers: dict[str, str]) -> None:
        request = HTTPRequest(
            self._url(stream), headers=headers, streaming_callback=heard.take,
            connect_timeout=PATIENCE, request_timeout=PATIENCE,
        )  # fmt: skip
        # That the server ends them at the end is no news.
        self._client.fetch(request).add_done_callback(lambda ended: ended.exception())

    def _url(self, what: str) -> str:
        return f"{self.server.origin}/class/{what}"


async def measure(students: int, within: float) -> str:
    """A row of the table."""
    AsyncHTTPClient.configure(SimpleAsyncHTTPClient, max_clients=2 * students + 10)
    with tempfile.TemporaryDirectory() as folder:
        server = Server("serve", "--host", "localhost", "--class", "Flows", cwd=Path(folder))
        try:
            process = psutil.Process(server.process.pid)
            made = Class(server, students)
            joined = await made.gather()
            memory, before = process.memory_info().rss, _cpu(process)
            spans = await made.answer(within)
            cpu = _cpu(process) - before
            last = max(at for at, _ in made.board.counts) - min(at for at, _ in spans)
            on_board = [made.board.since(k) - sent for k, (sent, _) in enumerate(spans, 1)]
            on_pages = [
                heard.since(k) - sent
                for heard in made.heard
                for k, (sent, _) in enumerate(spans, 1)
            ]
        finally:
            server.stop()
    cells = [
        students, f"{within:.0f} s", f"{joined:.1f} s", *_quantiles(on_board),
        *_quantiles(on_pages), f"{100 * cpu / last:.0f} %", f"{memory / 2**20:.0f} MB",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _quantiles(seconds: list[float]) -> list[str]:
    cuts = statistics.quantiles(seconds, n=100)
    return [f"{cuts[49]:.2f} s", f"{cuts[94]:.2f} s", f"{max(seconds):.2f} s"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--students", type=int, default=200)
    students = options.parse_args().students
    print(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n")
    on = ("on the lecturer's page, p50", "p95", "most", "on all students', p50", "p95", "most")
    head = ["students", "they answer within", "all connected", *on, "of a core", "memory"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for within in (60.0, 10.0, 1.0):
        print(asyncio.run(measure(students, within)), flush=True)


if __name__ == "__main__":
    main()
