"""A link as a QR code (ISO/IEC 18004), for the phones of a class.

Text goes into it as bytes, with error correction of level M, in sizes 1 to 10: up to 213 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, groupby, zip_longest

CHECKS = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26)
"""Of each size, the bytes of error correction a block has."""
BLOCKS = (1, 1, 1, 2, 2, 4, 4, 4, 5, 5)
"""Of each size, how many blocks there are."""

Matrix = list[list[bool]]
Mask = Callable[[int, int], bool]

MASKS: tuple[Mask, ...] = (
    lambda x, y: (x + y) % 2 == 0,
    lambda x, y: y % 2 == 0,
    lambda x, y: x % 3 == 0,
    lambda x, y: (x + y) % 3 == 0,
    lambda x, y: (x // 3 + y // 2) % 2 == 0,
    lambda x, y: x * y % 2 + x * y % 3 == 0,
    lambda x, y: (x * y % 2 + x * y % 3) % 2 == 0,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2 == 0,
)
"""Which modules are inverted, lest the pattern mislead a reader."""


def svg(text: str) -> str:
    """The code as an SVG element of dark modules on white; "" for a text that is too long."""
    modules = matrix(text)
    if not modules:
        return ""
    side = len(modules) + 8  # with the quiet zone
    dark = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z"
        for y, row in enumerate(modules)
        for x, on in enumerate(row)
        if on
    )
    return (
        f'<svg viewBox="0 0 {side} {side}" role="img" aria-label="The link as a QR code" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>'
        f'<path fill="#000" d="{dark}"/></svg>'
    )


def matrix(text: str) -> Matrix:
    """The modules, row by row, true where dark; empty for a text that is too long."""
    data = text.encode()
    for size in range(1, len(CHECKS) + 1):
        room = _bytes(size) - CHECKS[size - 1] * BLOCKS[size - 1]
        length_bits = 8 if size < 10 else 16
        if 4 + length_bits + 8 * len(data) <= 8 * room:
            bits = f"0100{len(data):0{length_bits}b}" + "".join(f"{byte:08b}" for byte in data)
            return _drawn(size, _protected(size, _filled(bits, room)))
    return []


# ---- the bytes -----------------------------------------------------------------------------------


def _bytes(size: int) -> int:
    """How many bytes a code of that size holds, those of error correction included."""
    free = sum(not taken for row in _function_patterns(size)[1] for taken in row)
    return free // 8


def _filled(bits: str, room: int) -> list[int]:
    """The bits as bytes, ended and filled up to the room that there is."""
    bits += "0" * min(4, 8 * room - len(bits))
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    return [*data, *((0xEC, 0x11) * room)[: room - len(data)]]


def _protected(size: int, data: list[int]) -> list[int]:
    """The bytes in blocks, each with its error correction, interleaved."""
    count, checks = BLOCKS[size - 1], CHECKS[size - 1]
    short, longer = divmod(len(data), count)
    blocks, start = [], 0
    for index in range(count):
        end = start + short + (index >= count - longer)
        blocks.append(data[start:end])
        start = end
    divisor = _generator(checks)
    told = zip_longest(*blocks)
    corrected = zip_longest(*(_remainder(block, divisor) for block in blocks))
    return [byte for byte in chain(*told, *corrected) if byte is not None]


def _times(a: int, b: int) -> int:
    """The product in GF(2⁸) modulo x⁸ + x⁴ + x³ + x² + 1."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11D << (bit - 8)
    return product


def _generator(degree: int) -> list[int]:
    """The product of (x − 2ⁱ), i below the degree; its coefficients without the leading 1."""
    found, root = [1], 1
    for _ in range(degree):
        scaled = [0, *(_times(one, root) for one in found)]
        found = [a ^ b for a, b in zip([*found, 0], scaled, strict=True)]
        root = _times(root, 2)
    return found[1:]


def _remainder(data: list[int], divisor: list[int]) -> list[int]:
    """Of the data times x to the degree, divided by the divisor."""
    rest = [0] * len(divisor)
    for byte in data:
        factor = byte ^ rest[0]
        rest = [a ^ _times(b, factor) for a, b in zip([*rest[1:], 0], divisor, strict=True)]
    return rest


# ---- the picture ---------------------------------------------------------------------------------


def _drawn(size: int, data: list[int]) -> Matrix:
    """The picture of the bytes, by the mask that makes it plainest."""
    made = (_masked(size, data, number) for number in range(len(MASKS)))
    return min(made, key=_penalty)


def _masked(size: int, data: list[int], number: int) -> Matrix:
    modules, taken = _function_patterns(size)
    bits = (byte >> bit & 1 for byte in data for bit in range(7, -1, -1))
    for x, y in _way(len(modules)):
        if not taken[y][x]:
            modules[y][x] = bool(next(bits, 0)) != MASKS[number](x, y)
    _write_format(modules, number)
    return modules


def _way(side: int) -> Iterator[tuple[int, int]]:
    """Where the bits go: in columns of two, up and down, from the right."""
    rights = [*range(side - 1, 6, -2), 5, 3, 1]  # the timing pattern is passed over
    for turn, right in enumerate(rights):
        rows = range(side) if turn % 2 else range(side - 1, -1, -1)
        for y in rows:
            yield right, y
            yield right - 1, y


def _function_patterns(size: int) -> tuple[Matrix, Matrix]:
    """What every code of that size has, and which modules are taken by it."""
    side = 4 * size + 17
    modules = [[False] * side for _ in range(side)]
    taken = [[False] * side for _ in range(side)]

    def put(x: int, y: int, dark: bool) -> None:
        if 0 <= x < side and 0 <= y < side:
            modules[y][x], taken[y][x] = dark, True

    for at in range(side):
        put(at, 6, at % 2 == 0)
        put(6, at, at % 2 == 0)
    for left, top in ((3, 3), (side - 4, 3), (3, side - 4)):
        for dx in range(-4, 5):
            for dy in range(-4, 5):
                put(left + dx, top + dy, max(abs(dx), abs(dy)) in (0, 1, 3))
    places = _alignment(size)
    for x in places:
        for y in places:
            if (x, y) in ((6, 6), (6, side - 7), (side - 7, 6)):
                continue  # a corner's
            for dx in range(-2, 3):
                for dy in range(-2, 3):
                    put(x + dx, y + dy, max(abs(dx), abs(dy)) != 1)
    for x, y, _ in _format_places(side):
        put(x, y, False)
    put(8, side - 8, True)
    if size >= 7:
        bits = _coded(size, 6, 0x1F25, 12)
        for bit in range(18):
            across, along = bit // 3, side - 11 + bit % 3
            put(across, along, bool(bits >> bit & 1))
            put(along, across, bool(bits >> bit & 1))
    return modules, taken


def _alignment(size: int) -> list[int]:
    if size == 1:
        return []
    last = 4 * size + 10
    between = size // 7  # one in the middle from size 7 on
    step = -(-(last - 6) // (between + 1))
    step += step % 2
    return [6, *(last - step * i for i in range(between, -1, -1))]


def _format_places(side: int) -> list[tuple[int, int, int]]:
    """Where each bit of the format goes, twice: x, y, bit."""
    near = [(8, y) for y in (0, 1, 2, 3, 4, 5, 7, 8)] + [(x, 8) for x in (7, 5, 4, 3, 2, 1, 0)]
    far = [(side - 1 - i, 8) for i in range(8)] + [(8, side - 7 + i) for i in range(7)]
    return [(x, y, bit) for places in (near, far) for bit, (x, y) in enumerate(places)]


def _write_format(modules: Matrix, mask: int) -> None:
    bits = _coded(mask, 5, 0x537, 10) ^ 0x5412  # level M is 00
    for x, y, bit in _format_places(len(modules)):
        modules[y][x] = bool(bits >> bit & 1)


def _coded(value: int, bits: int, generator: int, checks: int) -> int:
    """A value with the check bits of a BCH code."""
    rest = value << checks
    for bit in range(bits + checks - 1, checks - 1, -1):
        if rest >> bit & 1:
            rest ^= generator << (bit - checks)
    return value << checks | rest


def _penalty(modules: Matrix) -> int:
    """How much in the picture could mislead a reader: runs, blocks, false corners, imbalance."""
    side = len(modules)
    points = 0
    for line in (*modules, *map(list, zip(*modules, strict=True))):
        runs = (len(list(run)) for _, run in groupby(line))
        points += sum(run - 2 for run in runs if run >= 5)
        text = "".join("01"[one] for one in line)
        points += 40 * (text.count("10111010000") + text.count("00001011101"))
    for y in range(side - 1):
        for x in range(side - 1):
            block = modules[y][x : x + 2] + modules[y + 1][x : x + 2]
            points += 3 * (block in ([True] * 4, [False] * 4))
    dark = sum(map(sum, modules))
    return points + 10 * int(abs(20 * dark - 10 * side * side) / (side * side))
