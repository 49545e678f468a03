"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place at the end of the block.

    If that fails, as on a full disk, what was at ``path`` stays, and nothing else is left.

    Raises:
        OSError: the file cannot be written; ``filename`` is ``path``.
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        # The system names no file when a disk is full, and else the one beside.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8; as :func:`replacing`."""
    with replacing(path) as file:
        file.write_text(text, encoding="utf-8")
