"""plotly.js by URL, so that browsers fetch it once and keep it.

``<base_url>flowviz/static/plotly-<version>.js`` is the module that the charts import: 5 MB, sent
as 1.5 MB, gzipped. The address carries plotly's version, so it may be cached for good.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

from flowviz.widgets.charts import bundle

EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "flowviz",
)
"""The federated extensions of JupyterLab that our pages need."""

_YEAR = 365 * 24 * 3600


class BundleHandler(web.RequestHandler):
    """Serves the module: public code, so without a token."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", f"public, max-age={_YEAR}, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(bundle.packed())
        else:
            self.finish(bundle.module())


def handler(base_url: str) -> tuple[str, type[web.RequestHandler]]:
    """The route of the module, for a Tornado application."""
    return url_path_join(base_url, bundle.path()).replace(".", r"\."), BundleHandler


def place() -> dict[str, str]:
    """What a page's configuration says of where the module is."""
    return {bundle.CONFIG_KEY: bundle.path()}


def announce(page_config: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Tell a page where the module is, and to set formulas itself (a ``page_config_hook``).

    Voila as an extension would have the page ask a site on the net for MathJax, which is on board.
    """
    return {**page_config, "fullMathjaxUrl": None, "mathjaxConfig": None, **place()}


def offer(server: ServerApp) -> None:
    """Serve the module from a notebook server, and tell its JupyterLab where it is."""
    server.web_app.add_handlers(".*$", [handler(server.base_url)])
    server.web_app.settings.setdefault("page_config_data", {}).update(place())
