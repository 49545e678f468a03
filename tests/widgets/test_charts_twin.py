"""Static twins of the charts: the same numbers, names and colours, by matplotlib."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

from flowviz.widgets.charts import (
    Axis,
    BarChart,
    Chart,
    Curve,
    Heatmap,
    LineChart,
    LossChart,
    Points,
    Series,
)
from flowviz.widgets.charts.twin import draw
from flowviz.widgets.tokens import tokens


def drawn(chart, theme="light"):
    """The axes with the chart, rendered once."""
    figure = Figure(figsize=(4, 2), facecolor=tokens(theme)["--fv-card"])
    axes = figure.add_subplot()
    draw(axes, chart, theme)
    figure.canvas.draw()
    return axes


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_charts_import_no_matplotlib_and_their_twins_no_pyplot():
    script = (
        "import sys, flowviz.widgets.charts.twin as twin\n"
        "from flowviz.widgets.charts import LossChart\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from matplotlib.figure import Figure\n"
        "twin.draw(Figure().add_subplot(), LossChart('x'))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_tokens_are_those_of_the_style_sheet():
    assert tokens("light")["--fv-ink"] == "#1c2430"
    assert tokens("dark")["--fv-ink"] == "#e8edf3"
    assert set(tokens("light")) == set(tokens("dark"))
    with pytest.raises(ValueError, match="'light' or 'dark'"):
        tokens("blue")


def test_losses_have_their_curves_bands_and_names():
    chart = LossChart("Objective", title="KL in nats", log=True)
    steps, values = np.arange(30.0), np.exp(-np.arange(30) / 10)
    chart.show_series(
        [
            Series("KL(p*‖p)", steps, values, 0.1 * values),
            Series("KL(p‖p*)", steps, 1.01 * values, colour="--fv-reverse"),
        ]
    )
    axes = drawn(chart, "dark")
    forward, reverse = axes.lines
    np.testing.assert_allclose(forward.get_ydata(), values, rtol=1e-6)
    assert to_hex(reverse.get_color()) == tokens("dark")["--fv-reverse"]
    assert texts(axes) == ["KL(p*‖p)", "KL(p‖p*)"]
    low, high = (text.get_window_extent() for text in axes.texts)
    assert low.y1 <= high.y0 + 1
    assert axes.get_yscale() == "log"
    assert len(axes.collections) == 1
    assert axes.get_title(loc="left") == "KL in nats"


def test_curves_points_and_axes():
    chart = LineChart("Cost", x=Axis("D", log=True), y=Axis("s", limits=(0, 9)))
    measured = Points("measured", [2, 4], [4.0, 8.0], [1.0, 1.0])
    chart.show_curves([Curve("D²", [1, 2, 3], [1, 4, 9.0], dash="dot")], [measured])
    axes = drawn(chart)
    assert axes.lines[0].get_linestyle() == ":"
    np.testing.assert_allclose(axes.get_ylim(), (0, 9))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("D", "s")
    assert texts(axes) == ["D²", "measured"]


def test_a_waterfall_starts_each_bar_where_the_last_ended():
    chart = BarChart("log|det J|", title="layers")
    chart.show_contributions(["a", "b", "c"], [0.4, -1.2, 0.3])
    axes = drawn(chart)
    bars = axes.patches
    np.testing.assert_allclose([bar.get_height() for bar in bars], [0.4, -1.2, 0.3, -0.5])
    np.testing.assert_allclose([bar.get_y() for bar in bars], [0, 0.4, -0.8, 0], atol=1e-12)
    assert bars[0].get_facecolor() == to_rgba(tokens("light")["--fv-expand"])
    assert texts(axes) == ["0.40", "−1.20", "0.30", "−0.50"]
    chart.show_contributions(list(map(str, range(32))), np.full(32, 0.25))
    axes = drawn(chart)
    assert texts(axes) == []
    assert axes.get_xticklabels()[-1].get_text() == "Σ 8.00"


def test_a_matrix_has_its_numbers_and_its_empty_zeros():
    chart = Heatmap("Jacobian", rows=["x₁", "x₂"], columns=["u₁", "u₂"])
    matrix, zeros = np.array([[1.23, 0.0], [-2.1, 0.4]]), np.array([[0, 1], [0, 0]])
    chart.show_matrix(matrix, zeros=zeros)
    axes = drawn(chart)
    assert texts(axes) == ["1.23", "0", "−2.10", "0.400"]
    assert axes.images[0].get_array().mask.tolist() == zeros.astype(bool).tolist()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["u₁", "u₂"]


def test_words_stand_where_nothing_has_been_measured():
    chart = LossChart("Objective")
    assert texts(drawn(chart)) == ["nothing yet"]
    chart.show_words("Press Train:\nit appears here")
    assert texts(drawn(chart)) == ["Press Train:\nit appears here"]
    assert texts(drawn(Heatmap("Jacobian"))) == ["nothing yet"]
    drawn(BarChart("log|det J|"))


def test_plotly_s_own_figures_have_no_twin():
    chart = Chart("a chart")
    chart.show([{"type": "scatter", "y": [1, 2]}])
    with pytest.raises(TypeError, match="Chart has no static twin"):
        drawn(chart)
