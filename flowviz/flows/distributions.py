"""Base distributions p_u(u; ψ): where a flow starts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

LOG_2PI = math.log(2 * math.pi)


class Base(nn.Module):
    """A distribution of ``u [..., D]`` that can be sampled and evaluated.

    Args:
        dim: D ≥ 1.
    """

    _like: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        if not isinstance(dim, int) or dim < 1:
            raise ValueError(f"{type(self).__name__}: dim must be a whole number ≥ 1, got {dim!r}")
        self.dim = dim
        # Carries the device and the dtype that draws are made on and in.
        self.register_buffer("_like", torch.zeros(()), persistent=False)

    def log_prob(self, u: Tensor) -> Tensor:
        """log p_u(u), of shape ``[...]`` for ``u [..., D]``."""
        raise NotImplementedError

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, D]``, differentiable in ψ wherever the family is reparametrisable."""
        raise NotImplementedError

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, D]`` without a gradient."""
        return self.rsample(n, generator)

    def _normal(self, n: int, generator: Generator | None) -> Tensor:
        if n < 0:
            raise ValueError(f"the number of draws must be ≥ 0, got {n}")
        return torch.randn(
            n, self.dim, generator=generator, device=self._like.device, dtype=self._like.dtype
        )

    def _uniform(self, n: int, generator: Generator | None) -> Tensor:
        if n < 0:
            raise ValueError(f"the number of draws must be ≥ 0, got {n}")
        return torch.rand(
            n, self.dim, generator=generator, device=self._like.device, dtype=self._like.dtype
        )


class StandardNormal(Base):
    """p(u) = 𝒩(u; 0, I)."""

    def log_prob(self, u: Tensor) -> Tensor:
        return -0.5 * (u.square().sum(-1) + self.dim * LOG_2PI)

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self._normal(n, generator)


class DiagonalNormal(Base):
    """p(u) = 𝒩(u; μ, diag σ²), μ and log σ learned."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def log_prob(self, u: Tensor) -> Tensor:
        standard = (u - self.loc) * torch.exp(-self.log_scale)
        return -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_scale.sum()

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.loc + torch.exp(self.log_scale) * self._normal(n, generator)

    @torch.no_grad()
    def fit(self, u: Tensor) -> None:
        """Set ψ to its maximum-likelihood value on ``u [N, D]``, in closed form.

        Raises:
            ValueError: fewer than two points, or a coordinate that does not vary.
        """
        _check_fit(u, self.dim)
        self.loc.copy_(u.mean(0))
        self.log_scale.copy_(u.std(0, correction=0).log())


class FullNormal(Base):
    """p(u) = 𝒩(u; μ, L Lᵀ), μ and the lower-triangular L (positive diagonal) learned."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_diagonal = nn.Parameter(torch.zeros(dim))
        self.lower = nn.Parameter(torch.zeros(dim, dim))

    @property
    def factor(self) -> Tensor:
        """L ``[D, D]``."""
        return self.lower.tril(-1) + torch.diag(torch.exp(self.log_diagonal))

    def log_prob(self, u: Tensor) -> Tensor:
        centred = (u - self.loc).unsqueeze(-1)
        standard = torch.linalg.solve_triangular(self.factor, centred, upper=False).squeeze(-1)
        return -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_diagonal.sum()

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.loc + self._normal(n, generator) @ self.factor.mT

    @torch.no_grad()
    def fit(self, u: Tensor) -> None:
        """Set ψ to its maximum-likelihood value on ``u [N, D]``, in closed form.

        Raises:
            ValueError: fewer than two points, or points whose covariance is singular.
        """
        _check_fit(u, self.dim)
        factor, info = torch.linalg.cholesky_ex(
            torch.cov(u.mT, correction=0).reshape(2 * (self.dim,))
        )
        if info:
            raise ValueError("the points lie in a subspace: their covariance is singular")
        self.loc.copy_(u.mean(0))
        self.lower.copy_(factor.tril(-1))
        self.log_diagonal.copy_(factor.diagonal().log())


class UniformBox(Base):
    """p(u) = Π 1/(high − low) on a box; log p is −∞ outside."""

    def __init__(self, dim: int, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__(dim)
        if not low < high:
            raise ValueError(f"a box needs low < high, got low={low}, high={high}")
        self.low = low
        self.high = high

    def log_prob(self, u: Tensor) -> Tensor:
        inside = ((u >= self.low) & (u <= self.high)).all(-1)
        log_density = -self.dim * math.log(self.high - self.low)
        return torch.where(inside, log_density, -math.inf).to(u.dtype)

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.low + (self.high - self.low) * self._uniform(n, generator)


class GaussianMixture(Base):
    """p(u) = Σₖ πₖ 𝒩(u; μₖ, diag σₖ²), all learned.

    Draws are reparametrised within their component: they carry no gradient to π.
    """

    def __init__(self, dim: int, components: int = 4, radius: float = 2.0) -> None:
        super().__init__(dim)
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        self.logits = nn.Parameter(torch.zeros(components))
        angles = 2 * math.pi * torch.arange(components) / components
        loc = torch.zeros(components, dim)
        loc[:, 0] = radius * torch.cos(angles)
        if dim > 1:
            loc[:, 1] = radius * torch.sin(angles)
        self.loc = nn.Parameter(loc)
        self.log_scale = nn.Parameter(torch.zeros(components, dim))

    def log_prob(self, u: Tensor) -> Tensor:
        standard = (u.unsqueeze(-2) - self.loc) * torch.exp(-self.log_scale)
        normal = -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_scale.sum(-1)
        return torch.logsumexp(F.log_softmax(self.logits, -1) + normal, -1)

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        noise = self._normal(n, generator)
        weights = F.softmax(self.logits.detach(), -1)
        if n == 0:
            return noise
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        return self.loc[k] + torch.exp(self.log_scale[k]) * noise


class StudentT(Base):
    """p(u) = Π t_ν(uᵢ), independent coordinates with ν degrees of freedom.

    Args:
        df: ν, a whole number ≥ 1: a draw is a normal over the root of a χ²_ν / ν, which is
            ν squared normals and so follows the generator on every device.
    """

    def __init__(self, dim: int, df: int = 3) -> None:
        super().__init__(dim)
        if not isinstance(df, int) or df < 1:
            raise ValueError(f"df must be a whole number ≥ 1, got {df!r}")
        self.df = df

    def log_prob(self, u: Tensor) -> Tensor:
        ν = self.df
        log_norm = math.lgamma((ν + 1) / 2) - math.lgamma(ν / 2) - 0.5 * math.log(ν * math.pi)
        return (log_norm - 0.5 * (ν + 1) * torch.log1p(u.square() / ν)).sum(-1)

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        normal = self._normal(n, generator)
        chi2 = self._normal(n * self.df, generator).reshape(n, self.df, self.dim).square().sum(1)
        return normal * torch.rsqrt(chi2 / self.df)


def _check_fit(u: Tensor, dim: int) -> None:
    if u.ndim != 2 or u.shape[1] != dim:
        raise ValueError(f"the fit takes points [N, {dim}], got shape {list(u.shape)}")
    if len(u) < 2 or bool((u.amax(0) == u.amin(0)).any()):
        raise ValueError("the fit needs at least two points that differ in every coordinate")
