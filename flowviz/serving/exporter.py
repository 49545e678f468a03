"""Voila's exporter of notebooks to pages, with templates that are compiled once.

Voila makes an exporter a visit, and each compiles its dozen templates anew: a quarter of a second
before the first byte of a page.
"""

from __future__ import annotations

from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from voila import notebook_renderer
from voila.exporter import VoilaExporter


class CompiledTemplates(BytecodeCache):
    """The compiled templates of this process, by name and path; a changed one is compiled anew."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_COMPILED = CompiledTemplates()


class PageExporter(VoilaExporter):
    """Shares its compiled templates with all others."""

    def _create_environment(self) -> Any:
        environment = super()._create_environment()
        environment.bytecode_cache = _COMPILED
        return environment


def install() -> None:
    """Have Voila export by it; there is no setting for that."""
    notebook_renderer.VoilaExporter = PageExporter
