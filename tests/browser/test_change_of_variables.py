"""Change of variables on a real page: a knot is dragged, and picture and numbers follow."""

from __future__ import annotations

import pytest

from tests.browser.shown import PANEL, PATIENCE, STAGE, beat, drag, play, position

KNOT = f"{STAGE} .fv-stage-handle[data-shape=knot] >> nth=3"
DRAWN = f"document.querySelector('{STAGE} canvas.fv-stage-marks').toDataURL()"


def test_a_dragged_knot_moves_the_density_and_playing_sends_nothing(dashboard):
    page = dashboard("panel=change_of_variables&position=0", width=1280, height=720)
    assert position(page) == 0
    sent = len(page.sent)
    assert play(page) == 0
    assert position(page) == 2
    assert len(page.sent) <= sent + 2, "where the stage stands now"
    beat(page, 300)
    before = page.evaluate(DRAWN)
    sentence, areas = (page.locator(f"{PANEL} {one}") for one in (".fv-now", ".gtitle"))
    said, written = sentence.inner_text(), areas.text_content()
    drag(page, KNOT, 0, -60)
    page.wait_for_url("**knots=**")
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).innerText !== before",
        arg=[f"{PANEL} .fv-now", said],
        timeout=PATIENCE,
    )
    assert areas.text_content() != written and "Area 1.000 with" in areas.text_content()
    assert page.evaluate(DRAWN) != before
    page.locator(f"{PANEL} .fv-slot-controls select").nth(1).select_option("Knot 4")
    beat(page, 300)
    x = page.locator(f"{PANEL} .fv-slot-controls .fv-slider-value:visible").nth(1).input_value()
    assert float(x) > 0.9, "the slider is the handle's twin"


GOALS = f"{PANEL} .fv-goals"
WHOLE = """one => {
  const [whole, seen] = [one, one.closest('.fv-tab-content')].map((e) => e.getBoundingClientRect());
  return whole.top >= seen.top - 1 && whole.bottom <= seen.bottom + 1;
}"""


@pytest.mark.parametrize("height", [720, 600])
def test_a_goal_that_is_reached_or_asked_about_is_seen_whole_and_forgotten_for_good(
    dashboard, height
):
    folded = "knots=-2,-2;-1,1.5;0,0;1,0.2;2,2&fold=1"
    page = dashboard(f"panel=change_of_variables&{folded}", width=1280, height=height)
    goals = page.locator(f"{GOALS} li")
    for one in (0, 1):
        goals.nth(one).locator("summary").click()
        beat(page, 200)
        assert goals.nth(one).evaluate(WHOLE), "the hint"
    done = page.locator(f"{GOALS} .fv-done")
    for forgotten in done.all():
        assert forgotten.is_visible()
    page.get_by_role("button", name="Forget my ticks").click()
    beat(page, 1000)
    assert done.count() == 0
    drag(page, KNOT, 0, 12)
    beat(page, 1500)
    assert done.count() == 0, "it has held all along"
    page.locator(f"{PANEL} .fv-chip").first.click()
    page.locator(f"{PANEL} .fv-now", has_text="median").wait_for(timeout=PATIENCE)
    page.get_by_label("Let the knots fold").check()
    goals.nth(0).locator("p").first.evaluate(
        "one => { one.closest('.fv-tab-content').scrollTop = 0; }"
    )
    drag(page, KNOT, 0, 150)
    reached = page.locator(f'{GOALS} .fv-done[data-index="2"]')  # another one on the way, perhaps
    reached.wait_for(timeout=PATIENCE)
    beat(page, 200)
    assert reached.evaluate(WHOLE)
