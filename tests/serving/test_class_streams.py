"""What a page hears that is slower than the class."""

from __future__ import annotations

import asyncio

from flowviz.serving.classroom.audience import Audience
from flowviz.serving.classroom.streams import StreamHandler
from tests.serving.managed import run


class Slow(StreamHandler):
    """A stream whose page takes what is written when the test says so."""

    def __init__(self, audience: Audience) -> None:
        self._audience, self._gone = audience, asyncio.Event()
        self.written: list[str] = []

    def write(self, text) -> None:
        self.written.append(text)

    def flush(self, *_):
        self.taken = asyncio.get_running_loop().create_future()
        return self.taken


def test_a_slow_page_is_told_the_whole_in_the_place_of_what_it_missed():
    async def tell() -> list[str]:
        audience = Audience(lambda: {"n": 9}, lambda _: {})
        page = Slow(audience)
        for text in ("first", "second", "third"):
            page.send(text)
        page.taken.set_result(None)
        while len(page.written) < 2:
            await asyncio.sleep(0)
        page.taken.set_result(None)
        await asyncio.sleep(0)
        page.send("fourth")
        return page.written

    assert run(tell()) == ["first", 'event: whole\ndata: {"n":9}\n\n', "fourth"]
