"""What the server gives out, and what it does not."""

from __future__ import annotations

import gzip
import re
import tempfile
import time
import urllib.error
import urllib.request
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from flowviz.serving import cli, paths, security
from flowviz.widgets.charts import bundle


class Reply:
    def __init__(self, status: int, headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode(errors="replace")


def fetch(url: str, **headers: str) -> Reply:
    token = parse_qs(urlsplit(url).query).get("token")
    if token:  # also after a redirect, as a browser's cookie
        headers["Authorization"] = f"token {token[0]}"
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return Reply(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as reply:
        return Reply(reply.code, reply.headers, reply.read())


@pytest.fixture(scope="module")
def page(voila_server) -> Reply:
    """The dashboard's page, asked for with hostile parameters."""
    evil = "theme=%22%3E%3Cscript%3Eevil()%3C/script%3E&template=../../etc&panel=%3Cimg%20src=x%3E"
    return fetch(voila_server.address(query=evil))


def test_the_page_reflects_nothing_of_its_address(page):
    assert page.status == 200
    for part in ("evil()", "etc", "<img src=x"):
        assert part not in re.sub(r"data:image/svg[^\"]*", "", page.text).replace("fetch", "")


def test_the_page_names_no_other_origin(page):
    urls = set(re.findall(r"(?:src|href|url\()\s*=?\s*[\"'(]?(https?:)?//([\w.-]+)", page.text))
    assert not urls


def test_the_page_holds_no_source_and_no_path(page):
    assert "from flowviz" not in page.text
    assert "/site-packages" not in page.text
    assert "/home/" not in page.text and "/root/" not in page.text


def test_the_page_says_what_phones_need(page):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page.text
    assert "<title>flowviz</title>" in page.text


def test_the_list_says_what_question_each_lesson_answers_and_how_long_it_takes(voila_server):
    page = unescape(fetch(voila_server.address("/lessons")).text)
    for lesson in map(paths.about, paths.lessons()):
        assert lesson.question and lesson.question in page
        assert f"{lesson.minutes} min" in page


def test_a_visitor_without_the_token_gets_the_login_page(voila_server):
    reply = fetch(voila_server.origin + "/")
    assert "/login" in reply.headers.get("Location", "") or "token" in reply.text.lower()
    assert "jupyter-config-data" not in reply.text
    assert (
        fetch(voila_server.origin + "/lessons").text != fetch(voila_server.address("/lessons")).text
    )


@pytest.mark.parametrize(
    "path", ["/", "/lessons", "/nothing/here", "/voila/static/voila.js", "/" + bundle.path()]
)
def test_every_answer_has_the_headers(voila_server, page, path):
    reply = page if path == "/" else fetch(voila_server.address(path))
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    policy = reply.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'self' data: blob:" in policy
    assert reply.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/dashboard.ipynb",
        "/voila/files/../pyproject.toml",
        "/voila/files/%2e%2e/pyproject.toml",
        "/voila/static/../../../app.py",
        "/voila/render/../../README.md",
        "/voila/templates/lab/static/%2e%2e/%2e%2e/conf.json",
        "/voila/templates/%00",
        "/voila/files/%00",
    ],
)
def test_files_are_not_given_out(voila_server, path):
    reply = fetch(voila_server.address(path))
    assert reply.status in (403, 404)
    assert "Traceback" not in reply.text and "nbformat" not in reply.text


def test_an_unknown_page_is_a_friendly_404(voila_server):
    reply = fetch(voila_server.address("/nothing/here"))
    assert reply.status == 404
    assert "There is no such page" in reply.text and "Go to the dashboard" in reply.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/favicon.ico", 404),
        ("GET", "/voila/labextensions/x", 404),
        ("GET", "/api/kernels/00000000-0000-0000-0000-000000000000/channels", 404),
        ("GET", "/voila/render/%ff.ipynb", 404),
        ("POST", "/logout", 405),
        ("PROPFIND", "/", 405),
    ],
)
def test_a_probe_gets_a_page_and_one_line_in_the_log(voila_server, method, path, status):
    before = voila_server.log()
    request = urllib.request.Request(
        voila_server.origin + path,
        method=method,
        headers={"Authorization": f"token {voila_server.token}"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == status
    assert "Go to the dashboard" in refused.value.read().decode()
    line = f"{status} {method} {path} (127.0.0.1)\n"
    for _ in range(100):  # the answer may be here before the line
        if line in voila_server.log().removeprefix(before):
            break
        time.sleep(0.05)
    else:
        raise AssertionError(voila_server.log().removeprefix(before))
    assert "Traceback" not in voila_server.log()


def test_another_host_is_refused(voila_server):
    headers = {"Authorization": f"token {voila_server.token}"}
    reply = fetch(voila_server.origin + "/lessons", Host="evil.example", **headers)
    assert reply.status == 403 and "only under its own name" in reply.text
    assert fetch(voila_server.origin + "/", Host="evil.example").status == 403


def test_a_missing_lesson_is_friendly_too(voila_server):
    reply = fetch(voila_server.address("/voila/render/no-such-lesson.ipynb"))
    assert reply.status == 404
    assert "There is no such page" in reply.text
    assert "no-such-lesson" not in reply.text


def test_plotly_is_served_once_and_for_good(voila_server, page):
    assert f'"{bundle.CONFIG_KEY}": "{bundle.path()}"' in page.text
    url = f"{voila_server.origin}/{bundle.path()}"
    packed = fetch(url, **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == fetch(url).body == bundle.module()
    assert packed.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in packed.headers["Cache-Control"]


@pytest.mark.parametrize(
    "sites",
    [
        "'self' https://course.example.org",
        "https://*.example.org:8443  http://127.0.0.1:8000",
        "http://[::1]:8000",
        "'none'",
    ],
)
def test_course_sites_may_be_allowed_to_show_the_pages_in_a_frame(monkeypatch, sites):
    monkeypatch.setenv(security.FRAME_ANCESTORS, sites)
    policy = security.content_security_policy()
    assert policy.endswith("; frame-ancestors " + " ".join(sites.split()))


@pytest.mark.parametrize(
    ("sites", "named"),
    [
        ("course.example.org", "'course.example.org'"),
        ("https://course.example.org/moodle", "'https://course.example.org/moodle'"),
        ("https://a.example.org, https://b.example.org", "'https://a.example.org,'"),
        ("'self'; script-src *", "\"'self';\""),
        ("'none' https://course.example.org", "\"'none'\""),
        ("*", "'*'"),
    ],
)
def test_what_is_no_site_is_refused_before_anything_is_made(
    monkeypatch, tmp_path, capsys, sites, named
):
    monkeypatch.setenv(security.FRAME_ANCESTORS, sites)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cli.main(["--no-browser"]) == 1
    said = capsys.readouterr().err
    assert f"{security.FRAME_ANCESTORS}: {named} is no site" in said
    assert "allowed are origins separated by blanks, such as https://course.example.org" in said
    assert list(tmp_path.iterdir()) == []


def test_the_theme_is_there_before_the_first_paint(start_flowviz):
    reply = fetch(start_flowviz("--theme", "dark").url)
    head = reply.text.partition("</head>")[0]
    assert 'const given = "dark"' in head
    assert head.index("dataset.fvTheme = following") < head.index("<style>")
