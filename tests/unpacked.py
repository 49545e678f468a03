"""What a page was given, as flowviz/widgets/page/packed.py packs it."""

from __future__ import annotations

import json
import struct
from typing import Any


def unpacked(file: bytes) -> Any:
    """What was packed."""
    (length,) = struct.unpack("<I", file[:4])
    buffers = file[4 + length :]

    def placed(value: dict[str, Any]) -> Any:
        if "bytes" not in value:
            return value
        start, size = value["bytes"]
        return buffers[start : start + size]

    return json.loads(file[4 : 4 + length], object_hook=placed)
