"""A class as its people see it: the lecturer's page, and students in lessons and at panels."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from flowviz import panels
from flowviz.serving import paths, questions
from tests.browser.relay import Relay
from tests.browser.test_accessible import AXE, LOOK
from tests.browser.test_lessons import sprays
from tests.conftest import Server
from tests.serving.classroom import Browser, key_of

LESSON = "02_layers_add"
PATIENCE = 120_000
READY = ".fv-panel:not(.fv-away)"
ABOVE = """bar => document.querySelector(bar).getBoundingClientRect().bottom
  <= document.querySelector(".fv-class-strip").getBoundingClientRect().top + 1"""


@pytest.fixture(autouse=True)
def patience():
    """Kernels may be slow, and what is expected comes from them."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = ("serve", "--host", "localhost", "--visitors", "9", "--class", "Flows 101")
    server = Server(*options, cwd=tmp_path_factory.mktemp("class"))
    yield server
    server.stop()


@pytest.fixture
def lecturer(server, open_page):
    """The lecturer's page."""
    page = open_page(width=1280, height=720, bypass_csp=True)
    page.goto(f"{server.origin}/class?key={key_of(server)}")
    expect(page.locator("#fv-class-present")).to_contain_text("here now")
    return page


def asked(part: str) -> questions.Question:
    every = (one for path in paths.lessons() for one in questions.read(path))
    return next(one for one in every if part in one.text)


def looked_at(page, screenshots, name: str, sizes=((1280, 720), (1920, 1080), (390, 844))) -> None:
    """On a laptop, a projector and a phone: pictures, nothing cut, axe finds nothing."""
    page.evaluate(AXE)
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.fvTheme = theme; }", theme)
            page.wait_for_timeout(250)  # the bars and the colours come to rest
            page.screenshot(path=screenshots / f"class-{name}-{theme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.evaluate(LOOK) == []
    page.set_viewport_size({"width": 1280, "height": 720})


def test_predictions_are_counted_and_revealed(server, lecturer, open_page, screenshots):
    """A choice, a number and a drawing, from the commitment to what the class sees of it."""
    looked_at(lecturer, screenshots, "empty", sizes=[(1280, 720)])
    other = Browser(server, "b")
    page = open_page(width=1280, height=720, bypass_csp=True)
    page.goto(server.address(f"/voila/render/{LESSON}.ipynb"), wait_until="commit")
    page.wait_for_selector(".fv-predict >> visible=true", timeout=PATIENCE)
    strip = page.get_by_role("complementary", name="Class")
    expect(strip).to_contain_text("what you predict, draw and reach here is counted. Anonymous")
    strip.get_by_role("button", name="All right").click()
    expect(strip).to_be_hidden()

    choice = asked("Which bars change?")
    card = page.locator(".fv-predict", has_text="Which bars change?")
    shown = lecturer.locator("article", has_text="Which bars change?")
    card.get_by_text(choice.options[0]).first.click()
    card.get_by_role("button", name="Commit").click()
    expect(card.get_by_text("Committed. 1 of the class has answered.")).to_be_visible()
    expect(card.get_by_text("Anonymous: the class sees counts, never who.")).to_be_visible()
    # The page has turned to the lesson that the class is at.
    expect(shown.get_by_text("1 answer · hidden from the students")).to_be_visible()
    links = lecturer.locator(".fv-class-link >> visible=true")
    assert links.count() == 0, "answers have the room now"
    assert shown.locator(".fv-class-count").all_inner_texts() == ["1 · 100 %", "0 · 0 %", "0 · 0 %"]
    other.answer(choice.text, 1)
    expect(card.get_by_text("Committed. 2 of the class have answered.")).to_be_visible()
    assert not card.get_by_text("What the class answers").is_visible()
    assert shown.get_by_text("✓ right").count() == 0
    shown.get_by_role("button", name="Reveal").click()
    expect(card.get_by_text("What the class answers")).to_be_visible()
    expect(card.locator(".fv-class-own")).to_contain_text(f"{choice.options[0]} your answer")
    counts = card.locator(".fv-class-count")
    expect(counts).to_have_text(["1 · 50 %", "1 · 50 %", "0 · 0 %"])
    expect(shown.locator(".fv-class-right")).to_contain_text(choice.answer)
    assert card.get_by_text("✓ right").count() == 0, "the experiment is still to be made"

    number = page.locator(".fv-predict", has_text="shrinks areas to a half")
    number.get_by_role("textbox").fill("0,41")
    page.keyboard.press("Enter")
    other.answer(asked("shrinks areas to a half").text, 0.0)
    shown = lecturer.locator("article", has_text="shrinks areas to a half")
    expect(shown.get_by_text("2 answers")).to_be_visible()
    shown.get_by_role("button", name="Reveal").click()
    expect(shown.get_by_role("img", name=re.compile("2 answers in nats.*Right: 0"))).to_be_visible()
    expect(number.locator("text.fv-class-own")).to_have_text("you: 0.410")

    drawing = page.locator(".fv-predict", has_text="Spray them")
    drawing.locator(".fv-stage-pixels").wait_for(timeout=PATIENCE)
    sprays(page, drawing, (2.0, 0.0))
    drawing.get_by_role("button", name="Commit").click()
    shown = lecturer.locator("article", has_text="Spray them")
    expect(shown.get_by_role("img", name="greatest at the middle right")).to_be_visible()
    assert shown.locator(".fv-class-cell").count() > 10
    shown.get_by_role("button", name="Reveal").click()
    expect(drawing.get_by_role("img", name="greatest at the middle right")).to_be_visible()
    looked_at(lecturer, screenshots, "answers")
    # The lesson's own panel opens where one of its goals is true: nobody has reached that.
    page.locator(".fv-panel .fv-goals li").first.wait_for(state="attached")
    assert page.locator(".fv-panel .fv-goals .fv-done").count() == 0
    goals = lecturer.locator(".fv-class-goals article", has_text="Jacobian volume")
    assert goals.get_by_text("nobody yet").count() == 3
    page.evaluate(AXE)
    assert page.evaluate(LOOK) == []

    # Loaded again, the page knows what was answered, and answers no second time.
    page.reload(wait_until="commit")
    expect(card.get_by_text("Committed. 2 of the class have answered.")).to_be_visible(
        timeout=PATIENCE
    )
    expect(counts).to_have_text(["1 · 50 %", "1 · 50 %", "0 · 0 %"])
    assert strip.is_hidden(), "read is read"
    lecturer.locator("article", has_text="Which bars").get_by_role("button", name="Hide").click()
    expect(card.get_by_text("What the class answers")).to_be_hidden()


def hides_nothing(student, strip, screenshots, name: str) -> None:
    """The strip stands below the panel's run bar, however long its words are."""
    student.evaluate(AXE)
    for width, height in ((1280, 600), (390, 844)):
        student.set_viewport_size({"width": width, "height": height})
        student.wait_for_function(ABOVE, arg=f"{READY} .fv-run-bar")
        student.screenshot(path=screenshots / f"class-{name}-{width}.png")
        assert student.evaluate(LOOK) == []
    student.set_viewport_size({"width": 1280, "height": 720})


def shows(student, title: str) -> None:
    """That panel, and no other beside it, as there is for a moment when they change."""
    one = """([panel, title]) => {
      const shown = [...document.querySelectorAll(`${panel} .fv-title`)];
      return shown.length === 1 && shown[0].textContent === title;
    }"""
    student.wait_for_function(one, arg=[READY, title], timeout=PATIENCE)


def test_panels_follow_and_let_go(server, lecturer, open_page, screenshots):
    """To another panel and back, and a goal that a student has reached alone."""
    student = open_page(width=1280, height=720, bypass_csp=True)
    student.goto(server.address(query="panel=limits&apart=4"), wait_until="commit")
    student.wait_for_selector(READY, timeout=PATIENCE)
    strip = student.get_by_role("complementary", name="Class")
    expect(strip).to_contain_text("Everything is forgotten an hour after it came.")
    hides_nothing(student, strip, screenshots, "notice")
    with lecturer.expect_popup() as opened:
        lecturer.get_by_role("link", name="Lead from the dashboard").click()
    leads = opened.value
    leads.wait_for_selector(READY, timeout=PATIENCE)
    first = panels.entry(panels.landing()).title
    expect(strip.get_by_text("Following the lecturer")).to_be_visible()
    shows(student, first)
    expect(leads.get_by_text("You lead Flows 101")).to_be_visible()
    expect(
        lecturer.get_by_text(f"You lead: their dashboards follow, now in {first}")
    ).to_be_visible()

    chip = leads.locator(f"{READY} .fv-chip").nth(1)
    chip.click()
    expect(student.locator(f"{READY} .fv-chip").nth(1)).to_have_attribute("aria-pressed", "true")
    hides_nothing(student, strip, screenshots, "follows")

    strip.get_by_role("button", name="Let go").click()
    leads.locator(f"{READY} .fv-chip").nth(0).click()
    expect(lecturer.locator("#fv-class-leads")).to_contain_text("You lead")
    shows(student, first)
    expect(student.locator(f"{READY} .fv-chip").nth(1)).to_have_attribute("aria-pressed", "true")
    strip.get_by_role("button", name="Back to my own").click()
    shows(student, panels.entry("limits").title)
    student.wait_for_url(re.compile("panel=limits.*apart=4"))
    strip.get_by_role("button", name="Follow again").click()
    shows(student, first)
    leads.get_by_role("button", name="Stop leading").click()
    strip.get_by_role("button", name="Back to my own").click()
    shows(student, panels.entry("limits").title)
    strip.get_by_role("button", name="All right").click()
    expect(strip).to_be_hidden()

    # The second goal of Limits, from its own declaration.
    board = lecturer.locator(".fv-class-goals article", has_text="Limits").locator("li")
    expect(board.nth(1)).to_contain_text("nobody yet")
    apart = student.get_by_label("apart, as a number", exact=False).first
    apart.fill("2.2")
    student.keyboard.press("Enter")
    expect(board.nth(1)).to_contain_text("1 student")
    expect(lecturer.locator("#fv-class-present")).to_contain_text("1 here now")


def test_a_lesson_says_that_the_lecturer_leads_elsewhere(server, open_page):
    lecturer = Browser(server, "f", token=False)
    lecturer.visit(f"/class?key={key_of(server)}")
    lecturer.say("lead", {"query": "panel=limits"})
    page = open_page()
    page.goto(server.address("/voila/render/index.ipynb"), wait_until="commit")
    link = page.get_by_role("link", name="Go there")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == "/"
    lecturer.say("lead", {"query": None})
    expect(link).to_be_hidden()


def test_the_lecturers_page_finds_its_way_back_after_the_network_was_cut(server, open_page):
    relay = Relay(server.port)
    page = open_page()
    page.goto(f"http://localhost:{relay.port}/class?key={quote(key_of(server))}")
    present = page.locator("#fv-class-present")
    expect(present).to_contain_text("here now")
    relay.cut()
    expect(present).to_contain_text("cannot be reached")
    task = asked("How high is the density").text
    Browser(server, "c").answer(task, 3.99)
    relay.mend()
    expect(present).to_contain_text("here now")
    lesson = page.get_by_role("button", name="A density is mass per length")
    expect(lesson).to_contain_text("1 answer")
    page.problems[:] = [one for one in page.problems if "ERR_" not in one]
    page.context.close()
    relay.close()


def test_the_page_that_asks_for_the_key(server, open_page):
    page = open_page(bypass_csp=True)
    page.goto(f"{server.origin}/class")
    page.evaluate(AXE)
    assert page.evaluate(LOOK) == []
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Open the page").click()
    expect(page.get_by_role("alert")).to_contain_text("not the key of this class")
    page.get_by_label("Key").fill(key_of(server))
    page.get_by_role("button", name="Open the page").click()
    expect(page.get_by_role("heading", name="Class Flows 101")).to_be_visible()
    page.problems[:] = [one for one in page.problems if "403" not in one]
