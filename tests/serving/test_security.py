"""Attacks on ``flowviz serve``, by its visitors, by other sites, and by whoever finds it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import re
import socket
import struct
import urllib.error
import urllib.request
import uuid
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from flowviz.serving import guessing, paths
from flowviz.serving.guessing import Guesses
from flowviz.serving.login import TokenIdentityProvider
from tests.conftest import Server
from tests.serving.hostile import FORMS, Socket
from tests.serving.managed import run
from tests.serving.test_login import Visitor
from tests.serving.test_pages import fetch


def assert_untroubled(server) -> None:
    log = server.log()
    assert "Traceback" not in log, log[log.find("Traceback") :][:3000]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(
        "serve",
        *("--host", "localhost", "--visitors", "4", "--grace", "1000"),
        *("--token", "opensesame", "--password", "horse-battery"),
        cwd=tmp_path_factory.mktemp("secure"),
        env={"FLOWVIZ_TOKEN": "", "FLOWVIZ_PASSWORD": ""},
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def kernel(server) -> str:
    """The kernel of somebody's page."""
    name = kernel_of(fetch(server.address()))

    async def connect() -> None:
        async with Socket(server, name) as page:
            await page.until_answered()

    run(connect())
    return name


def kernel_of(page) -> str:
    return re.search(r'kernelId = "([\w-]+)"', page.text)[1]


def lives(server: Server, kernel: str) -> bool:
    """Whether the kernel answers, which it and the server must be well for."""

    async def ask() -> bool:
        async with Socket(server, kernel) as page:
            return bool(await page.until_answered())

    return run(ask())


# Code

EXECUTES = [
    ("execute_request", "shell"),
    ("execute_request", "control"),
    ("debug_request", "control"),
    ("create_subshell_request", "control"),
    ("complete_request", "shell"),
    ("inspect_request", "shell"),
    ("history_request", "shell"),
    ("usage_request", "control"),
]


@pytest.mark.parametrize("form", FORMS)
def test_no_visitor_runs_code(server, kernel, tmp_path, form):
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').close()"
    content = {
        "code": code,
        "silent": False,
        "user_expressions": {"x": code},
        "cursor_pos": 1,
        "detail_level": 0,
        "hist_access_type": "tail",
        "command": "evaluate",
        "type": "request",
        "seq": 1,
        "arguments": {"expression": code},
    }

    async def attack() -> list[str]:
        kinds = []
        async with Socket(server, kernel, form) as page:
            for kind, channel in EXECUTES:
                await page.send(kind, content, channel)
                kinds += [message.kind for message in await page.until_answered(channel)]
        return kinds

    replies = {kind for kind in run(attack()) if kind not in ("status", "stream")}
    assert replies == {"kernel_info_reply"}
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_message_closes_its_own_socket(server, kernel, form):
    endless = struct.pack("<Q", 2**63)
    junk = [
        *(b"", b"\xff" * 7, b"\xff" * 64, endless, endless + b"\0" * 64),
        *("", "[]", "{}", '"x"', '{"header": null}', '{"header": {}, "channel": []}', "[" * 50_000),
    ]

    async def attack() -> None:
        async with Socket(server, kernel) as other:
            for data in junk:
                async with Socket(server, kernel, form) as page:
                    await page.send_raw(data)
                    assert await page.closed() == 1007, data
            await other.until_answered()

    run(attack())
    assert_untroubled(server)


def test_a_message_beyond_the_limit_closes_its_own_socket(server, kernel):
    async def attack() -> int | None:
        async with Socket(server, kernel) as page:
            await page.send_raw(b"\0" * (9 << 20))  # a file of the reader's may be so large
            assert await page.closed() == 1007
        async with Socket(server, kernel) as page:
            await page.send_raw(b"\0" * ((10 << 20) + 1))
            return await page.closed()

    assert run(attack()) in (1009, None)
    assert lives(server, kernel)


def test_a_request_beyond_the_limit_is_refused(server):
    request = http.client.HTTPConnection("localhost", server.port, timeout=60)
    request.putrequest("POST", "/login")
    request.putheader("Content-Length", str(2 << 20))
    request.endheaders()
    assert request.getresponse().status == 400  # as tornado has it


# Other visitors


def test_what_pages_do_not_need_is_not_served(server, kernel):
    for method, path in (
        *(("GET", "/api/kernels"), ("POST", "/api/kernels"), ("GET", "/api/sessions")),
        *(("DELETE", f"/api/kernels/{kernel}"), ("POST", f"/api/kernels/{kernel}/restart")),
        *(("POST", f"/api/kernels/{kernel}/interrupt"), ("GET", "/api/kernelspecs")),
        *(("GET", "/api/me"), ("GET", "/api/contents"), ("POST", "/api/terminals")),
        *(("GET", "/voila/tree"), ("GET", "/voila/api/contents"), ("GET", "/voila/api/themes/x")),
        *(("GET", f"/voila/{kind}/{kernel}") for kind in ("query", "execution")),
        *((method, "/voila/files/dashboard.ipynb") for method in ("GET", "HEAD")),
    ):
        request = urllib.request.Request(
            server.origin + path,
            method=method,
            headers={"Authorization": f"token {server.token}"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        assert refused.value.code in (404, 405), (method, path)
    assert lives(server, kernel)


def test_a_kernel_is_known_to_its_page_alone(server, kernel):
    """Its name is what drives it: it is drawn at random, and nothing else says it."""
    own = kernel_of(fetch(server.address()))
    assert own != kernel
    assert uuid.UUID(own).version == uuid.UUID(kernel).version == 4
    for path in ("/", "/lessons", "/metrics", "/health", f"/api/kernels/{own}"):
        assert kernel not in fetch(server.address(path)).text, path
    guessed = kernel[:-4] + ("0000" if kernel[-4:] != "0000" else "1111")
    assert fetch(server.address(f"/api/kernels/{guessed}")).status == 404
    with pytest.raises(HTTPClientError) as refused:
        run(Socket(server, guessed).__aenter__())
    assert refused.value.code == 404


@pytest.mark.parametrize("query", ["", "?token=opensesam", "?token="])
def test_without_the_token_even_its_name_is_of_no_use(server, kernel, query):
    with pytest.raises(HTTPClientError) as refused:
        run(Socket(server, kernel, address=f"/api/kernels/{kernel}/channels{query}").__aenter__())
    assert refused.value.code == 403
    stranger = Visitor(server.origin)
    assert stranger.ask(f"/api/kernels/{kernel}{query}").status == 403
    assert stranger.ask(f"/voila/api/shutdown/{kernel}{query}", x="").status == 403
    assert lives(server, kernel)


# Other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
    ids=str,
)
def test_another_site_gets_nothing_by_the_visitors_cookie(server, kernel, headers):
    visitor = Visitor(server.origin)
    visitor.ask(f"/lessons?token={server.token}")
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.cookies)
    address = f"/api/kernels/{kernel}/channels"
    own = {"Cookie": cookies, "Origin": server.origin}
    run(Socket(server, kernel, headers=own, address=address).__aenter__())  # the page itself may

    with pytest.raises(HTTPClientError) as refused:
        evil = {"Cookie": cookies, **headers}
        run(Socket(server, kernel, headers=evil, address=address).__aenter__())
    assert refused.value.code == 403
    reply = fetch(f"{server.origin}/api/kernels/{kernel}", Cookie=cookies, **headers)
    assert reply.status in (403, 404)
    assert "Access-Control-Allow-Origin" not in reply.headers

    # Nor can a form of its own end the kernel: it lacks what only our pages can read.
    assert visitor.ask(f"/voila/api/shutdown/{kernel}", x="").status == 403
    assert lives(server, kernel)


# Files and addresses

ROUTES = [
    *("/", "/lessons/", "/voila/render/", "/voila/static/", "/voila/templates/", "/static/"),
    *("/voila/templates/lab/static/", "/voila/labextensions/", "/voila/files/", "/flowviz/"),
]
WAYS = [
    *("../" * 12 + "etc/passwd", "%2e%2e/" * 12 + "etc/passwd", "..%2f" * 12 + "etc/passwd"),
    *("..%5c" * 12 + "etc/passwd", "..\\" * 12 + "etc/passwd", "%252e%252e/" * 12 + "etc/passwd"),
    *("/etc/passwd", "%2fetc/passwd", "file:///etc/passwd", "~/.bashrc", "%7eroot/.bashrc"),
    *(".", "..", "%2e", ".git/config", ".ipynb_checkpoints/dashboard.ipynb", "../pyproject.toml"),
    *("dashboard.ipynb%00", "dashboard.ipynb%00.png", "%c0%ae%c0%ae/pyproject.toml", "conf.json"),
    *("%ef%bc%8e%ef%bc%8e/x", "index.html.j2", "../static/x", "DASHBOARD.IPYNB", "./x.ipynb"),
]


def test_no_route_leads_to_a_file_that_is_not_a_page_s(server):
    connection = http.client.HTTPConnection("localhost", server.port, timeout=60)
    for route, way in itertools.product(ROUTES, WAYS):
        # By hand, as clients tidy an address up.
        connection.putrequest("GET", route + way, skip_host=False)
        connection.putheader("Authorization", f"token {server.token}")
        connection.endheaders()
        reply = connection.getresponse()
        told = reply.read().decode(errors="replace")
        assert reply.status in (400, 403, 404), (route, way, reply.status)
        assert "root:" not in told and "nbformat" not in told and "Traceback" not in told
    assert_untroubled(server)


def test_of_the_notebooks_folder_the_pages_alone_are_offered(tmp_path, monkeypatch):
    for name in ("dashboard", "index", "01_one", "draft", ".01_hidden", "solutions"):
        (tmp_path / f"{name}.ipynb").touch()
    monkeypatch.setattr(paths, "_PACKAGED", tmp_path)
    assert [page.stem for page in paths.pages()] == ["dashboard", "index", "01_one"]


@pytest.mark.parametrize(
    "query",
    [
        quote("<script>evil()</script>") * 900,
        urlencode({"formula": "(" * 9_000, "panel": "\u202e\U0001d431\x00", "layers": "9" * 9_000}),
        "a[b]" * 4_000 + "&=&&;%ff%00",
    ],
    ids=["HTML", "nested and not ASCII", "no query"],
)
def test_a_hostile_link_gives_a_page_without_it(server, query):
    page = fetch(server.address(query=query))
    assert page.status == 200, page.text
    assert "evil()" not in page.text and "(" * 99 not in page.text and "9" * 99 not in page.text
    visitor = Visitor(server.origin)
    visitor.ask(f"/lessons?token={server.token}")
    xsrf = next(cookie.value for cookie in visitor.cookies if cookie.name == "_xsrf")
    assert visitor.ask(f"/voila/api/shutdown/{kernel_of(page)}", _xsrf=xsrf).status == 204


def test_an_endless_address_is_refused_and_writes_nothing_to_the_terminal(server):
    for line in (b"GET /?" + b"x" * 70_000, b"GET /\x1b[31mred", b"GET /\xff\xfe", b"\0" * 99):
        with socket.create_connection(("localhost", server.port), timeout=60) as raw:
            raw.sendall(line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            raw.shutdown(socket.SHUT_WR)
            first = raw.recv(64)
        assert not first.startswith(b"HTTP/1.1 2"), line[:20]
    assert fetch(server.origin + "/health").status == 200
    assert "\x1b" not in server.log()
    assert_untroubled(server)


# Guesses; the last, as this address has used up its tries after it.


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, which passes by waiting alone."""
    now = [1000.0]
    monkeypatch.setattr(guessing, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def waited(monkeypatch) -> list[float]:
    """How long each try waited."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(guessing.asyncio, "sleep", note)
    return waits


def test_after_ten_wrong_answers_an_address_has_one_try_a_second(clock, waited):
    guesses = Guesses()
    for _ in range(guessing.FREE):
        run(guesses.turn("10.0.0.1"))
        guesses.note_wrong("10.0.0.1")
    assert waited == []
    for _ in range(11):  # at a time; those beyond would wait for too long
        run(guesses.turn("10.0.0.1"))
    assert waited == [pytest.approx(k) for k in range(11)]
    with pytest.raises(web.HTTPError) as refused:
        run(guesses.turn("10.0.0.1"))
    assert refused.value.status_code == 429

    run(guesses.turn("10.0.0.2"))  # somebody else
    assert len(waited) == 11
    clock[0] += 5
    run(guesses.turn("10.0.0.1"))
    assert waited[-1] == pytest.approx(6)
    clock[0] += 11 + 2 * guessing.FORGOTTEN
    run(guesses.turn("10.0.0.1"))
    assert len(waited) == 12, "the address begins anew"


def test_a_guesser_has_no_more_tries_by_having_more_addresses(clock, waited, monkeypatch):
    guesses = Guesses()
    for k in range(guessing.FREE):
        guesses.note_wrong(f"2001:db8::{k:x}:1")
    for _ in range(2):
        run(guesses.turn("2001:db8::ffff"))
    run(guesses.turn("2001:db8:0:1::1"))  # another household
    assert waited == [0, 1]
    monkeypatch.setattr(guessing, "REMEMBERED", 100)
    for k in range(300):
        guesses.note_wrong(f"10.0.{k // 256}.{k % 256}")
    assert len(guesses._records) == 100, "the memory is bounded"


@pytest.mark.parametrize("by", ["get_user_token", "process_login_form"])
def test_a_wrong_answer_counts_in_the_link_and_in_the_form(by, monkeypatch):
    """Each by itself: below, those of the one have used up the other's tries."""
    monkeypatch.setattr(TokenIdentityProvider, "get_user_cookie", lambda *_: None)
    provider = TokenIdentityProvider(token="opensesame", password="horse-battery")
    handler = SimpleNamespace(
        request=SimpleNamespace(remote_ip="10.0.0.1", headers={}),
        token=provider.token,
        get_argument=lambda *_, **__: "opensesam",
    )
    told = getattr(provider, by)(handler)
    assert (run(told) if by == "get_user_token" else told) is None
    assert [one.wrong for one in provider.guesses._records.values()] == [1]


@pytest.mark.parametrize("by", ["the link", "the form"])
def test_who_guesses_is_slowed_down_and_nobody_waits_for_it(server, by):
    page = Visitor(server.origin).ask("/login")
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
    form = {"headers": {"Cookie": f"_xsrf={xsrf}"}, "method": "POST", "follow_redirects": False}

    async def guess(client: AsyncHTTPClient, text: str):
        address, wrong = f"{server.origin}/login", {"password": text, "_xsrf": xsrf}
        if by == "the link":
            address = f"{server.origin}/lessons?token={text}"
            return await client.fetch(address, raise_error=False, follow_redirects=False)
        return await client.fetch(address, raise_error=False, body=urlencode(wrong), **form)

    async def attack():
        client = AsyncHTTPClient(max_clients=100)
        tries = [asyncio.ensure_future(guess(client, f"wrong-{k}")) for k in range(40)]
        for answer in asyncio.as_completed(tries):
            if (reply := await answer).code == 429:
                break
        health = await client.fetch(f"{server.origin}/health")
        for unanswered in tries:
            unanswered.cancel()
        return reply, health, sum(t.done() and not t.cancelled() for t in tries)

    reply, health, _ = run(attack())
    assert reply.code == 429 and b"Too many wrong answers" in reply.body
    assert health.code == 200
