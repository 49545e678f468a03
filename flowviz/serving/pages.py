"""The pages that the dashboard's server makes itself, and the notebooks as pages."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, FileSystemLoader
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import FileFindHandler, JupyterHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.utils import url_path_join
from tornado import web
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from flowviz.serving import paths
from flowviz.serving.kernels import IS_HOST

TEMPLATES = "flowviz_templates"
"""The setting of the application that holds the :func:`templates` of its pages."""


def templates(home: str, without_kernels: str = "") -> Environment:
    """The templates of our own pages.

    Args:
        home: the dashboard's address.
        without_kernels: that of the pages that need no kernel, where the server has them.
    """
    made = Environment(loader=FileSystemLoader([paths.TEMPLATE, paths.STYLES]), autoescape=True)
    made.globals.update(home=home, without_kernels=without_kernels)
    return made


class FriendlyErrors(JupyterHandler):
    """Says in our own words what could not be done."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        # Jupyter's own needs to know who asks, which is not known of every request.
        page = self.settings[TEMPLATES].get_template("error.html")
        self.set_header("Content-Type", "text/html")
        if status_code == 503:
            self.set_header("Retry-After", "20")
        self.finish(page.render(status_code=status_code))


def nobody(handler: JupyterHandler) -> bool:
    """Whether who asks is the host, where there is none."""
    return False


class PageHandler(FriendlyErrors, TornadoVoilaHandler):
    """A notebook as a page, which may end its own kernel when it is left.

    Args:
        is_host: whether who asks is the host, whose pages take no visitor's place.
    """

    def initialize(self, **kwargs: Any) -> None:
        self._is_host: Callable[[JupyterHandler], bool] = kwargs.pop("is_host", nobody)
        super().initialize(**kwargs)

    @web.authenticated
    async def get(self, path: str | None = None) -> None:
        # Reading the token sets its cookie; without it the page's request to end its kernel
        # is refused and the kernel waits for the reaper.
        assert self.xsrf_token
        IS_HOST.set(self._is_host(self))
        await TornadoVoilaHandler.get(self, path)


class OwnPageHandler(FriendlyErrors):
    """A page from our template folder."""

    def get_template(self, name: str) -> Any:
        return self.settings[TEMPLATES].get_template(name)


class LessonsHandler(OwnPageHandler):
    """The list of lessons.

    Args:
        notebooks: the address under which notebooks are pages.
    """

    def initialize(self, notebooks: str) -> None:
        self._notebooks = notebooks

    @web.authenticated
    async def get(self) -> None:
        found = [
            {"about": paths.about(lesson), "url": url_path_join(self._notebooks, lesson.name)}
            for lesson in paths.lessons()
        ]
        self.finish(self.render_template("lessons.html", lessons=found))


class NotFoundHandler(OwnPageHandler):
    """Every address that is not one of ours."""

    @allow_unauthenticated
    async def get(self) -> None:
        raise web.HTTPError(404)


class KernelStateHandler(KernelHandler):
    """Says whether a kernel is still there, to the page that knows its name."""

    SUPPORTED_METHODS = ("GET",)


class ExtensionFileHandler(FriendlyErrors, FileFindHandler):
    """A file of the extensions that show widgets."""


class TemplateFileHandler(TemplateStaticFileHandler):
    """A file of Voila's templates; any other address is none of theirs."""

    async def get(self, path: str, include_body: bool = True) -> None:
        # Voila splits the address without a look, and fails.
        template, *rest = posixpath.normpath(path).split("/")
        if template.startswith(".") or len(rest) < 2 or rest[0] != "static" or "\0" in path:
            raise web.HTTPError(404)
        await super().get(path, include_body)
