"""The page answers a drag itself, and trains if it is asked to; the kernel is told afterwards."""

from __future__ import annotations

import re

import numpy as np

from tests.browser.shown import PANEL, PATIENCE, STAGE, TRAINING, beat, drag, pictures

SMALL = "panel=trajectories&flow=real_nvp&layers=4&hidden=16,16&spread=2&particles=500"
VIEW = """[...globalThis[Symbol.for("flowviz.stages")].values()].find(
  (view) => !view.get("strip") && view.root.checkVisibility())"""
STATES = "(view, kind) => Array.from(view.scene.own[kind][0].states)"
DRAG = f"""() => {{
  const view = {VIEW};
  const [handle] = view.handles.buttons[0];
  const box = handle.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const fire = (kind, dx, dy) => handle.dispatchEvent(new PointerEvent(kind, {{
    clientX: x + dx, clientY: y + dy, bubbles: true, pointerId: 1, isPrimary: true }}));
  handle.setPointerCapture = () => {{}};
  fire("pointerdown", 0, 0);
  fire("pointermove", -50, -30);
  const now = ({STATES})(view, "paths");
  fire("pointerup", -50, -30);
  return now;
}}"""


def near(page) -> None:
    """Come near the picture, and wait until the flow is in the page."""
    page.locator(f"{STAGE} .fv-stage-plot").first.hover()
    page.wait_for_function(f"{VIEW}.carrier?.current", timeout=PATIENCE)


def comes_to(page, kind: str, wanted: np.ndarray, within: float, *, near: bool = True) -> None:
    """Wait until the states are as wanted, or, where they are not to be ``near``, are not."""
    page.wait_for_function(
        f"""([kind, wanted, within, near]) => {{
          const states = ({STATES})({VIEW}, kind);
          return near === states.every((value, i) => Math.abs(value - wanted[i]) < within);
        }}""",
        arg=[kind, wanted.ravel().tolist(), within, near],
        timeout=PATIENCE,
    )


def states(page, kind: str) -> np.ndarray:
    return np.array(page.evaluate(f"({STATES})({VIEW}, {kind!r})")).reshape(-1, 2)


def test_a_drag_is_answered_at_once_and_as_the_kernel_answers(dashboard):
    page = dashboard(SMALL)
    before = states(page, "paths")
    near(page)
    # No message comes in between: what is read there is the page's own doing.
    own = np.array(page.evaluate(DRAG)).reshape(-1, 2)
    assert np.abs(own - before).max(1).min() > 0.05, "the whole path has moved"
    page.wait_for_url("**point=**")
    page.evaluate(f"{VIEW}.carrier = null")
    # The kernel says the same.
    drag(page, f"{STAGE} .fv-stage-handle >> nth=0", 20, 0)
    comes_to(page, "paths", own, 0.1, near=False)
    beat(page, 500)
    drag(page, f"{STAGE} .fv-stage-handle >> nth=0", -20, 0)
    comes_to(page, "paths", own, 1e-2)


def test_a_slider_of_a_layer_moves_the_picture_before_the_kernel_does(dashboard):
    page = dashboard("panel=trajectories&flow=planar&layers=2&adjustments=1.b,0.5&particles=500")
    page.get_by_label("b", exact=True).focus()
    page.wait_for_function(f"{VIEW}.carrier?.current", timeout=PATIENCE)
    before = states(page, "particles")
    own = page.evaluate(f"""() => {{
      const label = [...document.querySelectorAll("{PANEL} .fv-slider label")]
        .find((one) => one.textContent === "b" && one.checkVisibility());
      const track = label.parentElement.querySelector("input[type=range]");
      track.value = Number(track.value) + 120;
      track.dispatchEvent(new Event("input", {{ bubbles: true }}));
      return ({STATES})({VIEW}, "particles");
    }}""")
    own = np.array(own).reshape(-1, 2)
    assert np.abs(own - before).max() > 0.1
    page.wait_for_url("**adjustments=1.b,1.7**")
    beat(page, 1500)
    assert np.abs(states(page, "particles") - own).max() < 1e-4, "the kernel says the same"
    assert page.evaluate(f"{VIEW}.carrier.current"), "what was turned here the page knows"
    page.get_by_role("button", name="Undo adjustments").click()
    page.wait_for_function(f"!{VIEW}.carrier?.current", timeout=PATIENCE)


def test_the_page_trains_and_the_kernel_goes_on_from_there(dashboard):
    page = dashboard(f"{SMALL}&compute=page&steps=2000&target=two_moons")
    button = page.locator(f"{PANEL} .fv-run-train")
    untrained = pictures(page)
    button.click()
    page.wait_for_function(f"{VIEW}.carrier?.training?.done >= 400", timeout=PATIENCE)
    assert "steps/s" in page.locator(f"{PANEL} .fv-run-status").inner_text()
    button.click()
    page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
    page.wait_for_url(re.compile(r"trained=\d{3,}"))
    beat(page, 1000)
    done = page.evaluate(f"{VIEW}.carrier.training.done")
    assert f"trained={done}" in page.url and done >= 400
    assert page.locator(f"{TRAINING} .fv-run-words").inner_text().startswith(f"step {done:,}")
    own = states(page, "particles")
    assert pictures(page) != untrained
    page.locator(f"{TRAINING} input").press("Home")
    beat(page, 300)
    assert np.abs(states(page, "particles") - own).max() > 0.1, "looking back"
    page.locator(f"{TRAINING} input").press("End")
    beat(page, 300)
    assert np.abs(states(page, "particles") - own).max() < 1e-4
    # The kernel has the same flow: it draws the same with the page's carrier out of the way.
    page.get_by_role("combobox", name="Colour").select_option(index=1)
    beat(page, 1500)
    assert np.abs(states(page, "particles") - own).max() < 1e-3
    page.get_by_role("button", name=re.compile("^Reset")).click()
    page.locator(f"{PANEL} .fv-run-status", has_text="not trained").wait_for(timeout=PATIENCE)
