"""Numbers and programs on their way to a page: JSON, and the buffers in it one after the other."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

Bytes = bytes | memoryview


def packed(value: Any) -> bytes:
    """What ``packed.js`` unpacks: the length of the JSON (4 bytes), the JSON, and the buffers.

    In the JSON ``{"bytes": [start, length]}`` stands for a buffer; what is equal is there once.
    """
    buffers: dict[bytes, list[int]] = {}
    size = 0

    def placed(value: Any) -> Any:
        nonlocal size
        if isinstance(value, Bytes):
            found = buffers.setdefault(bytes(value), [size, memoryview(value).nbytes])
            if found[0] == size:
                # So that numbers lie where an array of them may begin.
                size += _padded(found[1])
            return {"bytes": found}
        if isinstance(value, dict):
            return {key: placed(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [placed(item) for item in value]
        return value

    text = json.dumps(placed(value), ensure_ascii=False, separators=(",", ":")).encode()
    text = text.ljust(_padded(len(text)))
    whole = (buffer.ljust(_padded(len(buffer)), b"\0") for buffer in buffers)
    return b"".join((struct.pack("<I", len(text)), text, *whole))


def _padded(length: int) -> int:
    """Up to the next multiple of four."""
    return length + -length % 4


def wholes(values: np.ndarray, scales: np.ndarray, block: int) -> dict[str, Any]:
    """Numbers ``[N]`` rounded to whole multiples of scales, as ``packed.js`` reads them.

    The multiples are written by their bytes, the upper ones of all first: so they pack closely.

    Args:
        scales: one for each ``block`` of them, float32; 0 where all of them are.
    """
    each = np.repeat(scales.astype(np.float64), block)[: len(values)]
    found = np.rint(values / np.where(each > 0, each, 1)).astype(np.int64)
    # The sign comes last, so that the upper bytes of small ones are 0.
    found = np.where(found < 0, -2 * found - 1, 2 * found)
    count = -(-int(found.max(initial=0)).bit_length() // 8)
    planes = [(found >> 8 * k & 255).astype(np.uint8) for k in reversed(range(count))]
    return {
        "scales": scales.astype(np.float32).tobytes(),
        "block": block,
        "planes": b"".join(plane.tobytes() for plane in planes),
    }
