"""Voila with our configuration: the dashboard at ``/``, the lessons at ``/lessons``."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import shutil
import signal
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import tornado.ioloop
from jupyter_events import EventLogger
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import RedirectHandler, RequestHandler
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from flowviz.serving import bundle, paths, ports, settings, static_pages, watching
from flowviz.serving.kernels import PageKernelSpecManager, ReapingKernelManager
from flowviz.serving.limits import Limits
from flowviz.serving.login import LoginHandler, LogoutHandler, TokenIdentityProvider
from flowviz.serving.pages import (
    TEMPLATES,
    ExtensionFileHandler,
    KernelStateHandler,
    LessonsHandler,
    NotFoundHandler,
    PageHandler,
    TemplateFileHandler,
    nobody,
    templates,
)
from flowviz.serving.security import is_loopback, security_headers
from flowviz.serving.static_pages import StaticPages
from flowviz.serving.websocket import PromptWebsocketConnection

IDLE = 3600
"""Seconds after which a kernel that nobody uses is ended, its page still open."""
KERNEL_ID = r"(?P<kernel_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
LARGEST_BODY = 1 << 20
"""Bytes of a request, at most: pages send forms, and their files by the websocket."""
LARGEST_MESSAGE = 10 << 20
"""Bytes of a message to a kernel, at most: a file of the reader's has 8 MiB."""
QUIET_START = 60
"""Seconds for the kernels' process and the first visitors, before the static pages are begun."""
SLOWEST = 120
"""Seconds within which a request must have come."""

log = logging.getLogger("flowviz")


def configuration(
    host: str,
    port: int,
    theme: str | None = None,
    base_url: str = "/",
    names: Sequence[str] = (),
    limits: Limits | None = None,
) -> Config:
    """The configuration; see the comments for what each line prevents.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        theme: "light", "dark", or None for the browser's.
        base_url: the path under which the pages are, with a slash at both ends.
        names: under which the server may be asked, beside those of this machine: a proxy's.
        limits: what many visitors may take; None for a visitor who is alone.
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
    pages = templates(base_url, url_path_join(base_url, static_pages.HOME))
    c.Voila.tornado_settings = {
        "websocket_compression_options": {"compression_level": 1},
        "websocket_max_message_size": LARGEST_MESSAGE,
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
    c.VoilaConfiguration.kernel_spec_manager_class = PageKernelSpecManager
    c.ReapingKernelManager.cull_idle_timeout = round(60 * limits.idle) if limits else IDLE
    c.ReapingKernelManager.cull_interval = 60
    c.ReapingKernelManager.cull_connected = True
    if limits is not None:
        c.ReapingKernelManager.visitors = limits.visitors
        c.ReapingKernelManager.memory_limit = limits.memory
        c.ReapingKernelManager.grace = limits.grace
    return c


def log_refusal(handler: RequestHandler) -> None:
    """One line for each request that was refused or failed; its query may hold the token."""
    status, request = handler.get_status(), handler.request
    if status >= 400:
        path = ascii(request.path)[1:-1]  # a terminal obeys some characters
        log.warning("%d %s %s (%s)", status, request.method, path, request.remote_ip)


class DashboardServer(Voila):
    """Voila, serving the dashboard and the lessons until it is told to stop.

    Args:
        open_browser: whether a browser is opened on it.
        says: lines that are printed below the address.
        offers_pages: whether the static pages are offered there, and written without being asked
            for.

    Attributes:
        says: as given; more may be added before the start.
        routes: make more handlers for a base URL, before Voila's.
        is_host: whether who asks is the host, whose pages take no visitor's place.
        ends: what else is to be done at the end.
    """

    def __init__(
        self,
        open_browser: bool,
        says: Sequence[str] = (),
        offers_pages: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._opens_browser = open_browser
        self._offers_pages = offers_pages
        self._pages = StaticPages()
        self._headers = security_headers()  # what they cannot be is said before anything is made
        self.says = list(says)
        self.routes: list[Callable[[str], list[Any]]] = []
        self.is_host: Callable[[JupyterHandler], bool] = nobody
        self.ends: list[Callable[[], None]] = []
        # Else each kernel's manager would make one of its own, which the logging module keeps.
        self.event_logger = EventLogger()

    @property
    def place(self) -> str:
        """The dashboard's address, as others find it."""
        host = ports.outward() if self.ip in ("0.0.0.0", "::") else self.ip
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}{self.base_url}"

    @property
    def address(self) -> str:
        """The dashboard's address, with the token that lets a browser in."""
        return self._link()

    def _link(self, path: str = "") -> str:
        return f"{self.place}{path}?{urlencode({'token': self.identity_provider.token})}"

    def setup_template_dirs(self) -> None:
        super().setup_template_dirs()
        self.template_paths[:0] = [str(paths.TEMPLATE), str(paths.STYLES)]

    def init_handlers(self) -> list[Any]:
        self.app.transforms.append(self._headers)
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
            "is_host": self.is_host,
        }
        rendered = url_path_join(self.base_url, "voila/render")
        offered = "|".join(re.escape(notebook.name) for notebook in paths.pages())
        # A kernel's name is what its page alone was told: none is listed, made or restarted here.
        kernel = url_path_join(base, "api/kernels", KERNEL_ID)
        return [
            (base, PageHandler, {**page, "notebook_path": paths.dashboard().name}),
            (url_path_join(base, "lessons"), LessonsHandler, {"notebooks": rendered}),
            (url_path_join(base, "login"), LoginHandler),
            (url_path_join(base, "logout"), LogoutHandler),
            (url_path_join(base, "voila/render", f"({offered})"), PageHandler, page),
            (url_path_join(base, r"voila/templates/(.*)"), TemplateFileHandler),
            (
                url_path_join(base, r"voila/static/(.*)"),
                MultiStaticFileHandler,
                {"paths": self.static_paths},
            ),
            (
                url_path_join(base, r"voila/labextensions/(.*)"),
                ExtensionFileHandler,
                {"path": self.labextensions_path, "no_cache_paths": ["/"]},
            ),
            (url_path_join(base, "voila/api/shutdown", KERNEL_ID), VoilaShutdownKernelHandler),
            (kernel, KernelStateHandler),
            (url_path_join(kernel, "channels"), VoilaKernelWebsocketHandler),
            bundle.handler(base),
            *watching.handlers(base),
            *static_pages.handlers(base, self._pages),
            *(route for more in self.routes for route in more(base)),
        ]

    def listen(self) -> None:
        """Listen on the one port that was chosen, and serve until a signal comes."""
        self.app.listen(
            self.port,
            self.ip,
            max_body_size=LARGEST_BODY,
            idle_connection_timeout=SLOWEST,
            body_timeout=SLOWEST,
        )
        self.kernel_manager.prepare()
        # What is there now stays. Else the collector would come only once a quarter as much had
        # been left behind, and look at all of it while everybody waits.
        gc.collect()
        gc.freeze()
        self.ioloop = tornado.ioloop.IOLoop.current()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle_signal_stop)
        said = [f"flowviz is at {self.address}", *self.says, "Ctrl-C ends it."]
        if self._offers_pages:
            pages = self._link(static_pages.HOME)
            said.insert(1, f"for any number of visitors: {pages} (pages without a Python each)")
            self.ioloop.call_later(QUIET_START, self._pages.begin)
        print("\n".join(said), flush=True)
        if self._opens_browser:
            self._open_browser()
        try:
            self.ioloop.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """End every kernel, also those that are still starting, and remove our files."""
        try:
            self.ioloop.run_sync(self._end_kernels, timeout=28)
        finally:
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            self._pages.end()
            for end in self.ends:
                end()

    async def _end_kernels(self) -> None:
        starting = [asyncio.ensure_future(f) for f in self.kernel_manager._pending_kernels.values()]
        if starting:
            await asyncio.wait(starting, timeout=20)
        await self.kernel_manager.shutdown_all(now=True)

    def _open_browser(self) -> None:
        """Open the dashboard by way of a file, which keeps the token off the command line."""
        opener = Path(self.connection_dir) / "open.html"
        opener.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0;url={self.address}">',
            encoding="utf-8",
        )
        threading.Thread(target=webbrowser.open, args=(opener.as_uri(),), daemon=True).start()
