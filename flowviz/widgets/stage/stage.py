"""The stage: plays the states of a flow in the browser, from one buffer sent once."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets as t
from ipywidgets import Layout

from flowviz import atomic
from flowviz.widgets import esm
from flowviz.widgets.shared_widget import SharedWidget
from flowviz.widgets.stage import export, twin
from flowviz.widgets.stage.film import Moment, check_film
from flowviz.widgets.stage.marks import (
    KINDS,
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Mark,
    Particles,
    Paths,
    Shapes,
)
from flowviz.widgets.stage.marks.arrays import Array, checked_extent, raw_bytes

_HERE = Path(__file__).parent
_CSS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (_HERE.parent / "tokens.css", _HERE / "scrubber.css", _HERE / "stage.css")
)


CARRIED = ("particles", "grids", "images", "contours", "paths", "shapes", "handles")
"""The kinds of marks that a flow can carry."""
WAYS = (
    *("forward", "inverse", "base", "point", "image", "tangent"),
    *("density", "target", "pulled", "modes"),
)
"""How: states from the first one, or from the last; the first one, that stays; from the first,
moving with the marked point; where that ends, of a handle; what the Jacobians there make of it; the
model's density, an image; the target's, contours, or the same pulled back to the base; the target's
modes, handles. Without a word of the handles, the first is the marked point."""


class _Marks(t.List):
    """A list of marks of one kind; a single mark may be given in its place."""

    def __init__(self, kind: type[Mark], **tags: Any) -> None:
        super().__init__(t.Instance(kind))
        self.tag(sync=True, to_json=_marks_to_json, **tags)

    def validate(self, obj: Any, value: Any) -> Any:
        if isinstance(value, Mark):
            value = [value]
        elif isinstance(value, tuple):
            value = list(value)
        return super().validate(obj, value)


def _marks_to_json(marks: Sequence[Mark], _: Any) -> list[dict[str, Any]]:
    return [mark.to_json() for mark in marks]


def _handles_from_json(sent: Sequence[dict[str, Any]], _: Any) -> list[Handles]:
    return [Handles.from_json(one) for one in sent]


def _points_to_json(points: Array, _: Any) -> memoryview:
    return raw_bytes(np.ascontiguousarray(points, dtype=np.float32))


def _points_from_json(sent: Any, _: Any) -> Array:
    return np.frombuffer(sent or b"", dtype=np.float32).reshape(-1, 2).copy()


class _Points(t.TraitType):
    """An array of points ``[n, 2]``, float32, that travels as bytes."""

    info_text = "an array of points [n, 2]"

    def make_dynamic_default(self) -> Array:
        return np.empty((0, 2), dtype=np.float32)

    def validate(self, obj: Any, value: Any) -> Array:
        points = np.asarray(value, dtype=np.float32)
        if points.size == 0:
            return np.empty((0, 2), dtype=np.float32)
        if points.ndim != 2 or points.shape[1] != 2:
            raise t.TraitError(f"drawn must have shape [n, 2], got {list(points.shape)}")
        return points


class Stage(SharedWidget):
    """Plays, scrubs, steps and loops a flow's states on the page; playing sends nothing.

    >>> from flowviz.widgets.stage import Particles, Stage
    >>> stage = Stage([Particles(trace.states)], window=(-4, 4, -4, 4))  # doctest: +SKIP

    The marks stand in one list for each kind (``particles``, ``grids``, ``images``, ``contours``,
    ``fields``, ``paths``, ``shapes``, ``lines``, ``handles``): setting one list sends that list
    alone, and the picture goes on where it was. Marks that move must agree on their number of
    states K+1.

    ``film`` holds up to 40 moments of a training run, at most 4 MB: while the page's training
    scrubber is at one of them, its marks stand in place of the stage's own of the same kinds.
    Setting it, even to nothing, goes back to what is live.

    Heard from the page, never more than the newest value:

    - ``position`` (0 … K) and ``playing``, when the user pauses, scrubs or steps;
    - ``probe`` (x, y): the cursor, with ``probing=True``; at most 15 times a second;
    - ``picked``: the index of the chosen particle of the first set, −1 for none, with
      ``picking=True``;
    - ``handles``: moved by the user; ``held`` says which ({"set", "index"}), None once let go;
    - ``drawn`` ``[n, 2]``: the points that the user sprayed, with ``drawing="points"``.

    Args:
        marks: any marks, sorted into their lists.
        **traits: initial values of the traits below.

    Raises:
        ValueError, TypeError, traitlets.TraitError: what does not fit, in words.
    """

    _esm = esm.widget(_HERE / "stage.js")
    _css = _CSS

    particles = _Marks(Particles, echo_update=False)
    grids = _Marks(Grid, echo_update=False)
    images = _Marks(Image, echo_update=False)
    contours = _Marks(Contours, echo_update=False)
    fields = _Marks(Field, echo_update=False)
    paths = _Marks(Paths, echo_update=False)
    shapes = _Marks(Shapes, echo_update=False)
    lines = _Marks(Lines, echo_update=False)
    handles = _Marks(Handles, echo_update=False, from_json=_handles_from_json)

    carried = t.Dict(
        key_trait=t.Enum(tuple(CARRIED)),
        value_trait=t.List(t.Enum(WAYS)),
        help="what of each kind of marks a page of its own makes itself by the flow's programs, "
        "mark by mark: how it is carried",
    ).tag(sync=True)
    coloured = t.Dict(
        key_trait=t.Enum(("particles", "grids")),
        value_trait=t.Enum(("layer", "total", "density", "ratio")),
        help="what the values of carried marks are: log|det J| of the layer, its sum so far, the "
        "log-density on the way, or log p*/p where it ends",
    ).tag(sync=True)
    film = t.List(t.Instance(Moment), help="what is shown at moments of a training run").tag(
        sync=True, echo_update=False, to_json=_marks_to_json
    )

    window = t.Tuple(
        t.Float(),
        t.Float(),
        t.Float(),
        t.Float(),
        default_value=(-4.0, 4.0, -4.0, 4.0),
        help="xmin, xmax, ymin, ymax of what is seen",
    ).tag(sync=True)
    title = t.Unicode(help="shown above the picture").tag(sync=True)
    description = t.Unicode(help="what is to be seen, for who cannot see it").tag(sync=True)
    state_names = t.List(t.Unicode(), help="names of the K+1 states").tag(sync=True)
    position = t.Float(0.0, help="0 (base) … K (data)").tag(sync=True, echo_update=False)
    playing = t.Bool(False).tag(sync=True, echo_update=False)
    speed = t.Float(600.0, help="milliseconds a layer").tag(sync=True)
    stretches = t.Int(1, min=1, help="how many states a layer is long").tag(sync=True)
    loop = t.Bool(False).tag(sync=True)
    direction = t.Enum(
        ("forward", "inverse"), "forward", help="forward: base → data; inverse: data → base"
    ).tag(sync=True, echo_update=False)
    unit = t.Unicode(
        "layer", help='what a step is called; "t =" and the like: a quantity over unit_range'
    ).tag(sync=True)
    unit_range = t.Tuple(t.Float(), t.Float(), default_value=(0.0, 1.0)).tag(sync=True)
    reversible = t.Bool(True, help="whether it can be played in both directions").tag(sync=True)
    clock = t.Unicode(help="stages of a page that name the same clock play together").tag(sync=True)
    transport = t.Bool(True, help="whether the bar is shown").tag(sync=True)
    strip = t.Bool(False, help="a small picture of every state, instead of one").tag(sync=True)
    axes = t.Bool(True).tag(sync=True)
    aspect = t.Enum(
        ("equal", "free"), "equal", help="one scale on both axes, or as the room is"
    ).tag(sync=True)
    axis_titles = t.Tuple(t.Unicode(), t.Unicode(), default_value=("", "")).tag(sync=True)
    max_width = t.Int(640, help="css pixels; 0: as wide as there is room").tag(sync=True)
    fit = t.Bool(
        False, help="fill the box that the page gives, in height too; it must have a height"
    ).tag(sync=True)
    tools = t.Bool(True, help="whether it has buttons that save it as PNG and HTML").tag(sync=True)
    key = t.Unicode(help="under which the page's other widgets find its view").tag(sync=True)
    readout = t.Dict(
        allow_none=True,
        default_value=None,
        help='{"label", "values" [K+1]}: a number shown with the position, interpolated',
    ).tag(sync=True)
    probing = t.Bool(False, help="whether the cursor is reported").tag(sync=True)
    probe = t.List(t.Float(), allow_none=True, default_value=None).tag(sync=True, echo_update=False)
    picking = t.Bool(False, help="whether a click chooses a particle").tag(sync=True)
    picked = t.Int(-1).tag(sync=True, echo_update=False)
    picked_name = t.Unicode(help="written beside the chosen particle").tag(sync=True)
    drawing = t.Enum(("off", "points"), "off").tag(sync=True)
    drawn = _Points().tag(
        sync=True, echo_update=False, to_json=_points_to_json, from_json=_points_from_json
    )
    held = t.Dict(allow_none=True, default_value=None).tag(sync=True, echo_update=False)

    def __init__(self, marks: Mark | Sequence[Mark] = (), **traits: Any) -> None:
        if "layout" not in traits:
            filled = {"height": "100%", "min_height": "0"} if traits.get("fit") else {}
            traits["layout"] = Layout(width="100%", min_width="0", **filled)
        given = _sorted_marks([marks] if isinstance(marks, Mark) else marks)
        twice = sorted(set(given) & set(traits))
        if twice:
            raise ValueError(f"marks of the kind {twice[0]!r} are given twice")
        super().__init__(**given, **traits)
        self.follows: Callable[[], Mapping[str, Any]] | None = None
        """Makes what a page needs for the marks to follow the handles where no kernel is
        (``page/following.js``); it raises ValueError where that cannot be."""

    def show(self, *marks: Mark) -> None:
        """Replace the marks of the kinds given, in one message; other kinds stay as they are.

        Raises:
            ValueError, TypeError: not a mark, or numbers of states that disagree.
        """
        given = _sorted_marks(marks)
        staying = [mark for mark in self.marks if mark.kind not in given]
        _check_frames([*staying, *marks])
        with self.hold_sync(), self.hold_trait_notifications():
            for kind, of_kind in given.items():
                setattr(self, kind, of_kind)

    @property
    def marks(self) -> list[Mark]:
        """All marks, kind after kind."""
        return [mark for kind in KINDS for mark in getattr(self, kind.kind)]

    @property
    def frames(self) -> int:
        """K+1: the number of states; 1 where nothing moves."""
        return max((mark.frames for mark in self.marks), default=1)

    def to_html(self) -> str:
        """A page that plays this stage offline, without a kernel, in light and dark."""
        return export.page([self], title=self.title)

    def save_html(self, path: str | Path) -> Path:
        """Write :meth:`to_html` to a file; returns its path."""
        path = Path(path)
        atomic.write_text(path, self.to_html())
        return path

    def twin_png(self, **options: Any) -> bytes:
        """What is shown, as a PNG drawn without a browser; options of :func:`twin.png`."""
        return twin.png([self], **options)

    @t.validate(*(kind.kind for kind in KINDS))
    def _agree_on_frames(self, proposal: dict[str, Any]) -> Any:
        name, marks = proposal["trait"].name, proposal["value"]
        _check_frames([*(mark for mark in self.marks if mark.kind != name), *marks])
        return marks

    @t.validate("film")
    def _check_film(self, proposal: dict[str, Any]) -> list[Moment]:
        film: list[Moment] = proposal["value"]
        check_film(film)
        for moment in film:
            _check_frames([*self.marks, *moment.marks])
        return film

    @t.default("key")
    def _own_key(self) -> str:
        return uuid.uuid4().hex

    @t.validate("window")
    def _check_window(self, proposal: dict[str, Any]) -> tuple[float, float, float, float]:
        return checked_extent(proposal["value"], "window")

    @t.validate("position")
    def _check_position(self, proposal: dict[str, Any]) -> float:
        position = float(proposal["value"])
        if not math.isfinite(position) or position < 0:
            raise ValueError(f"position must be between 0 and K, got {position}")
        return position

    @t.validate("speed")
    def _check_speed(self, proposal: dict[str, Any]) -> float:
        speed = float(proposal["value"])
        if not 50 <= speed <= 10_000:
            raise ValueError(f"speed must be 50 to 10000 milliseconds a layer, got {speed}")
        return speed

    @t.validate("readout")
    def _check_readout(self, proposal: dict[str, Any]) -> dict[str, Any] | None:
        readout = proposal["value"]
        if readout is None:
            return None
        if set(readout) != {"label", "values"}:
            raise ValueError(f"readout must have label and values, got {sorted(readout)}")
        values: npt.NDArray[np.float64] = np.asarray(readout["values"], dtype=float)
        if values.ndim != 1:
            raise ValueError(f"readout values must be [K+1], got {list(values.shape)}")
        numbers = [v if math.isfinite(v) else None for v in values.tolist()]
        return {"label": str(readout["label"]), "values": numbers}


def _sorted_marks(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    """The marks by the name of their list."""
    by_kind: dict[str, list[Mark]] = {}
    for mark in marks:
        if not isinstance(mark, KINDS):
            names = ", ".join(kind.__name__ for kind in KINDS)
            raise TypeError(f"a stage draws {names}; got {type(mark).__name__}")
        by_kind.setdefault(mark.kind, []).append(mark)
    return by_kind


def _check_frames(marks: Sequence[Mark]) -> None:
    """Raise ValueError unless all the marks that move have one number of states."""
    counts = {mark.frames: type(mark).__name__ for mark in marks if mark.frames > 1}
    if len(counts) > 1:
        said = ", ".join(f"{name} {count}" for count, name in sorted(counts.items()))
        raise ValueError(
            f"all that moves must have one number of states K+1, got {said}; "
            f"set them together with stage.show(…)"
        )
