"""The z with z + g(z) = z', and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.contractive.network import ContractiveNetwork
from flowviz.flows.numerics.precision import uncast_backward
from flowviz.flows.numerics.repeat import repeated
from flowviz.flows.numerics.transforms import transformed

FIRST_LOOK, BETWEEN_LOOKS = 8, 4
"""After how many evaluations to look whether they suffice, where a look waits for a device."""


def fixed_point(
    network: ContractiveNetwork,
    image: Tensor,
    context: Tensor | None,
    tensors: tuple[Tensor, ...],
) -> Tensor:
    """The fixed point of z ↦ z' − g(z), to rounding  (Behrmann et al. 2019, algorithm 1).

    The Banach iteration shortens the residual F(z) = z + g(z) − z' by L at each step, and so
    needs log ε/log L of them: 342 for L = 0.9 in double precision. Here a step of Newton's method
    is tried first, which doubles the digits near the solution. Where it does not shorten F by L,
    the Banach step is taken instead; where that does not either, F is nothing but rounding.

    Gradients come from the implicit function theorem, to every order (within a transform of
    ``torch.func`` to the third).

    Args:
        network: g.
        image: z' ``[..., D]``.
        context: ``[..., C]`` or None.
        tensors: of the network.
    """
    if not transformed():
        return _FixedPoint.apply(network, image, context, *tensors)
    with torch.no_grad():
        z = _solve(network, image, context, tensors)
    z = z.detach()
    # As in root.implicit: steps of Newton's method, which give z its derivatives, to the third.
    for _ in range(2):
        g = network(z, context, tensors)
        step = solve_identity_plus(g.jacobian(), image - z - g.value)
        z = z + (step - step.detach())
    return z


class _FixedPoint(torch.autograd.Function):
    """dz = (I + J)⁻¹ (dz' − ∂g), where ∂g is the change of g at the fixed z."""

    @staticmethod
    def forward(
        ctx: Any,
        network: ContractiveNetwork,
        image: Tensor,
        context: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        z = _solve(network, image, context, tensors)
        ctx.network = network
        ctx.save_for_backward(z, context, *tensors)
        return z

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        z, *inputs = ctx.saved_tensors
        again = torch.is_grad_enabled()
        # z is this very function's output: differentiated again, it leads back here. It stays
        # where it is while the other inputs vary, since these are now others of equal value.
        z = z if again else z.detach()
        with torch.enable_grad():
            context, *tensors = [x if x is None else x.view_as(x) for x in inputs]
            g = ctx.network(z, context, tensors)
        cotangent = solve_identity_plus(g.jacobian().mT, gradient)
        varied = [x for x in (context, *tensors) if x is not None and x.requires_grad]
        pulled = torch.autograd.grad(
            g.value, varied, -cotangent, create_graph=again, allow_unused=True
        )
        found = dict(zip(map(id, varied), pulled, strict=True))
        return None, cotangent, *[found.get(id(x)) for x in (context, *tensors)]


def solve_identity_plus(J: Tensor, b: Tensor) -> Tensor:
    """(I + J)⁻¹ b ``[..., D]`` of ``J [..., D, D]`` with ‖J‖ < 1."""
    if J.shape[-1] == 1:
        return b / (1 + J[..., 0])
    if J.shape[-1] == 2:
        p, q, r, s = J.flatten(-2).unbind(-1)
        x, y = b.unbind(-1)
        p, s = 1 + p, 1 + s
        determinant = (p * s - q * r).unsqueeze(-1)
        return torch.stack([s * x - q * y, p * y - r * x], -1) / determinant
    eye = torch.eye(J.shape[-1], dtype=J.dtype, device=J.device)
    # Never singular; the variant without a check does not wait for the device.
    return torch.linalg.solve_ex(eye + J, b.unsqueeze(-1)).result.squeeze(-1)


def _solve(
    network: ContractiveNetwork, image: Tensor, context: Tensor | None, tensors: tuple[Tensor, ...]
) -> Tensor:
    L = network.lipschitz

    def residual(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F(z), its length, and Newton's step."""
        g = network(z, context, tensors)
        F = z + g.value - image
        return F, F.norm(dim=-1, keepdim=True), solve_identity_plus(g.jacobian(), -F)

    z = image
    F, length, newton = residual(z)
    banach = torch.zeros_like(length, dtype=torch.bool)
    # A shorter F is but the rounding of the z' in it.
    rounding = torch.finfo(image.dtype).eps * image.norm(dim=-1, keepdim=True)
    active = length > rounding
    # At worst every other evaluation is a Banach step.
    at_most = 2 * math.ceil(math.log(torch.finfo(image.dtype).eps) / math.log(L))

    def step(
        z: Tensor, F: Tensor, length: Tensor, newton: Tensor, active: Tensor, banach: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        candidate = z + torch.where(banach, -F, newton)
        next_F, next_length, next_newton = residual(candidate)
        shorter = active & (next_length <= L * length)
        active = active & (shorter | ~banach)
        z = torch.where(shorter, candidate, z)
        F = torch.where(shorter, next_F, F)
        length = torch.where(shorter, next_length, length)
        newton = torch.where(shorter, next_newton, newton)
        active = active & (length > rounding)
        return (z, F, length, newton, active, ~shorter), active

    state = z, F, length, newton, active, banach
    (z, *_), _ = repeated(step, state, max(at_most - 2, 1), _looks(z))
    return z


def _looks(z: Tensor) -> Callable[[int], bool]:
    """After which steps to look whether they suffice; the first is the second evaluation."""
    if z.device.type == "cpu":
        return lambda round: True
    return lambda round: round >= FIRST_LOOK - 2 and (round + 2 - FIRST_LOOK) % BETWEEN_LOOKS == 0
