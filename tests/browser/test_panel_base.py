"""The panel base on a real page, by the demonstration panel: Voila and JupyterLab."""

from __future__ import annotations

import pytest

from tests.browser.served import lab, only, voila

CELLS = [
    "from tests.widgets.demo_panel import Demo\nfirst = Demo()\nfirst",
    "second = Demo(hide=['formula', 'seed'], layers=2)\n"
    "second.restore('layers=99&rate=0.01')\nsecond",
    "import ipywidgets\nhide = ipywidgets.Button(description='Hide layers')\n"
    "hide.on_click(lambda _: second.update(hide=['layers', 'formula']))\nhide",
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with voila(tmp_path_factory.mktemp("panel"), CELLS) as found:
        yield found


@pytest.fixture
def visit(address, open_page):
    def open_(**options):
        page = open_page(**options)
        only(page, address)
        page.goto(address)
        page.locator(".fv-panel").nth(1).wait_for(timeout=60_000)
        page.locator(".fv-panel .demo-picture").nth(1).wait_for()
        return page, page.locator(".fv-panel").nth(0), page.locator(".fv-panel").nth(1)

    return open_


def boxes(panel) -> dict[str, dict[str, float]]:
    return {
        area: panel.locator(f".fv-slot-{area}").bounding_box()
        for area in ("pictures", "controls", "strip")
    }


def test_wide_panels_have_controls_left_and_narrow_ones_pictures_first(visit, screenshots):
    page, first, _ = visit()
    wide = boxes(first)
    assert wide["controls"]["x"] + wide["controls"]["width"] < wide["pictures"]["x"]
    assert wide["controls"]["y"] == wide["pictures"]["y"]
    assert wide["pictures"]["width"] > 3 * wide["controls"]["width"]
    assert wide["strip"]["y"] >= wide["controls"]["y"] + wide["controls"]["height"]
    page.screenshot(path=screenshots / "panel-base-light-1280.png", full_page=True)

    page, first, _ = visit(width=400, height=1400)
    narrow = boxes(first)
    assert narrow["pictures"]["y"] < narrow["controls"]["y"] < narrow["strip"]["y"]
    inside = page.evaluate(
        "[...document.querySelectorAll('.fv-panel *')].filter((e) => e.checkVisibility()"
        " && !e.closest('.fv-unseen')).every((e) => e.getBoundingClientRect().right <= 400)"
    )
    assert inside
    page.screenshot(path=screenshots / "panel-base-light-400.png")


def test_dark(visit, screenshots):
    page, first, _ = visit()
    page.evaluate("document.documentElement.dataset.fvTheme = 'dark'")
    style = first.evaluate("e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]")
    assert style == ["rgb(17, 21, 27)", "rgb(232, 237, 243)"]
    page.screenshot(path=screenshots / "panel-base-dark-1280.png", full_page=True)


def test_sliders_by_keyboard_by_mouse_and_by_typing(visit):
    _, first, second = visit()
    picture = first.locator(".demo-picture")
    layers = first.get_by_label("Layers", exact=True)
    layers.press("ArrowRight")
    picture.get_by_text("5 layers").wait_for()
    layers.press("End")
    picture.get_by_text("12 layers").wait_for()
    box = layers.bounding_box()
    layers.click(position={"x": 8, "y": box["height"] / 2})
    picture.get_by_text("1 layers").wait_for()
    value = first.get_by_label("Layers, as a number")
    value.fill("7")
    value.press("Enter")
    picture.get_by_text("7 layers").wait_for()
    value.fill("many")
    value.press("Tab")
    assert value.input_value() == "7"
    rate = first.get_by_label("Learning rate", exact=True)
    assert first.get_by_label("Learning rate, as a number").input_value() == "0.003"
    rate.press("ArrowRight")
    assert first.get_by_label("Learning rate, as a number").input_value() == "0.0032"
    assert "2 layers" not in picture.inner_text()
    assert second.locator(".demo-picture").inner_text() == "4 layers"  # another panel's own


def test_controls_are_hidden_while_the_panel_is_displayed(visit):
    page, _, second = visit()
    layers, seed = (second.get_by_label(name, exact=True) for name in ("Layers", "Seed"))
    assert layers.is_visible() and seed.is_visible()
    page.get_by_role("button", name="Hide layers").click()
    layers.wait_for(state="hidden")
    assert seed.is_visible()


def test_the_gallery_is_a_radio_group(visit):
    page, first, _ = visit()
    tiles = first.get_by_role("radiogroup", name="Target").get_by_role("radio")
    assert tiles.evaluate_all(
        "all => all.map((e) => [e.ariaLabel, e.ariaChecked, e.tabIndex])"
    ) == [
        ["Ring", "true", 0],
        ["Two moons", "false", -1],
        ["Eight Gaussians", "false", -1],
    ]
    tiles.nth(0).press("ArrowRight")
    assert tiles.nth(1).get_attribute("aria-checked") == "true"
    assert page.evaluate("document.activeElement.title") == "Two moons"
    tiles.nth(2).click()
    assert tiles.nth(2).get_attribute("aria-checked") == "true"
    first.get_by_role("button", name="Show code").click()
    first.locator(".fv-code", has_text="target='eight'").wait_for()
    mask = tiles.nth(0).locator(".fv-tile-picture").evaluate("e => e.style.maskImage")
    assert mask.startswith('url("data:image/png')


def test_presets_code_and_copying(visit):
    page, first, _ = visit(permissions=["clipboard-read", "clipboard-write"])
    deep = first.get_by_role("button", name="Deep")
    deep.click()
    first.locator(".demo-picture", has_text="9 layers").wait_for()
    first.locator(".fv-chip[aria-pressed=true]", has_text="Deep").wait_for()
    first.get_by_role("button", name="Copy line").click()
    first.get_by_role("button", name="Copied").wait_for()
    line = "flowviz.panels.make('demo', layers=9)"
    assert page.evaluate("navigator.clipboard.readText()") == f"import flowviz; {line}"
    show = first.get_by_role("button", name="Show code")
    show.press("Enter")
    first.locator(".fv-code", has_text=line).wait_for()
    first.get_by_role("button", name="Hide code").press("Enter")
    first.locator(".fv-code").wait_for(state="hidden")


def test_presenting_hides_the_controls_until_escape(visit):
    page, first, second = visit()
    first.get_by_role("button", name="Present").click()
    first.locator(".fv-slot-controls").wait_for(state="hidden")
    assert second.locator(".fv-slot-controls").is_visible()
    width = first.locator(".fv-slot-pictures").bounding_box()["width"]
    assert width > 1150
    page.keyboard.press("Escape")
    first.locator(".fv-slot-controls").wait_for(state="visible")


def test_jobs_report_and_stop_while_the_controls_stay_live(visit):
    _, first, _ = visit()
    note = first.locator(".fv-note").first
    first.get_by_role("button", name="Count").click()
    note.get_by_text("step ").wait_for()
    seen = note.inner_text()
    first.get_by_label("Layers", exact=True).press("ArrowRight")
    first.locator(".demo-picture", has_text="5 layers").wait_for(timeout=2_000)
    first.page.wait_for_function(
        "seen => document.querySelector('.fv-note').innerText !== seen", arg=seen
    )
    first.get_by_role("button", name="Stop").click()
    note.get_by_text("stopped, step ").wait_for(timeout=2_000)


def test_a_bad_link_is_told(visit):
    _, _, second = visit()
    alert = second.get_by_role("alert")
    assert "layers=99 is not allowed: a whole number from 1 to 12" in alert.inner_text()
    assert second.get_by_label("Learning rate, as a number").input_value() == "0.01"
    second.get_by_role("button", name="✕").click()
    alert.wait_for(state="hidden")
    # A link says what is hidden: this one hides nothing.
    assert second.get_by_label("Formula").is_visible()


def test_in_jupyterlab(tmp_path, open_page, screenshots):
    with lab(tmp_path, [CELLS[0]]) as found:
        page = open_page(width=1280, height=1000)
        only(page, found)
        page.goto(found)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        panel = page.locator(".fv-panel")
        panel.locator(".demo-picture").wait_for(timeout=60_000)
        panel.get_by_label("Layers", exact=True).press("ArrowRight")
        panel.locator(".demo-picture", has_text="5 layers").wait_for()
        panel.get_by_role("button", name="Count").click()
        note = panel.locator(".fv-note").first
        note.get_by_text("step ").wait_for()
        panel.get_by_label("Layers", exact=True).press("ArrowRight")
        panel.locator(".demo-picture", has_text="6 layers").wait_for(timeout=2_000)
        panel.get_by_role("button", name="Stop").click()
        note.get_by_text("stopped, step ").wait_for(timeout=2_000)
        page.screenshot(path=screenshots / "panel-base-lab-light.png")
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        page.wait_for_function(
            "getComputedStyle(document.querySelector('.fv-panel')).colorScheme === 'dark'"
        )
        page.screenshot(path=screenshots / "panel-base-lab-dark.png")
        page.goto("about:blank")
