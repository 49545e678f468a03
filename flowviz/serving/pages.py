"""The pages that the dashboard's server makes itself, and the notebooks as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from voila.tornado.handler import TornadoVoilaHandler

from flowviz.serving import paths


class PageHandler(TornadoVoilaHandler):
    """A notebook as a page, which may end its own kernel when it is left."""

    @web.authenticated
    async def get(self, path: str | None = None) -> None:
        # Reading the token sets its cookie; without it the page's request to end its kernel
        # is refused and the kernel waits for the reaper.
        assert self.xsrf_token
        await super().get(path)


class OwnPageHandler(JupyterHandler):
    """A page from our template folder."""

    def get_template(self, name: str) -> Any:
        return self.settings["voila_jinja2_env"].get_template(name)


class LessonsHandler(OwnPageHandler):
    """The list of lessons."""

    @web.authenticated
    async def get(self) -> None:
        found = [
            {
                "title": _title(lesson),
                "url": url_path_join(self.base_url, "voila/render", lesson.name),
            }
            for lesson in paths.lessons()
        ]
        self.finish(self.render_template("lessons.html", lessons=found))


class NotFoundHandler(OwnPageHandler):
    """Every address that is not one of ours."""

    async def get(self) -> None:
        raise web.HTTPError(404)


def _title(notebook: Path) -> str:
    """The first heading of a notebook, or its file name."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    return notebook.stem
