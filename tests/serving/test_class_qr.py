"""QR codes: those below were read by an independent reader, zxing-cpp 3.1, when they were made."""

from __future__ import annotations

import hashlib

import pytest

from flowviz.serving.classroom import qr

LINK = "http://192.168.1.10:8866/?token=" + "0123456789abcdef" * 3


@pytest.mark.parametrize(
    ("text", "side", "read"),
    [
        ("http://a", 21, "83c653c4f03b03b7"),
        (LINK, 37, "caed62ffb1b44a01"),
        (
            LINK.replace("192.168.1.10", "flows.example.org") + "&ü=" + "x" * 40,
            49,
            "4b900b90b3a0e929",
        ),
        ("x" * 213, 57, "5b61c982b56d2523"),
    ],
)
def test_a_text_is_the_code_that_readers_read(text, side, read):
    made = qr.matrix(text)
    assert len(made) == len(made[0]) == side
    dots = "\n".join("".join(".#"[one] for one in row) for row in made)
    assert hashlib.sha256(dots.encode()).hexdigest()[:16] == read, dots


def test_a_text_that_is_too_long_has_none():
    assert qr.matrix("x" * 214) == [] and qr.svg("x" * 214) == ""


def test_the_picture_has_its_quiet_zone_on_white():
    picture = qr.svg("http://a")
    assert 'viewBox="0 0 29 29"' in picture and 'fill="#fff" d="M0 0h29v29h-29z"' in picture
    assert picture.count("h1v1h-1z") == sum(map(sum, qr.matrix("http://a")))
    assert "M4 4h1" in picture and "<script" not in qr.svg("<script>")
