"""What axe-core finds on the panels' pages, in light and dark: nothing."""

from __future__ import annotations

from importlib.resources import files

import pytest

from flowviz import panels
from tests.browser.shown import PATIENCE, beat

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
PANEL = ".fv-panel:not(.fv-away)"
# Each violation: its rule, what it says, and the first elements that it is about.
LOOK = """async () => {
  const { violations } = await axe.run(document.querySelector(".fv-dash") ?? document, {
    rules: { "label-content-name-mismatch": { enabled: true }, "target-size": { enabled: true } },
  });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 4).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}"""


@pytest.mark.parametrize("name", panels.names())
def test_axe_finds_nothing(name, dashboard):
    page = dashboard(f"panel={name}", width=1280, height=720)
    page.evaluate(AXE)
    found = []
    for width, height in ((1280, 720), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.fvTheme = theme; }", theme)
            beat(page, 250)
            found += [f"{width}, {theme}: {one}" for one in page.evaluate(LOOK)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/login", "/lessons", "/nothing", "/voila/render/index.ipynb"])
def test_axe_finds_nothing_on_the_pages_around_them(path, theme, voila_server, open_page):
    page = open_page(color_scheme=theme, bypass_csp=True)
    address = voila_server.origin + path if path == "/login" else voila_server.address(path)
    page.goto(address, wait_until="commit")
    page.wait_for_selector("h1 >> visible=true", timeout=PATIENCE)
    page.evaluate(AXE)
    assert page.evaluate(LOOK) == []
    page.problems[:] = [problem for problem in page.problems if "404" not in problem]


@pytest.mark.parametrize("name", panels.names())
def test_all_is_reached_and_driven_by_the_keyboard(name, dashboard):
    page = dashboard(f"panel={name}", width=1280, height=720)
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => [...document.activeElement.classList, document.activeElement.type]
                  .filter((one) => one?.startsWith?.("fv-") || one === "range").join(" ")"""
            )
        )
    tiles = ["fv-tile"] if page.locator(f"{PANEL} .fv-tile").count() else []
    plays = page.locator(f"{PANEL} .fv-run-play").is_visible()
    run = "fv-run-play" if plays else "fv-run-train"
    for wanted in ("fv-chip", "fv-more-button", *tiles, run, "fv-tab"):
        assert any(wanted in one for one in reached), (wanted, reached)
    if not plays:
        return
    page.locator(f"{PANEL} .fv-run-depth input").focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"document.querySelector('{PANEL} .fv-run-depth input').value === '0'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelector('{PANEL} .fv-run-depth input').value >= 1")


def test_a_tab_is_reached_although_the_style_comes_late(dashboard):
    page = dashboard("panel=change_of_variables", width=1280, height=720)
    chosen = f"{PANEL} .fv-tab[tabindex='0']"
    late = page.add_style_tag(content=".fv-panel .fv-tab-controls { display: block !important }")
    page.set_viewport_size({"width": 1270, "height": 720})
    page.wait_for_selector(f"{chosen}.fv-tab-controls", timeout=PATIENCE)
    late.evaluate("one => one.remove()")
    page.wait_for_selector(f"{chosen}:not(.fv-tab-controls)", timeout=PATIENCE)


def test_forced_colours_keep_what_is_chosen_apart(dashboard):
    page = dashboard("panel=trajectories", width=1280, height=720)
    page.emulate_media(forced_colors="active")
    beat(page, 200)
    styles = page.evaluate(
        """panel => ['true', 'false'].map((checked) => {
          const tile = document.querySelector(`${panel} .fv-tile[aria-checked="${checked}"]`);
          const frame = tile.querySelector(".fv-tile-frame");
          const { borderColor, borderWidth, outlineStyle } = getComputedStyle(frame);
          return [borderColor, borderWidth, outlineStyle].join();
        })""",
        PANEL,
    )
    page.emulate_media(forced_colors="none")
    assert styles[0] != styles[1]
