"""Behind a proxy, under a path and a name of the proxy's own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.conftest import free_port
from tests.serving.test_pages import fetch

PREFIX = "/courses/flows"
PATIENCE = 60_000


class Proxy:
    """Hands what is asked below :data:`PREFIX` on to a server, with the prefix or without.

    Args:
        port: the server's, on this machine.
        strips: whether the server is asked without the prefix.
    """

    def __init__(self, port: int, strips: bool) -> None:
        self._server_port, self._strips = port, strips
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            line, _, headers = asked.partition(b"\r\n")
            method, path, version = line.split(b" ")
            if not path.startswith(PREFIX.encode()):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            if self._strips:
                path = path.removeprefix(PREFIX.encode()) or b"/"
            if b"upgrade: websocket" not in headers.lower():  # one request a connection
                lines = [
                    h for h in headers.split(b"\r\n") if not h.lower().startswith(b"connection")
                ]
                headers = b"Connection: close\r\n" + b"\r\n".join(lines)
            there, here = await asyncio.open_connection("127.0.0.1", self._server_port)
            here.write(b" ".join([method, path, version]) + b"\r\n" + headers)
            await asyncio.gather(_pump(reader, here), _pump(there, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from tests.conftest import Server

    server = Server(
        "--base-url", PREFIX, "--allow-host", "127.0.0.1", cwd=tmp_path_factory.mktemp("proxied")
    )
    yield server
    server.stop()


@pytest.mark.parametrize("strips", [False, True], ids=["kept", "stripped"])
def test_the_dashboard_is_drawn_and_answers(server, open_page, strips):
    proxy = Proxy(server.port, strips)
    page = open_page()
    home = f"http://localhost:{proxy.port}{PREFIX}/"
    # The token is asked for, and the state of the link comes through.
    page.goto(f"{home}?layers=3", wait_until="commit")
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Open the page").click()
    page.wait_for_selector(".fv-panel:not(.fv-away)", timeout=PATIENCE)
    page.wait_for_function("/layers=3/.test(location.search)", timeout=PATIENCE)
    assert page.url.startswith(home)
    chip = page.locator(".fv-panel:not(.fv-away) .fv-chip").last
    chip.click()
    page.wait_for_function(
        "chip => chip.ariaPressed === 'true'", arg=chip.element_handle(), timeout=PATIENCE
    )
    page.get_by_role("link", name="Lessons").click()
    page.get_by_role("heading", name="Lessons").wait_for()
    assert page.url.rstrip("/") == f"{home}lessons"
    assert page.get_by_role("link", name="Forward and reverse KL").get_attribute("href") == (
        f"{PREFIX}/voila/render/03_forward_and_reverse_kl.ipynb"
    )
    page.close()
    proxy.close()


def test_the_address_is_printed_with_its_path(server):
    assert server.url.startswith(f"{server.origin}{PREFIX}/?token=")
    assert fetch(f"{server.origin}{PREFIX}?token={server.token}").status == 200
    name = {"Host": "flows.example.org", "Authorization": f"token {server.token}"}
    assert fetch(f"{server.origin}/lessons", **name).status == 403
