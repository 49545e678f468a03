"""Configuration of a notebook server that shows our pages too, such as Binder's.

There Voila is an extension of the server. What the server and Voila read is in the folder
``server_config``: ``jupyter_server_config.py`` calls :func:`server`, ``voila.py`` :func:`voila`.
The dashboard is then at ``flowviz/``, the lessons at ``flowviz/lessons`` (extension.py); any
notebook is a page in our look under Voila's own ``voila/render/``.
Whoever gets into a notebook server can run code on it: its token is what guards it.
"""

from __future__ import annotations

from typing import Any

from flowviz.serving import offline, settings
from flowviz.serving.kernels import HostedKernelManager
from flowviz.serving.websocket import PromptWebsocketConnection

HOME = "flowviz/"
"""Where the dashboard is, below the server's base URL."""

IDLE = 300
"""Seconds after which a kernel that no page is connected to is ended."""


def server(c: Any) -> None:
    """Configure the notebook server."""
    c.ServerApp.kernel_websocket_connection_class = PromptWebsocketConnection
    c.ServerApp.kernel_manager_class = HostedKernelManager
    c.ServerApp.jpserver_extensions = {"voila": True, "flowviz.serving.extension": True}
    c.MappingKernelManager.cull_idle_timeout = IDLE
    c.MappingKernelManager.cull_interval = 60
    offline.lab(c)


def voila(c: Any) -> None:
    """Configure Voila; the template is installed with flowviz."""
    settings.pages(c, "flowviz", HOME)
