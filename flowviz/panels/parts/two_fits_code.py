"""The Python that makes what :class:`~flowviz.panels.parts.two_fits.TwoFits` has made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowviz.panels.parts.fit import AVERAGE
from flowviz.panels.parts.flow_choice import adam_rate, flow_code
from flowviz.panels.parts.model_on_grid import CELLS


def two_fits_code(settings: Any, target: Sequence[str], steps: int, moved: bool = False) -> str:
    """A programme that makes both fits and prints both divergences of either.

    Args:
        settings: a :class:`~flowviz.panels.parts.two_fits.TwoFitsState`.
        target: the lines that make ``target``.
        steps: of either fit.
        moved: whether the target was another one in some of the steps, which is not retold.
    """
    constant = settings.log_c
    density = "scaled" if constant else "target"
    batch = f"batch={settings.batch}"
    path = ", path_gradient=True" if settings.path_gradient else ""
    rate = adam_rate(settings, settings.learning_rate)
    options = f"learning_rate={rate:g}, seed={settings.seed}"
    flow = flow_code(settings).replace("\n", "\n    ")
    said = f"# Both fits from the start, {steps:,} steps on the target as it stands now:"
    lines = [
        *[said, "# what was shown began on others.", ""][: 3 * moved],
        "import flowviz",
        "from flowviz.grid import Grid2D",
        "from flowviz.training import Trainer, maximum_likelihood, variational",
        "",
        *target,
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
