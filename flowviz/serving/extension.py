"""flowviz as a Jupyter server extension: the dashboard and the lessons as pages of the server.

JupyterLab takes plotly.js from it by URL, too.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupyter_server.utils import url_path_join
from traitlets.config import Config
from voila.configuration import VoilaConfiguration
from voila.paths import collect_template_paths

from flowviz.serving import bundle, hosted, paths, settings
from flowviz.serving.pages import TEMPLATES, LessonsHandler, PageHandler, templates
from flowviz.serving.security import security_headers


class PackagedPageHandler(PageHandler):
    """A page of a notebook that came with flowviz, wherever the server's own files are."""

    def initialize(self, **kwargs: Any) -> None:
        self._notebooks: LargeFileManager = kwargs.pop("notebooks")
        super().initialize(**kwargs)

    @property
    def contents_manager(self) -> LargeFileManager:
        return self._notebooks


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "flowviz.serving.extension"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    bundle.offer(server)
    home = url_path_join(server.base_url, hosted.HOME)
    server.web_app.transforms.append(security_headers(home.rstrip("/")))
    server.web_app.add_handlers(".*$", _pages(server, home))


def _pages(server: ServerApp, home: str) -> list[Any]:
    """The dashboard at ``home`` and the lessons below it."""
    server.web_app.settings[TEMPLATES] = templates(home)
    config = Config()
    settings.pages(config, "lab", hosted.HOME)  # which ours is put before
    configuration = VoilaConfiguration(parent=server)
    configuration.update_config(config)
    page = {
        "notebooks": LargeFileManager(parent=server, root_dir=str(paths.notebooks())),
        "config": Config(server.config, **config),
        "template_paths": [
            str(paths.TEMPLATE),
            str(paths.STYLES),
            *collect_template_paths(["voila", "nbconvert"], "lab"),
        ],
        "voila_configuration": configuration,
    }
    dashboard = {**page, "notebook_path": paths.dashboard().name}
    rendered = url_path_join(home, "render")
    return [
        (home + "?", PackagedPageHandler, dashboard),
        (url_path_join(home, "lessons"), LessonsHandler, {"notebooks": rendered}),
        (url_path_join(rendered, "(.*)"), PackagedPageHandler, page),
    ]
