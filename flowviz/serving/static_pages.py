"""The static site beside the dashboard: panels and lessons that need no kernel, for any number.

A process of its own writes it (``flowviz site``) with what time the machine has to spare. What is
written already is shown meanwhile; who asks for more is told so, and gets it once it is there.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import psutil
from jupyter_server.utils import url_path_join
from tornado import web

from flowviz.serving.pages import OwnPageHandler
from flowviz.serving.security import self_contained_policy
from flowviz.serving.warm.waiting import THREADS

HOME = "pages/"
"""Where the site is, below the dashboard's address."""
INDEX = "index.html"
FOLDER = "flowviz-pages-"
"""What the name of the site's folder begins with; the server's process id follows."""
WAIT = 5
"""Seconds after which a page that is to come is asked for again."""


class StaticPages:
    """The pages of a site, which is written when they are first wanted and goes with the server."""

    def __init__(self) -> None:
        _remove_what_others_left()
        self._folder = TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-")
        self._packed: dict[str, bytes] = {}
        self._writer: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Have the site written, unless that has begun."""
        if self._writer is not None:
            return
        self._writer = subprocess.Popen(
            [sys.executable, "-m", "flowviz.serving.cli", "site", self._folder.name],
            env={**os.environ, THREADS: "1"},
            stdin=subprocess.DEVNULL,
            # It says each page that it has written, and ends where nobody hears it any more.
            stdout=subprocess.PIPE,
        )
        idle = psutil.IDLE_PRIORITY_CLASS if sys.platform == "win32" else 19
        psutil.Process(self._writer.pid).nice(idle)
        threading.Thread(target=self._writer.communicate, daemon=True).start()

    @property
    def coming(self) -> bool:
        """Whether more pages are to be written."""
        return self._writer is None or self._writer.poll() is None

    @property
    def failed(self) -> bool:
        """Whether not all of them could be written."""
        return not self.coming and self._writer is not None and self._writer.returncode != 0

    def packed(self, name: str) -> bytes | None:
        """A page, gzipped; None where it is not written. Once it is there it does not change."""
        if name not in self._packed:
            try:
                page = Path(self._folder.name, name).read_bytes()
            except FileNotFoundError:
                return None
            self._packed[name] = gzip.compress(page, mtime=0)
        return self._packed[name]

    def end(self) -> None:
        """Remove the pages; no more are written."""
        if self._writer is not None:
            self._writer.kill()
            self._writer.wait()
        self._folder.cleanup()


def _remove_what_others_left() -> None:
    """Remove the pages of servers that were killed before they could do it."""
    for folder in Path(gettempdir()).glob(f"{FOLDER}*"):
        server = re.match(r"\d{1,9}(?=-)", folder.name.removeprefix(FOLDER))
        if server and not psutil.pid_exists(int(server[0])):
            shutil.rmtree(folder, ignore_errors=True)


class StaticPageHandler(OwnPageHandler):
    """A page of the site, for those who have the token."""

    def initialize(self, pages: StaticPages) -> None:
        self._pages = pages

    @property
    def content_security_policy(self) -> str:
        return self_contained_policy()

    @web.authenticated
    async def get(self, name: str) -> None:
        self._pages.begin()
        packed = self._pages.packed(name or INDEX)
        if packed is not None:
            self._show(packed)
        elif self._pages.coming:
            self.set_status(202)
            self.set_header("Cache-Control", "no-store")
            self.finish(self.render_template("to_come.html", wait=WAIT))
        else:
            raise web.HTTPError(500 if self._pages.failed else 404)

    def _show(self, packed: bytes) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # Another start of the server may have written it anew; its tag says whether.
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(packed)
        else:
            self.finish(gzip.decompress(packed))


def handlers(base: str, pages: StaticPages) -> list[Any]:
    """The routes below an address."""
    home = url_path_join(base, HOME)
    return [
        (home.rstrip("/"), web.RedirectHandler, {"url": HOME}),
        (home + r"([\w-]+\.html)?", StaticPageHandler, {"pages": pages}),
    ]
