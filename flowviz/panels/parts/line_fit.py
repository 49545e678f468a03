"""A density on the line, fitted to another by plain descent of a divergence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from flowviz.grid import Window
from flowviz.objectives import Estimate
from flowviz.objectives.on_the_line import MEASURES, measure, why_infinite
from flowviz.panels.parts.density_stage import window_on
from flowviz.panels.parts.fit import Fit, FitState, Weights
from flowviz.targets.line import FAMILIES, Line
from flowviz.training import Trainer
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Choice, Integer, Real

NODES = 1_500
"""Of the quadrature of a step."""
LONGEST = 1.0
"""Longer gradients are shortened to this."""
MODELS = {name: FAMILIES[name].title for name in ("normal", "uniform")}
TARGETS = {name: family.title for name, family in FAMILIES.items()}
SYMBOLS = {name: one.symbol for name, one in MEASURES.items()}
NAMES = {name: f"{one.symbol}, {one.title}" for name, one in MEASURES.items()}


class LineFitState(FitState):
    """p*, where p starts, and how it is fitted."""

    target = Choice("normal", TARGETS, label="Target p*")
    target_position = Real(1.5, -6.0, 6.0, step=0.05, label="p*: position", help="Its centre")
    target_width = Real(1.0, 0.25, 3.0, step=0.05, label="p*: width", help="Its scale")
    model = Choice("normal", MODELS, label="Model p")
    model_position = Real(-1.5, -6.0, 6.0, step=0.05, label="p starts at", help="Where it starts")
    model_width = Real(1.0, 0.25, 3.0, step=0.05, label="with width", help="What it starts with")
    divergence = Choice("kl", NAMES, label="Divergence", help="What pulls, and what is fitted by")
    steps = Integer(400, 10, 5_000, step=10, label="Steps", help="How long a run is")
    rate = Real(0.05, 1e-3, 0.5, log=True, label="Step size", help="Of plain gradient descent")
    trained_by = (
        "target",
        "target_position",
        "target_width",
        "model",
        "model_position",
        "model_width",
        "divergence",
        "rate",
    )


LINE_SETTINGS = (*LineFitState.trained_by[:-1], "trained")
"""The settings after whose change there are other densities to draw."""


class LineModel(nn.Module):
    """A member of a family whose centre and width are trained; the width by its logarithm."""

    def __init__(self, family: str, centre: float, width: float) -> None:
        super().__init__()
        self.family = family
        self.centre = nn.Parameter(torch.tensor(centre, dtype=torch.float64))
        self.log_width = nn.Parameter(torch.tensor(width, dtype=torch.float64).log())

    @property
    def line(self) -> Line:
        """The density, with its gradient."""
        return Line(self.family, self.centre, self.log_width.exp())

    @property
    def now(self) -> Line:
        """The density without its gradient."""
        return Line(self.family, self.centre.detach().clone(), self.log_width.detach().exp())


class LineFit:
    """The model in use, from where it starts or as far as it is fitted.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state is a :class:`LineFitState`.
        run: the panel's run bar.
        stage: what shows it, and the film of its training.
        moment: the marks of that stage for a density: what the film shows of a moment.

    Attributes:
        fit: the training.
    """

    def __init__(
        self,
        panel: Panel,
        run: RunBar,
        stage: Stage,
        moment: Callable[[Line], Sequence[Mark]],
    ) -> None:
        self._settings: Any = panel.settings
        self._window: tuple[Any, Window] | None = None

        def marks(models: Sequence[Any]) -> list[Sequence[Mark]]:
            return [moment(models[0].now)]

        self.fit = Fit(
            panel,
            run,
            self._trainers,
            start=self._start,
            count=1,
            stages=[stage],
            moment=marks,
        )

    @property
    def settled(self) -> bool:
        return self.fit.settled

    def follow(self, changed: frozenset[str]) -> None:
        """Other densities or another divergence forget the training, another rate does not."""
        if self.fit.trainers is not None:
            if not changed.isdisjoint(LineFitState.trained_by[:-1]):
                self.fit.forget()
            elif "rate" in changed:
                optimizer: Any = self.fit.trainers[0].optimizer
                optimizer.param_groups[0]["lr"] = self._settings.rate
        self.fit.follow(changed)

    def begin(self) -> None:
        """Start the training that was asked for."""
        self.fit.begin()

    @property
    def window(self) -> Window:
        """What is seen of p* and p: the same from the start of a fit to its end."""
        why = [getattr(self._settings, name) for name in LineFitState.trained_by]
        if self._window is None or self._window[0] != why:
            left, right, bottom, top = window_on((self.target, self.model)).tolist()
            self._window = why, (left, right, bottom, top)
        return self._window[1]

    @property
    def target(self) -> Line:
        """p*."""
        settings = self._settings
        return Line(settings.target, settings.target_position, settings.target_width)

    @property
    def model(self) -> Line:
        """p, without gradient."""
        trainers = self.fit.trainers
        model: Any = trainers[0].flow if trainers else self._start()
        line: Line = model.now
        return line

    def _start(self) -> Any:
        settings = self._settings
        return LineModel(settings.model, settings.model_position, settings.model_width)

    def _trainers(self, weights: Weights | None, steps: int) -> Sequence[Trainer]:
        settings, target, model = self._settings, self.target, self._start()
        if weights is not None:
            model.load_state_dict(weights[0])
        name = settings.divergence
        if why := why_infinite(name, target, model.line):
            raise ValueError(f"{SYMBOLS[name]} is infinite and has no gradient to follow: {why}")

        def objective(model: Any, generator: Generator) -> Estimate:
            value: Tensor = measure(name, target, model.line, nodes=NODES)
            return Estimate(value, torch.zeros(()))

        optimizer = torch.optim.SGD(model.parameters(), lr=settings.rate)
        options: Any = {"optimizer": optimizer, "max_gradient_norm": LONGEST, "steps": steps}
        return [Trainer(model, objective, **options)]

    def code(self) -> list[str]:
        """The lines of Python that make p* and p, fitted as far as it is."""
        settings = self._settings
        start = f"{settings.model_position:g}, {settings.model_width:g}"
        lines = [
            f'target = Line("{settings.target}", {settings.target_position:g}, '
            f"{settings.target_width:g})",
        ]
        if not self.fit.done:
            return [*lines, f'model = Line("{settings.model}", {start})']
        return [
            *lines,
            f"centre, width = torch.tensor([{start}], dtype=torch.float64)",
            "parameters = centre.requires_grad_(), width.log().requires_grad_()",
            f"descent = torch.optim.SGD(parameters, lr={settings.rate:g})",
            f"for _ in range({self.fit.done}):",
            "    descent.zero_grad()",
            f'    model = Line("{settings.model}", parameters[0], parameters[1].exp())',
            f'    measure("{settings.divergence}", target, model, nodes={NODES}).backward()',
            f"    torch.nn.utils.clip_grad_norm_(parameters, {LONGEST:g})",
            "    descent.step()",
            f'model = Line("{settings.model}", parameters[0].detach(), '
            "parameters[1].detach().exp())",
        ]


def clipped(gradient: Tensor) -> Tensor:
    """A gradient shortened to LONGEST, as ``torch.nn.utils.clip_grad_norm_`` shortens it."""
    return gradient * (LONGEST / (gradient.square().sum().sqrt() + 1e-6)).clamp(max=1.0)
