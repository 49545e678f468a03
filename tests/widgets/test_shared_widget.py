"""Widgets that the page's thread and a job's change at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from flowviz.widgets.charts import Chart
from flowviz.widgets.charts.base import packed
from flowviz.widgets.header import Header
from flowviz.widgets.stage import Stage
from tests.widgets.test_stage import Wire

ROUNDS = 300


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_two_threads(*actions: Callable[[int], None]) -> list[Exception]:
    """Each of the actions 300 times; what they raised."""
    problems: list[Exception] = []

    def repeat(action: Callable[[int], None]) -> None:
        try:
            for i in range(ROUNDS):
                action(i)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize("held", [True, False], ids=["held", "at once"])
def test_two_threads_write_a_panels_head(held: bool) -> None:
    """As a panel does: a setting is changed while the job's thread tells what is seen."""
    header = Header()
    wire = Wire(header)

    def tell(i: int) -> None:
        with header.hold_sync():
            header.words, header.preset, header.file = f"words {i}", i, f"file {i}"

    def point(i: int) -> None:
        if held:
            with header.hold_sync():
                header.line, header.query = f"line {i}", f"query {i}"
        else:
            header.line = f"line {i}"
            header.query = f"query {i}"

    assert in_two_threads(tell, point) == []
    arrived: dict[str, Any] = {}
    for message in wire.messages:
        arrived |= message["data"]["state"]
    last = ROUNDS - 1
    assert (arrived["words"], arrived["preset"]) == (f"words {last}", last)
    assert (arrived["line"], arrived["query"]) == (f"line {last}", f"query {last}")


def test_a_page_that_asks_hears_a_change_whole() -> None:
    """A chart's traces without their arrays could not be drawn: it would stay blank."""
    chart = Chart("one curve")
    begun, asked = threading.Event(), threading.Event()

    def draw() -> None:
        with chart.hold_sync():
            chart.traces = [{"mode": "lines"}]
            begun.set()
            asked.wait(0.2)  # a page that did not wait would have its answer by then
            chart.arrays = {"0.x": packed(np.zeros(3), "x")}

    job = threading.Thread(target=draw)
    job.start()
    begun.wait()
    state = chart.get_state()
    asked.set()
    job.join()
    assert len(state["traces"]) == len(state["arrays"]) == 1


def test_an_observer_waits_for_a_job_that_draws() -> None:
    """Points drawn while a flow is trained end the training, and its last picture with it."""
    stage = Stage()

    def draw() -> None:
        with stage.hold_sync():
            stage.title = "drawn"

    def end(_: Any) -> None:
        job = threading.Thread(target=draw, daemon=True)
        job.start()
        job.join(timeout=5)
        ended.append(not job.is_alive())

    ended: list[bool] = []
    stage.observe(end, names=["position"])
    stage.set_state({"position": 1.0})
    assert ended == [True] and stage.title == "drawn"
