"""Who has answered what, for an hour or, with a file, for as long as the file is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from flowviz.serving.classroom.archive import Archive
from flowviz.serving.classroom.tallies import Tally, tally
from flowviz.serving.classroom.tasks import Tasks

HOUR = 3600.0
"""Seconds after which an answer is forgotten."""
MOST_STUDENTS = 1000
"""A class has at most so many: what is held of it is bounded."""


class Full(Exception):
    """The class has as many students as it takes."""


class Memory:
    """The answers of a class, by the digest of a name that each browser draws for itself.

    A browser that answers again replaces its answer. The digest tells browsers apart and leads to
    nobody; it never leaves this process but for the archive.

    Args:
        tasks: what there is to answer; nothing else is taken.
        archive: where the answers are written to, and from where they are taken up at the start.
            Without one they are forgotten an hour after they came.
    """

    def __init__(self, tasks: Tasks, archive: Archive | None = None) -> None:
        self._tasks, self._archive = tasks, archive
        self._answers: dict[str, dict[str, tuple[float, Any]]] = {t: {} for t in tasks.questions}
        self._tallies = {text: tally(asked) for text, asked in tasks.questions.items()}
        self._goals: dict[str, list[dict[str, float]]] = {
            panel: [{} for _ in range(count)] for panel, count in tasks.goals.items()
        }
        self._take_up()

    # ---- what comes ----------------------------------------------------------------------------

    def answer(self, student: str, task: str, given: Any, now: float) -> None:
        """Take a student's answer to a prediction.

        Raises:
            ValueError: no such prediction, or no answer to it.
            Full: one student more than a class has.
        """
        if task not in self._tallies:
            raise ValueError("no lesson asks this question")
        answer = self._tallies[task].read(given)
        who = self._admit(student)
        self._set(who, task, answer, now)
        if self._archive is not None:
            self._archive.answer(who, task, answer, now)

    def reach(self, student: str, panel: str, goal: int, now: float) -> bool:
        """Take note that a student has reached a goal; whether that is new.

        Raises:
            ValueError: no such panel, or no such goal of it.
            Full: as for :meth:`answer`.
        """
        goals = self._goals.get(panel)
        if goals is None:
            raise ValueError(f"no panel is called so; they are {', '.join(self._goals)}")
        if not 0 <= goal < len(goals):
            raise ValueError(f"the panel's goals are 0 to {len(goals) - 1}")
        who = self._admit(student)
        if who in goals[goal]:
            return False
        goals[goal][who] = now
        if self._archive is not None:
            self._archive.reach(who, panel, goal, now)
        return True

    def forget(self, now: float) -> tuple[set[str], set[str]]:
        """Forget what is older than an hour, unless it is archived.

        Returns:
            The predictions and the panels that this has changed.
        """
        if self._archive is not None:
            return set(), set()
        old = now - HOUR
        tasks, changed = set(), set()
        for task, answers in self._answers.items():
            for who in [who for who, (at, _) in answers.items() if at <= old]:
                self._tallies[task].remove(answers.pop(who)[1])
                tasks.add(task)
        for panel, goals in self._goals.items():
            for reached in goals:
                for who in [who for who, at in reached.items() if at <= old]:
                    del reached[who]
                    changed.add(panel)
        return tasks, changed

    # ---- what is told --------------------------------------------------------------------------

    def answered(self, task: str) -> int:
        """How many have answered."""
        return len(self._answers[task])

    def tally(self, task: str) -> Tally:
        return self._tallies[task]

    def reached(self, panel: str) -> list[int]:
        """How many have reached each of a panel's goals."""
        return [len(reached) for reached in self._goals[panel]]

    @property
    def students(self) -> int:
        """How many have answered or reached anything."""
        return len(self._known())

    # ---- how it is held ------------------------------------------------------------------------

    def _admit(self, student: str) -> str:
        who = digest(student)
        known = self._known()
        if who not in known and len(known) >= MOST_STUDENTS:
            raise Full(f"a class has at most {MOST_STUDENTS} students")
        return who

    def _known(self) -> set[str]:
        return {who for held in self._held() for who in held}

    def _held(self) -> Iterator[dict[str, Any]]:
        yield from self._answers.values()
        for goals in self._goals.values():
            yield from goals

    def _set(self, who: str, task: str, answer: Any, now: float) -> None:
        answers, tallied = self._answers[task], self._tallies[task]
        if who in answers:
            tallied.remove(answers[who][1])
        answers[who] = (now, answer)
        tallied.add(answer)

    def _take_up(self) -> None:
        """What an archive holds of tasks that are still asked."""
        if self._archive is None:
            return
        for who, task, answer, at in self._archive.answers():
            if task in self._answers:
                self._set(who, task, answer, at)
        for who, panel, goal, at in self._archive.goals():
            if goal < len(self._goals.get(panel, ())):
                self._goals[panel][goal][who] = at


def digest(student: str) -> str:
    """What a browser's name is kept as."""
    return hashlib.sha256(student.encode()).hexdigest()
