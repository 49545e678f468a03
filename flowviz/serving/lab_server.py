"""JupyterLab on the lessons, with our configuration."""

from __future__ import annotations

import logging
import secrets
import signal
from pathlib import Path

import nbformat
from jupyterlab.labapp import LabApp
from nbformat.sign import NotebookNotary
from traitlets.config import Config

from flowviz.serving import bundle, offline, paths
from flowviz.serving.kernels import OwnKernelSpecManager
from flowviz.serving.websocket import PromptWebsocketConnection

_SETTINGS = Path(__file__).parent / "lab_settings"


def configuration(
    folder: Path, host: str, port: int, theme: str | None, open_browser: bool, token: str
) -> Config:
    """The configuration of a notebook server for one student."""
    c = Config()
    c.ServerApp.ip = host
    c.ServerApp.port = port
    c.ServerApp.port_retries = 0
    c.ServerApp.root_dir = str(folder)
    c.ServerApp.open_browser = open_browser
    c.ServerApp.allow_root = True  # as in a container; the token guards it all the same
    c.ServerApp.log_level = c.LabApp.log_level = logging.WARNING
    c.ServerApp.kernel_websocket_connection_class = PromptWebsocketConnection
    c.ServerApp.kernel_spec_manager_class = OwnKernelSpecManager
    c.AsyncMappingKernelManager.kernel_manager_class = "flowviz.serving.kernels.OwnKernelManager"
    # It asks for every setting of the server, also the deprecated ones, which then warn.
    c.ServerApp.jpserver_extensions = {"notebook_shim": False}
    c.IdentityProvider.token = token
    offline.lab(c)
    c.LabApp.app_settings_dir = str(_SETTINGS / (theme or "auto"))
    return c


def trust(folder: Path) -> None:
    """Sign the notebooks in ``folder`` that hold what we wrote; Jupyter warns of all others."""
    notary = NotebookNotary()
    for ours in paths.notebooks().glob("*.ipynb"):
        try:
            found = nbformat.read(folder / ours.name, as_version=4)
        except (OSError, ValueError):  # a student's own doing, and theirs to see
            continue
        if found.cells == nbformat.read(ours, as_version=4).cells:
            notary.sign(found)


def serve(folder: Path, host: str, port: int, theme: str | None, open_browser: bool) -> None:
    """Serve ``folder`` in JupyterLab until a signal comes."""
    trust(folder)
    token = secrets.token_hex(24)
    server = LabApp.initialize_server(
        argv=[], config=configuration(folder, host, port, theme, open_browser, token)
    )
    bundle.offer(server)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), server._signal_stop)
    server.start_app()
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    print(f"JupyterLab is at http://{shown}:{port}/lab?token={token}\nCtrl-C ends it.", flush=True)
    server.start_ioloop()
