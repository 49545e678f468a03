"""Declared values as text: in a link, and in a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from flowviz import atomic
from flowviz.widgets.state.field import in_short
from flowviz.widgets.state.values import Values

MAX_QUERY_BYTES = 64_000
"""Longer links are refused: servers drop the connection above about 64 kB."""


class WrittenValues(Values):
    """Declared values that a link and a file can carry."""

    def to_query(self, others: Mapping[str, Any] | None = None) -> str:
        """The state as a link's query string: what differs from the defaults or from ``others``."""
        pairs = [
            (name, field.format(getattr(self, name)))
            for name, field in self.fields().items()
            if self._differs(name, others)
        ]
        return urlencode(pairs, quote_via=quote, safe=",;")

    @classmethod
    def from_query(
        cls, query: str, *, ignore: Iterable[str] = ()
    ) -> tuple[dict[str, Any], list[str]]:
        """Read a link. Never raises, whatever the text.

        Args:
            query: what follows the ``?``, which may be there too.
            ignore: names in the link that belong to somebody else.

        Returns:
            The good values by name, and one message for each thing that had to be left out.
        """
        if len(query.encode(errors="replace")) > MAX_QUERY_BYTES:
            return {}, [f"the link is longer than {MAX_QUERY_BYTES} bytes and was not read"]
        try:
            pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            return {}, ["the link holds more than 200 settings and was not read"]
        fields, skipped = cls.fields(), set(ignore)
        values: dict[str, Any] = {}
        messages: list[str] = []
        for name, text in pairs:
            if name in skipped:
                continue
            if name not in fields:
                values[name] = text  # refused below, with the names that there are
                continue
            try:
                values[name], words = fields[name].salvage(cls, fields[name].parse(text))
                messages += words
            except (ValueError, OverflowError):
                messages.append(fields[name].refusal(text))
        good, wrong = cls.sort_out(values)
        return good, messages + wrong

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> dict[str, Any]:
        """The values in ``text``; ValueError in words if they are not a state of this panel."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"this is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise ValueError(
                f"a state is a JSON object of names and values, got {in_short(values)}"
            )
        return cls.check(values)

    def save(self, path: str | Path) -> None:
        """Write the state to a JSON file."""
        atomic.write_text(path, self.to_json() + "\n")

    @classmethod
    def read(cls, path: str | Path) -> dict[str, Any]:
        """The values in a JSON file.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no state of this panel.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
