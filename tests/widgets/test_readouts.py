"""Numbers in words: significant digits, errors, infinities."""

from __future__ import annotations

import math

import pytest

from flowviz.widgets.readouts import (
    Message,
    Needs,
    Note,
    Readout,
    format_alike,
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
        (-0.001, 0.5, "0.0 ± 0.5"),
        (3.0e8, 2.0e6, "(3.00 ± 0.02)·10⁸"),
        (1.23e-7, 2.0e-8, "(1.2 ± 0.2)·10⁻⁷"),
        (5.0, 0.0, "5.00 ± 0"),
        (1.0, math.nan, "1.00 ± unknown"),
        (1.0, math.inf, "1.00 ± infinite"),
        (math.nan, 0.1, "undefined"),
        (math.inf, 0.1, "infinite"),
        (-math.inf, None, "−infinite"),
        (0.04162, None, "0.0416"),
        (0.0, 0.0, "0 ± 0"),
    ],
)
def test_estimates(value, error, text):
    assert format_estimate(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.99999, "1.00"), (123456.0, "123,456"), (1e6, "1.00·10⁶"), (2e-9, "2.00·10⁻⁹")],
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


def test_needs_are_told_by_more_than_colour():
    needs = Needs({"samples of p*": True, "T": False})
    lit, struck = needs.value.split("</li>")[:2]
    assert "samples of p*" in lit
    assert "<s>" not in lit
    assert "does not need" in struck
    assert "<s>T</s>" in struck


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
    assert format_alike([0.8412, -0.0131, math.inf]) == ["0.841", "−0.013", "infinite"]
    assert format_alike([-0.001, 0.0], 2) == ["−0.0010", "0.0000"]
    assert format_alike([0.59, -0.0004], 2) == ["0.59", "0.00"]
    assert format_alike([]) == [] and format_alike([0.0]) == ["0"]
    assert format_alike([1e9, 1.0]) == ["1.00·10⁹", "1.00"]
