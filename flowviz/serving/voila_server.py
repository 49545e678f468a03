"""Voila with our configuration: the dashboard at ``/``, the lessons at ``/lessons``."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import tornado.ioloop
from jupyter_server.utils import url_path_join
from tornado.web import RedirectHandler, RequestHandler
from traitlets.config import Config
from voila.app import Voila

from flowviz.serving import bundle, paths, settings
from flowviz.serving.kernels import OwnKernelSpecManager, ReapingKernelManager
from flowviz.serving.login import LoginHandler, LogoutHandler, TokenIdentityProvider
from flowviz.serving.pages import (
    TEMPLATES,
    LessonsHandler,
    NotFoundHandler,
    PageHandler,
    TemplateFileHandler,
    templates,
)
from flowviz.serving.security import is_loopback, security_headers
from flowviz.serving.websocket import PromptWebsocketConnection

IDLE = 3600
"""Seconds after which a kernel that nobody uses is ended, its page still open."""


log = logging.getLogger("flowviz")


def configuration(
    host: str,
    port: int,
    theme: str | None = None,
    base_url: str = "/",
    names: Sequence[str] = (),
) -> Config:
    """The configuration for one visitor; see the comments for what each line prevents.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        theme: "light", "dark", or None for the browser's.
        base_url: the path under which the pages are, with a slash at both ends.
        names: under which the server may be asked, beside those of this machine: a proxy's.
    """
    c = Config()
    c.Voila.ip = host
    c.Voila.port = port
    c.Voila.base_url = base_url
    c.Voila.root_dir = str(paths.notebooks())
    c.Voila.open_browser = False
    # Whoever knows a kernel's id can drive it.
    c.Voila.auto_token = True
    c.Voila.identity_provider_class = TokenIdentityProvider
    c.Voila.log_level = logging.ERROR
    # Not the folder that the command happens to be run in.
    c.Voila.config_file_paths = []
    c.Voila.kernel_websocket_connection_class = PromptWebsocketConnection
    pages = templates(home=base_url)
    c.Voila.tornado_settings = {
        "websocket_compression_options": {"compression_level": 1},
        "default_handler_class": NotFoundHandler,
        TEMPLATES: pages,
        "jinja2_env": pages,  # for what Jupyter's own handlers have to say
        "log_function": log_refusal,
        # A site whose name suddenly leads to this machine must not speak with it as its own.
        "allow_remote_access": not is_loopback(host),
        "local_hostnames": ["localhost", *names],
    }
    settings.pages(c, "lab", home="", theme=theme or "auto")
    c.VoilaConfiguration.file_allowlist = []
    c.VoilaConfiguration.multi_kernel_manager_class = ReapingKernelManager
    c.VoilaConfiguration.kernel_spec_manager_class = OwnKernelSpecManager
    c.ReapingKernelManager.cull_idle_timeout = IDLE
    c.ReapingKernelManager.cull_interval = 60
    c.ReapingKernelManager.cull_connected = True
    return c


def log_refusal(handler: RequestHandler) -> None:
    """One line for each request that was refused or failed; its query may hold the token."""
    status, request = handler.get_status(), handler.request
    if status >= 400:
        log.warning("%d %s %s (%s)", status, request.method, request.path, request.remote_ip)


class DashboardServer(Voila):
    """Voila, serving the dashboard and the lessons until it is told to stop."""

    def __init__(self, open_browser: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._opens_browser = open_browser

    @property
    def address(self) -> str:
        """The dashboard's address, with the token that lets a browser in."""
        host = "localhost" if self.ip in ("0.0.0.0", "::") else self.ip
        host = f"[{host}]" if ":" in host else host
        query = urlencode({"token": self.identity_provider.token})
        return f"http://{host}:{self.port}{self.base_url}?{query}"

    def setup_template_dirs(self) -> None:
        super().setup_template_dirs()
        self.template_paths[:0] = [str(paths.TEMPLATE), str(paths.STYLES)]

    def init_handlers(self) -> list[Any]:
        self.app.transforms.append(security_headers())
        handlers = [(self.base_url.rstrip("/"), RedirectHandler, {"url": self.base_url})]
        # A proxy may keep the path under which the pages are, or take it off again.
        for base in dict.fromkeys(["/", self.base_url]):
            self.server_url = base  # which Voila's own handlers go by
            handlers += self._handlers(base)
        return handlers

    def _handlers(self, base: str) -> list[Any]:
        page = {
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        rendered = url_path_join(self.base_url, "voila/render")
        return [
            (base, PageHandler, {**page, "notebook_path": paths.dashboard().name}),
            (url_path_join(base, "lessons"), LessonsHandler, {"notebooks": rendered}),
            (url_path_join(base, "login"), LoginHandler),
            (url_path_join(base, "logout"), LogoutHandler),
            (url_path_join(base, r"voila/render/(.*)"), PageHandler, page),
            (url_path_join(base, r"voila/templates/(.*)"), TemplateFileHandler),
            bundle.handler(base),
            *super().init_handlers(),
        ]

    def listen(self) -> None:
        """Listen on the one port that was chosen, and serve until a signal comes."""
        self.app.listen(self.port, self.ip)
        self.kernel_manager.prepare()
        self.ioloop = tornado.ioloop.IOLoop.current()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle_signal_stop)
        print(f"flowviz is at {self.address}\nCtrl-C ends it.", flush=True)
        if self._opens_browser:
            self._open_browser()
        try:
            self.ioloop.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """End every kernel, also those that are still starting, and remove our files."""
        try:
            self.ioloop.run_sync(self._end_kernels, timeout=20)
        finally:
            shutil.rmtree(self.connection_dir, ignore_errors=True)

    async def _end_kernels(self) -> None:
        starting = [asyncio.ensure_future(f) for f in self.kernel_manager._pending_kernels.values()]
        if starting:
            await asyncio.wait(starting, timeout=10)
        await self.kernel_manager.shutdown_all(now=True)

    def _open_browser(self) -> None:
        """Open the dashboard by way of a file, which keeps the token off the command line."""
        opener = Path(self.connection_dir) / "open.html"
        opener.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0;url={self.address}">',
            encoding="utf-8",
        )
        threading.Thread(target=webbrowser.open, args=(opener.as_uri(),), daemon=True).start()
