"""Base distributions p_u(u; ψ): where a flow starts."""

from __future__ import annotations

import math
from typing import NoReturn

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.numerics.precision import uncast, without_autocast
from flowviz.flows.numerics.transforms import numbers

LOG_2PI = math.log(2 * math.pi)


class Base(nn.Module):
    """A distribution of ``u [..., D]`` that can be sampled and evaluated.

    A family implements :meth:`_log_prob` and :meth:`_rsample`; callers use :meth:`log_prob`,
    :meth:`rsample` and :meth:`sample`, which check what they are given.

    Args:
        dim: D ≥ 1.

    Raises:
        ValueError: ``dim`` is not a whole number ≥ 1.
    """

    _like: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = arguments.whole(f"{type(self).__name__}: dim", dim, 1)
        # Carries the device and the dtype that draws are made on and in.
        self.register_buffer("_like", torch.zeros(()), persistent=False)

    def log_prob(self, u: Tensor) -> Tensor:
        """log p_u(u), of shape ``[...]`` for ``u [..., D]``.

        Raises:
            ValueError: the last dimension is not D, or the points or ψ hold NaN.
            TypeError: ``u`` is not a floating-point tensor of the parameters' dtype and device.
        """
        u = self._checked(u)
        with without_autocast(u):
            result = self._log_prob(u)
        # A box has a density, zero, even of a NaN.
        if not u.is_meta and bool(numbers(result.isnan().any() | u.isnan().any()).any()):
            explain_nan(self, type(self).__name__, u)
        return result

    def rsample(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, D]``, differentiable in ψ wherever the family is reparametrisable.

        Raises:
            ValueError: ``n`` is not a whole number ≥ 0.
            TypeError: ``generator`` is neither a generator nor None.
        """
        arguments.whole("the number of draws", n, 0)
        arguments.optional("generator", generator, Generator)
        with without_autocast(self._like):
            return self._rsample(n, generator)

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, D]`` without a gradient; errors are those of :meth:`rsample`."""
        return self.rsample(n, generator)

    def _log_prob(self, u: Tensor) -> Tensor:
        raise NotImplementedError

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        raise NotImplementedError

    def _checked(self, u: Tensor) -> Tensor:
        """The points of a call, checked, and not as an autocast region has them."""
        name = type(self).__name__
        if not isinstance(u, Tensor) or not u.is_floating_point():
            got = u.dtype if isinstance(u, Tensor) else type(u).__name__
            raise TypeError(f"{name} takes floating-point tensors, got {got}")
        if u.ndim == 0 or u.shape[-1] != self.dim:
            raise ValueError(f"{name} takes points [..., {self.dim}], got shape {list(u.shape)}")
        like = next(self.parameters(), u)
        u = uncast(u, like)
        if like.dtype != u.dtype or like.device != u.device:
            raise TypeError(
                f"{name} has parameters of {like.dtype} on {like.device}, got points of {u.dtype} "
                f"on {u.device}; convert one of them with .to()"
            )
        return u

    def _check_fit(self, u: Tensor) -> None:
        """Check the points that a fit is made to."""
        if isinstance(u, Tensor) and (u.ndim != 2 or u.shape[1] != self.dim):
            raise ValueError(f"the fit takes points [N, {self.dim}], got shape {list(u.shape)}")
        self._checked(u)
        if not u.isfinite().all():
            raise ValueError("the fit takes finite points, and these hold NaN or infinity")
        if len(u) < 2 or bool((u.amax(0) == u.amin(0)).any()):
            raise ValueError("the fit needs at least two points that differ in every coordinate")

    def _normal(self, n: int, generator: Generator | None) -> Tensor:
        return torch.randn(
            n, self.dim, generator=generator, device=self._like.device, dtype=self._like.dtype
        )

    def _uniform(self, n: int, generator: Generator | None) -> Tensor:
        return torch.rand(
            n, self.dim, generator=generator, device=self._like.device, dtype=self._like.dtype
        )


class StandardNormal(Base):
    """p(u) = 𝒩(u; 0, I)."""

    def _log_prob(self, u: Tensor) -> Tensor:
        return -0.5 * (u.square().sum(-1) + self.dim * LOG_2PI)

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        return self._normal(n, generator)


class DiagonalNormal(Base):
    """p(u) = 𝒩(u; μ, diag σ²), μ and log σ learned."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def _log_prob(self, u: Tensor) -> Tensor:
        standard = (u - self.loc) * torch.exp(-self.log_scale)
        return -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_scale.sum()

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        return self.loc + torch.exp(self.log_scale) * self._normal(n, generator)

    @torch.no_grad()
    def fit(self, u: Tensor) -> None:
        """Set ψ to its maximum-likelihood value on ``u [N, D]``, in closed form.

        Raises:
            ValueError: another shape, fewer than two points, a coordinate that does not vary, or
                points that are not finite.
            TypeError: ``u`` is not a floating-point tensor of the parameters' dtype and device.
        """
        self._check_fit(u)
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

    def _log_prob(self, u: Tensor) -> Tensor:
        centred = (u - self.loc).unsqueeze(-1)
        standard = torch.linalg.solve_triangular(self.factor, centred, upper=False).squeeze(-1)
        return -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_diagonal.sum()

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        return self.loc + self._normal(n, generator) @ self.factor.mT

    @torch.no_grad()
    def fit(self, u: Tensor) -> None:
        """Set ψ to its maximum-likelihood value on ``u [N, D]``, in closed form.

        Raises:
            ValueError: another shape, fewer than two points, points whose covariance is singular,
                or that are not finite.
            TypeError: ``u`` is not a floating-point tensor of the parameters' dtype and device.
        """
        self._check_fit(u)
        factor, info = torch.linalg.cholesky_ex(
            torch.cov(u.mT, correction=0).reshape(2 * (self.dim,))
        )
        if info:
            raise ValueError("the points lie in a subspace: their covariance is singular")
        self.loc.copy_(u.mean(0))
        self.lower.copy_(factor.tril(-1))
        self.log_diagonal.copy_(factor.diagonal().log())


class UniformBox(Base):
    """p(u) = Π 1/(high − low) on a box; log p is −∞ outside.

    Args:
        dim: D.
        low, high: the ends of every side, finite, low < high.

    Raises:
        ValueError: they are no such numbers.
    """

    def __init__(self, dim: int, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__(dim)
        self.low = arguments.finite("low", low)
        self.high = arguments.finite("high", high)
        if not low < high:
            raise ValueError(f"a box needs low < high, got low={low}, high={high}")

    def _log_prob(self, u: Tensor) -> Tensor:
        inside = ((u >= self.low) & (u <= self.high)).all(-1)
        log_density = -self.dim * math.log(self.high - self.low)
        return torch.full_like(u[..., 0], log_density).masked_fill(~inside, -math.inf)

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        return self.low + (self.high - self.low) * self._uniform(n, generator)


class GaussianMixture(Base):
    """p(u) = Σₖ πₖ 𝒩(u; μₖ, diag σₖ²), all learned.

    Draws are reparametrised within their component: they carry no gradient to π.

    Args:
        dim: D.
        components: K ≥ 1.
        radius: of the circle of the first two coordinates on which the means start, finite.

    Raises:
        ValueError: a number outside of its range.
    """

    def __init__(self, dim: int, components: int = 4, radius: float = 2.0) -> None:
        super().__init__(dim)
        arguments.whole("components", components, 1)
        arguments.finite("radius", radius)
        self.logits = nn.Parameter(torch.zeros(components))
        angles = 2 * math.pi * torch.arange(components) / components
        loc = torch.zeros(components, dim)
        loc[:, 0] = radius * torch.cos(angles)
        if dim > 1:
            loc[:, 1] = radius * torch.sin(angles)
        self.loc = nn.Parameter(loc)
        self.log_scale = nn.Parameter(torch.zeros(components, dim))

    def _log_prob(self, u: Tensor) -> Tensor:
        standard = (u.unsqueeze(-2) - self.loc) * torch.exp(-self.log_scale)
        normal = -0.5 * (standard.square().sum(-1) + self.dim * LOG_2PI) - self.log_scale.sum(-1)
        return torch.logsumexp(F.log_softmax(self.logits, -1) + normal, -1)

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
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

    Raises:
        ValueError: ``df`` is not.
    """

    def __init__(self, dim: int, df: int = 3) -> None:
        super().__init__(dim)
        self.df = arguments.whole("df", df, 1)

    def _log_prob(self, u: Tensor) -> Tensor:
        ν = self.df
        log_norm = math.lgamma((ν + 1) / 2) - math.lgamma(ν / 2) - 0.5 * math.log(ν * math.pi)
        return (log_norm - 0.5 * (ν + 1) * torch.log1p(u.square() / ν)).sum(-1)

    def _rsample(self, n: int, generator: Generator | None) -> Tensor:
        normal = self._normal(n, generator)
        chi2 = self._normal(n * self.df, generator).reshape(n, self.df, self.dim).square().sum(1)
        return normal * torch.rsqrt(chi2 / self.df)


def explain_nan(
    module: nn.Module, title: str, points: Tensor, context: Tensor | None = None
) -> NoReturn:
    """Say where the NaN comes from that ``module`` yields for what it was given.

    Raises:
        ValueError: a parameter, a point or the context is not finite.
        FloatingPointError: all of them are.
    """
    for name, parameter in module.named_parameters():
        if not numbers(parameter).isfinite().all():
            raise ValueError(f"parameter {name!r} of {title} holds NaN or infinity")
    for what, given in (("points", points), ("contexts", context)):
        if given is not None and not (finite := numbers(given).isfinite()).all():
            bad = ~finite.reshape(-1, given.shape[-1]).all(-1)
            row = int(bad.nonzero()[0])
            raise ValueError(f"the {what} given to {title} hold NaN or infinity (row {row})")
    for part in module.modules():
        if (defect := getattr(part, "defect", None)) and (reason := defect()):
            raise FloatingPointError(reason)
    dtype = str(points.dtype).removeprefix("torch.")
    raise FloatingPointError(
        f"{title} yields NaN for finite points and parameters: "
        f"its values have left the range of {dtype}"
    )
