"""Panels saved as pages: carried, dragged and trained by the page itself, from a file."""

from __future__ import annotations

import base64
import gzip
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flowviz import panels, targets
from flowviz.grid import Grid2D
from flowviz.panels.kl_comparison import AGREED
from flowviz.panels.parts import density_following
from flowviz.panels.parts.following import made
from flowviz.panels.parts.hand_set_layers import CREASE
from flowviz.panels.parts.knots import GAP
from flowviz.panels.parts.line_following import following
from flowviz.panels.parts.line_maps import LEAST_SCALE, POINT
from flowviz.panels.parts.model_on_grid import CELLS
from flowviz.panels.parts.two_sides import SLICED
from flowviz.panels.parts.volume_words import factor_in_words
from flowviz.panels.ratio_travels import GAUSSIAN
from flowviz.widgets.page.packed import packed
from flowviz.widgets.readouts import format_number
from tests.unpacked import unpacked

OpenPage = Callable[..., Any]
SMALL = {"particles": 500, "hidden": "16,16"}
"""Of a flow whose page is made in a moment."""
STATES = "Array.from(flowviz.views[0].scene.own.{kind}[{index}].states)"


def opened(open_page: OpenPage, html: str, folder: Path, **options: Any) -> tuple[Any, list[str]]:
    """The page of a file, alive, and the requests that it makes."""
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    page = open_page(1280, 720, **options)
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if "blob:" not in r.url else None)
    page.goto(path.as_uri())
    page.wait_for_function("globalThis.flowviz?.ready !== undefined")
    page.evaluate("flowviz.ready.then(() => true)")
    page.evaluate("flowviz.clock.act((p) => { p.pause(); p.seek(p.last); })")
    return page, requests


def states_of(page: Any, kind: str, index: int = 0) -> np.ndarray:
    return np.array(page.evaluate(STATES.format(kind=kind, index=index))).reshape(-1, 2)


def altered(html: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The page with another state."""
    found = re.search(r'id="state">([^<]*)<', html)
    assert found is not None
    state = unpacked(gzip.decompress(base64.b64decode(found[1])))
    change(state)
    text = base64.b64encode(gzip.compress(packed(state))).decode()
    return html[: found.start(1)] + text + html[found.end(1) :]


@pytest.fixture(scope="module")
def trajectories() -> Any:
    return panels.make("trajectories", flow="rq_spline_coupling", layers=2, **SMALL)


def test_a_page_carries_what_is_dragged(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    page, requests = opened(open_page, trajectories.to_html(), tmp_path)
    flow = trajectories.model.flow
    particles = trajectories.stage.particles[0].states.reshape(-1, 2)
    assert np.abs(states_of(page, "particles") - particles).max() < 1e-4
    handle = page.locator(".fv-stage-handle").first
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y + 90, steps=4)
    page.mouse.up()
    path = states_of(page, "paths")
    u = torch.tensor(path[:1], dtype=torch.float32)
    assert abs(float(u[0, 0]) - 1.0) > 0.2, "the handle has not moved"
    with torch.no_grad():
        trace = flow.trace(u)
    assert np.abs(path - trace.states.reshape(-1, 2).numpy()).max() < 1e-4
    total = float(trace.logabsdet.sum())
    known = page.evaluate("flowviz.ready.then((live) => live.known())")
    assert known["total"] == pytest.approx(total, abs=1e-4) and known["step"] == 0
    assert (known["position"], known["inverse"], known["target"]) == (2, 0, "Eight Gaussians")
    said = page.locator(".fv-stage-tally li").last.inner_text().replace("−", "-")
    assert abs(float(said.split()[-1]) - total) < 0.01
    sentence = page.locator(".fv-stage-said")
    assert f"the whole flow {factor_in_words(total)}" in sentence.inner_text()
    page.evaluate("flowviz.clock.act((p) => { p.seek(p.stretches); })")
    first = factor_in_words(float(trace.logabsdet[0]))
    assert f"At the marked point layer 1 {first}" in sentence.inner_text()
    assert requests == [(tmp_path / "page.html").as_uri()], "it needs nothing but itself"


def test_a_point_beyond_its_limit_is_refused_in_words(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    page, _ = opened(open_page, trajectories.to_html(), tmp_path)
    page.evaluate("flowviz.views[0].handleMoved(0, 0, [1, 2], true)")
    refused = page.locator(".fv-stage-refused")
    assert not refused.inner_text()
    bound = type(trajectories.settings).point.bound
    page.evaluate(f"flowviz.views[0].handleMoved(0, 0, [{bound + 1}, 0], true)")
    said = f"There u would be at ({bound + 1:.1f}, 0): its coordinates go from −{bound:g} to "
    assert refused.inner_text() == f"{said}{bound:g}."
    assert page.evaluate("flowviz.views[0].scene.own.handles[0].points[0]") == [1, 2]
    np.testing.assert_allclose(states_of(page, "paths")[0], [1, 2], atol=1e-6)


def test_a_page_trains_and_goes_back_through_it(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    page, _ = opened(open_page, trajectories.to_html(), tmp_path)
    before = states_of(page, "particles")
    drawn = page.locator(".fv-stage-loss")
    assert "Press Train" in drawn.inner_text()
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 150", timeout=60_000)
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    trained = states_of(page, "particles")
    moved = np.abs(trained - before).reshape(-1, len(before) // 500 * 2).max()
    assert moved > 0.1
    loss = float(page.evaluate("flowviz.run.get('status')").split()[1])
    assert loss < 3.6, "the loss of the untrained flow is above 4"
    moments = page.evaluate("flowviz.run.get('moments')")
    assert len(moments) >= 3 and moments[0] == 0
    page.evaluate("flowviz.clock.act((p) => p.seekMoment(0))")
    assert np.abs(states_of(page, "particles") - before).max() < 1e-4
    page.evaluate("flowviz.clock.act((p) => p.seekMoment(1))")
    early = float(drawn.locator("output").inner_text())
    page.evaluate("flowviz.clock.act((p) => p.seekMoment(-1))")
    assert np.abs(states_of(page, "particles") - trained).max() < 1e-4
    late = float(drawn.locator("output").inner_text())
    assert early > 4 and late == pytest.approx(loss, abs=6e-3), "of the step that is shown"
    assert f"step 1\n{moments[-1]:,}" in drawn.inner_text()
    page.click(".fv-run-reset")
    assert page.evaluate("flowviz.run.get('step')") == 0 and "Press Train" in drawn.inner_text()


def test_without_webassembly_a_page_is_slower_and_right(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    html = trajectories.to_html().replace(
        '<script type="module">',
        "<script>delete globalThis.WebAssembly;</script>\n<script type='module'>",
    )
    page, _ = opened(open_page, html, tmp_path)
    assert page.evaluate("flowviz.ready.then((live) => live.engine.kind)") == "plain"
    particles = trajectories.stage.particles[0].states.reshape(-1, 2)
    assert np.abs(states_of(page, "particles") - particles).max() < 1e-4


def test_a_damaged_program_is_said_and_the_page_stays(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    def damage(state: dict[str, Any]) -> None:
        programs = state["live"]["programs"]
        programs["forward"] = b"\x05\0\0\0\0\0\0\0hello"

    page, _ = opened(open_page, altered(trajectories.to_html(), damage), tmp_path)
    words = page.locator(".fv-stage-untrained").inner_text()
    assert words.startswith("This page cannot play its flow: the header is no JSON")


def test_the_ratio_travels_in_a_page(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("ratio_travels", flow="real_nvp", layers=2, hidden="16,16", trained=40)
    assert panel.jobs.wait(60)
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    page.evaluate("flowviz.views[0].handleMoved(0, 0, [-1, 0.5], true)")
    panel.update(point=[(-1, 0.5)])
    assert panel.jobs.wait(60)
    known = page.evaluate("flowviz.ready.then((live) => live.known())")
    assert known["ratio"] == pytest.approx(panel.ratios[0], abs=1e-3)
    path = np.array(page.evaluate("Array.from(flowviz.views[1].scene.own.paths[0].states)"))
    np.testing.assert_allclose(path.reshape(-1, 2), panel.x.paths[0].states[:, 0], atol=1e-3)
    said = page.locator(".fv-stage-said").inner_text()
    assert said.count(format_number(panel.ratios[0])) == 2, "on both sides"
    *ratios, in_u, in_x, far_u, far_x = page.locator(".fv-stage-figures td").all_inner_texts()
    assert ratios[:2] == [format_number(panel.ratios[0])] * 2 and in_u == in_x
    value, error = map(float, in_x.split(" ± "))
    assert abs(value - panel.sides.x["KL(p*‖p)"]) < 5 * error + 0.02
    # By a third of the panel's draws, and along other directions.
    assert float(far_u) == pytest.approx(panel.sides.u[SLICED], abs=0.05)
    assert float(far_x) == pytest.approx(panel.sides.x[SLICED], abs=0.08)
    x = panel.x.handles[0].points[0]
    shown = page.evaluate("flowviz.views[1].scene.own.handles[0].points[0]")
    np.testing.assert_allclose(shown, x, atol=1e-3)
    for i, stage in enumerate((panel.u, panel.x)):
        colours = page.evaluate(
            f"Array.from(flowviz.views[{i}].scene.own.particles[0].colour.index)"
        )
        assert np.ptp(colours) > 20, f"{stage.title}: coloured by the ratio"
    outline = "flowviz.views[0].scene.own.contours[0].values"
    pulled = np.array(page.evaluate(f"Array.from({outline})")).reshape(64, 64)
    np.testing.assert_allclose(pulled, panel.u.contours[0].values, atol=2e-3)
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 80", timeout=60_000)
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    assert np.abs(np.array(page.evaluate(f"Array.from({outline})")) - pulled.ravel()).max() > 0.05


def test_distances_shrink_with_a_map_in_a_page(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("ratio_travels", **GAUSSIAN)
    assert panel.jobs.wait(60)
    page, _ = opened(open_page, panel.to_html(), tmp_path)

    def distances() -> list[float]:
        cells = page.locator(".fv-stage-figures tr", has_text="sliced W₁").locator("td")
        return [float(text) for text in cells.all_inner_texts()]

    in_u, in_x = distances()
    assert in_u == pytest.approx(2 / math.pi * 0.5, abs=0.06)
    assert in_x == pytest.approx(in_u / 2, rel=0.01)
    goals = page.locator(".fv-stage-goals > summary")
    assert goals.inner_text() == "Goals 0/2"
    page.locator(".fv-stage-turning > summary").click()
    for label in ("offset [1,1]", "offset [2,2]"):
        page.get_by_role("slider", name=label).fill("-0.8")
    drawn(page)
    in_u, in_x = distances()
    assert in_u > 3 * in_x and goals.inner_text() == "Goals 1/2"


def test_both_objectives_train_in_a_page(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make(
        "kl_comparison", target="two_moons", flow="real_nvp", layers=2, hidden="16,16"
    )
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    images = [
        panel.stages[i].images[0].values / panel.stages[i].images[0].value_range[1] for i in (0, 1)
    ]
    for i, wanted in enumerate(images):
        shown = page.evaluate(f"Array.from(flowviz.views[{i}].scene.own.images[0].values)")
        assert np.abs(np.array(shown) - wanted.reshape(-1)).max() < 1e-3
    known = page.evaluate("flowviz.ready.then((live) => live.known())")
    for i, model in enumerate(panel.measured, 1):
        both = known[f"there {i}"], known[f"here {i}"]
        assert both == pytest.approx(model.kls, abs=5e-3)
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 60", timeout=60_000)
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    learned = page.evaluate(
        "flowviz.ready.then((live) => live.training.learned.map((v) => Array.from(v.slice(0, 50))))"
    )
    assert np.abs(np.array(learned[0]) - np.array(learned[1])).max() > 0.01, "two fits"
    known = page.evaluate("flowviz.ready.then((live) => live.known())")
    shown = page.locator(".fv-stage-figures td").all_inner_texts()
    assert shown[::2] == [format_number(known[f"there {i}"]) for i in (1, 2)]
    assert "pays where" not in page.locator(".fv-stage-said").inner_text(), "of untrained flows"
    losses = page.evaluate(
        "flowviz.ready.then(({ training }) => [0, 1].map((i) => training.lossAt(i, training.done)))"
    )
    minima = panel.models.grids[CELLS].entropy, -panel.models.target.log_z
    shown = page.locator(".fv-stage-loss output").all_inner_texts()
    for estimate, loss, minimum in zip(shown, losses, minima, strict=True):
        above = loss - minimum
        assert float(estimate) == pytest.approx(above, abs=0.01, rel=0.006), "above its minimum"


def test_a_page_trains_on_modes_that_are_dragged(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("kl_comparison", flow="real_nvp", layers=2, hidden="16,16", batch=2048)
    page, requests = opened(open_page, panel.to_html(), tmp_path)
    back = page.get_by_role("button", name="Modes back")
    assert not back.is_visible()
    dragged(page, "mode 1", -60, -30)
    modes = page.evaluate("flowviz.views[1].scene.own.handles[0].points")
    assert modes[0][0] < 2.5 and modes[0][1] > 0.3, "on the other picture as well"
    panel.update(modes=modes)
    assert panel.jobs.wait(60)
    target = panel.models.target
    known = page.evaluate("flowviz.ready.then((live) => live.known())")
    for i, model in enumerate(panel.measured, 1):
        assert (known[f"there {i}"], known[f"here {i}"]) == pytest.approx(model.kls, abs=5e-3)
    assert AGREED.keys() <= known.keys() and known["moved"] == 1
    shares = page.get_by_role("img", name="Samples nearest to each mode").locator("i")
    assert shares.count() == 2 * len(modes), "of both models"
    outline = page.evaluate("Array.from(flowviz.views[1].scene.own.contours[0].values)")
    heights = target.log_prob(Grid2D(target.window, 96).points).exp()
    np.testing.assert_allclose(outline, heights / heights.max(), atol=1e-3)
    page.get_by_role("button", name="One training step").click()
    page.wait_for_function("flowviz.run.get('step') === 1 && !flowviz.run.get('running')")
    losses = page.evaluate("flowviz.ready.then(({ training }) => training.losses.map(([l]) => l))")
    forward, reverse = panel.measured[0].kls
    minima = panel.models.grids[CELLS].entropy, -target.log_z
    assert losses == pytest.approx([forward + minima[0], reverse + minima[1]], rel=0.15)
    goals = page.locator(".fv-stage-goals > summary")
    assert goals.inner_text() == "Goals 0/2"
    page.evaluate("flowviz.views[0].handleMoved(0, 3, [9, 9], true)")
    assert "A mode stays" in page.locator(".fv-stage-refused").inner_text()
    back.click()
    drawn(page)
    first = page.evaluate("flowviz.views[0].scene.own.handles[0].points[0]")
    assert first == pytest.approx([3, 0], abs=1e-6) and not back.is_visible()
    constant = page.get_by_role("region", name="A constant C on the target")
    before = page.evaluate("flowviz.ready.then(({ constant }) => constant.loss)")
    constant.locator("input").fill("2")
    after = page.evaluate("flowviz.ready.then((live) => live.known().loss)")
    assert after == pytest.approx(before - 2) and "moved by −2" in constant.inner_text()
    assert len(requests) == 1, "the page itself"


def test_both_objectives_go_to_another_target(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("kl_comparison", flow="real_nvp", layers=2, hidden="16,16")
    page, requests = opened(open_page, panel.to_html(), tmp_path)
    page.get_by_role("combobox", name="Target").select_option("Two moons")
    moons = targets.make("two_moons")
    assert page.evaluate("flowviz.views[1].get('window')") == list(moons.window)
    assert page.evaluate("flowviz.views[1].scene.own.images[0].extent") == list(moons.window)
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 500", timeout=60_000)
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    for i in (0, 1):
        carried = f"Array.from(flowviz.views[{i}].scene.own.particles[0].states)"
        x = torch.tensor(page.evaluate(carried)).reshape(-1, 2)
        first, last = x[:800], x[-800:]
        better, worse = (float(moons.log_prob(one).median()) for one in (last, first))
        assert better > worse + 1, "it has learned the moons"
    assert len(requests) == 1, "the page itself"


def test_the_volume_of_a_page_follows_the_cursor(open_page: OpenPage, tmp_path: Path) -> None:
    # Where its Jacobian varies much over the square.
    steep = {**CREASE, "point": [[0.3, 0.1]], "side": 1.0}
    panel = panels.make("jacobian_volume", **steep)
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    for kind, index in (("grids", 0), ("shapes", 0), ("shapes", 1)):
        wanted = getattr(panel.stage, kind)[index].states.reshape(-1, 2)
        near = 1e-4 if (kind, index) != ("shapes", 1) else 5e-4  # a difference in float32
        assert np.abs(states_of(page, kind, index) - wanted).max() < near, (kind, index)
    words = panel.words().partition(" scales ")[2]
    assert words and words in page.locator(".fv-stage-said").inner_text()
    for side in (panel.settings.side, 0.05):
        panel.update(side=side)
        assert panel.jobs.wait(60)
        shown = page.locator(".fv-stage-figures td").all_inner_texts()
        ways = [float(text.replace("−", "-")) for text in shown]
        assert ways == pytest.approx(panel.cursor.ways, abs=6e-3)
        page.locator(".fv-stage-slider input").evaluate(
            "(t) => Object.assign(t, { value: Math.log(0.05) }).dispatchEvent(new Event('input'))"
        )


def dragged(page: Any, label: str, dx: float, dy: float) -> None:
    """Drag the first handle of that name by so many pixels, and wait until that is drawn."""
    box = page.locator(f".fv-stage-handle[aria-label^='{label} at']").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()
    drawn(page)


def drawn(page: Any) -> None:
    """Wait for the frame after the one that draws."""
    page.evaluate("new Promise(requestAnimationFrame)")


def numbers_of(page: Any) -> torch.Tensor:
    """What the handles have made of a page's numbers."""
    numbers = page.evaluate("flowviz.ready.then(({ follows }) => [...follows[0].numbers])")
    return torch.tensor(numbers, dtype=torch.float64)


def check_marks(page: Any, marks: list[Any]) -> None:
    """The page has the arrays of these marks."""
    counts: dict[str, int] = {}
    for mark in marks:
        index = counts[mark.kind] = counts.get(mark.kind, -1) + 1
        if mark.kind == "handles":
            shown = np.array(page.evaluate(f"flowviz.views[0].scene.own.handles[{index}].points"))
            np.testing.assert_allclose(shown, mark.points, atol=1e-4)
        else:
            shown = states_of(page, mark.kind, index)
            np.testing.assert_allclose(shown, mark.states.reshape(-1, 2), atol=1e-4)


def check_beside(page: Any, seen: Any) -> None:
    """The page has these numbers and curves beside its picture."""
    cells = page.locator(".fv-stage-figures td").all_inner_texts()
    wanted = [str(said) for row in seen.table.rows.values() for said in row]
    for pair in zip(cells, wanted, strict=True):
        number, own = (re.sub("[ %,]", "", text.replace("−", "-")) for text in pair)
        assert number == own or float(number) == pytest.approx(float(own), rel=5e-3), pair
    x, *drawn = page.evaluate(
        """(count) => flowviz.ready.then(({ follows: [{ picture }] }) =>
          ["x", ...Array(count).keys()].map((name) => [...picture.output(`plot.${name}`)]))""",
        len(seen.plot.curves),
    )
    np.testing.assert_allclose(x, seen.plot.x, atol=1e-5)
    for heights, (_, wanted) in zip(drawn, seen.plot.curves.values(), strict=True):
        np.testing.assert_allclose(np.float64(heights), wanted, rtol=1e-3, atol=1e-3)
    assert page.locator(".fv-stage-curves path").count() == 1 + len(drawn)


def test_a_page_draws_what_its_handles_say(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("change_of_variables")
    page, requests = opened(open_page, panel.to_html(), tmp_path)
    said = page.locator(".fv-stage-said")
    assert said.inner_text().endswith(panel.words())
    dragged(page, "4", 0, -60)
    numbers = numbers_of(page)
    assert float(numbers[8]) > 1.2, "the fourth knot's x"
    seen = following(panel.settings).draw(numbers)
    check_marks(page, made(seen.marks))
    check_beside(page, seen)
    assert float(seen.table.rows["area without 1/|T′|"][0].number) > panel.areas.unscaled
    assert "by mass" in said.inner_text() and panel.words() not in said.inner_text()
    dragged(page, "2", 0, -250)
    knots = numbers_of(page)[1:].reshape(-1, 2)
    assert float(knots[1, 1]) == pytest.approx(float(knots[2, 1]) - GAP), "as far as its neighbour"
    at = page.evaluate("flowviz.views[0].scene.own.handles[1].points[1]")
    assert at == pytest.approx(knots[1].tolist(), abs=1e-5), "and no farther"
    refused = page.locator(".fv-stage-refused")
    assert refused.inner_text().startswith("T must rise, so the knot stops at its neighbour")
    page.keyboard.press("ArrowDown")
    drawn(page)
    check_marks(page, made(following(panel.settings).draw(numbers_of(page)).marks))
    dragged(page, "4", 0, 5)
    assert not refused.inner_text(), "until it is somewhere that it may be"
    assert requests == [(tmp_path / "page.html").as_uri()], "it needs nothing but itself"


def test_a_page_descends_where_its_handles_are(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("divergences")
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    dragged(page, "p", 150, 0)
    start = numbers_of(page)
    assert float(start[2]) == pytest.approx(float(start[4])) and float(start[2]) > 0
    following_ = density_following.following(panel.settings, panel.lines[1], 0)
    check_beside(page, following_.draw(start))
    said = page.locator(".fv-stage-said")
    assert "KL(p*‖p) = " in said.inner_text() and panel.words() not in said.inner_text()
    page.click(".fv-run-train")
    finished = "flowviz.run.get('step') === 400 && !flowviz.run.get('running')"
    page.wait_for_function(finished, timeout=60_000)
    trained = numbers_of(page)
    settings = panel.settings.to_dict()
    check_marks(page, made(following_.draw(trained).marks))
    assert abs(float(trained[2]) - settings["target_position"]) < 0.01
    page.evaluate("flowviz.clock.act((p) => p.seekMoment(0))")
    torch.testing.assert_close(numbers_of(page), start)
    page.click(".fv-run-reset")
    assert page.evaluate("flowviz.run.get('step')") == 0
    torch.testing.assert_close(numbers_of(page), start)


def test_a_page_ticks_the_goals_that_it_can_tell(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("limits")
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    goals = page.locator(".fv-stage-goals")
    assert goals.locator("> summary").inner_text() == "Goals 0/2"
    goals.locator("> summary").click()
    every = goals.locator("li")
    assert every.count() == 3 and every.filter(has_text="Not in this page").count() == 1
    assert not every.get_by_text(panel.goals[1].said).is_visible(), "not before it is reached"
    page.evaluate("flowviz.views[0].handleMoved(0, 1, [1.1, 0], true)")
    drawn(page)
    assert goals.locator(".fv-done").inner_text().endswith(panel.goals[1].said)
    assert goals.locator("> summary").inner_text() == "Goals 1/2"
    page.reload()
    page.wait_for_selector(".fv-stage-goals")
    assert goals.locator("> summary").inner_text() == "Goals 1/2", "it is remembered"
    goals.locator("> summary").click()
    goals.get_by_role("button", name="Forget my ticks").click()
    assert goals.locator("> summary").inner_text() == "Goals 0/2"


def test_a_page_draws_the_map_to_its_modes(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("limits")
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    first = states_of(page, "particles")
    np.testing.assert_allclose(first, panel.stage.particles[0].states.reshape(-1, 2), atol=1e-4)
    dragged(page, "mode 2", -40, 60)
    numbers = numbers_of(page)
    assert float(numbers[0]) < 6 and float(numbers[1]) < 0
    seen = panel.following().draw(numbers)
    check_marks(page, [mark for mark in made(seen.marks) if mark.kind != "contours"])
    check_beside(page, seen)
    share, wanted = seen.said
    assert f"{share} · {wanted}" in page.locator(".fv-stage-said").inner_text()


def test_a_page_has_the_settings_that_its_picture_follows(
    open_page: OpenPage, tmp_path: Path
) -> None:
    panel = panels.make("limits")
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    cap = page.get_by_role("slider", name="Cap L")
    assert cap.get_attribute("aria-valuetext") == "8"
    cap.focus()
    cap.press("End")
    drawn(page)
    assert cap.get_attribute("aria-valuetext") == "∞"
    cap.fill("30")  # stops, 20 a decade
    drawn(page)
    numbers = numbers_of(page)
    assert float(numbers[3]) == pytest.approx(32, abs=1) and float(numbers[0]) == 6
    seen = panel.following().draw(numbers)
    check_marks(page, [mark for mark in made(seen.marks) if mark.kind != "contours"])
    check_beside(page, seen)
    page.get_by_role("slider", name="Apart").fill("50")
    page.get_by_role("slider", name="Width s").fill("10")
    cap.fill("40")
    drawn(page)
    share = float(panel.following().draw(numbers_of(page)).known["share"])
    assert ("1/2" in page.locator(".fv-stage-goals > summary").inner_text()) == (share < 1)
    dragged(page, "mode 2", -40, 60)
    shown = float(page.get_by_role("slider", name="Apart").get_attribute("aria-valuetext"))
    assert shown == pytest.approx(float(numbers_of(page)[0]), rel=5e-3)


def test_a_page_tears_the_base_where_nothing_caps_the_slope(
    open_page: OpenPage, tmp_path: Path
) -> None:
    panel = panels.make("limits", modes="discs")
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    goals = page.locator(".fv-stage-goals > summary")
    assert goals.inner_text() == "Goals 0/3"
    page.get_by_role("slider", name="Cap L").press("End")
    drawn(page)
    seen = panel.following().draw(numbers_of(page))
    check_marks(page, [mark for mark in made(seen.marks) if mark.kind == "particles"])
    check_beside(page, seen)
    assert goals.inner_text() == "Goals 1/3"
    assert " 0 % of p in the bridge" in page.locator(".fv-stage-said").inner_text()


def test_a_line_that_would_be_a_point_is_refused(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("change_of_variables", map="affine", scale=0.5)
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    page.get_by_role("slider", name="a", exact=True).fill("60")  # 0, in steps from −3
    drawn(page)
    assert float(numbers_of(page)[1]) == pytest.approx(LEAST_SCALE)
    assert page.locator(".fv-stage-refused").inner_text() == POINT
    check_marks(page, made(following(panel.settings).draw(numbers_of(page)).marks))


def test_another_target_is_another_fit(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    page, requests = opened(open_page, trajectories.to_html(), tmp_path)
    menu = page.get_by_role("combobox", name="Target")
    titles = menu.locator("option").all_inner_texts()
    assert titles[0] == trajectories.model.target.title and len(set(titles)) == len(titles) == len(
        targets.names()
    )
    page.locator(".fv-run-train").click()
    page.wait_for_function("flowviz.run.get('step') >= 20")
    before = page.evaluate("Array.from(flowviz.views[0].scene.own.contours[0].values)")
    menu.select_option("Circles")
    assert page.evaluate("flowviz.run.get('step')") == 0
    assert page.evaluate("Array.from(flowviz.views[0].scene.own.contours[0].values)") != before
    start = trajectories.model.flow
    first = trajectories.stage.particles[0].states.reshape(-1, 2)
    assert np.abs(states_of(page, "particles") - first).max() < 0.15, "a start, to two digits"
    page.locator(".fv-run-train").click()
    page.wait_for_function("flowviz.run.get('step') >= 400", timeout=60_000)
    page.locator(".fv-run-train").click()
    page.wait_for_function("!flowviz.run.get('running')")
    points = states_of(page, "particles").reshape(-1, len(first) // start_frames(start), 2)[-1]
    circles = targets.make("circles")
    better = circles.log_prob(torch.tensor(points, dtype=torch.float32)).mean()
    worse = circles.log_prob(torch.tensor(first[-len(points) :])).mean()
    assert float(better) > float(worse) + 0.5, "it has learned the circles"
    assert len(requests) == 1, "the page itself"


def start_frames(flow: Any) -> int:
    return len(flow.transform) + 1
