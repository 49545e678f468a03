"""Panels saved as pages: carried, dragged and trained by the page itself, from a file."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flowviz import panels

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
    state = json.loads(gzip.decompress(base64.b64decode(found[1])))
    change(state)
    packed = base64.b64encode(gzip.compress(json.dumps(state).encode())).decode()
    return html[: found.start(1)] + packed + html[found.end(1) :]


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
    said = page.locator(".fv-stage-tally li").last.inner_text().replace("−", "-")
    assert abs(float(said.split()[-1]) - total) < 0.01
    assert requests == [(tmp_path / "page.html").as_uri()], "it needs nothing but itself"


def test_a_page_trains_and_goes_back_through_it(
    trajectories: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    page, _ = opened(open_page, trajectories.to_html(), tmp_path)
    before = states_of(page, "particles")
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
    page.evaluate("flowviz.clock.act((p) => p.seekMoment(-1))")
    assert np.abs(states_of(page, "particles") - trained).max() < 1e-4
    page.click(".fv-run-reset")
    assert page.evaluate("flowviz.run.get('step')") == 0


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
        programs = state["live"]["flows"][0]["programs"]
        programs["forward"] = base64.b64encode(b"\x05\0\0\0\0\0\0\0hello").decode()

    page, _ = opened(open_page, altered(trajectories.to_html(), damage), tmp_path)
    words = page.locator(".fv-stage-untrained").inner_text()
    assert words.startswith("This page cannot play its flow: the header is no JSON")


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
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 60", timeout=60_000)
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    learned = page.evaluate(
        "flowviz.ready.then((live) => live.training.learned.map((v) => Array.from(v.slice(0, 50))))"
    )
    assert np.abs(np.array(learned[0]) - np.array(learned[1])).max() > 0.01, "two fits"


def test_the_volume_of_a_page_follows_the_cursor(open_page: OpenPage, tmp_path: Path) -> None:
    panel = panels.make("jacobian_volume", flow="planar", layers=2, trained=0)
    page, _ = opened(open_page, panel.to_html(), tmp_path)
    for kind, index in (("grids", 0), ("shapes", 0), ("shapes", 1)):
        wanted = getattr(panel.stage, kind)[index].states.reshape(-1, 2)
        near = 1e-4 if (kind, index) != ("shapes", 1) else 2e-2
        assert np.abs(states_of(page, kind, index) - wanted).max() < near, (kind, index)
