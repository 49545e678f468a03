"""The base of every panel: declared state, links, presets, messages, jobs, and the layout."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from flowviz.widgets import signature
from flowviz.widgets.controls import Controls
from flowviz.widgets.header import Header
from flowviz.widgets.jobs import JobRunner, in_words
from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import Kind, Message
from flowviz.widgets.state import PanelState
from flowviz.widgets.theme import Theme

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slots:
    """What goes where: controls left, pictures right, charts below them, the strip last.

    In a narrow panel all are one column: pictures, transport, controls, charts, strip.
    """

    pictures: widgets.Widget
    controls: widgets.Widget | None = None
    transport: widgets.Widget | None = None
    charts: widgets.Widget | None = None
    strip: widgets.Widget | None = None


class Panel:
    """A panel: subclasses declare their state and say what is drawn.

    A subclass sets the class attributes below, makes its widgets in :meth:`build`, and draws in
    :meth:`refresh`, which is called once after ``build`` with all names and then after every
    change with the names of the settings that changed. Work that takes longer than a moment goes
    through ``self.jobs``.

    A subclass's signature and docstring list its settings, which are its keyword arguments; those
    not given have their defaults.

    Raises:
        TypeError: a setting without its name.
        ValueError: an unknown setting or a value that is not allowed.
    """

    __signature__: ClassVar[inspect.Signature]

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    group: ClassVar[str]
    State: ClassVar[type[PanelState]] = PanelState
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = signature.signature(cls.State)
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{signature.in_words(cls.State)}"

    def __init__(self, *nameless: object, hide: str | Iterable[str] = (), **state: Any) -> None:
        if nameless:
            raise TypeError(signature.by_name(type(self).__name__, self.State, nameless[0]))
        hide = hide if isinstance(hide, str) else list(hide)
        self.settings: Any = self.State(hide=hide, **state)
        self.jobs = JobRunner(on_error=self.fail)
        self.controls = Controls(self.settings, on_error=self._refused)
        self.theme = Theme()
        self.header = Header(
            title=self.title, summary=self.summary, presets=[label for label, _ in self.presets]
        )
        self._message = Message()
        self._refusal = ""
        slots = self.build()
        self.widget = self._lay_out(slots)
        self.settings.on_change(self._changed)
        self.header.on_preset(self.apply_preset)
        self.header.observe(lambda _: self._describe(), names=["code_shown"])
        self.header.observe(self._present, names=["presenting"])
        self.theme.observe(lambda change: self.set_theme(change["new"]), names=["dark"])
        self._describe()
        self.refresh(frozenset(self.settings.fields()))

    # ---- for subclasses ------------------------------------------------------------------------

    def build(self) -> Slots:
        """Make the widgets, once."""
        raise NotImplementedError

    def refresh(self, changed: frozenset[str]) -> None:
        """Draw what depends on the settings named in ``changed``."""

    def set_theme(self, dark: bool) -> None:
        """Follow the page's theme: charts do it here; the stage and the controls by themselves."""

    def code(self) -> str:
        """A few lines of flowviz that make what is seen."""
        return f"import flowviz\n\n{self.python_line()}"

    # ---- state ---------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """The panel's state as a plain dict.

        Assigning one puts the panel into that state; what it leaves out gets its default. A bad
        one raises ValueError, shows the message in the panel and changes nothing.
        """
        return self.settings.to_dict()

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        self._take(lambda: self.settings.replace(values))

    def update(self, **values: Any) -> None:
        """Change the named settings, all or none; errors as for :attr:`state`."""
        self._take(lambda: self.settings.update(values))

    def apply_preset(self, index: int) -> None:
        """Put the panel into a preset's state; hidden controls stay hidden."""
        self.settings.replace({**self.presets[index][1], "hide": self.settings.hide})
        self._message.clear()

    def link(self) -> str:
        """The state as a query string."""
        return self.settings.to_query()

    def restore(self, query: str, *, ignore: Iterable[str] = ()) -> list[str]:
        """Take the state of a link. Never raises for what the link holds.

        What is bad in it gets its default, and the panel says so.

        Args:
            query: as :meth:`link` makes it.
            ignore: names in the query that are not the panel's.

        Returns:
            The messages shown.
        """
        values, messages = self.settings.from_query(query, ignore=ignore)
        self.settings.replace(values)
        if messages:
            self.message("Not everything in the link was usable: " + "; ".join(messages), "error")
        return messages

    def python_line(self) -> str:
        """The line of Python that makes this panel in its present state."""
        arguments = [f"{name}={value!r}" for name, value in self.settings.changes().items()]
        return f"flowviz.panels.make({', '.join([repr(self.name), *arguments])})"

    def to_json(self) -> str:
        return self.settings.to_json()

    def from_json(self, text: str) -> None:
        """Take the state written in ``text``; errors as for :attr:`state`."""
        self._take(lambda: self.settings.replace(self.settings.from_json(text)))

    def save(self, path: str | Path) -> None:
        """Write the state to a JSON file."""
        self.settings.save(path)

    def load(self, path: str | Path) -> None:
        """Take the state of a JSON file; errors as for :attr:`state`."""
        self._take(lambda: self.settings.load(path))

    def _take(self, change: Any) -> None:
        try:
            change()
        except (ValueError, TypeError, OSError) as error:
            self.message(str(error), "error")
            raise

    # ---- what the user sees --------------------------------------------------------------------

    def message(self, text: str, kind: Kind = "info") -> None:
        """Show ``text`` in the panel until it is dismissed; an empty text takes it away."""
        if text:
            self._message.show(text, kind)
        else:
            self._message.clear()

    def fail(self, error: Exception) -> None:
        """Show an exception in words: ours as they are, others with their type."""
        self.message(str(error) if type(error) is ValueError else in_words(error), "error")

    def close(self) -> None:
        """Stop the panel's jobs and close its widgets."""
        self.jobs.close()
        self.jobs.wait(timeout=2)
        _close(self.widget)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)

    def _refused(self, error: Exception) -> None:
        """Say why a control's value was not taken, until some value is."""
        self.fail(error)
        self._refusal = self._message.text

    def _changed(self, changed: frozenset[str]) -> None:
        if self._refusal and self._message.text == self._refusal:
            self._message.clear()
        self._refusal = ""
        self._describe()
        try:
            self.refresh(changed)
        except Exception as error:
            log.error("refresh of %s", self.name, exc_info=error)
            self.fail(error)

    def _describe(self) -> None:
        """Bring the head up to date: the line to copy, the code, the preset in force."""
        self.header.line = f"import flowviz; {self.python_line()}"
        self.header.preset = self._preset()
        if self.header.code_shown:
            self.header.code = self.code()

    def _preset(self) -> int:
        now = {**self.settings.to_dict(), "hide": []}
        fields = self.settings.fields()
        for index, (_, values) in enumerate(self.presets):
            good = self.settings.check(values)
            plain = {name: fields[name].plain(value) for name, value in good.items()}
            if now == {**self.settings.defaults(), **plain}:
                return index
        return -1

    def _present(self, change: Any) -> None:
        (self.widget.add_class if change["new"] else self.widget.remove_class)("fv-present")

    def _lay_out(self, slots: Slots) -> widgets.VBox:
        areas = []
        for area in ("controls", "pictures", "transport", "charts", "strip"):
            content = getattr(slots, area)
            if content is not None:
                areas.append(classed(widgets.VBox([content]), "fv-slot", f"fv-slot-{area}"))
        body = classed(widgets.VBox(areas), "fv-body")
        if slots.controls is None:
            body.add_class("fv-no-controls")
        root = widgets.VBox([self.theme, self.header, self._message, body])
        return classed(root, "fv", "fv-panel")


def _close(widget: widgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    for part in ("layout", "style"):
        owned = getattr(widget, part, None)
        if isinstance(owned, widgets.Widget):
            owned.close()
    widget.close()
