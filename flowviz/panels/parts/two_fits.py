"""One flow and one seed, fitted twice to one target in lockstep: by forward and by reverse KL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from torch import Generator

from flowviz.flows import Flow
from flowviz.objectives import Estimate
from flowviz.panels.parts.fit import AVERAGE, Fit, FitState, Weights
from flowviz.panels.parts.flow_choice import (
    FLOW_SETTINGS,
    FlowState,
    flow_code,
    flow_controls,
    make_flow,
    training_settings,
)
from flowviz.panels.parts.in_page import (
    begun,
    flow_in_page,
    samples_in_page,
    training_in_page,
)
from flowviz.panels.parts.model_on_grid import CELLS, FEW_CELLS, ModelOnGrid
from flowviz.panels.parts.target_choice import TARGET_SETTINGS, TargetChoice, TargetState
from flowviz.targets import Target
from flowviz.training import Objective, Trainer, maximum_likelihood, variational
from flowviz.widgets.charts import LineChart
from flowviz.widgets.panel import Panel
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Integer, Real, Toggle


class TwoFitsState(TargetState, FlowState, FitState):
    """The settings of the target, of the flow, and of both trainings."""

    learning_rate = Real(0.01, 1e-4, 0.1, log=True, label="Learning rate", help="Of Adam")
    batch = Integer(256, 16, 2048, step=16, label="Batch", help="Draws a step, for either model")
    path_gradient = Toggle(
        False, label="Path gradient", help="Reverse KL without the score term in its gradient"
    )
    log_c = Real(
        0.0, -5.0, 5.0, step=0.1, label="log C", help="p̃ is multiplied by C before it is fitted"
    )
    trained_by = (*TARGET_SETTINGS, *FLOW_SETTINGS, "learning_rate", "batch", "path_gradient")


MODELS_SETTINGS = (*TARGET_SETTINGS, *FLOW_SETTINGS, "trained")
"""The settings after whose change there are other models to draw."""


class TwoFits:
    """The forward model and the reverse model, and all the controls that make them what they are.

    A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`).

    Args:
        panel: its state is a :class:`TwoFitsState`.
        run: the panel's run bar.
        stages: what shows either model, and the film of its training; one's own points are drawn
            on the first.
        moment: the marks of both stages for such flows: what the film shows of a moment.
        chart: of both losses.

    Attributes:
        choice: of the target.
        flow_controls, more_controls: of the flow; of the training and what few need.
        fit: the training.
        grids: the target on a grid, by the number of its cells a side.
        constants: log C by the steps made before the one that it was used in.
    """

    def __init__(
        self,
        panel: Panel,
        run: RunBar,
        stages: Sequence[Stage],
        moment: Callable[[Sequence[Flow]], Sequence[Sequence[Mark]]],
        chart: LineChart,
    ) -> None:
        if not isinstance(panel.settings, TwoFitsState):
            raise TypeError("the state of a panel with TwoFits is a TwoFitsState")
        settings, controls = panel.settings, panel.controls
        self._settings, self._stages = settings, stages
        self._made: tuple[Any, ...] = ()
        self.grids: dict[int, ModelOnGrid] = {}
        self.constants: dict[int, float] = {}
        self.choice = TargetChoice(panel, stages[0])
        self.fit = Fit(
            panel,
            run,
            self._trainers,
            start=lambda: make_flow(settings),
            stages=stages,
            moment=moment,
            charts=[chart],
        )
        self.flow_controls = flow_controls(settings, controls, ("flow", "layers"))
        self.more_controls = training_settings(
            settings, controls, "learning_rate", "batch", "steps", "path_gradient"
        )

    # ---- a part of the panel -------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        return self.fit.settled

    def follow(self, changed: frozenset[str]) -> None:
        """Another flow or target is another fit; rates and batches hold from the next step on."""
        settings, target = self._settings, self.target
        made = (target, *(getattr(settings, name) for name in FLOW_SETTINGS))
        if made != self._made:
            self._made = made
            self.fit.forget()
            self._untrained = make_flow(settings)
            self._show_target(target)
        elif changed & {"learning_rate", "batch", "path_gradient"}:
            objectives = self._objectives()
            for trainer, objective in zip(self.fit.trainers or (), objectives, strict=False):
                trainer.optimizer.learning_rate = settings.learning_rate  # type: ignore[attr-defined]
                trainer.objective = objective
        self.fit.follow(changed)

    def begin(self) -> None:
        """Start the training that was asked for."""
        self.fit.begin()

    def in_page(self) -> dict[str, Any]:
        """Both flows, what they are trained on, and how."""
        settings, target = self._settings, self.target
        if not (target.has_samples and target.has_density):
            raise ValueError(f"{target.title} has no samples, or no density, to train on")
        if settings.path_gradient:
            raise ValueError("the path gradient of reverse KL has no program")
        start = begun(self._untrained, target, settings.batch, settings.seed)
        objectives = ("descent", "reverse_descent")
        flows = [
            flow_in_page(
                flow,
                start,
                ["forward", "log_prob", objective],
                log_density=target.log_density,
            )
            for flow, objective in zip(self.flows, objectives, strict=True)
        ]
        return {
            "flows": [{**f, "objective": o} for f, o in zip(flows, objectives, strict=True)],
            "stages": [0, 1],
            "samples": samples_in_page(target, settings.seed),
            "training": training_in_page(settings, self.fit, settings.learning_rate),
        }

    # ---- what is in use ------------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """The chosen target."""
        return self.choice.target()

    @property
    def flows(self) -> Sequence[Flow]:
        """The two models as they are shown."""
        return self.fit.flows or (self._untrained, self._untrained)

    def reverse_objective(self, batch: int) -> Objective:
        """Reverse KL to C p̃, with the C of the moment."""
        target, settings = self.target, self._settings

        def objective(flow: Flow, generator: Generator) -> Estimate:
            constant = settings.log_c
            trainers = self.fit.trainers
            self.constants[trainers[1].steps if trainers else 0] = constant
            scaled = SimpleNamespace(log_density=lambda x: target.log_density(x) + constant)
            return variational(scaled, batch, path_gradient=settings.path_gradient)(flow, generator)

        return objective

    def _objectives(self) -> tuple[Objective, Objective]:
        batch = self._settings.batch
        return maximum_likelihood(self.target, batch), self.reverse_objective(batch)

    def _show_target(self, target: Target) -> None:
        self.grids = {cells: ModelOnGrid(target, cells) for cells in (CELLS, FEW_CELLS)}
        for stage in self._stages:
            with stage.hold_sync():
                stage.window = target.window
                stage.contours = [self.grids[CELLS].outline()]

    def _trainers(self, weights: Weights | None, steps: int) -> Sequence[Trainer]:
        target, settings = self.target, self._settings
        if not target.has_samples:
            raise ValueError(f"{target.title} cannot be sampled, which forward KL needs")
        if not target.has_density:
            raise ValueError(f"{target.title} has no known density, which reverse KL needs")
        self.constants = {}
        options: dict[str, Any] = {"learning_rate": settings.learning_rate, "seed": settings.seed}
        made = []
        for i, objective in enumerate(self._objectives()):
            flow = make_flow(settings)
            if weights is not None:
                flow.load_state_dict(weights[i])
            made.append(Trainer(flow, objective, average=AVERAGE, steps=steps, **options))
        return made

    def code(self) -> str:
        """The Python that makes both fits and prints both divergences of either."""
        settings = self._settings
        constant, steps = settings.log_c, self.fit.done or settings.steps
        density = "scaled" if constant else "target"
        batch = f"batch={settings.batch}"
        path = ", path_gradient=True" if settings.path_gradient else ""
        options = f"learning_rate={settings.learning_rate:g}, seed={settings.seed}"
        flow = flow_code(settings).replace("\n", "\n    ")
        lines = [
            "import flowviz",
            "from flowviz.grid import Grid2D",
            "from flowviz.training import Trainer, maximum_likelihood, variational",
            "",
            self.choice.code(),
        ]
        if constant:
            scaled = f"lambda x: target.log_density(x) + {constant:g}"
            lines.insert(0, "from types import SimpleNamespace\n")
            lines.append(f"scaled = SimpleNamespace(log_density={scaled})")
        lines += [
            "objectives = {",
            f'    "forward": maximum_likelihood(target, {batch}),',
            f'    "reverse": variational({density}, {batch}{path}),',
            "}",
            f"grid = Grid2D(target.window, {CELLS})",
            "for name, objective in objectives.items():",
            f"    {flow}",
            f"    trainer = Trainer(flow, objective, {options}, average={AVERAGE})",
            f"    for _ in range({steps}):",
            "        trainer.step()",
            "    flow = trainer.averaged",
            '    print(name, "KL(p*‖p):", grid.kl(target.log_prob, flow.log_prob))',
            '    print(name, "KL(p‖p*):", grid.kl(flow.log_prob, target.log_prob))',
        ]
        return "\n".join(lines)
