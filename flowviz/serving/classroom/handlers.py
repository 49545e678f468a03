"""What the pages of a class say to its server."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from flowviz.serving.classroom import access
from flowviz.serving.classroom.limits import Limit
from flowviz.serving.classroom.memory import Full
from flowviz.serving.classroom.room import Classroom

MOST_BYTES = 16_384
"""The longest message: a drawing of 500 points is half of it."""

STUDENT = re.compile(r"[0-9a-f]{32}")
"""The name that a browser draws for itself."""


WORDS = {
    403: "the server does not let this in: open the link with the token, and load the page again",
    500: "this failed; what went wrong is in the server's log",
}
"""What is said where Jupyter or an error ends the matter."""


class Refused(web.HTTPError):
    """What was asked is not done; the page is told why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(status, words.replace("%", "%%"))
        self.words = words


class ClassHandler(JupyterHandler):
    """Answers pages of this server alone, in JSON, and says in words what it refuses."""

    def initialize(self, room: Classroom) -> None:
        self.room = room

    async def prepare(self) -> None:  # type: ignore[override]
        if self._is_foreign():
            self.current_user = None
            raise Refused(403, "only pages of this server may ask this")
        await super().prepare(_redirect_to_login=False)

    def require_lecturer(self) -> None:
        """
        Raises:
            Refused: this browser has not shown the lecturer's key.
        """
        if not access.is_lecturer(self, self.room):
            raise Refused(
                403, "this needs the lecturer's key: open the link that the server printed"
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        words = error.words if isinstance(error, Refused) else WORDS.get(status_code, self._reason)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": words}))

    def _is_foreign(self) -> bool:
        """Whether another site's page asks: browsers say so."""
        headers = self.request.headers
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin.lower()).netloc != self.request.host.lower():
            return True
        return headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


@web.stream_request_body
class SayHandler(ClassHandler):
    """Takes a message of exactly the named fields."""

    fields: ClassVar[dict[str, tuple[type, ...]]] = {}
    """The fields and their types."""

    async def prepare(self) -> None:  # type: ignore[override]
        self._body = b""
        await super().prepare()
        # Refused before it is read.
        if int(self.request.headers.get("Content-Length") or MOST_BYTES + 1) > MOST_BYTES:
            raise Refused(413, f"a message has at most {MOST_BYTES} bytes, and says how many")

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    def post(self) -> None:
        said = self._read()
        self.slow_down(self.room.address_limit, self.request.remote_ip or "")
        try:
            self.take(**said)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        except Full as error:
            raise Refused(503, str(error)) from error
        self.finish({})

    def take(self, **said: Any) -> None:
        """Do what was said; ValueError for what is not allowed."""
        raise NotImplementedError

    def slow_down(self, limit: Limit, name: str) -> None:
        """
        Raises:
            Refused: ``name`` has spoken too often.
        """
        wait = limit.wait(name)
        if wait:
            self.set_header("Retry-After", str(int(wait) + 1))
            raise Refused(429, f"that is too often: wait {int(wait) + 1} seconds")

    def _read(self) -> dict[str, Any]:
        try:
            # What JSON cannot say, such as NaN, is none.
            said = json.loads(self._body.decode(), parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise Refused(400, "a message is JSON") from None
        wanted = ", ".join(f"{n} ({_in_words(types)})" for n, types in self.fields.items())
        if (
            not isinstance(said, dict)
            or set(said) != set(self.fields)
            or not all(type(said[name]) in types for name, types in self.fields.items())
        ):
            raise Refused(400, f"this message has the fields {wanted}, and no others")
        if "student" in said and not STUDENT.fullmatch(said["student"]):
            raise Refused(400, "a student's name is 32 hexadecimal digits, drawn by the browser")
        return said


def _no_number(name: str) -> float:
    raise ValueError(name)


def _in_words(types: tuple[type, ...]) -> str:
    return " or ".join(_TYPES[one] for one in types)


_TYPES: dict[type, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list",
    type(None): "null",
}


class AnswerHandler(SayHandler):
    """A student's answer to a prediction."""

    fields: ClassVar = {"student": (str,), "task": (str,), "answer": (int, float, list)}

    def take(self, student: str, task: str, answer: Any) -> None:  # type: ignore[override]
        self.slow_down(self.room.student_limit, student)
        self.room.answer(student, task, answer)


class GoalHandler(SayHandler):
    """A goal that a student has reached."""

    fields: ClassVar = {"student": (str,), "panel": (str,), "goal": (int,)}

    def take(self, student: str, panel: str, goal: int) -> None:  # type: ignore[override]
        self.slow_down(self.room.student_limit, student)
        self.room.reach(student, panel, goal)


class LecturerSays(SayHandler):
    """A message that only the lecturer may send."""

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        self.require_lecturer()
        self.slow_down(self.room.lecturer_limit, "")


class RevealHandler(LecturerSays):
    """Show the students what they have answered together, or hide it again."""

    fields: ClassVar = {"task": (str,), "shown": (bool,)}

    def take(self, task: str, shown: bool) -> None:  # type: ignore[override]
        self.room.reveal(task, shown)


class LeadHandler(LecturerSays):
    """The state that the students' dashboards follow to; null lets them go."""

    fields: ClassVar = {"query": (str, type(None))}

    def take(self, query: str | None) -> None:  # type: ignore[override]
        self.room.lead(query)
