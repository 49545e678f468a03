"""Pages that stay open: tests put one panel after another into them, in one kernel."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.session import Session

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket

    from tests.conftest import Server

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000
STILL = 0.25
"""A page that heard nothing from its kernel for so many seconds is settled."""

RENEWED = """([theme, query]) => {
  document.documentElement.dataset.fvTheme = theme;
  localStorage.clear();
  sessionStorage.clear();
  document.activeElement?.blur();
  scrollTo(0, 0);
  history.replaceState(null, "", location.pathname + query);
}"""

DRAWN = """mark => {
  const shown = document.querySelector(`.${mark}`);
  if (!shown) return false;
  const waits = shown.classList.contains("fv-dash");
  if (waits && !shown.querySelector(".fv-panel:not(.fv-away)")) return false;
  return [...shown.querySelectorAll(".fv-stage-pixels")]
    .filter((canvas) => canvas.checkVisibility())
    .every((canvas) => canvas.width > 100 && canvas.clientWidth > 20);
}"""


class Broken(Exception):
    """The page no longer does what it is asked; another one must be opened."""


class LivePages:
    """A page for each kind of browser context, opened when it is first asked for."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser, self._server = browser, server
        self._pages: dict[str, LivePage] = {}

    def show(
        self,
        code: str,
        *,
        query: str = "",
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        **context: Any,
    ) -> Page:
        """A page that shows what the last line of ``code`` makes, drawn and settled.

        Args:
            code: as in a notebook's cell.
            query: that of the page's address.
            width, height: of the window, in CSS pixels.
            theme: "light" or "dark".
            context: what kind of browser context, as Playwright has it.
        """
        kind = json.dumps(context, sort_keys=True)
        if kind in self._pages:
            try:
                self._pages[kind].renew(query, width, height, theme)
            except Broken:
                self._pages.pop(kind).close()
        if kind not in self._pages:
            permissions = ["clipboard-read", "clipboard-write"]
            made = self._browser.new_context(**{"permissions": permissions, **context})
            self._pages[kind] = LivePage(made.new_page(), self._server)
            self._pages[kind].renew(query, width, height, theme)
        live = self._pages[kind]
        try:
            live.show(code)
        except BaseException:
            self._pages.pop(kind).close()
            raise
        return live.page

    def close(self) -> None:
        for live in self._pages.values():
            live.close()


class LivePage:
    """A page of the dashboard with the way to its kernel.

    Args:
        page: the page, still blank.
        server: whose dashboard it opens.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = watched(page, [])
        page.sent = []  # type: ignore[attr-defined]
        self._heard = time.monotonic()
        self._marks = (f"fv-shown-{i}" for i in itertools.count())
        page.on("websocket", self._listen)
        page.goto(server.address(), wait_until="commit")
        page.wait_for_selector(".fv-panel:not(.fv-away)", timeout=PATIENCE)
        self._kernel = _Kernel(connection(self._kernel_id()))
        self._kernel.run(
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from tests.browser.kernel_side import Frame; _frame = Frame()"
        )
        page.evaluate("window.fvLivePage = true")

    def renew(self, query: str, width: int, height: int, theme: str) -> None:
        """Make the page as a new one would be, but for what it shows.

        Raises:
            Broken: it was closed, left, or its kernel is gone.
        """
        page = self.page
        if page.is_closed() or not page.evaluate("window.fvLivePage === true"):
            raise Broken("the page was left")
        page.mouse.move(0, 0)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        page.evaluate(RENEWED, [theme, f"?{query}" if query else ""])
        try:
            self._kernel.run("_frame.clear()")
        except AssertionError as error:
            raise Broken("the kernel was restarted") from error
        page.problems.clear()  # type: ignore[attr-defined]

    def show(self, code: str) -> None:
        """Put what the last line of ``code`` makes into the page, and wait until it is drawn."""
        mark = next(self._marks)
        self._kernel.run(f"_frame.show({code!r}, {mark!r})")
        self.page.wait_for_function(DRAWN, arg=mark, timeout=PATIENCE)
        self._settle()
        self.page.sent.clear()  # type: ignore[attr-defined]

    def close(self) -> None:
        self._kernel.close()
        self.page.context.close()

    def _settle(self, at_most: float = 3.0) -> None:
        """Wait until the kernel has sent nothing for a moment; a panel that trains goes on."""
        end = time.monotonic() + at_most
        self.page.wait_for_timeout(50)
        while time.monotonic() < min(end, self._heard + STILL):
            self.page.wait_for_timeout(50)

    def _kernel_id(self) -> str:
        return str(self.page.evaluate("document.body.dataset.kernelId"))

    def _listen(self, socket: WebSocket) -> None:
        def heard(_: str | bytes) -> None:
            self._heard = time.monotonic()

        socket.on("framesent", lambda data: self.page.sent.append(data))  # type: ignore[attr-defined]
        socket.on("framereceived", heard)


def watched(page: Page, problems: list[str]) -> Page:
    """The page, whose errors are put into ``problems``, which is ``page.problems`` as well."""

    def hear(message: ConsoleMessage) -> None:
        # Where the machine is busy ipywidgets gives a widget up, and our page draws it again.
        if message.type == "error" and "widget model not found" not in message.text:
            problems.append(f"console: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda e: problems.append(f"uncaught: {e}\n{e.stack or ''}"))
    page.on(
        "requestfailed",
        # A request that the page itself cancelled by closing is no failure.
        lambda r: (
            problems.append(f"failed: {r.url} {r.failure}")
            if "ERR_ABORTED" not in (r.failure or "")
            else None
        ),
    )
    page.on(
        "response",
        lambda r: problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None,
    )
    page.problems = problems  # type: ignore[attr-defined]
    return page


class _Kernel:
    """A kernel, asked past its page to run a line."""

    def __init__(self, connection: Path) -> None:
        info = json.loads(connection.read_text())
        self._session = Session(key=info["key"].encode(), signature_scheme=info["signature_scheme"])
        self._context = zmq.Context()
        self._shell = self._context.socket(zmq.DEALER)
        self._shell.linger = 0
        between = "-" if info["transport"] == "ipc" else ":"
        self._shell.connect(f"{info['transport']}://{info['ip']}{between}{info['shell_port']}")

    def run(self, code: str) -> None:
        content = {"code": code, "silent": True, "allow_stdin": False}
        asked = self._session.send(self._shell, "execute_request", content)
        while self._shell.poll(PATIENCE):
            _, reply = self._session.recv(self._shell)
            if reply["parent_header"].get("msg_id") != asked["header"]["msg_id"]:
                continue
            if reply["content"]["status"] != "ok":
                raise AssertionError("\n".join(reply["content"].get("traceback", ["aborted"])))
            return
        raise Broken("the kernel does not answer")

    def close(self) -> None:
        self._context.destroy()


def connection(kernel_id: str) -> Path:
    """The file that says how one speaks with the kernel, in the server's temporary folder."""
    for file in Path(tempfile.gettempdir()).glob(f"voila_*/kernel-{kernel_id}.json"):
        return file
    raise Broken("the kernel is gone")
