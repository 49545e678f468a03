"""The Python that follows through a flow what a panel shows: particles, a grid, a point."""

from __future__ import annotations

from typing import Any

from flowviz.panels.parts.forward_fit import ForwardFit


def particles_code(model: ForwardFit, settings: Any, stretches: int) -> str:
    """A programme that carries samples, and follows a point to its log p(x).

    Args:
        model: what makes the flow, called ``flow``, and the target, called ``target``.
        settings: with ``seed``, ``direction``, ``particles`` and ``point``.
        stretches: in so many each layer is traced.
    """
    lines = [*model.imports(), "import torch", "", *model.code()]
    traced = f"flow.unrolled({stretches})" if stretches > 1 else "flow"
    lines.append(f"generator = torch.Generator().manual_seed({settings.seed})")
    start, way = ("flow.base", "trace"), ("target", "trace_inverse")
    source, method = start if settings.direction == "forward" else way
    lines.append(f"x = {source}.sample({settings.particles}, generator)")
    (u, v), *_ = settings.point
    lines += [
        f"trace = {traced}.{method}(x)",
        "trace.states  # z_0 … z_K, [K+1, N, 2]",
        "",
        f"point = flow.trace(torch.tensor([[{u}, {v}]]))",
        "for name, change in zip(point.names, point.logabsdet[:, 0]):",
        '    print(f"{name}: log|det J| = {change:.3f}")',
        "print(flow.base.log_prob(point.states[0]) - point.logabsdet.sum(0))  # log p(x)",
    ]
    return "\n".join(lines)


def grid_code(model: ForwardFit, settings: Any, layer: int, extent: float) -> str:
    """A programme that warps a grid, and has log|det J| at a point in two ways.

    Args:
        model: what makes the flow, called ``flow``.
        settings: with ``cells`` and ``point``.
        layer: whose Jacobian, from 1; 0: that of the whole flow.
        extent: half a side of the grid.
    """
    (x, y), *_ = settings.point
    which = f"flow.bijections[{layer - 1}]" if layer else "flow"
    before = f"flow.trace(u).states[{layer - 1}]" if layer else "u"
    return "\n".join(
        [
            *model.imports(),
            "import torch",
            "from flowviz.flows import check, jacobian",
            "from flowviz.flows.plane import grid_trace",
            "",
            *model.code(),
            f"grid = grid_trace(flow, extent={extent:g}, cells={settings.cells})",
            "grid.corners    # [K+1, R+1, R+1, 2]",
            "grid.logabsdet  # [K, R, R]; grid.total() is their sum up to each state",
            "",
            f"u = torch.tensor([[{x}, {y}]])",
            f"z = {before}",
            f"J = jacobian({which}, z)[0]",
            f"print({which}(z)[1], torch.linalg.slogdet(J).logabsdet)",
            "print(check(flow.transform, flow.base.sample(1000)))",
        ]
    )
