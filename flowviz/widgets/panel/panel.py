"""The base of every panel: declared state, links, presets, goals, messages, jobs, one screen."""

from __future__ import annotations

import inspect
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import ipywidgets as widgets

from flowviz import atomic
from flowviz.widgets import signature
from flowviz.widgets.code_view import CodeView
from flowviz.widgets.controls import Controls
from flowviz.widgets.header import Header
from flowviz.widgets.headless import without_comms
from flowviz.widgets.jobs import JobRunner, in_words
from flowviz.widgets.layout import classed
from flowviz.widgets.naming import NAMINGS
from flowviz.widgets.page import BesideKernel, Carried, page
from flowviz.widgets.panel import cells, drawing, twin
from flowviz.widgets.panel.goals import Goal, GoalList
from flowviz.widgets.panel.screen import Screen, body
from flowviz.widgets.readouts import UNMEASURED, Kind, Message, Readout
from flowviz.widgets.stage import export as film
from flowviz.widgets.state import PanelState
from flowviz.widgets.tabs import Tabs

log = logging.getLogger(__name__)

Drawing = Callable[[], None]


class Part(Protocol):
    """A piece that several panels are made of, such as the training."""

    @property
    def settled(self) -> bool:
        """Whether the settings say all there is to say of it: false while it runs."""

    def follow(self, changed: frozenset[str]) -> None:
        """Follow the settings, before anything is drawn."""

    def begin(self) -> None:
        """Start what the settings ask for and what takes its time."""


class Panel:
    """A panel: subclasses declare their state, make their screen, and say what is drawn.

    A subclass sets ``State``, ``presets`` and ``goals``, makes its widgets in :meth:`build`, and
    draws in methods that say what they draw from (:func:`~flowviz.widgets.panel.draws`). Title,
    summary and group are the registry's. Work that takes longer than a moment goes through
    ``self.jobs``.

    A subclass's signature and docstring list its settings, which are its keyword arguments; those
    not given are as in its first preset, at which it opens.

    Raises:
        TypeError: a setting without its name.
        ValueError: an unknown setting or a value that is not allowed.
    """

    __signature__: ClassVar[inspect.Signature]

    name: ClassVar[str] = "panel"
    title: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    group: ClassVar[str] = ""
    invitation: ClassVar[str] = ""
    """What to do first, said until something is done."""
    State: ClassVar[type[PanelState]] = PanelState
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = ()
    goals: ClassVar[Sequence[Goal]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if naming := NAMINGS.get(f"{cls.__module__}:{cls.__name__}"):
            cls.name, cls.title = naming.name, naming.title
            cls.group, cls.summary = naming.group, naming.summary
        cls.__signature__ = signature.signature(cls.State)
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{signature.in_words(cls.State)}"
        for method, drawn in drawing.declared(cls):
            unknown = sorted(drawn.settings - set(cls.State.fields()))
            if unknown:
                raise TypeError(f"{cls.__name__}.{method} draws from {unknown}: no such settings")

    def __init__(self, *nameless: object, hide: str | Iterable[str] = (), **state: Any) -> None:
        if nameless:
            raise TypeError(signature.by_name(type(self).__name__, self.State, nameless[0]))
        without_comms()
        hide = hide if isinstance(hide, str) else list(hide)
        self.settings: Any = self.State(
            **self.State.completed({"hide": hide, **state}, self._first)
        )
        landing = self.presets and not set(state) - set(PanelState.VIEW)
        self._cell = cells.begin(self)
        self.jobs = JobRunner(on_error=self.fail)
        self.controls = Controls(self.settings, on_error=self.refuse)
        self.parts: list[Part] = []
        """What follows the settings before anything is drawn; :meth:`build` fills it."""
        self.header = Header(
            title=self.title, summary=self.summary, presets=[label for label, _ in self.presets]
        )
        self._message = Message()
        self._refusal = self._failure = ""
        self._noted: frozenset[str] = frozenset()
        self.screen = self.build()
        self._drawings = {
            getattr(self, method): drawn for method, drawn in drawing.declared(type(self))
        }
        self._waiting: set[Drawing] = set()
        self._asking = threading.Lock()  # held while what waits is changed
        self._at_work = False  # whether some of it is being drawn
        self._heading = threading.RLock()  # held while the head is changed, by either thread
        self._begun = False
        self._draw_later = self.jobs.latest(self._draw_waiting)
        self.widget = self._lay_out()
        self._carried = next((part for part in self.parts if isinstance(part, Carried)), None)
        self._beside = self._beside_kernel()
        self.settings.on_change(self._changed)
        self._listen()
        # Who comes with a state, from a link or in a lesson, finds it as it is.
        self.header.invitation = self.invitation if landing else ""
        self.screen.run.greets = bool(landing)
        everything = frozenset(self.settings.fields())
        for part in self.parts:
            part.follow(everything)
        self.redraw()
        self._begun = True
        for part in self.parts:
            part.begin()
        self._present()

    # ---- for subclasses ------------------------------------------------------------------------

    def build(self) -> Screen:
        """Make the widgets, once."""
        raise NotImplementedError

    def words(self) -> str:
        """What is seen now, in a sentence; it follows the state."""
        return ""

    def file_name(self) -> str:
        """What is saved is called so: panel, target, flow."""
        named = (getattr(self.settings, name, "") for name in ("target", "flow"))
        return "-".join([self.name, *(name for name in named if name)]).replace("_", "-")

    def code(self) -> str:
        """A few lines of flowviz that make what is seen."""
        return f"import flowviz\n\n{self.python_line()}"

    def redraw(self) -> None:
        """Draw everything, here and now."""
        with self._asking:
            self._waiting |= {*self._drawings}
        self._draw_waiting()

    # ---- state ---------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """The panel's state as a plain dict.

        Assigning one puts the panel into that state; what it leaves out is as in the first preset.
        A bad one raises ValueError, shows the message in the panel and changes nothing.
        """
        return self.settings.to_dict()

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        self._take(lambda: self._replace(values))

    def update(self, **values: Any) -> None:
        """Change the named settings, all or none; errors as for :attr:`state`."""
        self._take(lambda: self.settings.update(values))

    def note(self, **values: Any) -> None:
        """Write into the settings what is drawn already: links follow, nothing is drawn for it."""
        outer, self._noted = self._noted, frozenset(values)
        try:
            self.settings.update(values)
        finally:
            self._noted = outer

    def apply_preset(self, index: int) -> None:
        """Put the panel into a preset's state; what is hidden or presented stays so."""
        kept = {name: getattr(self.settings, name) for name in PanelState.VIEW}
        self.settings.replace({**self.presets[index][1], **kept})
        self._message.clear()

    def link(self) -> str:
        """The state as a query string: what differs from the defaults or from the first preset."""
        query: str = self.settings.to_query(self._first)
        return query

    def restore(self, query: str, *, ignore: Iterable[str] = ()) -> list[str]:
        """Take the state of a link. Never raises for what the link holds.

        What it leaves out is as in the first preset, what is bad in it too, and the panel says so.

        Args:
            query: as :meth:`link` makes it.
            ignore: names in the query that are not the panel's.

        Returns:
            The messages shown.
        """
        values, messages = self.settings.from_query(query, ignore=ignore)
        self._replace(values)
        if messages:
            self.message("Not everything in the link was usable: " + "; ".join(messages), "error")
        return messages

    def python_line(self) -> str:
        """The line of Python that makes this panel in its present state."""
        changes = self.settings.changes(self._first)
        arguments = [f"{name}={value!r}" for name, value in changes.items()]
        return f"flowviz.panels.make({', '.join([repr(self.name), *arguments])})"

    def to_json(self) -> str:
        return self.settings.to_json()

    def from_json(self, text: str) -> None:
        """Take the state written in ``text``; errors as for :attr:`state`."""
        self._take(lambda: self._replace(self.settings.from_json(text)))

    def save(self, path: str | Path) -> None:
        """Write the state to a JSON file."""
        self.settings.save(path)

    def load(self, path: str | Path) -> None:
        """Take the state of a JSON file; errors as for :attr:`state`."""
        self._take(lambda: self._replace(self.settings.read(path)))

    def _take(self, change: Callable[[], None]) -> None:
        try:
            change()
        except (ValueError, TypeError, OSError) as error:
            self.message(str(error), "error")
            raise

    def _replace(self, values: Mapping[str, Any]) -> None:
        good = self.settings.check(values)
        self.settings.replace(self.State.completed(good, self._first))

    @property
    def _first(self) -> Mapping[str, Any]:
        """What the panel opens at: the settings of its first preset."""
        return self.presets[0][1] if self.presets else {}

    # ---- what the user sees --------------------------------------------------------------------

    def message(self, text: str, kind: Kind = "info") -> None:
        """Show ``text`` in the panel until it is dismissed; an empty text takes it away."""
        if text:
            self._message.show(text, kind)
        else:
            self._message.clear()

    def refuse(self, error: Exception) -> None:
        """Say why a control's value was not taken, until some value is."""
        self.fail(error)
        self._refusal = self._message.text

    def fail(self, error: Exception) -> None:
        """Show an exception in words: ours as they are, others with their type."""
        self.message(str(error) if type(error) is ValueError else in_words(error), "error")

    def numbers(self) -> dict[str, str]:
        """The read-outs that are measured, as they are written: their names and texts."""
        return {
            f"{one.name} ({where})" if where else one.name: f"{one.text} {one.unit}".strip()
            for where, one in _readouts(self.widget)
            if one.text != UNMEASURED
        }

    def data(self) -> str:
        """State, sentence and numbers as a JSON text."""
        parts = {"panel": self.name, "state": self.state, "seen": self.words()}
        return json.dumps({**parts, "numbers": self.numbers()}, ensure_ascii=False, indent=1)

    def to_html(self, links: Sequence[tuple[str, str]] = ()) -> str:
        """The panel's pictures as a page that needs no kernel and fetches nothing.

        They are carried, dragged and trained in that page where the flow has programs for it, and
        they follow their handles where their stages do (:attr:`Stage.follows`); where there is no
        program they play, and the page says why that is all.

        Args:
            links: pages around this one, at its head: (label, address); an empty address is this
                page.
        """
        live, untold = None, ""
        try:
            live = self._carried.in_page() if self._carried is not None else None
            live = live or self._follows()
        except ValueError as error:
            untold = f"This page plays what was recorded: {error}."
        if live is None and not untold:
            untold = "This page plays what was recorded; the panel itself needs a kernel."
        more: dict[str, Any] = {
            "title": self.title,
            "titles": [stage.title for stage in self.screen.stages],
            "voices": self.screen.voices,
            "said": {"summary": self.summary, "words": self.words(), "untrained": untold},
            "bars": self.screen.bars,
            "links": links,
        }
        stages = self.screen.stages
        if live is None:
            return film.page(stages, **more)
        if self.goals and "goals" not in self.settings.hide:
            live = {**live, "goals": self.goal_list.in_page(self)}
        return page(stages, live, **more)

    def _follows(self) -> dict[str, Any] | None:
        """What the stages need that follow their handles without a kernel; None: none does.

        Raises:
            ValueError: one cannot.
        """
        makers = [stage.follows for stage in self.screen.stages]
        return {"follows": [make and make() for make in makers]} if any(makers) else None

    def save_html(self, path: str | Path) -> Path:
        """Write :meth:`to_html` to a file; returns its path."""
        path = Path(path)
        atomic.write_text(path, self.to_html())
        return path

    def close(self) -> None:
        """Stop the panel's jobs and close its widgets."""
        cells.end(self._cell, self)
        self.jobs.close()
        self.jobs.wait(timeout=2)
        if self._beside is not None:
            close_all(self._beside)
        close_all(self.widget)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return twin.bundle(self, **kwargs)

    # ---- drawing -------------------------------------------------------------------------------

    def _draw_waiting(self) -> None:
        """Draw what waits for it; what fails, and what comes after it, waits on.

        So does what stands in a tab that was not opened yet.
        """
        with self._asking:
            self._at_work = True
            due = self._opened(self._waiting)
            # What changes from here on has all that is drawn from it drawn once more: one method
            # goes on from what another has made.
            self._waiting -= due
        for draw in self._drawings:
            if draw not in due:
                continue
            try:
                draw()
            except Exception as error:
                with self._asking:
                    self._waiting |= due
                self._at_work = self.header.drawing = False
                log.error("drawing %s", self.name, exc_info=error)
                self.fail(error)
                self._failure = self._message.text
                return
            due.discard(draw)
        if self._failure and self._message.text == self._failure:
            self._message.clear()
        self._failure = ""
        self._at_work = False
        self._describe(drawn=True)
        given = self.header.preset >= 0 or self.state == self._lessons
        self.goal_list.check(self, given=given)

    def _opened(self, drawings: Iterable[Drawing]) -> set[Drawing]:
        """Those of them that draw what is in sight, or in a tab that was opened."""
        opened = {"", *self.tabs.opened}
        return {draw for draw in tuple(drawings) if self._drawings[draw].tab in opened}

    def _draw_opened(self) -> None:
        if any(self._drawings[draw].tab for draw in self._waiting):
            self._draw_later()

    def _changed(self, changed: frozenset[str]) -> None:
        if self._refusal and self._message.text == self._refusal:
            self._message.clear()
        self._refusal = ""
        self.header.invitation = ""
        if changed & set(PanelState.VIEW):
            self._present()
        new = changed - self._noted
        waiting = {draw for draw, drawn in self._drawings.items() if drawn.settings & new}
        if self._begun and self._opened(waiting):
            with self._heading:
                self.header.drawing = True
        for part in self.parts:
            part.follow(changed)
        with self._asking:
            self._waiting |= waiting
        if not self._begun:
            return  # All is drawn when it begins.
        if waiting:
            # What is seen is told when it is seen.
            self._point_here()
            self._draw_later()
        else:
            self._describe()
        for part in self.parts:
            part.begin()

    def _describe(self, *, drawn: bool = False) -> None:
        """Bring the head up to date, the code, and the page's own flows.

        What is said is of what is drawn: it stays while some of that is on its way.

        Args:
            drawn: what was due is: in a drag, where more is soon, this is said all the same.
        """
        with self._heading, self.header.hold_sync():
            self._point_here()
            self.header.drawing = self._at_work or bool(self._opened(self._waiting))
            if drawn or not self.header.drawing:
                self.header.words = self.words()
        if self._carried is not None and self._beside is not None:
            carried = self._carried
            self._beside.show(carried.learned, carried.fitted, carried.trains_in_page)

    def _point_here(self) -> None:
        """Say which preset is in force, and how this state is come back to."""
        with self._heading, self.header.hold_sync():
            self.header.line = f"import flowviz; {self.python_line()}"
            self.header.query = "&".join(filter(None, (f"panel={self.name}", self.link())))
            self.header.preset = self._preset()
            self.header.file = self.file_name()
        self.code_view.refresh()

    def _preset(self) -> int:
        """The preset whose state this is, its training included."""
        if not all(part.settled for part in self.parts):
            return -1
        here = self.settings.comparable(self.settings.to_dict())
        for index, (_, values) in enumerate(self.presets):
            if here == self.settings.comparable(
                {**self.settings.defaults(), **_plain(self, values)}
            ):
                return index
        return -1

    # ---- the screen ----------------------------------------------------------------------------

    def _listen(self) -> None:
        self.tabs.on_open(self._draw_opened)
        self.header.on_preset(self.apply_preset)
        self.header.on_data(self.data)
        self.header.on_page(self.to_html)
        self.header.on_code(lambda: self.tabs.turn_to("Code"))
        self.header.observe(
            lambda change: self.settings.update({"present": change["new"]}), names=["presenting"]
        )

    def _beside_kernel(self) -> BesideKernel | None:
        """What answers in the page, where there is something that it can carry."""
        carried = self._carried
        if carried is None:
            return None
        keys = [stage.key for stage in self.screen.stages]
        clock = self.screen.run.clock
        return BesideKernel(keys, clock, carried.in_page, carried.take, self.fail)

    def _present(self) -> None:
        """Follow the settings that say how the panel is shown, and not what."""
        settings = self.settings
        self.header.presenting = settings.present
        for name, on in (("fv-present", settings.present), ("fv-compact", settings.compact)):
            (self.widget.add_class if on else self.widget.remove_class)(name)
        self.goal_list.asked = settings.goal
        if settings.goal and "goals" not in settings.hide:
            self.tabs.turn_to("Goals")

    def _lay_out(self) -> widgets.VBox:
        self.code_view = CodeView(self.code)
        self.goal_list = GoalList(self.name, self.goals)
        # As a lesson opens it nobody has reached anything, either.
        self._lessons = self.state if self.settings.compact else None
        contents = {**self.screen.tabs, "Code": self.code_view}
        if self.goals and "goals" not in self.settings.hide:
            contents = {"Goals": self.goal_list, **contents}
        self.tabs = Tabs(contents, {"Choose": "controls", self.screen.companion_name: "companion"})
        self.header.stages = [stage.key for stage in self.screen.stages]
        self.header.voices = list(self.screen.voices)
        root = widgets.VBox(
            [self.header, self._message, body(self.screen, self.tabs), self.screen.run]
        )
        return classed(root, "fv", "fv-panel")


def _plain(panel: Panel, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = panel.settings.fields()
    return {n: fields[n].plain(v) for n, v in panel.settings.check(values).items()}


def _readouts(widget: widgets.Widget, where: str = "") -> Iterable[tuple[str, Readout]]:
    """The read-outs in a widget, each with the title of the card that it stands in."""
    where = getattr(widget, "card_title", "") or where
    if isinstance(widget, Readout):
        yield where, widget
    for child in getattr(widget, "children", ()):
        yield from _readouts(child, where)


def close_all(widget: widgets.Widget) -> None:
    """Close a widget, all that is in it, and what belongs to it."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in ("layout", "style"):
        owned = getattr(widget, part, None)
        if isinstance(owned, widgets.Widget):
            owned.close()
    widget.close()
