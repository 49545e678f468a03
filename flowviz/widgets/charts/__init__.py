"""Charts drawn by plotly.js: one copy of it for a page, one figure for each chart's lifetime."""

from flowviz.widgets.charts.bars import BarChart
from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.charts.heatmap import Heatmap
from flowviz.widgets.charts.line import Axis, Curve, LineChart, Points
from flowviz.widgets.charts.loss import LossChart, Series

__all__ = [
    "Axis",
    "BarChart",
    "Chart",
    "Curve",
    "Heatmap",
    "LineChart",
    "LossChart",
    "Points",
    "Series",
]
