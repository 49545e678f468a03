"""Browsers of a class, as far as its server can tell: cookies, messages, and what they hear."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import Server


def key_of(server: Server) -> str:
    """The lecturer's key, as the server has printed it."""
    found = re.search(r"class\?key=(\w+)", server.log())
    assert found, server.log()
    return found[1]


class Refusal(Exception):
    """What was asked was not done."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status, self.words = status, words


class Browser:
    """A browser of one person, let in by the token unless ``token`` is false."""

    def __init__(self, server: Server, name: str = "a", token: bool = True) -> None:
        self.server = server
        self.student = name * 32
        self.home = urlsplit(server.url).path.rstrip("/")
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.visit("/login")  # a page, which brings the cookie against forgery
        if token:
            self.visit(f"/lessons?token={server.token}")

    def visit(self, path: str) -> str:
        """The text of a page, after its redirects."""
        try:
            with self._opener.open(self.server.origin + self.home + path, timeout=60) as reply:
                self.url = reply.url
                return str(reply.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def say(self, what: str, message: Any = None, raw: bytes | None = None, **headers: str) -> None:
        """Post a message.

        Raises:
            Refusal: it was refused.
        """
        cookies = {cookie.name: cookie.value for cookie in self.jar}
        headers = {
            "Content-Type": "application/json",
            "X-XSRFToken": cookies.get("_xsrf") or "",
            **headers,
        }
        body = json.dumps(message).encode() if raw is None else raw
        request = urllib.request.Request(
            f"{self.server.origin}{self.home}/class/{what}", body, headers
        )
        try:
            self._opener.open(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            words = json.loads(error.read())["message"]
            raise Refusal(error.code, words) from None

    def answer(self, task: str, answer: Any, **headers: str) -> None:
        message = {"student": self.student, "task": task, "answer": answer}
        self.say("answer", message, **headers)

    def hear(self, stream: str = "events", **headers: str) -> Stream:
        return Stream(self, stream, headers)


class Stream:
    """What a browser hears, until it is closed."""

    def __init__(self, browser: Browser, stream: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("localhost", browser.server.port, timeout=20)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.jar)
        query = f"?student={browser.student}" if stream == "events" else ""
        self._connection.request(
            "GET", f"{browser.home}/class/{stream}{query}", headers={"Cookie": cookies, **headers}
        )
        self.reply = self._connection.getresponse()
        if self.reply.status != 200:
            words = json.loads(self.reply.read())["message"]
            raise Refusal(self.reply.status, words)
        self._events = self._read()

    def next(self, kind: str) -> dict[str, Any]:
        """The next event of a kind; others before it are passed over."""
        return self._first(lambda found, _: found == kind)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first change that ``wanted`` likes."""
        return self._first(lambda kind, message: kind == "change" and wanted(message))

    def close(self) -> None:
        self._connection.close()

    def _first(self, wanted: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        breaths, passed = 0, []
        for kind, message in self._events:
            if wanted(kind, message):
                return message
            passed.append((kind, message))
            breaths += kind == "breath"
            if breaths == 2:  # half a minute
                break
        raise AssertionError(f"never heard, but: {str(passed)[-2000:]}")

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        kind = ""
        for raw in self.reply:
            name, _, text = raw.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = text
            elif name == "data":
                yield kind, json.loads(text)
