"""A class: what its students predict, draw and reach, seen together; and the lecturer's lead.

``add`` puts it into a server of ours. Everything here lives in the server's own process and goes
over plain requests and server-sent events: no kernel is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jupyter_server.utils import url_path_join

from flowviz.serving.classroom import access, handlers, pages, streams
from flowviz.serving.classroom.archive import Archive
from flowviz.serving.classroom.room import Classroom

if TYPE_CHECKING:
    from flowviz.serving.voila_server import DashboardServer

__all__ = ["Classroom", "add"]


def add(server: DashboardServer, name: str, keep: Path | None = None) -> Classroom:
    """Put a class into a server that is not initialised yet.

    Args:
        server: its pages get the class's script, and it says the lecturer's link at its start.
        name: the class's.
        keep: an SQLite file for the answers; see :mod:`flowviz.serving.classroom.archive`.

    Raises:
        ValueError: a name that is empty or long, or a file that is not of this class.
        OSError: the file cannot be used.
    """
    name = name.strip()
    if not 0 < len(name) <= 60:
        raise ValueError(f"a class has a name of 1 to 60 characters, not {name!r}")
    archive = None if keep is None else Archive(keep, name)
    room = Classroom(name, archive)
    server.config.VoilaConfiguration.resources["flowviz"]["classroom"] = {
        "name": name,
        "promise": room.promise,
    }

    def routes(base: str) -> list[Any]:
        asked: Any = {"room": room}
        home = url_path_join(base, "class")
        return [
            (home, pages.BoardPage, {**asked, "host": server.ip}),
            (home + r"/(student\.js|board\.js|class\.css)", pages.PartHandler),
            (home + "/events", streams.StudentStream, asked),
            (home + "/board", streams.BoardStream, asked),
            (home + "/answer", handlers.AnswerHandler, asked),
            (home + "/goal", handlers.GoalHandler, asked),
            (home + "/reveal", handlers.RevealHandler, asked),
            (home + "/lead", handlers.LeadHandler, asked),
        ]

    link = f"{server.place}class?{urlencode({'key': room.key})}"
    server.says.append(f"The class {name!r} is at {link}, the lecturer's own page: keep that link.")
    server.routes.append(routes)
    server.is_host = lambda handler: access.is_lecturer(handler, room)
    if archive is not None:
        server.ends.append(archive.close)
    return room
