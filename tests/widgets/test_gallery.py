"""The gallery as the kernel sees it."""

from __future__ import annotations

import numpy as np
import pytest

from flowviz.widgets.gallery import Gallery


def test_images_are_scaled_and_sent_as_bytes():
    gallery = Gallery({"a": "A", "b": "B"}, {"a": np.array([[0.0, 2.0, 4.0]])}, label="Target")
    tile = gallery.tiles[0]
    assert (tile["height"], tile["width"]) == (1, 3)
    assert tile["pixels"] == bytes([0, 128, 255])
    assert "pixels" not in gallery.tiles[1]
    assert gallery.value == "a"


def test_favourites_are_in_sight_and_long_titles_have_a_short_one():
    gallery = Gallery({"a": "A", "b": "A long title"}, {}, favourites=["b"], short={"b": "Long"})
    assert gallery.favourites == ["b"]
    assert [tile["short"] for tile in gallery.tiles] == ["A", "Long"]
    gallery.set_image("b", np.ones((2, 2)))
    assert gallery.tiles[1]["short"] == "Long" and gallery.tiles[1]["title"] == "A long title"


def test_images_can_be_replaced_and_taken_away():
    gallery = Gallery({"a": "A", "yours": "Yours"}, {}, value="yours")
    gallery.set_image("yours", np.ones((4, 4)))
    assert gallery.tiles[1]["pixels"] == b"\xff" * 16
    gallery.set_image("yours", None)
    assert "pixels" not in gallery.tiles[1]
    gallery.set_image("a", np.zeros((2, 2)))  # nothing there is a picture too
    assert gallery.tiles[0]["pixels"] == bytes(4)


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 3)), -np.ones((2, 2)), [[np.nan]]])
def test_bad_images_are_refused(bad):
    with pytest.raises(ValueError, match="image of 'a'"):
        Gallery({"a": "A"}, {"a": bad})


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no 'c' here: the names are a, b"):
        Gallery({"a": "A", "b": "B"}, {"c": np.ones((2, 2))})
    with pytest.raises(ValueError, match="no 'c' here"):
        Gallery({"a": "A"}, {}, value="c")
    with pytest.raises(ValueError, match="no 'c' here"):
        Gallery({"a": "A"}, {}, favourites=["a", "c"])
    gallery = Gallery({"a": "A"}, {})
    with pytest.raises(ValueError, match="no 'c' here"):
        gallery.value = "c"
    with pytest.raises(ValueError, match="no 'c' here"):
        gallery.set_image("c", np.ones((2, 2)))
