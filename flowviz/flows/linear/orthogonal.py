"""Orthogonal matrices of a skew-symmetric one."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection


class Orthogonal(Bijection):
    """z' = Q z, QᵀQ = I: a rotation  (section 3.2).

    Q is a function of A − Aᵀ, A strictly lower triangular and free: D(D − 1)/2 parameters, as
    many as there are rotations. log|det Q| = 0 costs nothing; the inverse is the transpose, O(D²).
    Q itself costs O(D³), once a batch.

    Args:
        dim: D.
        generator: draws A at the start; Q = I when None.
    """

    def __init__(self, dim: int, generator: Generator | None = None) -> None:
        super().__init__(dim)
        arguments.optional("generator", generator, Generator)
        start = torch.zeros(dim, dim)
        if generator is not None:
            start = torch.randn(dim, dim, generator=generator).tril(-1)
        self.lower = nn.Parameter(start)

    def skew(self) -> Tensor:
        """A − Aᵀ, ``[D, D]``."""
        A = self.lower.tril(-1)
        return A - A.mT

    def matrix(self) -> Tensor:
        """Q ``[D, D]``."""
        raise NotImplementedError

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z @ self.matrix().mT, z.new_zeros(z.shape[:-1])

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z @ self.matrix(), z.new_zeros(z.shape[:-1])


class OrthogonalExponential(Orthogonal):
    """z' = exp(A − Aᵀ) z  (section 3.2; Golinski, Lezcano-Casado & Rainforth 2019).

    The exponential of a skew-symmetric matrix is a rotation, and every rotation is one. Torch's
    truncates its series by the norm, and is off by up to 10⁻¹¹ in double precision; one
    Newton–Schulz step E (3 I − EᵀE)/2 towards the nearest orthogonal matrix squares what it
    lacks of being one.
    """

    def matrix(self) -> Tensor:
        E = torch.matrix_exp(self.skew())
        eye = torch.eye(self.dim, dtype=E.dtype, device=E.device)
        return E @ torch.add(1.5 * eye, E.mT @ E, alpha=-0.5)


class OrthogonalCayley(Orthogonal):
    """z' = (I − S)⁻¹ (I + S) z, S = A − Aᵀ  (section 3.2; Cayley 1846).

    I − S is never singular: the eigenvalues of S are imaginary. Every rotation is reached but
    those that turn some plane by half a turn, which lie at infinity.
    """

    def matrix(self) -> Tensor:
        S = self.skew()
        eye = torch.eye(self.dim, dtype=S.dtype, device=S.device)
        return torch.linalg.solve(eye - S, eye + S)
