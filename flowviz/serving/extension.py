"""flowviz as a Jupyter server extension: JupyterLab and hubs serve plotly.js by URL too."""

from __future__ import annotations

from jupyter_server.serverapp import ServerApp

from flowviz.serving import bundle


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "flowviz.serving.extension"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    server.web_app.add_handlers(".*$", [bundle.handler(server.base_url)])
    page_config = server.web_app.settings.setdefault("page_config_data", {})
    page_config.update(bundle.announce({}))
