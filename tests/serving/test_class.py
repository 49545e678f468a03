"""A class's server: who may say and hear what, and what is refused, in words."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import time
from urllib.parse import quote, urlencode

import pytest

from flowviz.serving import paths, questions
from flowviz.serving.classroom import access, room
from flowviz.serving.classroom.handlers import MOST_BYTES
from flowviz.serving.classroom.memory import digest
from tests.conftest import Server
from tests.serving.classroom import Browser, Refusal, key_of
from tests.serving.test_pages import fetch

ASKED = [asked for lesson in paths.lessons() for asked in questions.read(lesson)]
CHOICES = [asked.text for asked in ASKED if asked.kind == "choice"]
NUMBER = next(asked.text for asked in ASKED if asked.kind == "number")
STATE = "panel=trajectories&layers=6"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = ("serve", "--host", "localhost", "--class", "Flows <101>")
    server = Server(*options, cwd=tmp_path_factory.mktemp("class"))
    yield server
    server.stop()


@pytest.fixture
def student(server) -> Browser:
    return Browser(server, "a")


@pytest.fixture
def lecturer(server) -> Browser:
    browser = Browser(server, "f", token=False)
    browser.visit(f"/class?key={key_of(server)}")
    return browser


def refused(status: int, words: str):
    return pytest.raises(Refusal, match=rf"^{status}: .*{words}")


# ------------------------------------------------------------------ what is told to whom


def test_an_answer_is_counted_for_all_and_shown_to_the_lecturer_alone_until_revealed(
    server, student, lecturer
):
    task = CHOICES[0]
    other = Browser(server, "b")
    heard, board = other.hear(), lecturer.hear("board")
    assert heard.next("hello") == {"lecturer": False}
    assert heard.next("whole")["predictions"][task] == {"answered": 0, "shown": None}
    student.answer(task, 1)
    told = heard.next("change")["predictions"]
    assert told == {task: {"answered": 1, "shown": None}}
    seen = board.until(lambda m: task in m["predictions"])["predictions"][task]
    assert seen["answered"] == 1 and seen["shown"]["counts"][1] == 1 and not seen["revealed"]

    lecturer.say("reveal", {"task": task, "shown": True})
    assert heard.next("change")["predictions"][task]["shown"]["counts"][:2] == [0, 1]
    student.answer(task, 0)  # in the place of the first
    assert heard.next("change")["predictions"][task]["shown"]["counts"][:2] == [1, 0]
    # Who comes now, or again, finds it so.
    late = Browser(server, "c").hear()
    assert late.next("whole")["predictions"][task]["shown"]["counts"][:2] == [1, 0]
    lecturer.say("reveal", {"task": task, "shown": False})
    assert heard.next("change")["predictions"][task] == {"answered": 1, "shown": None}
    for stream in (heard, board, late):
        stream.close()


def test_what_students_are_shown_does_not_reach_to_the_right_number(server, student, lecturer):
    task, right = NUMBER, next(asked.answer for asked in ASKED if asked.text == NUMBER)
    heard, board = student.hear(), lecturer.hear("board")
    student.answer(task, right + 1)
    lecturer.say("reveal", {"task": task, "shown": True})
    to_students = heard.until(lambda m: m["predictions"][task]["shown"])
    on_the_board = board.until(lambda m: m["predictions"].get(task, {}).get("revealed"))
    assert to_students["predictions"][task]["shown"]["start"] > right
    assert on_the_board["predictions"][task]["shown"]["start"] <= right
    for stream in (heard, board):
        stream.close()


def test_the_lecturer_leads_and_is_heard_of_at_once_by_who_comes_later(server, student, lecturer):
    heard = student.hear()
    assert heard.next("whole")["lead"] is None
    lecturer.say("lead", {"query": STATE})
    assert heard.next("change") == {"lead": STATE}
    late = Browser(server, "b").hear()
    assert late.next("whole")["lead"] == STATE
    lecturer.say("lead", {"query": None})
    assert heard.next("change") == {"lead": None}
    for stream in (heard, late):
        stream.close()


def test_goals_are_a_board_of_counts(server, student, lecturer):
    board = lecturer.hear("board")
    for browser in (student, student, Browser(server, "b")):
        message = {"student": browser.student, "panel": "limits", "goal": 1}
        browser.say("goal", message)
    board.until(lambda m: m["goals"].get("limits") == [0, 2, 0])
    board.close()


def test_two_tabs_of_a_browser_are_one_student_and_the_lecturer_is_none(server, lecturer):
    board = lecturer.hear("board")
    before = board.next("whole")["present"]
    browser = Browser(server, "d")
    tabs = [browser.hear(), browser.hear(), lecturer.hear()]
    other = Browser(server, "e").hear()
    board.until(lambda m: m["present"] == before + 2)
    assert tabs[2].next("hello") == {"lecturer": True}
    for stream in (*tabs, other, board):
        stream.close()


def test_a_stream_passes_through_proxies(student):
    heard = student.hear()
    headers = heard.reply.headers
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["X-Accel-Buffering"] == "no" and "no-transform" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    heard.close()


# ------------------------------------------------------------------ who is let in


def test_without_the_lecturers_key_nothing_is_seen_shown_or_led(server, student):
    key = "the lecturer's key"
    with refused(403, key):
        student.hear("board")
    with refused(403, key):
        student.say("reveal", {"task": CHOICES[0], "shown": True})
    with refused(403, key):
        student.say("lead", {"query": STATE})
    for wrong in ("wrong", "", server.token, key_of(server)[:-1]):
        page = student.visit(f"/class?key={wrong}")
        assert "This is not the key of this class" in page and "fv-class-board" not in page
    assert "This page is the lecturer's" in student.visit("/class")
    with refused(403, key):
        student.hear("board")


def no_keys(server: Server) -> list[str]:
    """What somebody may have who has not the key, or only a part of it."""
    key = key_of(server)
    parts = ["", key[:-1], key[1:], key + "0", f"{key[:20]} {key[20:]}", key[::-1], "0" * len(key)]
    return [*parts, server.token, room.Classroom("Another").key, "key", "*", "\0", "é", "0" * 9_000]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_else_is_the_key_wherever_it_is_put(server, student, lecturer, method):
    told = lecturer.hear("board")
    before = told.next("whole")
    del before["present"]  # pages of other tests are just being closed
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in student.jar)
    xsrf = next(cookie.value for cookie in student.jar if cookie.name == "_xsrf")
    name = f"flowviz-class-localhost-{server.port}"
    pages = ("", "/board", "/reveal", "/lead", "/../class/board")
    for page, given in itertools.product(pages, no_keys(server)):
        asked = {"task": CHOICES[0], "shown": True} if page == "/reveal" else {"query": STATE}
        form = urlencode({"key": given, "_xsrf": xsrf})
        shown = quote(given, safe="")
        headers = {
            "Cookie": f"{cookies}; {name}={shown[:999]}; key={shown[:999]}",
            "Authorization": f"token {server.token}",
            "X-XSRFToken": xsrf,
            "X-Key": shown[:999],
            "X-HTTP-Method-Override": "POST",
        }
        body = form if not page else json.dumps(asked)
        connection = http.client.HTTPConnection("localhost", server.port, timeout=60)
        connection.request(method, f"/class{page}?key={shown}", body, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        assert reply.status in (400, 403, 404, 405), (page, given[:60], reply.status)
        assert "fv-class-board" not in text and "Traceback" not in text
        assert "Set-Cookie" not in reply.headers or name not in reply.headers["Set-Cookie"]
    told.close()
    again = lecturer.hear("board")
    after = again.next("whole")
    del after["present"]
    assert after == before
    again.close()


def test_keys_are_compared_in_the_same_time_whatever_is_given(monkeypatch):
    """By the one comparison that takes as long for any two texts."""
    one = room.Classroom("Flows")
    assert not one.is_key("wrong")
    monkeypatch.setattr(room.hmac, "compare_digest", lambda *_: True)
    assert one.is_key("wrong") and access.hmac is room.hmac


def test_the_key_is_in_nothing_that_a_student_is_sent_and_in_no_log(server, student, lecturer):
    key = key_of(server)
    lecturer.visit("/class")
    student.visit("/class?key=wrong")
    lecturer.visit(f"/class/nowhere?key={key}")  # refused, and logged as such
    heard = student.hear()
    lesson = paths.lessons()[0].name
    pages = ("/", "/lessons", f"/voila/render/{lesson}", "/class", "/health", "/metrics")
    parts = ("/class/student.js", "/class/board.js", "/class/class.css")
    sent = [*map(student.visit, (*pages, *parts)), json.dumps(heard.next("whole"))]
    heard.close()
    for secret in (key, digest(key)):
        assert not any(secret in text for text in sent)
    assert server.log().count(key) == 1, "as the lecturer's link, at the start"
    for kernel in server.kernels():
        assert key not in " ".join(kernel.environ().values())


def test_the_lecturer_takes_no_students_place_and_gets_in_when_all_are_taken(start_flowviz):
    server = start_flowviz("serve", "--host", "localhost", "--visitors", "1", "--class", "Flows")
    lecturer = Browser(server, "f", token=False)
    lecturer.visit(f"/class?key={key_of(server)}")
    is_there = "kernelId = "
    assert is_there in lecturer.visit("/")
    assert fetch(f"{server.origin}/health").status == 200, "the one place is free"
    assert is_there in Browser(server, "a").visit("/")
    assert fetch(f"{server.origin}/health").status == 503
    assert "All places are taken" in Browser(server, "b").visit("/")
    assert is_there in lecturer.visit(f"/voila/render/{paths.lessons()[0].name}")


def test_the_key_lets_in_without_the_token_and_leaves_the_address(server):
    browser = Browser(server, token=False)
    page = browser.visit(f"/class?key={key_of(server)}")
    assert browser.url == f"{server.origin}/class"
    assert "Class Flows &lt;101&gt;" in page and "<101>" not in page
    for link in ("", "pages/"):
        assert f'href="{server.origin}/{link}?token={server.token}"' in page, "the students' links"
    assert re.search(r"for up to \d+ at a time", page)
    assert key_of(server) not in page and key_of(server) != server.token
    assert "Lessons" in browser.visit("/lessons")
    cookie = next(c for c in browser.jar if c.name.startswith("flowviz-class"))
    assert cookie.has_nonstandard_attr("HttpOnly") and key_of(server) not in cookie.value


def test_the_key_can_be_pasted(server):
    browser = Browser(server, token=False)
    xsrf = next(c.value for c in browser.jar if c.name == "_xsrf")
    form = f"key={server.origin}/class?key={key_of(server)}&_xsrf={xsrf}"
    with browser._opener.open(f"{server.origin}/class", form.encode(), timeout=60) as reply:
        assert "The students' link" in reply.read().decode()


def test_a_forged_cookie_is_no_key(server):
    browser = Browser(server)
    headers = {"Cookie": f"flowviz-class-localhost-{server.port}=" + "0" * 64}
    with refused(403, "."):
        browser.hear("board", **headers)


def test_without_the_token_nothing_is_said_or_heard(server):
    stranger = Browser(server, token=False)
    with refused(403, "the link with the token"):
        stranger.answer(CHOICES[0], 0)
    with refused(403, "the link with the token"):
        stranger.hear()
    assert fetch(f"{server.origin}/class/student.js").status == 200


def test_other_sites_are_refused(server, student, lecturer):
    token = {"Authorization": f"token {server.token}"}
    for foreign in (
        {"Origin": "http://evil.example"},
        {"Origin": f"http://localhost:{server.port + 1}"},
        {"Origin": "null"},
        {"Origin": "http://evil.example", **token},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        with refused(403, "only pages of this server"):
            student.answer(CHOICES[1], 0, **foreign)
        with refused(403, "only pages of this server"):
            lecturer.hear("board", **foreign)
    with refused(403, "."):
        student.answer(CHOICES[1], 0, **{"X-XSRFToken": "forged"})
    student.answer(CHOICES[1], 0, Origin=server.origin)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("what", "message", "words"),
    [
        ("answer", {"student": "a" * 32, "task": NUMBER}, "has the fields student"),
        (
            "answer",
            {"student": "a" * 32, "task": NUMBER, "answer": 1, "as": "b"},
            "and no others",
        ),
        ("answer", {"student": "a" * 32, "task": NUMBER, "answer": "1"}, "and no others"),
        ("answer", {"student": "a" * 32, "task": NUMBER, "answer": True}, "and no others"),
        ("answer", {"student": "a" * 32, "task": NUMBER, "answer": 1e300}, "a number, at most"),
        ("answer", {"student": "A'--", "task": NUMBER, "answer": 1}, "32 hexadecimal digits"),
        ("answer", {"student": "a" * 32, "task": "<b>", "answer": 1}, "no lesson asks this"),
        ("answer", [], "has the fields"),
        ("goal", {"student": "a" * 32, "panel": "limits", "goal": 9}, "goals are 0 to 2"),
        ("goal", {"student": "a" * 32, "panel": "%s", "goal": 0}, "no panel is called so"),
        ("lead", {"query": "layers=6"}, "names its panel"),
        ("lead", {"query": "panel=nothing"}, "names its panel"),
        ("lead", {"query": STATE + "&formula=" + "x" * 8000}, "at most 8000"),
        ("reveal", {"task": NUMBER, "shown": 1}, "true or false"),
        ("reveal", {"task": "?", "shown": True}, "no lesson asks"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(lecturer, what, message, words):
    with refused(400, words):
        lecturer.say(what, message)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 9000])
def test_what_is_no_json_is_refused(student, raw):
    with refused(400, "JSON"):
        student.say("answer", raw=raw)


def test_a_long_message_is_refused_before_it_is_read(student):
    with refused(413, f"at most {MOST_BYTES} bytes"):
        student.say("answer", raw=b" " * (MOST_BYTES + 1))


def test_a_stream_without_a_browsers_name_is_refused(student):
    student.student = "nobody"
    with refused(400, "32 hexadecimal digits"):
        student.hear()


def test_who_says_too_much_waits_and_others_do_not(server):
    noisy = Browser(server, "9")
    with refused(429, "wait [12] seconds"):
        for _ in range(60):
            noisy.answer(NUMBER, 1.0)
    Browser(server, "8").answer(NUMBER, 2.0)


# ------------------------------------------------------------------ the command


def test_what_is_printed_and_that_it_ends_well(start_flowviz, tmp_path):
    keep = tmp_path / "class.sqlite"
    options = ("serve", "--host", "localhost", "--base-url", "/courses/flows", "--class", "Flows")
    options = (*options, "--keep", str(keep))
    server = start_flowviz(*options)
    home = "/courses/flows/"
    assert f"The class 'Flows' is at {server.origin}{home}class?key=" in server.log()
    lecturer = Browser(server, "f", token=False)
    page = lecturer.visit(f"/class?key={key_of(server)}")
    assert f'"base": "{home}class/"' in page and f'src="{home}class/board.js"' in page
    browser = Browser(server)
    page = browser.visit("/")
    assert "in a file, without names" in page and f'src="{home}class/student.js"' in page
    browser.answer(NUMBER, 3.0)
    heard = browser.hear()
    heard.next("whole")
    assert server.stop() == 0 and "Traceback" not in server.log() and "never" not in server.log()
    assert keep.stat().st_size and {p.name for p in tmp_path.glob("class.sqlite*")} == {keep.name}

    again = start_flowviz(*options)
    assert Browser(again, "b").hear().next("whole")["predictions"][NUMBER]["answered"] == 1


def test_a_server_without_a_class_knows_none(voila_server):
    assert fetch(voila_server.address("/class")).status == 404
    assert "fv-class" not in fetch(voila_server.address("/")).text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--keep", "class.sqlite"], "flowviz serve --class NAME --keep FILE"),
        (["--class", " "], "1 to 60 characters"),
        (["--class", "Flows", "--keep", "/"], "no file in a folder"),
    ],
)
def test_wrong_options_are_refused_in_words(options, words, capsys):
    from flowviz.serving import cli

    assert cli.main(["--no-browser", "serve", *options]) == 1
    assert words in capsys.readouterr().err


def test_many_changes_are_told_in_few_messages(server, lecturer):
    """However many say something at once, each page is told five times a second."""
    heard = Browser(server, "7").hear()
    heard.next("whole")
    many = [Browser(server, name) for name in "0123456"]
    began = time.monotonic()
    for turn in range(10):
        for browser in many:
            browser.answer(CHOICES[2], turn % 2)
    spent = time.monotonic() - began
    messages, last = 0, {}
    while last.get("answered") != len(many):
        last = heard.next("change")["predictions"].get(CHOICES[2], last)
        messages += 1
    assert messages <= spent / 0.2 + 2
    heard.close()
