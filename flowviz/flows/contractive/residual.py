"""The contractive residual flow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.contractive.fixed_point import fixed_point
from flowviz.flows.contractive.log_determinant import Exact, LogDeterminant, RussianRoulette
from flowviz.flows.contractive.network import ContractiveNetwork


@dataclass(frozen=True)
class Lipschitz:
    """How contractive g is.

    Attributes:
        allowed: c, which g must not exceed by construction.
        bound: of Lip(g), from the spectral norms of its layers; ≤ c.
        measured: the largest ‖J_g‖₂ at the points looked at: Lip(g) is at least that.
    """

    allowed: float
    bound: float
    measured: float


class ContractiveResidual(Bijection):
    """z' = z + g(z), Lip(g) ≤ c < 1  (section 3.3.1; Behrmann et al. 2019, Chen et al. 2019).

    The inverse is the one fixed point of z ↦ z' − g(z), by Banach's theorem. It is found to
    rounding (:func:`~flowviz.flows.contractive.fixed_point.fixed_point`);
    :meth:`inverse_iterates` shows the iteration itself, with its bound.

    Args:
        network: g, which also knows D, C and c.
        log_determinant: how log|det(I + J_g)| is computed or estimated; :class:`Exact` when None.

    Raises:
        TypeError: ``network`` or ``log_determinant`` is none.
        ValueError: a roulette is made for a smaller Lip(g) than the network's c, so that its
            variance could be infinite.
    """

    exact_inverse = False

    def __init__(
        self, network: ContractiveNetwork, log_determinant: LogDeterminant | None = None
    ) -> None:
        arguments.instance("network", network, ContractiveNetwork)
        arguments.optional("log_determinant", log_determinant, LogDeterminant)
        if isinstance(log_determinant, RussianRoulette):
            L = log_determinant.lipschitz
            if network.lipschitz > L:
                raise ValueError(
                    f"the roulette must be made for lipschitz ≥ {network.lipschitz}, the "
                    f"network's; got {L}"
                )
        super().__init__(network.dim, network.context)
        self.network = network
        self.log_determinant = log_determinant or Exact()
        self.exact_logabsdet = self.log_determinant.exact

    def describe(self) -> str:
        return "contractive residual"

    @torch.no_grad()
    def lipschitz(self, z: Tensor, context: Tensor | None = None) -> Lipschitz:
        """Bounds on Lip(g) from above, and from below by its Jacobians at ``z [N, D]``.

        Raises:
            TypeError, ValueError: ``z`` is no such points, of which there must be one at least.
        """
        arguments.array("z", z, "[N, D]")
        z, context = self._checked(z, context)
        J = self.network(z, context, self.network.tensors()).jacobian()
        measured = float(torch.linalg.svdvals(J)[..., 0].max())
        return Lipschitz(self.network.lipschitz, self.network.certificate(), measured)

    @torch.no_grad()
    def inverse_iterates(
        self, image: Tensor, context: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """z_0 = z', z_{k+1} = z' − g(z_k), without end, each with its error's bound ``[...]``.

        ‖z_k − z‖ ≤ Lᵏ/(1 − L) ‖z_0 − z_1‖, with L of :meth:`ContractiveNetwork.certificate`.
        """
        image, context = self._checked(image, context)
        tensors, L = self.network.tensors(), self.network.certificate()
        z = image
        following = image - self.network(z, context, tensors).value
        bound = (z - following).norm(dim=-1) / (1 - L)
        while True:
            yield z, bound
            z, bound = following, bound * L
            following = image - self.network(z, context, tensors).value

    @torch.no_grad()
    def estimates(
        self,
        z: Tensor,
        draws: int,
        context: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """``draws`` independent estimates ``[draws, ...]`` of log|det(I + J_g)| at ``z``.

        Raises:
            ValueError: ``draws`` is no whole number ≥ 1.
        """
        arguments.whole("draws", draws, 1)
        z, context = self._checked(z, context)
        g = self.network(z, context, self.network.tensors())
        return torch.stack([self.log_determinant(g, generator) for _ in range(draws)])

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        g = self.network(z, context, self.network.tensors())
        return z + g.value, self.log_determinant(g, self.generator)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        tensors = self.network.tensors()
        z = fixed_point(self.network, z, context, tensors)
        return z, -self.log_determinant(self.network(z, context, tensors), self.generator)

    def _image(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        tensors = self.network.tensors()
        if inverse:
            z = fixed_point(self.network, z, context, tensors)
        else:
            z = z + self.network(z, context, tensors).value
        return z, z.new_zeros(z.shape[:-1])
