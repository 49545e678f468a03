"""A few students at once: what ``python -m tests.load`` measures works, and leaves nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Server
from tests.load.__main__ import kernels_left
from tests.load.student import Student
from tests.serving.managed import run


@pytest.fixture
def server(tmp_path):
    running = Server(
        "serve", "--host", "localhost", "--visitors", "4", "--grace", "5", cwd=tmp_path
    )
    yield running
    running.stop()


def test_three_students_train_and_turn_at_once_and_leave_nothing(server):
    async def lesson() -> list[Student]:
        people = [Student(server.origin, server.token, seed) for seed in range(3)]
        await asyncio.gather(
            *(
                person.visit(active=person is people[0], moves_a_second=2, seconds=6)
                for person in people
            )
        )
        for person in people:
            person.leave()
        assert await kernels_left(server) == 0
        return people

    trains, *others = (person.seen for person in run(lesson()))
    assert not any(seen.failures for seen in (trains, *others)), trains.failures
    assert trains.moves and trains.steps > 0 and not any(seen.steps for seen in others)
