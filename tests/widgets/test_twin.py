"""The static twin: the same marks, places and colours as on the page, without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowviz.widgets.stage import (
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Particles,
    Paths,
    Shapes,
    Stage,
    twin,
)
from flowviz.widgets.stage import palette as colour
from flowviz.widgets.stage.marks import KINDS

WINDOW = (-4.0, 4.0, -4.0, 4.0)
RNG = np.random.default_rng(0)
SIZE = 200

TABLES = """
import { palettes, parseColour } from "%s/palette.js";
const theme = Object.fromEntries(
  Object.entries(JSON.parse(process.argv[1])).map(([name, css]) => [name, parseColour(css)]));
const { solid, ...tables } = palettes(theme);
console.log(JSON.stringify(Object.fromEntries(Object.entries(tables).map(([name, table]) =>
  [name, Array.from(table, (p) => [p & 255, (p >>> 8) & 255, (p >>> 16) & 255])]))));
"""


def drawn(marks: list[Any], **options: Any) -> np.ndarray:
    """The pixels ``[SIZE, SIZE, 3]`` of marks on the window alone, row 0 at the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2), dpi=SIZE / 2)
    axes = figure.add_axes((0, 0, 1, 1))
    twin.draw(axes, marks, **{"position": 0.0, "window": WINDOW, **options})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def pixel(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    return picture[int((4 - y) / 8 * SIZE), int((x + 4) / 8 * SIZE)]


def dot(*places: tuple[float, float]) -> Particles:
    return Particles(np.array(places)[:, None, :], size=30, opacity=1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_are_the_pages(theme: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to compare with the JavaScript half")
    tokens = {
        name: "#" + "".join(f"{round(255 * c):02x}" for c in rgb)
        for name, rgb in colour.tokens(theme).items()
    }
    script = TABLES % Path(colour.__file__).parent.as_uri()
    said = subprocess.run(
        [node, "--input-type=module", "-e", script, json.dumps(tokens)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name, table in json.loads(said.stdout).items():
        ours = 255 * colour.table(name, theme)
        np.testing.assert_allclose(ours, table, atol=0.51, err_msg=name)


def test_the_tokens_of_both_themes() -> None:
    assert np.allclose(255 * colour.tokens("light")["card"], 255)
    assert np.allclose(255 * colour.tokens("dark")["card"], [24, 30, 38])
    with pytest.raises(ValueError, match="light or dark, got 'blue'"):
        colour.tokens("blue")


def test_a_particle_is_where_it_should_be_at_every_position() -> None:
    tokens = colour.tokens("light")
    for position, place in ((0, (-2, -1)), (0.5, (0, 0)), (2, (2, 3)), (9, (2, 3))):
        picture = drawn([dot((-2, -1), (2, 1), (2, 3))], position=position)
        np.testing.assert_allclose(pixel(picture, *place), tokens["ink"], atol=0.01)
        np.testing.assert_allclose(pixel(picture, -3, 3), tokens["card"])


def test_cells_have_their_colours_as_far_as_their_weights() -> None:
    side = np.array([-3.0, -1.0, 1.0, 3.0])
    values = np.array([[-5.0, 0, 5], [0, 0, 0], [5, 0, -5]])
    weights = np.ones((3, 3))
    weights[2] = 0
    grid = Grid(
        np.stack(np.meshgrid(side, side), -1), values, value_range=(-1, 1), weights=weights,
        lines=False, label="",
    )  # fmt: skip
    for theme in ("light", "dark"):
        tokens = colour.tokens(theme)
        picture = drawn([grid], theme=theme)
        for x, y, name in (
            (-2, -2, "contract"),
            (2, -2, "expand"),
            (0, 0, "neutral"),
            (2, 2, "card"),
        ):
            np.testing.assert_allclose(pixel(picture, x, y), tokens[name], atol=0.02)


def test_an_image_is_upright_and_its_hue_lies_over_what_is_there() -> None:
    values = np.zeros((8, 8))
    values[:4] = 1.0
    values[:, 7] = np.nan
    picture = drawn([Image(values, WINDOW, palette="reverse"), dot((-2, 3), (2, 3))])
    tokens = colour.tokens("light")
    np.testing.assert_allclose(pixel(picture, 0, -3), tokens["reverse"], atol=0.01)
    np.testing.assert_allclose(pixel(picture, 0, 3), tokens["card"], atol=0.01)
    np.testing.assert_allclose(pixel(picture, -2, 3), tokens["ink"], atol=0.01)


def test_sparse_marks_are_drawn_in_ink() -> None:
    x, y = np.meshgrid(np.linspace(-4, 4, 81)[:-1] + 0.05, np.linspace(-4, 4, 81)[:-1] + 0.05)
    line = np.linspace([-3.0, 3.5], [3.0, 3.5], 13)[:, None]
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    marks = [
        Contours(4 - np.hypot(x, y), WINDOW, levels=(2.0,), absolute=True, opacity=1, width=3),
        Paths(line, width=4),
        Shapes(square[None], fill=0.5),
        Lines([[[-3.5, -3.0], [-1.0, -3.0], [np.nan, 0.0], [3.0, -3.0]]], width=3),
        Field([[-3.0, 1.5]], [[1.0, 0.0]], length=1.0, palette="ink"),
    ]
    dark = drawn(marks, position=0.0).mean(-1) < 0.75
    for x, y in ((-2, 0), (0, -2), (2, 2), (-2, -3), (-2.6, 1.5), (-3, 3.5)):
        r, c = int((4 - y) / 8 * SIZE), int((x + 4) / 8 * SIZE)
        assert dark[r - 2 : r + 3, c - 2 : c + 3].any(), (x, y)
    for x, y in ((0, 0), (-3, -1), (0.5, -3)):
        assert not dark[int((4 - y) / 8 * SIZE), int((x + 4) / 8 * SIZE)], (x, y)


def rich() -> Stage:
    z = RNG.standard_normal((3, 50, 2))
    z[0, 3] = np.nan
    square = (-1.0, 1.0, -1.0, 1.0)
    ramp = np.arange(16.0).reshape(4, 4)
    return Stage(
        [
            Particles(z, values=z[..., 0], palette="cyclic", label="angle"),
            Particles(z[0], values=np.arange(50), palette="groups"),
            Grid(RNG.standard_normal((3, 4, 5, 2)), RNG.standard_normal((3, 3, 4))),
            Grid(RNG.standard_normal((4, 5, 2))),
            Image(ramp, square, palette="diverging", label="ratio"),
            Contours(ramp, square, label="target p*"),
            Contours(np.ones((3, 3)), square),
            Field(z[0], z),
            Paths(z, values=np.arange(50.0), palette="sequential", label="start"),
            Shapes(z.reshape(3, 10, 5, 2), values=z[:, :10, 0], palette="diverging"),
            Lines(z[:, None], band=z[:1, None], palette="reverse", dashed=True, label="p(x)"),
            Handles([[0, 0], [np.nan, 1]], labels=["a", "b"], shape="knot"),
        ],
        state_names=["base", "coupling", "data"], position=0.5, title="rich", picked=2,
    )  # fmt: skip


def test_every_kind_of_mark_is_drawn_and_no_global_state_is_touched(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    stage = rich()
    assert {type(mark) for mark in stage.marks} == set(KINDS)
    small = stage.twin_png(dpi=60)
    assert small[:8] == b"\x89PNG\r\n\x1a\n"
    assert (
        len({small, stage.twin_png(dpi=60, position=2), stage.twin_png(dpi=60, theme="dark")}) == 3
    )
    plot = Stage(aspect="free", axis_titles=("x", "p(x)"))

    def width(png: bytes) -> int:
        return int.from_bytes(png[16:20], "big")

    both = twin.png([stage, plot], titles=["A", "B"], voices=["forward", "reverse"], dpi=60)
    assert width(both) == pytest.approx(width(small) + width(plot.twin_png(dpi=60)), abs=2)
    with pytest.raises(ValueError, match="at least one stage"):
        twin.png([])


def test_where_it_is_is_said_as_on_the_page() -> None:
    stage = rich()
    assert twin.whereabouts(stage, 0.5) == "layer 0.5 of 2 · coupling"
    assert twin.whereabouts(stage, 2) == "layer 2 of 2 · data"
    stage.unit, stage.unit_range, stage.state_names = "t =", (0, 5), []
    assert twin.whereabouts(stage, 0.5) == "t = 1.25"
    assert twin.whereabouts(Stage(), 0) == ""


def test_matplotlib_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, flowviz.widgets.stage; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
