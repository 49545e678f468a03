"""A class: what its students have answered, what of it they may see, and whether they are led."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Hashable
from typing import Any
from urllib.parse import parse_qs

from flowviz.serving.classroom.archive import Archive
from flowviz.serving.classroom.audience import Audience, Message, Presence
from flowviz.serving.classroom.limits import Limit
from flowviz.serving.classroom.memory import HOUR, Memory
from flowviz.serving.classroom.tasks import Tasks

FORGET_EVERY = 60.0
"""Seconds between two looks for what is to be forgotten."""
MOST_STATE = 8000
"""Characters of a dashboard's state that the lecturer may lead to."""

PRESENT, LEAD = "present", "lead"
"""Topics of a change, beside the names of predictions and panels."""


class Classroom:
    """What the pages of a class are told, and what they may say.

    Args:
        name: the class's, as the lecturer says it.
        archive: see :class:`~flowviz.serving.classroom.memory.Memory`.

    Attributes:
        key: lets the lecturer in; new at every start.
        students, board: who hears what the students may know, and who hears everything.
        presence: of the students.
        student_limit, lecturer_limit, address_limit: how often each of them may speak.
    """

    def __init__(self, name: str, archive: Archive | None = None) -> None:
        self.name = name
        self.key = secrets.token_hex(24)
        self.tasks = Tasks()
        self.archive = archive
        self.memory = Memory(self.tasks, archive)
        self.students = Audience(self._students_whole, self._students_part)
        self.board = Audience(self._board_whole, self._board_part)
        self.presence = Presence(lambda: self.board.changed(PRESENT))
        self.student_limit = Limit(burst=20, rate=1)
        self.lecturer_limit = Limit(burst=60, rate=10)
        self.address_limit = Limit(burst=600, rate=50)  # a whole class may be behind one
        self._revealed: set[str] = set()
        self._lead: tuple[float, str] | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    @property
    def promise(self) -> str:
        """What is kept of the students, in a sentence or two for their pages."""
        kept = (
            "The lecturer's server keeps the answers in a file, without names."
            if self.archive is not None
            else "Everything is forgotten an hour after it came."
        )
        return f"Anonymous: the class sees counts, never who. {kept}"

    def is_key(self, given: str) -> bool:
        """Whether that is the lecturer's key; takes as long whatever is given."""
        return hmac.compare_digest(given.encode(), self.key.encode())

    # ---- what students say ---------------------------------------------------------------------

    def answer(self, student: str, task: str, given: Any) -> None:
        """Take an answer; errors as for :meth:`Memory.answer`."""
        self.memory.answer(student, task, given, time.time())
        self._tell(task)

    def reach(self, student: str, panel: str, goal: int) -> None:
        """Take note of a goal reached; errors as for :meth:`Memory.reach`."""
        if self.memory.reach(student, panel, goal, time.time()):
            self._tell(panel)

    # ---- what the lecturer says ----------------------------------------------------------------

    def reveal(self, task: str, shown: bool) -> None:
        """Show the students what they have answered together, or hide it again.

        Raises:
            ValueError: no such prediction.
        """
        if task not in self.tasks.questions:
            raise ValueError("no lesson asks this question")
        (self._revealed.add if shown else self._revealed.discard)(task)
        self._tell(task)

    def lead(self, query: str | None) -> None:
        """Have the students' dashboards follow to a state; None lets them go.

        Args:
            query: the dashboard's address behind its ``?``.

        Raises:
            ValueError: it is too long, or names no panel.
        """
        if query is not None:
            if len(query) > MOST_STATE:
                raise ValueError(f"a state has at most {MOST_STATE} characters")
            if parse_qs(query).get("panel", [""])[-1] not in self.tasks.goals:
                panels = ", ".join(self.tasks.goals)
                raise ValueError(f"a state names its panel: panel= one of {panels}")
        self._lead = None if query is None else (time.time(), query)
        self._tell(LEAD)

    # ---- what they are told --------------------------------------------------------------------

    def _tell(self, *topics: Hashable) -> None:
        self.students.changed(*topics)
        self.board.changed(*topics)
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(FORGET_EVERY, self._forget)

    def _forget(self) -> None:
        self._forgetting = None
        now = time.time()
        tasks, panels = self.memory.forget(now)
        self._revealed -= {task for task in tasks if not self.memory.answered(task)}
        if self._lead is not None and self._lead[0] <= now - HOUR:
            self._lead = None
            self._tell(LEAD)
        self._tell(*tasks, *panels)

    def _students_whole(self) -> Message:
        return self._students_part({LEAD, *self.tasks.questions})

    def _students_part(self, topics: set[Hashable]) -> Message:
        tasks = [task for task in self.tasks.questions if task in topics]
        message: Message = {}
        if tasks:
            message["predictions"] = {task: self._for_students(task) for task in tasks}
        if LEAD in topics:
            message["lead"] = None if self._lead is None else self._lead[1]
        return message

    def _for_students(self, task: str) -> Message:
        # Not where the right answer lies: a card says that after its experiment.
        shown = self.memory.tally(task).shown(False) if task in self._revealed else None
        return {"answered": self.memory.answered(task), "shown": shown}

    def _board_whole(self) -> Message:
        return self._board_part({PRESENT, LEAD, *self.tasks.questions, *self.tasks.goals})

    def _board_part(self, topics: set[Hashable]) -> Message:
        message: Message = {"present": len(self.presence), "students": self.memory.students}
        message["predictions"] = {
            task: {
                "answered": self.memory.answered(task),
                "revealed": task in self._revealed,
                "shown": self.memory.tally(task).shown(task in self._revealed),
            }
            for task in self.tasks.questions
            if task in topics
        }
        message["goals"] = {
            panel: self.memory.reached(panel) for panel in self.tasks.goals if panel in topics
        }
        if LEAD in topics:
            message["lead"] = None if self._lead is None else self._lead[1]
        return message
