"""Numbers in words: significant digits, errors, infinities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowviz.widgets.readouts import (
    Message,
    Note,
    Readout,
    format_alike,
    format_angle,
    format_bound,
    format_estimate,
    format_number,
)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.04162, 0.0041, "0.042 ± 0.004"),
        (6.3692, 0.0083, "6.369 ± 0.008"),
        (-1.8449, 0.0131, "−1.845 ± 0.013"),
        (1234.6, 12.3, "1,235 ± 12"),
        (12345.6, 2300.0, "12,000 ± 2,000"),
        (0.0962, 0.0096, "0.10 ± 0.01"),
        (0.3, 5.0, "0 ± 5"),
        (-0.001, 0.5, "0 ± 0.5"),
        (3.0e8, 2.0e6, "(3.00 ± 0.02)·10⁸"),
        (1.23e-7, 2.0e-8, "(1.2 ± 0.2)·10⁻⁷"),
        (5.0, 0.0, "5.00 ± 0"),
        (1.0, math.nan, "1.00 ± unknown"),
        (1.0, math.inf, "1.00 ± ∞"),
        (math.nan, 0.1, "undefined"),
        (math.inf, 0.1, "∞"),
        (-math.inf, None, "−∞"),
        (0.04162, None, "0.0416"),
        (0.0, 0.0, "0 ± 0"),
        (3, 0.2, "3.0 ± 0.2"),
    ],
)
def test_estimates(value, error, text):
    assert format_estimate(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (4, "4"),
        (4.0, "4.00"),
        (np.int64(-12_345_678), "−12,345,678"),
        (-0.0, "0"),
        (0.99999, "1.00"),
        (123456.0, "123,456"),
        (1e6, "1.00·10⁶"),
        (2e-9, "2.00·10⁻⁹"),
    ],
)
def test_numbers(value, text):
    assert format_number(value) == text


def test_readouts_escape_and_say_what_is_not_measured_yet():
    readout = Readout("<b>", unit="nats", help='"quoted"')
    assert readout.text == "–"
    assert "<b>" not in readout.value
    assert "&quot;quoted&quot;" in readout.value
    readout.show(0.04162, 0.0041)
    assert "0.042 ± 0.004" in readout.value
    readout.show_text("not defined: no density")
    assert "not defined: no density" in readout.value


def test_messages_have_roles_and_can_be_dismissed():
    message = Message()
    assert message.layout.display == "none"
    message.show("layers=99 <i>", "error")
    assert 'role="alert"' in message._body.value
    assert "<i>" not in message._body.value
    message.show("saved")
    assert 'role="status"' in message._body.value
    assert "fv-error" not in message._dom_classes
    message.children[1].click()
    assert message.layout.display == "none"
    assert message.text == ""
    with pytest.raises(ValueError, match="kind='warn'"):
        message.show("x", "warn")


def test_notes_escape():
    assert Note("<b>").value == "&lt;b&gt;"


def test_numbers_side_by_side_have_the_same_decimals():
    assert format_alike([0.8412, -0.0131, math.inf]) == ["0.841", "−0.013", "∞"]
    assert format_alike([-0.001, 0.0], 2) == ["−0.0010", "0"]
    assert format_alike([0.59, -0.0004], 2) == ["0.59", "−0.0004"]
    assert format_alike([0.59, 0.0049, 0.0051], 2) == ["0.59", "0.005", "0.01"]
    assert format_alike([]) == [] and format_alike([0.0]) == ["0"]
    assert format_alike([1e9, 1.0]) == ["1.00·10⁹", "1.00"]


@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=8), st.floats(0, 1e4))
def test_nothing_but_zero_is_written_as_zero(values, error):
    shown = [*format_alike(values), *map(format_number, values)]
    for text, value in zip(shown, values * 2, strict=True):
        digits = set(text) & set("123456789")
        assert bool(digits) == (value != 0)
        assert text == "0" or digits
    assert not format_estimate(values[0], error).startswith(("0.0 ", "0.00 ", "−0 "))


@pytest.mark.parametrize(
    ("radians", "text"),
    [
        (0.0, "0"),
        (math.pi, "π"),
        (-math.pi, "−π"),
        (2 * math.pi, "2π"),
        (-0.75 * math.pi, "−3π/4"),
        (math.pi / 6, "π/6"),
        (1.0, "0.32π"),
        (-1e-9, "0"),
        (math.nan, "undefined"),
    ],
)
def test_angles(radians, text):
    assert format_angle(radians) == text


@pytest.mark.parametrize(
    ("value", "outside", "text"),
    [
        (1.4666, 0.0213, "≥ 1.4, 2 % outside"),
        (0.1399, 0.31, "≥ 0.13, 31 % outside"),
        (-0.125, 0.001, "≥ −0.13, under 1 % outside"),
        (0.0, 0.5, "≥ 0, 50 % outside"),
        (12.0, 0.9999, "≥ 12, over 99 % outside"),
        (math.inf, 0.5, "∞"),
    ],
)
def test_bounds_are_rounded_down(value, outside, text):
    assert format_bound(value, outside) == text


def test_what_follows_plus_minus_is_a_standard_error():
    readout = Readout("KL(p*‖p)", unit="nats", help="how far")
    with pytest.raises(ValueError, match="not negative"):
        readout.show(1.0, -0.1)
    readout.show(1.0, detail="the grid's own error: 0.002")
    assert (readout.name, readout.text, readout.unit) == ("KL(p*‖p)", "1.00", "nats")
    assert 'title="how far; the grid&#x27;s own error: 0.002"' in readout.value
    readout.show_bound(1.4666, 0.02)
    assert readout.text == "≥ 1.4, 2 % outside"
    assert "0.002" not in readout.value
