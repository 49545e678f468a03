"""Divergences: what "close" means is chosen, and each divergence pulls with another force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flowviz.panels.parts.density_following import following
from flowviz.panels.parts.density_stage import DensityStage, Pair, drawn
from flowviz.panels.parts.divergence_table import (
    PULL,
    DivergenceTable,
    difference_in_words,
    look,
    name_in_words,
    other_in_words,
    pull_in_words,
    value_in_words,
)
from flowviz.panels.parts.divergence_words import FLAT, in_words
from flowviz.panels.parts.kept_fits import Kept, KeptFits
from flowviz.panels.parts.line_charts import DistanceChart, RatioChart, WitnessChart
from flowviz.panels.parts.line_fit import LINE_SETTINGS, SYMBOLS, LineFit, LineFitState
from flowviz.panels.parts.line_moves import LineMoves
from flowviz.targets.line import Line
from flowviz.widgets.layout import card, classed, folded, row
from flowviz.widgets.panel import Goal, Panel, Screen, draws
from flowviz.widgets.readouts import Readout
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Integer

UNIFORMS = {"target": "uniform", "target_position": 0.5, "target_width": 0.5, "model": "uniform"}
AT_0 = {"target": "uniform", "target_position": 0.0, "model": "uniform", "model_position": 0.0}
BUMPS = {"target": "two_bumps", "target_position": 0.0, "model_position": 0.8, "model_width": 0.8}


class DivergencesState(LineFitState):
    """What the panel can be set to."""

    buttons = ("training",)
    seed = Integer(7, 0, 2**31 - 1, label="Seed", help="Of the samples")


class Divergences(Panel):
    """Eight divergences of two densities on the line, and the force with which each pulls.

    The model p is moved along −dD/dm and −dD/d log s: the arrow at its handle. What is large need
    not pull: far from the target JS is log 2 and flat, while W₁ pulls with 1 at any distance.
    """

    State = DivergencesState
    settings: DivergencesState
    invitation = "Now you: drag p"
    presets: ClassVar[Sequence[tuple[str, Mapping[str, Any]]]] = (
        ("Slide apart", {"trained": 0}),
        (
            "JS goes flat",
            {"divergence": "jensen_shannon", "target_position": 4.0, "model_position": -4.0},
        ),
        (
            "Thin tails",
            {
                "divergence": "chi_squared",
                "target": "student",
                "target_position": 0.0,
                "model_position": 0.0,
                "model_width": 1.5,
            },
        ),
        (
            "U[0, 1] and U[0, 2]",
            {**UNIFORMS, "divergence": "wasserstein", "model_position": 1.0},
        ),
        ("Two bumps", {**BUMPS, "divergence": "reverse_kl"}),
    )
    goals: ClassVar[Sequence[Goal]] = (
        Goal(
            "Make JS > 0.69 with a pull below 0.001, while W₁ pulls with 1",
            lambda panel: (
                panel.found["jensen_shannon"].value > 0.69
                and abs(panel.found["jensen_shannon"].pull) < FLAT
                and abs(abs(panel.found["wasserstein"].pull) - 1) < 0.01
            ),
            "Slide p far away. The tab Numbers has every pull.",
            "JS cannot exceed log 2: far away it is flat, and its gradient says nothing.",
            by={"target_position": 4.5, "model_position": -4.5},
            in_page=lambda panel: {
                "js": (0.69, None),
                "js_pull": (None, FLAT),
                "w1_pull": (0.99, 1.01),
            },
        ),
        Goal(
            "Find two densities with TV < 0.1 of which KL(p*‖p) or χ² is infinite",
            lambda panel: (
                panel.found["total_variation"].value < 0.1
                and bool(panel.found["kl"].why or panel.found["chi_squared"].why)
            ),
            "Heavy tails that p lacks, or an edge that p does not quite reach.",
            "A ratio p*/p without bound on little mass: TV sees the mass, χ² and KL the ratio.",
            by={**AT_0, "model_width": 0.95},
            in_page=lambda panel: (
                {"tv": (None, 0.1), "infinite": (1, None)}
                if panel.settings.target == panel.settings.model == "uniform"
                else None
            ),
        ),
        Goal(
            "Fit two bumps so that p stands on one of them alone",
            lambda panel: (
                panel.fit.done > 0
                and panel.settings.target == "two_bumps"
                and abs(abs(panel.offset) - 2 * panel.settings.target_width) < 0.3
                and float(panel.lines[1].width) < 0.8 * panel.settings.target_width
            ),
            "Which divergence does not pay for a bump that p leaves out? Start near one.",
            "Now fit by KL(p*‖p): it pays for every place that p leaves out, and covers both.",
            by={**BUMPS, "divergence": "reverse_kl", "model_position": 2.0, "trained": 400},
            in_page=lambda panel: (
                {"step": (1, None), "bump": (None, 0.3), "wide": (None, 0.8)}
                if panel.settings.target == "two_bumps"
                and panel.settings.divergence == "reverse_kl"
                else None
            ),
        ),
    )

    def build(self) -> Screen:
        self.run = RunBar(clock="", depth=False)
        moves = LineMoves(self.settings, lambda: self.lines)
        self.densities = DensityStage(lambda: self.lines, moves.move, self.refuse)
        self.stage = self.densities.stage
        self.run.clock = self.stage.clock = f"divergences {self.run.model_id}"
        self.model = LineFit(self, self.run, self.stage, self._moment)
        self.fit, self.parts = self.model.fit, [self.model]
        self.distances, self.ratios, self.witness = DistanceChart(), RatioChart(), WitnessChart()
        self.distances.on_click(moves.stand_apart)
        self.table, self.kept = DivergenceTable(), KeptFits()
        self.value = Readout("D", help="By quadrature in float64")
        self.other = Readout("Formula")
        self.difference = Readout("Gap", help="Between the two ways")
        self.pull = Readout("Pull", help=PULL)
        self.stage.follows = self._follows_in_page
        numbers = classed(row(self.value, self.other, self.difference, self.pull), "fv-four")
        controls = self.controls
        return Screen(
            pictures=[card(self.stage, numbers)],
            stages=[self.stage],
            controls=card(
                controls["divergence"],
                controls.stack("target", "target_position", "target_width"),
                controls.stack("model", "model_position", "model_width"),
                folded("Training settings", controls.stack("rate", "steps", "seed")),
            ),
            run=self.run,
            companion=card(self.distances),
            companion_name="Distance",
            tabs={
                "Numbers": self.table,
                "f(r)": self.ratios,
                "Witness": self.witness,
                "Fits": self.kept,
            },
        )

    # ---- what is drawn -------------------------------------------------------------------------

    @property
    def lines(self) -> Pair:
        """p* and p as they are now."""
        return self.model.target, self.model.model

    @property
    def offset(self) -> float:
        """m − m*."""
        target, model = self.lines
        return float(model.centre) - float(target.centre)

    @draws(*LINE_SETTINGS, "seed")
    def _draw_densities(self) -> None:
        """Both densities, the pull of the chosen divergence, and its number by two ways."""
        lines, name = self.lines, self.settings.divergence
        seed = None if self.fit.running else self.settings.seed
        self.found = {name: look(name, *lines, seed) for name in SYMBOLS}
        chosen = self.found[name]
        self.densities.show(lines, chosen.pull, self.model.window)
        self.value.name = SYMBOLS[name]
        self.value.show_text(value_in_words(chosen), detail=name_in_words(name, chosen.why))
        self.other.name = chosen.way
        self.other.show_text(other_in_words(chosen), detail=chosen.checked)
        self.difference.show_text(difference_in_words(chosen))
        self.pull.show_text(pull_in_words(chosen))
        self.distances.stand_at(self.offset)

    @draws(*LINE_SETTINGS, "seed")
    def _draw_numbers(self) -> None:
        """All divergences, side by side and against the distance."""
        (target, model), chosen = self.lines, self.settings.divergence
        self.table.show(self.found, chosen)
        self.distances.show_some(target, model, chosen, self.found[chosen].value, self.fit.running)
        if not self.fit.running:
            self.stage.description = self.words()

    @draws(*LINE_SETTINGS, tab="f(r)")
    def _draw_ratios(self) -> None:
        self.ratios.show_ratios(self.settings.divergence, *self.lines)

    @draws(*LINE_SETTINGS, tab="Witness")
    def _draw_witness(self) -> None:
        self.witness.show_witness(self.settings.divergence, *self.lines, self.model.window)

    @draws(*LINE_SETTINGS)
    def _draw_fit(self) -> None:
        """The fits so far, side by side."""
        settings, name = self.settings, self.settings.divergence
        kind = settings.target, settings.target_position, settings.target_width, settings.model
        self.kept.begin(kind)
        if self.fit.done and not self.fit.running:
            self.kept.keep(name, Kept(self.lines, self.found[name].value, self.fit.done))
        self.kept.show(self.model.window)

    def _moment(self, model: Line) -> list[Mark]:
        """What the film shows of a model."""
        target = self.model.target
        pull = look(self.settings.divergence, target, model, None).pull
        return drawn((target, model), pull, self.model.window)

    def _follows_in_page(self) -> dict[str, Any]:
        return following(self.settings, self.lines[1], self.fit.done).in_page()

    # ---- words and code ------------------------------------------------------------------------

    def words(self) -> str:
        return in_words(self.settings.divergence, self.found, self.fit.done)

    def code(self) -> str:
        return "\n".join(
            [
                "import torch",
                "from flowviz.objectives.on_the_line import MEASURES, gradient, measure",
                "from flowviz.targets.line import Line",
                "",
                *self.model.code(),
                "",
                "for name, one in MEASURES.items():",
                "    value, slope, _ = gradient(name, target, model)",
                '    print(f"{one.symbol}: {value:.4g}, pull on p {-slope:.4g}")',
            ]
        )
