"""One screen: what is pressed and what is watched are in the window together, in every panel."""

from __future__ import annotations

import pytest

from flowviz import panels
from tests.browser.shown import beat

PATIENCE = 60_000
PANEL = ".fv-panel:not(.fv-away)"
PRESSED = {
    "play": ".fv-run-play",
    "layers": ".fv-run-depth input",
    "train": ".fv-run-train",
    "state of the training": ".fv-run-training .fv-run-words",
}
LEAST = {  # the side of a picture, where there is one, and where there are two
    (1280, 600): (400, 240),
    (1280, 720): (480, 300),
    (1920, 1080): (700, 560),
    (390, 844): (320, 170),
}
WIDE = [(1280, 600), (1280, 720), (1920, 1080)]

# What cannot be seen, or lies under something else, or out of the window, or is cut; and the
# pictures' sides.
LOOK = """([panel, pressed]) => {
  const root = document.querySelector(panel);
  const inside = (box) => box.left >= -0.5 && box.top >= -0.5
    && box.right <= innerWidth + 0.5 && box.bottom <= innerHeight + 0.5;
  const free = (one, box) => {
    const at = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    return at && (one.contains(at) || at.contains(one));
  };
  const missing = [];
  const look = (name, one) => {
    const box = one?.getBoundingClientRect();
    if (!one || !one.checkVisibility() || box.width < 1) missing.push(`${name}: not there`);
    else if (!inside(box)) missing.push(`${name}: ${JSON.stringify(box)}`);
    else if (!free(one, box)) missing.push(`${name}: covered`);
  };
  const pictures = [...root.querySelectorAll('.fv-slot-picture .fv-stage-plot')];
  pictures.forEach((one, i) => look(`picture ${i + 1}`, one));
  const bar = root.querySelector('.fv-run-bar');
  for (const [name, selector] of Object.entries(pressed)) {
    const one = root.querySelector(selector);
    if (one && !one.closest('[hidden]')) look(name, one);
  }
  const tabs = root.querySelector('.fv-tab-list');
  const more = tabs.scrollWidth - tabs.clientWidth - tabs.scrollLeft > 1;
  if (more && !tabs.matches('.fv-more-right')) missing.push('tabs: cut without a sign');
  const short = ['.fv-title', '.fv-tile-name', '.fv-readout-body', '.fv-three',
    '.fv-slot-picture .fv-card-subtitle'];
  for (const one of root.querySelectorAll(short)) {
    const around = one.parentElement.getBoundingClientRect();
    const shown = one.checkVisibility() && one.getBoundingClientRect().top < around.bottom;
    const cut = shown && one.scrollWidth > one.clientWidth;
    if (cut) missing.push(`${one.innerText}: cut`);
  }
  const page = document.documentElement;
  if (page.scrollHeight > innerHeight + 1 || page.scrollWidth > innerWidth) {
    missing.push(`the page scrolls: ${page.scrollWidth} × ${page.scrollHeight}`);
  }
  return { missing, sides: pictures.map((one) => Math.min(one.clientWidth, one.clientHeight)) };
}"""


# What has to be scrolled to, of the controls, the goals and the presets, where the window is wide.
SCROLLED = """panel => {
  const root = document.querySelector(panel);
  const controls = root.querySelector('.fv-slot-controls > .fv-card');
  const seen = root.querySelector('.fv-goals').getBoundingClientRect();
  const over = [...root.querySelectorAll('.fv-goals li')]
    .filter((one) => one.getBoundingClientRect().bottom > seen.bottom + 1);
  const [tabs, presets] = ['.fv-tab-list', '.fv-presets'].map((one) => root.querySelector(one));
  const found = over.map((one) => one.innerText);
  if (controls.scrollHeight > controls.clientHeight + 1) found.push('the controls');
  if (tabs.scrollWidth > tabs.clientWidth) found.push('the tabs');
  if (presets.scrollWidth > presets.clientWidth) found.push('the presets');
  return found;
}"""


# Numbers under the pictures that go on where nobody sees them.
CUT = """panel => [...document.querySelectorAll(`${panel} .fv-slot-picture .fv-readout-value`)]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right
    > one.closest('.fv-readout').getBoundingClientRect().right + 1)
  .map((one) => one.innerText)"""


def check(page, size: tuple[int, int], when: str, least: tuple[int, int] | None = None) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    for pause in (40, 80):  # most layouts have come to rest after the first
        beat(page, pause)
        found = page.evaluate(LOOK, [PANEL, PRESSED])
        one, two = least or LEAST[size]
        sides = found["sides"]
        large = min(sides) >= (one if len(sides) == 1 else two)
        if large and not found["missing"]:
            return
    raise AssertionError(f"{when}, {width} × {height}: {found['missing']}, {sides}")


@pytest.mark.parametrize("name", panels.names())
def test_in_every_preset_before_and_after_training(name, dashboard, screenshots):
    page = dashboard(f"panel={name}", width=1280, height=720)
    labels = [label for label, _ in panels.entry(name).load().presets]
    for size in WIDE:
        check(page, size, "landed")
        assert not page.evaluate(SCROLLED, PANEL), size
    for label in labels:
        page.set_viewport_size({"width": 1280, "height": 720})
        page.locator(f"{PANEL} .fv-chip", has_text=label).click()
        page.locator(f'{PANEL} .fv-chip[aria-pressed="true"]', has_text=label).wait_for()
        for size in LEAST:
            check(page, size, label)
    train = page.locator(f"{PANEL} .fv-run-train")
    if train.is_visible():
        train.click()
        page.locator(f"{PANEL} .fv-running").wait_for(timeout=PATIENCE)
        beat(page, 700)
        train.click()
        page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
        for size in LEAST:
            check(page, size, "after training")
    page.set_viewport_size({"width": 354, "height": 640})  # a lesson's panel on a phone
    beat(page, 150)
    assert page.evaluate(CUT, PANEL) == []
    for theme, sizes in (("light", list(LEAST)), ("dark", [(1280, 600)])):
        page.evaluate("theme => { document.documentElement.dataset.fvTheme = theme; }", theme)
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            beat(page, 150)
            page.screenshot(path=screenshots / f"{name}-{width}x{height}-{theme}.png")


@pytest.mark.parametrize("name", panels.names())
def test_presented_the_picture_is_as_high_as_the_window_allows(name, dashboard, screenshots):
    page = dashboard(f"panel={name}&present=1", width=1920, height=1080)
    page.locator(".fv-presenting").wait_for(state="attached")
    check(page, (1920, 1080), "presented", (760, 760))
    page.screenshot(path=screenshots / f"{name}-presented.png")
    sizes = page.evaluate(
        """panel => ['.fv-title', '.fv-chip', '.fv-readout-value'].map((name) => {
          const one = [...document.querySelectorAll(`${panel} ${name}`)]
            .find((element) => element.checkVisibility());
          return one ? parseFloat(getComputedStyle(one).fontSize) : 99;
        })""",
        PANEL,
    )
    assert sizes[0] >= 20 and sizes[1] >= 20 and sizes[2] >= 28
    for size in ((1280, 600), (1280, 720), (390, 844)):
        check(page, size, "presented", LEAST[size])
    # Keys: a preset, play, leave.
    page.set_viewport_size({"width": 1280, "height": 720})
    page.keyboard.press("2")
    page.locator(f'{PANEL} .fv-chip:nth-child(2)[aria-pressed="true"]').wait_for()
    page.keyboard.press("b")
    assert page.locator(f"{PANEL} .fv-black").is_visible()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    page.locator(".fv-presenting").wait_for(state="detached")
    assert page.locator(".fv-rail").is_visible()


# Whether every preset can be reached, and a row that goes on says so: faded on that side.
PRESETS = """panel => {
  const root = document.querySelector(panel);
  const [row, menu] = ['.fv-presets', '.fv-preset-choice'].map((one) => root.querySelector(one));
  if (menu.checkVisibility()) return { reached: menu.options.length - 1, cues: [] };
  const cues = [];
  const cue = () => cues.push(getComputedStyle(row).maskImage !== 'none'
    ? [row.matches('.fv-more-left'), row.matches('.fv-more-right')] : [false, false]);
  const seen = (chip) => {
    const [box, around] = [chip, row].map((one) => one.getBoundingClientRect());
    return box.left >= around.left - 1 && box.right <= around.right + 1;
  };
  const chips = [...row.children];
  const first = chips.filter(seen);
  cue();
  row.scrollLeft = row.scrollWidth;
  return new Promise((done) => row.addEventListener("scroll", () => requestAnimationFrame(() => {
    cue();
    const last = chips.filter(seen);
    done({ reached: new Set([...first, ...last]).size, cues });
  }), { once: true }));
}"""


@pytest.mark.parametrize(("width", "cues"), [(390, []), (1000, [[False, True], [True, False]])])
def test_presets_that_have_no_room_are_a_menu_or_a_row_that_fades_where_it_goes_on(
    width, cues, dashboard
):
    page = dashboard("panel=jacobian_volume", width=width, height=720)
    page.locator(f'{PANEL} [aria-pressed="true"]').first.wait_for(state="attached")
    beat(page, 150)
    assert page.evaluate(PRESETS, PANEL) == {"reached": 6, "cues": cues}


def test_what_there_is_to_choose_stands_alone_where_it_is_a_tab(dashboard):
    page = dashboard("panel=trajectories", width=960, height=600)
    content = page.locator(f"{PANEL} .fv-tab-content:not(.fv-tab-away)")
    assert page.get_by_role("tab", name="Choose").get_attribute("aria-selected") == "true"
    assert page.locator(f"{PANEL} .fv-slot-controls").is_visible() and content.is_hidden()
    page.get_by_role("tab", name="Goals").click()
    assert page.locator(f"{PANEL} .fv-slot-controls").is_hidden() and content.is_visible()
