"""The page that asks for the token: who is let in, where to, and who is not."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

LINK = "/voila/static/voila.js?panel=kl_comparison&formula=exp(-x%5E2)%2B1%261&points=1,2;-3,0"


class Visitor:
    """A browser without the token: it keeps cookies and follows redirects."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.cookies = CookieJar()
        jar = urllib.request.HTTPCookieProcessor(self.cookies)
        self._opener = urllib.request.build_opener(jar)

    def ask(self, url: str, **fields: str):
        """The answer to a visit, or to a form with these fields."""
        data = urlencode(fields).encode() if fields else None
        try:
            reply = self._opener.open(self.origin + url, data, timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        reply.text = reply.read().decode()
        return reply

    def hand_in(self, page, token: str):
        """Fill in the form of the login page."""
        action = html.unescape(re.search(r'<form action="([^"]+)"', page.text)[1])
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
        return self.ask(action, password=token, _xsrf=xsrf)


@pytest.fixture
def visitor(voila_server) -> Visitor:
    return Visitor(voila_server.origin)


def asked_for(page) -> str:
    """The address that the login page goes on to."""
    action = html.unescape(re.search(r'<form action="([^"]+)"', page.text)[1])
    return parse_qs(urlsplit(action).query)["next"][0]


def test_the_login_page_is_ours_and_asks_for_one_thing(visitor):
    page = visitor.ask("/?panel=kl_comparison")
    assert urlsplit(page.url).path == "/login"
    assert "flowviz" in page.text and "?token=…" in page.text
    assert len(re.findall(r'<input (?!type="hidden")', page.text)) == 1
    assert page.text.count("<button") == 1
    assert "assword</" not in page.text and "not the token" not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("whole_address", [False, True])
def test_the_token_leads_to_the_address_that_was_asked_for(visitor, voila_server, whole_address):
    page = visitor.ask(f"/login?next={quote(LINK, safe='')}")
    token = f" {voila_server.url}\n" if whole_address else voila_server.token
    reply = visitor.hand_in(page, token)
    assert reply.status == 200
    assert reply.url == voila_server.origin + LINK
    assert visitor.ask("/lessons").url.endswith("/lessons"), "the cookie lets in from now on"


@pytest.mark.parametrize("path", ["/", "/lessons", "/voila/render/dashboard.ipynb"])
def test_every_page_keeps_its_state_through_the_login(visitor, path):
    link = f"{path}?layers=6&formula=exp(-x%5E2)%2B1%261&points=1,2;-3,0"
    assert asked_for(visitor.ask(link)) == link


def test_a_wrong_token_is_told_and_lets_nobody_in(visitor):
    link = "/?panel=kl_comparison&layers=6"
    for wrong in ("wrong", " ", "?token=", "é", "\x00"):
        page = visitor.hand_in(visitor.ask(link), wrong)
        assert page.status == 401, wrong
        assert "This is not the token of this server." in page.text
        assert asked_for(page) == link, "the state is lost"
    assert urlsplit(visitor.ask("/lessons").url).path == "/login"


def test_an_outdated_token_in_the_link_is_told_and_dropped(visitor):
    page = visitor.ask("/?layers=6&token=outdated&panel=trajectories")
    assert "The token in the link is not that of this server." in page.text
    assert asked_for(page) == "/?layers=6&panel=trajectories"


def test_a_form_without_the_xsrf_token_is_refused(visitor, voila_server):
    visitor.ask("/login")
    assert visitor.ask("/login", password=voila_server.token).status == 403
    assert urlsplit(visitor.ask("/lessons").url).path == "/login"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "\\\\evil.example", "javascript:alert(1)"],
)
def test_the_login_leads_nowhere_else(visitor, voila_server, elsewhere):
    page = visitor.ask(f"/login?next={quote(elsewhere, safe='')}")
    assert 'javascript:alert(1)"' not in page.text
    action = re.search(r'<form action="([^"]+)"', page.text)[1]
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
    data = urlencode({"password": voila_server.token, "_xsrf": xsrf}).encode()
    cookies = "; ".join(f"{c.name}={c.value}" for c in visitor.cookies)
    request = urllib.request.Request(
        voila_server.origin + html.unescape(action), data, {"Cookie": cookies}
    )

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    with pytest.raises(urllib.error.HTTPError) as redirect:
        urllib.request.build_opener(Stay).open(request, timeout=60)
    assert redirect.value.code == 302
    assert redirect.value.headers["Location"] == "/"


def test_the_page_reflects_nothing_that_runs(visitor):
    page = visitor.ask("/login?next=%22%3E%3Cscript%3Eevil()%3C/script%3E")
    assert "evil()<" not in page.text and '"><script>evil' not in page.text


def test_no_password_can_be_set(visitor, voila_server):
    page = visitor.ask("/login")
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
    fields = {"password": voila_server.token, "new_password": "mine", "_xsrf": xsrf}
    visitor.ask("/login?next=/lessons", **fields)
    other = Visitor(voila_server.origin)
    assert other.hand_in(other.ask("/login"), "mine").status == 401


def test_who_logs_out_is_asked_again(visitor, voila_server):
    visitor.hand_in(visitor.ask("/lessons"), voila_server.token)
    assert urlsplit(visitor.ask("/lessons").url).path == "/lessons"
    assert urlsplit(visitor.ask("/logout").url).path == "/login"
    assert urlsplit(visitor.ask("/lessons").url).path == "/login"
