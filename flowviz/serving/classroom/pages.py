"""The lecturer's page, the page that asks for the key, and the scripts and style of the class."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web

from flowviz.serving import ports, static_pages
from flowviz.serving.classroom import access, qr
from flowviz.serving.classroom.room import Classroom
from flowviz.serving.pages import OwnPageHandler
from flowviz.serving.security import is_loopback
from flowviz.widgets import esm

FOLDER = Path(__file__).parent / "browser"


class BoardPage(OwnPageHandler):
    """The lecturer's page; who comes without the key is asked for it."""

    def initialize(self, room: Classroom, host: str) -> None:
        self.room, self._host = room, host

    @allow_unauthenticated
    def get(self) -> None:
        given = self.get_query_argument("key", None)
        if given is not None:
            self._try(given)
        elif access.is_lecturer(self, self.room):
            self._show()
        else:
            self._ask(403, wrong=False)

    @allow_unauthenticated
    def post(self) -> None:
        self._try(self.get_body_argument("key", ""))

    def _try(self, given: str) -> None:
        _, _, pasted = given.rpartition("key=")  # perhaps the whole address
        if self.room.is_key(pasted.strip()):
            access.let_in(self, self.room)
            self.redirect(
                f"{self.base_url}class"
            )  # the key stays out of the address on the projector
        else:
            self._ask(403, wrong=True)

    def _ask(self, status: int, wrong: bool) -> None:
        self.set_status(status)
        self.finish(self.render_template("class_key.html", title=self.room.name, wrong=wrong))

    def _show(self) -> None:
        assert self.xsrf_token  # reading it sets its cookie
        self.set_header("Cache-Control", "no-store")
        kernels: Any = self.kernel_manager
        dashboard, pages = self._students_link(), self._students_link(static_pages.HOME)
        page = self.render_template(
            "class_board.html",
            title=self.room.name,
            promise=self.room.promise,
            places=kernels.visitors,
            dashboard={"link": dashboard, "code": qr.svg(dashboard)},
            pages={"link": pages, "code": qr.svg(pages)},
            alone=is_loopback(self._host) and is_loopback(self.request.host_name),
            told={"base": f"{self.base_url}class/", **_tasks(self.room)},
        )
        self.finish(page)

    def _students_link(self, path: str = "") -> str:
        """An address below the dashboard's, under a name by which the students reach it."""
        host = self.request.host
        if is_loopback(self.request.host_name) and not is_loopback(self._host):
            host = host.replace(self.request.host_name, ports.outward())
        query = urlencode({"token": self.token}) if self.token else ""
        return f"{self.request.protocol}://{host}{self.base_url}{path}{'?' if query else ''}{query}"


def _tasks(room: Classroom) -> dict[str, Any]:
    """What the lecturer's page shows counts of."""
    lessons = [
        {
            "title": lesson.title,
            "questions": [
                {
                    "kind": asked.kind,
                    "text": asked.text,
                    "options": asked.options,
                    "answer": asked.answer,
                    "unit": asked.unit,
                    "window": asked.window,
                }
                for asked in lesson.questions
            ],
        }
        for lesson in room.tasks.lessons
        if lesson.questions
    ]
    panels = [
        {"name": panel.name, "title": panel.title, "goals": panel.sentences}
        for panel in room.tasks.panels
    ]
    return {"lessons": lessons, "panels": panels}


class PartHandler(web.RequestHandler):
    """A script or the style of the class's pages: public code, so without a token."""

    def get(self, name: str) -> None:
        kind = {"js": "text/javascript", "css": "text/css"}[name.rpartition(".")[2]]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(_part(name))


@cache
def _part(name: str) -> str:
    path = FOLDER / name
    return esm.module(path) if path.suffix == ".js" else path.read_text(encoding="utf-8")
