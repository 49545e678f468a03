"""What every panel's state has: how the panel is shown, and which of its controls are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from flowviz import arguments
from flowviz.widgets.state.field import Field, in_short
from flowviz.widgets.state.fields import Integer, Toggle
from flowviz.widgets.state.written import WrittenValues


class Hidden(Field[tuple[str, ...]]):
    """The names of the controls that a teacher wants out of sight, in the order of the fields."""

    def __init__(self) -> None:
        super().__init__((), help="names of controls to hide")

    def coerce(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = self.parse(value)
        if not isinstance(value, (Sequence, set, frozenset)):
            raise TypeError
        return tuple(value)

    def allowed(self) -> str:
        return "names of controls"

    def salvage(self, owner: Any, value: Any) -> tuple[Any, list[str]]:
        """Bad names in a link spoil themselves alone."""
        known = owner.hidable()
        good = [name for name in value if name in known]
        bad = [name for name in value if name not in known]
        if not bad:
            return good, []
        return good, [self._refused(bad if len(bad) > 1 else bad[0], bad[0], known)]

    def validate(self, obj: Any, value: Any) -> Any:
        known = obj.hidable()
        wanted: tuple[Any, ...]
        try:
            wanted = self.coerce(value)
        except TypeError:
            wanted = (None,)
        for name in wanted:
            if not isinstance(name, str) or name not in known:
                raise ValueError(self._refused(value, name, known))
        return tuple(name for name in known if name in wanted)

    def parse(self, text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def plain(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    @staticmethod
    def _refused(value: Any, name: Any, known: Sequence[str]) -> str:
        offered = arguments.among(name, known, "names among")
        return f"hide={in_short(value)} is not allowed{offered}"


class PanelState(WrittenValues):
    """The state of a panel; subclasses declare its fields.

    ``buttons`` names the controls that are no field (buttons, say) and may be hidden all the same.
    """

    VIEW: ClassVar[tuple[str, ...]] = ("goal", "compact", "present", "hide")
    """The fields that every panel has: how it is shown, and not what."""

    buttons: ClassVar[tuple[str, ...]] = ()
    goal = Integer(0, 0, 9, label="Goal", help="The goal to open the panel at; 0: none")
    compact = Toggle(False, label="Compact", help="At most 640 pixels high, as in a lesson's cell")
    present = Toggle(False, label="Present", help="The picture alone, as large as it will go")
    hide = Hidden()

    @classmethod
    def hidable(cls) -> tuple[str, ...]:
        """The names that ``hide`` may hold."""
        buttons = [name for owner in cls.__mro__ for name in vars(owner).get("buttons", ())]
        settings = [name for name in cls.fields() if name not in cls.VIEW]
        return (*settings, *dict.fromkeys(buttons), "goals")

    @classmethod
    @cache
    def fields(cls) -> Mapping[str, Field[Any]]:
        """The declared fields by name, in the order of their declaration; those of VIEW last."""
        found = dict(super().fields())
        view = {name: found.pop(name) for name in cls.VIEW}
        return {**found, **view}

    @classmethod
    def completed(cls, values: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
        """``values``, and what they leave out as ``first``, what a panel opens at, has it."""
        return {**first, **values}

    @classmethod
    def comparable(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` without what does not make another state: how it is shown, and where."""
        return {n: value for n, value in values.items() if n not in (*cls.VIEW, "position")}
