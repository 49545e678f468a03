"""The dashboard in a real browser, served by the ``flowviz`` command."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from flowviz import panels
from flowviz.widgets.charts import bundle
from tests.browser.shown import leaving

NAMES = panels.names()
FIRST = panels.entry(panels.landing())
READY = ".fv-panel:not(.fv-away)"
PATIENCE = 60_000
FRONT_END = "**/static/voila.js"  # without it no page speaks to its kernel


def query_dict(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}


def query_of(page) -> dict[str, str]:
    return query_dict(urlsplit(page.url).query)


@pytest.fixture
def visit(voila_server, start_flowviz, open_page):
    """``visit(query, width=, **context)``: the dashboard, with its panel built.

    ``before`` is a script that runs on the page before its own; what fits the pattern ``held`` is
    fetched by ``page.let_go()`` and not before. A server of the test's own is asked for first, so
    that it ends after the pages.
    """

    def open_(
        query: str = "", server=voila_server, ready: str = READY, before="", held="", **context
    ):
        page = open_page(**context)
        page.add_init_script(before)
        if held:
            page.route(held, lambda route: None)
            page.let_go = lambda: page.unroute(held)
        page.requested = []
        page.received = 0
        page.on("request", lambda request: page.requested.append(request.url))

        def count(data: str | bytes) -> None:
            page.received += len(data)

        page.on("websocket", lambda socket: socket.on("framereceived", count))
        page.goto(server.address(query=query), wait_until="commit")
        page.wait_for_selector(ready, timeout=PATIENCE)
        return page

    return open_


def title(page) -> str:
    return page.locator(f"{READY} .fv-title").inner_text()


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.mark.parametrize("width, theme", [(1280, "light"), (400, "dark")])
def test_first_visit(visit, screenshots, voila_server, width, theme):
    page = visit(width=width, color_scheme=theme, ready="#fv-loading", held=FRONT_END)
    assert page.locator("#fv-loading-text").is_visible(), "the page is there before the kernel"
    assert page.locator("#fv-loading .fv-bar").inner_text().startswith("flowviz")
    page.screenshot(path=screenshots / f"dashboard-loading-{theme}-{width}.png")
    page.let_go()
    page.wait_for_selector(READY, timeout=PATIENCE)
    assert page.locator("#fv-loading").count() == 0
    assert title(page) == FIRST.title
    assert page.locator("html").get_attribute("data-fv-theme") == theme
    expected = {"light": "rgb(251, 251, 250)", "dark": "rgb(17, 21, 27)"}[theme]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == expected
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / f"dashboard-{theme}-{width}.png", full_page=True)
    # Everything that the page holds comes from its own server.
    outside = [
        url for url in page.requested if not url.startswith((voila_server.origin, "data:", "blob:"))
    ]
    assert outside == []
    if width == 1280:  # there a chart is in sight
        page.wait_for_selector(f"{READY} .fv-chart .main-svg", timeout=PATIENCE)
        plotly = [url for url in page.requested if url.endswith(bundle.path())]
        assert len(plotly) == 1, "fetched from the server, and not from the kernel"
    assert overflow(page) <= 0
    print(f"{page.received / 1e6:.2f} MB over the websocket")
    assert page.received < 3e6
    assert page.locator(f"{READY} .fv-invitation:visible").inner_text() == FIRST.load().invitation
    assert page.locator(f'{READY} .fv-chip[aria-pressed="true"]').count() == 1
    assert (
        page.locator(f"{READY} .fv-run-training .fv-run-words")
        .inner_text()
        .endswith("1,200 of 1,200")
    )
    assert "token" not in page.url and page.title() == f"{FIRST.title} · flowviz"
    family = page.evaluate(
        """async () => {
          const icon = document.createElement("i");
          icon.className = "fa fa-play";
          document.body.append(icon);
          const { fontFamily } = getComputedStyle(icon, "::before");
          await document.fonts.load(`900 16px ${fontFamily}`, "\\uf04b");
          return [fontFamily, document.fonts.check(`900 16px ${fontFamily}`, "\\uf04b")];
        }"""
    )
    assert "Font Awesome" in family[0] and family[1], "icons are local"


def test_widgets_that_came_late_are_drawn_all_the_same(visit):
    # Two patiences that end too soon where the page or the kernel has no processor to itself:
    # ipywidgets looks for a model every 100 ms and gives it up after two seconds (here its second
    # look comes too late), and anywidget waits two seconds for a widget's code (here, none).
    page = visit(
        before="const soon = setTimeout;"
        "window.setTimeout = (f, ms, ...more) => soon(f, ms === 100 ? 2500 : ms, ...more);"
        "const after = AbortSignal.timeout.bind(AbortSignal);"
        "AbortSignal.timeout = (ms) => after(ms <= 2000 ? 0 : ms);"
    )
    assert title(page) == FIRST.title
    assert page.locator("text=model not found").count() == 0
    page.problems[:] = [p for p in page.problems if "widget model not found" not in p]


def test_the_menu_switches_by_mouse_and_keyboard_and_back_returns(dashboard):
    page = dashboard("panel=" + FIRST.name)
    name = NAMES[-1]
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the panel"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.classList.contains('fv-main')")
    item = page.get_by_role("link", name=panels.entry(name).title, exact=True)
    item.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_function(f"location.search.includes('panel={name}')", timeout=PATIENCE)
    assert title(page) == panels.entry(name).title
    assert page.locator(".fv-rail [aria-current]").inner_text() == panels.entry(name).title
    page.evaluate("history.back()")
    page.wait_for_function(
        "title => document.querySelector('.fv-panel:not(.fv-away) .fv-title')?.innerText === title",
        arg=FIRST.title,
    )
    assert query_of(page)["panel"] == FIRST.name
    page.evaluate("history.forward()")
    page.wait_for_function(f"location.search.includes('panel={name}')")
    page.set_viewport_size({"width": 400, "height": 800})
    assert not page.locator(".fv-rail").is_visible(), "on a phone it is behind a button"
    menu = page.get_by_role("button", name="Panels", exact=True)
    menu.click()
    assert menu.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not page.locator(".fv-rail").is_visible()
    menu.click()
    page.get_by_role("link", name=FIRST.title, exact=True).click()
    page.wait_for_function(f"location.search.includes('panel={FIRST.name}')", timeout=PATIENCE)
    assert not page.locator(".fv-rail").is_visible()
    assert overflow(page) <= 0


CHOOSE = """(title) => {
  [...document.querySelectorAll(".fv-item")].find((one) => one.textContent === title).click();
  return document.querySelector(".fv-rail [aria-current]").textContent;
}"""
FRAMED = """() => [...document.querySelectorAll(".fv-frame :is(.fv-title, .fv-told)")].map(
  (one) => one.textContent)"""
PLACES = """(panel) => {
  const parts = [".fv-title", ".fv-told", ".fv-slot-picture > .fv-card", ".fv-run-bar"];
  return parts.flatMap((part) => [...document.querySelectorAll(`${panel} ${part}`)].map((one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return part === ".fv-told" ? [x, y] : [x, y, width, height];
  }));
}"""


@pytest.mark.parametrize("name", ["ratio_travels", "limits"])
def test_a_chosen_panel_has_its_frame_at_once_and_comes_into_it(dashboard, name):
    entry = panels.entry(name)
    page = dashboard(f"panel={FIRST.name}", width=1280, height=600)
    # In one turn of the page, in which no kernel can answer.
    both = f"(title) => [({CHOOSE})(title), ({PLACES})('.fv-frame'), ({FRAMED})()]"
    current, places, told = page.evaluate(both, entry.title)
    assert current == entry.title and told == [entry.title, entry.summary]
    assert len(places) == 3 + entry.pictures
    page.wait_for_selector(".fv-frame", state="detached", timeout=PATIENCE)
    assert title(page) == entry.title
    for was, now in zip(places, page.evaluate(PLACES, READY), strict=True):
        assert now == pytest.approx(was, abs=1), "nothing jumps"
    first = f"(title) => [({CHOOSE})(title), document.querySelector('.fv-frame')]"
    assert page.evaluate(first, FIRST.title) == [FIRST.title, None], "what was open comes by itself"
    page.wait_for_function(f"location.search.includes('panel={FIRST.name}')", timeout=PATIENCE)
    assert title(page) == FIRST.title


LYING_UNDER = """() => {
  const main = document.querySelector(".fv-main");
  return [main.ariaBusy, [...main.children].every((one) => one.inert)];
}"""


def test_while_the_kernel_is_held_what_is_pressed_is_framed_and_the_last_one_comes(
    visit, start_flowviz
):
    server = start_flowviz()
    page = visit(f"panel={FIRST.name}", server=server)
    page.wait_for_selector(f"{READY} .fv-stage-pixels", timeout=PATIENCE)
    first, last = (panels.entry(name) for name in ("limits", "divergences"))
    (kernel,) = server.kernels()
    kernel.suspend()
    try:
        for entry in (first, last):
            item = page.get_by_role("link", name=entry.title, exact=True)
            item.press("Enter")
            assert page.evaluate(FRAMED) == [entry.title, entry.summary]
            assert page.get_by_role("status").filter(has_text=entry.title).count() == 1
            assert page.evaluate(LYING_UNDER) == ["true", True], "keys pass over what it covers"
            expect(item).to_be_focused()
            page.wait_for_timeout(500)
        assert page.evaluate(FRAMED) == [last.title, last.summary], "it stands while nothing comes"
    finally:
        kernel.resume()
    page.wait_for_selector(".fv-frame", state="detached", timeout=PATIENCE)
    assert title(page) == last.title and query_of(page)["panel"] == last.name
    assert page.evaluate(LYING_UNDER) == ["false", False]
    assert page.get_by_role("status").filter(has_text=last.title).count() == 0


def test_the_address_holds_the_state_and_restores_it(dashboard):
    (_, first), *_, (label, values) = FIRST.load().presets
    expected = {"panel": FIRST.name, **query_dict(FIRST.load().State(**values).to_query(first))}
    page = dashboard(f"panel={FIRST.name}")
    page.locator(f"{READY} .fv-chip", has_text=label).click()
    page.wait_for_url(lambda url: query_dict(urlsplit(url).query) == expected, timeout=PATIENCE)
    again = dashboard(urlsplit(page.url).query)
    again.locator(f'{READY} .fv-chip[aria-pressed="true"]', has_text=label).wait_for()
    again.wait_for_timeout(600)
    assert query_of(again) == expected


@pytest.mark.parametrize(
    "query, said",
    [
        ("panel=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "There is no panel"),
        (f"panel={FIRST.name}&layers=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "usable"),
        ("theme=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&template=x", "usable"),
    ],
)
def test_a_hostile_link_is_answered_in_words(dashboard, query, said):
    page = dashboard(query)
    page.on("dialog", lambda dialog: pytest.fail("a script of the link ran"))
    assert title(page) == FIRST.title
    if said != "usable" or "layers" in query:
        page.locator(f"text={said}").first.wait_for()
    assert page.locator("img[src=x]").count() == 0


def test_colours_and_ticked_goals_are_remembered(visit, voila_server):
    page = visit("panel=kl_comparison&trained=1200&log_c=0.7&goal=3", color_scheme="light")
    done = page.locator(f"{READY} .fv-goals li.fv-done")
    page.get_by_role("tab", name="Constant").click()  # where the loss that it asks for is shown
    page.get_by_role("tab", name="Goals").click()
    done.wait_for(timeout=PATIENCE)
    assert done.get_attribute("data-index") == "2" and done.get_attribute("aria-current") == "step"
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
    page.goto(voila_server.address(query="panel=kl_comparison"), wait_until="commit")
    page.wait_for_selector(READY, timeout=PATIENCE)
    assert page.locator("html").get_attribute("data-fv-theme") == "dark"
    assert page.get_by_role("button", name="Light colours").is_visible()
    assert "log_c" not in page.url, "not reached in this state"
    done.wait_for(timeout=PATIENCE)
    assert done.get_attribute("data-index") == "2"
    page.get_by_role("button", name="Forget my ticks").click()
    done.wait_for(state="hidden")


def test_a_killed_kernel_and_a_server_that_ended_are_told_and_the_state_comes_back(
    visit, start_flowviz
):
    server = start_flowviz()
    page = visit(f"panel={FIRST.name}", server=server)
    page.wait_for_url("**trained=1200**", timeout=PATIENCE)  # where it lands
    chip = page.locator(f"{READY} .fv-chip").last
    label, landed = chip.inner_text(), page.url
    chip.click()
    chosen = page.locator(f'{READY} .fv-chip[aria-pressed="true"]')
    expect(chosen).to_have_text(label, timeout=PATIENCE, use_inner_text=True)
    page.wait_for_function("(landed) => location.href !== landed", arg=landed, timeout=PATIENCE)
    page.wait_for_timeout(500)
    before = urlsplit(page.url).query
    (kernel,) = server.kernels()
    kernel.kill()
    notice = page.locator("#fv-notice")
    notice.wait_for(timeout=20_000)
    assert "what it held is gone" in notice.inner_text()
    with leaving(page):
        page.get_by_role("button", name="Reload with this state").click()
    page.wait_for_selector(READY, timeout=PATIENCE)
    assert not page.locator("#fv-notice").is_visible()
    expect(chosen).to_have_text(label, timeout=PATIENCE, use_inner_text=True)
    assert urlsplit(page.url).query == before

    page.wait_for_selector(f"{READY} .fv-chart .main-svg", timeout=PATIENCE)
    server.stop()
    notice.get_by_text("connection to the server is lost").wait_for(timeout=20_000)
    page.close()
    # The browser reports the connections that were refused; that is the point here.
    page.problems[:] = [p for p in page.problems if not re.search("(?i)refused|connection", p)]


def test_a_theme_given_to_the_command_wins_and_leaving_the_page_ends_its_kernel(
    visit, start_flowviz
):
    server = start_flowviz("--theme", "dark")
    page = visit(server=server, color_scheme="light")
    assert page.locator("html").get_attribute("data-fv-theme") == "dark"
    (kernel,) = server.kernels()
    page.goto(server.address("/lessons"))
    assert page.title() == "Lessons · flowviz"
    kernel.wait(timeout=10)
