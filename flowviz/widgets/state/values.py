"""An object of declared values: checked when they are set, heard of when they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import traitlets

from flowviz import arguments
from flowviz.widgets.state.field import Field, in_short


class Values(traitlets.HasTraits):
    """Declared values; subclasses declare them as fields.

    Assigning to a field validates it at once. :meth:`update` sets several together or none.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._changed: set[str] = set()
        self._updating = False
        self.observe(self._note, names=list(self.fields()))
        self.update(values)

    @classmethod
    @cache
    def fields(cls) -> Mapping[str, Field[Any]]:
        """The declared fields by name, in the order of their declaration."""
        return {
            name: value
            for owner in reversed(cls.__mro__)
            for name, value in vars(owner).items()
            if isinstance(value, Field)
        }

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The state of a fresh panel."""
        return {name: field.plain(field.initial) for name, field in cls.fields().items()}

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return {name: f.plain(getattr(self, name)) for name, f in self.fields().items()}

    def changes(self, others: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The fields that differ from their defaults or from ``others``, as JSON has them."""
        return {
            name: field.plain(getattr(self, name))
            for name, field in self.fields().items()
            if self._differs(name, others)
        }

    def _differs(self, name: str, others: Mapping[str, Any] | None) -> bool:
        value, field = getattr(self, name), self.fields()[name]
        different: bool = value != field.initial
        if others and name in others:
            different |= value != field.validate(self, others[name])
        return different

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values``, each as its field holds it.

        Raises:
            TypeError: ``values`` is no mapping.
            ValueError: names every bad key and value, and what is allowed.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"a state is a mapping of names to values, got {in_short(values)}")
        good, wrong = cls.sort_out(values)
        if wrong:
            raise ValueError("; ".join(wrong))
        return good

    @classmethod
    def sort_out(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The good values as their fields hold them, and one message for each bad one."""
        fields, good, wrong = cls.fields(), {}, []
        for name, value in values.items():
            if name not in fields:
                offered = arguments.among(name, fields, "the names are")
                wrong.append(f"there is no setting {in_short(name)}{offered}")
                continue
            try:
                good[name] = fields[name].validate(cls, value)
            except ValueError as error:
                wrong.append(str(error))
        return good, wrong

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the named fields, all or none, and tell listeners once.

        Raises:
            TypeError, ValueError: as :meth:`check`; the state is then as before.
        """
        good = self.check(values)
        nested, self._updating = self._updating, True
        try:
            for name, value in good.items():
                setattr(self, name, value)
        finally:
            self._updating = nested
        self._tell()

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set the named fields and put all others back to their defaults, all or none."""
        self.update({**self.defaults(), **self.check(values)})

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call ``listener`` with the names that changed, once for each update."""
        self._listeners.append(listener)

    def _note(self, change: Any) -> None:
        self._changed.add(change["name"])
        self._tell()

    def _tell(self) -> None:
        if self._updating or not self._changed:
            return
        changed, self._changed = frozenset(self._changed), set()
        for listener in list(self._listeners):
            listener(changed)
