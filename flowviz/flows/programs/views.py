"""Where a tensor lies: a view of a buffer, as strides say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Operand = tuple[int, int, tuple[int, ...]]
"""Buffer, offset and strides: a view of a shape that is said elsewhere."""


@dataclass(frozen=True)
class View:
    """A tensor as a part of a buffer: element i lies at offset + Σ iₖ strideₖ.

    Attributes:
        buffer: its number.
        offset: in numbers.
        shape, strides: of each dimension; in numbers.
    """

    buffer: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def operand(self) -> Operand:
        """The same without the shape."""
        return self.buffer, self.offset, self.strides

    def spread(self, shape: Sequence[int]) -> View:
        """The same numbers over a larger shape, as broadcasting spreads them."""
        new = len(shape) - len(self.shape)
        pairs = zip(self.shape, shape[new:], self.strides, strict=True)
        strides = [0 if mine == 1 != its else stride for mine, its, stride in pairs]
        return View(self.buffer, self.offset, tuple(shape), (*[0] * new, *strides))

    @property
    def turned(self) -> View:
        """The same with the dimensions the other way round."""
        return View(self.buffer, self.offset, self.shape[::-1], self.strides[::-1])

    def moved_last(self, dims: Sequence[int]) -> View:
        """The same with these dimensions at the end."""
        order = [d for d in range(len(self.shape)) if d not in dims] + list(dims)
        shape, strides = (tuple(of[d] for d in order) for of in (self.shape, self.strides))
        return View(self.buffer, self.offset, shape, strides)

    def still(self, dim: int) -> View:
        """The same, but that it does not move along ``dim``."""
        strides = (*self.strides[:dim], 0, *self.strides[dim + 1 :])
        return replace(self, strides=strides)

    def flipped(self, dims: Sequence[int]) -> View:
        """The same from the other end of these dimensions."""
        signs = [-1 if d in dims else 1 for d in range(len(self.shape))]
        offset = self.offset + sum(
            (self.shape[d] - 1) * self.strides[d] for d in dims if self.shape[d]
        )
        strides = tuple(sign * stride for sign, stride in zip(signs, self.strides, strict=True))
        return replace(self, offset=offset, strides=strides)


def contiguous(buffer: int, shape: Sequence[int]) -> View:
    """All of a buffer, in C order."""
    strides: list[int] = []
    size = 1
    for length in reversed(shape):
        strides.insert(0, size)
        size *= length
    return View(buffer, 0, tuple(shape), tuple(strides))
