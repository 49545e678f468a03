"""One visitor: opens a page, takes its widgets, turns a slider, trains, and leaves."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from tests.load.session import Session
from tests.load.wire import Message

PAGE = "panel=trajectories&flow=planar&layers=4"
"""A flow whose layers' parameters have sliders."""
BETWEEN = 0.001, 1.0
"""How far from 0 the slider is moved, to either side: one of a layer's parameters."""


@dataclass
class Seen:
    """What the visitor saw, in seconds.

    Attributes:
        page: until the page was complete.
        widgets: until the state of every widget was there, the picture's among them.
        moves: from each move of the slider until the stage changed.
        first_step: from Train until the run bar showed a step.
        steps: training steps that it saw.
        failures: what went wrong.
    """

    page: float | None = None
    widgets: float | None = None
    moves: list[float] = field(default_factory=list)
    first_step: float | None = None
    steps: int = 0
    failures: list[str] = field(default_factory=list)


class Student(Session):
    """A session with hesitations, which notes what it saw.

    Args:
        origin: the server's address.
        token: lets in.
        seed: of its hesitations.
    """

    def __init__(self, origin: str, token: str, seed: int) -> None:
        super().__init__(origin, token)
        self.seen = Seen()
        self._chance = random.Random(seed)

    async def visit(self, active: bool, moves_a_second: float, seconds: float) -> None:
        """Be a visitor for so long; what goes wrong is in :attr:`seen`."""
        try:
            await self._open()
            end = time.monotonic() + seconds
            if active:
                await self._train(end)
            await self._turn(end, moves_a_second if active else moves_a_second / 20)
        except Exception as error:
            self.seen.failures.append(f"{type(error).__name__}: {error}")

    async def hear(self) -> Message:
        message = await super().hear()
        self.seen.steps = max(self.seen.steps, message.state.get("step") or 0)
        return message

    async def _open(self) -> None:
        start = time.monotonic()
        await self.load(PAGE)
        self.seen.page = time.monotonic() - start
        await self.connect()
        self.seen.widgets = time.monotonic() - start

    async def _turn(self, end: float, moves_a_second: float) -> None:
        """Move the slider until then, and wait each time for the stage."""
        slider = next(
            name for name, state in self.all("Slider") if state["key"] and state["description"]
        )
        stages = {name for name, _ in self.all("Stage")}
        side = 1
        while time.monotonic() < end:
            pause = self._chance.expovariate(moves_a_second)
            await self.hear_for(min(pause, max(end - time.monotonic(), 0)))
            if time.monotonic() >= end:
                return
            start = time.monotonic()
            side = -side  # a slider that is where it was changes nothing
            await self.update(slider, value=side * round(self._chance.uniform(*BETWEEN), 3))
            await self.until(
                lambda message: message.content.get("comm_id") in stages and message.updates
            )
            self.seen.moves.append(time.monotonic() - start)

    async def _train(self, end: float) -> None:
        """Train, and stop after a third of the time that is left."""
        bar, _ = self.all("RunBar")[0]
        start = time.monotonic()
        await self.press(bar, kind="train")
        await self.until(lambda message: bool(message.state.get("step")))
        self.seen.first_step = time.monotonic() - start
        await self.hear_for((end - time.monotonic()) / 3)
        await self.press(bar, kind="train")
