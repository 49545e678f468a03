"""The one idea of the engine: a map of ``[..., D]`` to ``[..., D]`` with its log|det J|, both ways.

Direction is said once, here, and means the same everywhere: *forward* is base → data,
``z' = T(z)``; *inverse* is data → base, the "normalizing" direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.numerics.precision import uncast, without_autocast


class Bijection(nn.Module):
    """z' = T(z), a diffeomorphism of ℝᴰ (Papamakarios et al. 2021, section 2.1).

    A family implements :meth:`_forward` and :meth:`_inverse`; callers use :meth:`forward` (or
    the call itself) and :meth:`inverse`, which check what they are given.

    Args:
        dim: D, the number of coordinates.
        context: C, the number of context features; 0 for an unconditional map.
    """

    exact_inverse: bool = True
    """False where the inverse is found numerically (to a tolerance that the family states)."""

    exact_logabsdet: bool = True
    """False where the log-determinant is truncated or a random estimate."""

    tolerance: float = 0.0
    """What a numerical integration adds to rounding, relative to the condition of the map."""

    generator: Generator | None = None
    """Of the noise in an estimated log-determinant; torch's own where None."""

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.dim = arguments.whole(f"{name}: dim", dim, 1)
        self.context = arguments.whole(f"{name}: context", context, 0)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Base → data.

        Args:
            z: points ``[..., D]``.
            context: ``[..., C]``, broadcast against the batch; only for a conditional map.

        Returns:
            ``z'`` of shape ``[..., D]`` and ``log|det ∂z'/∂z|`` of shape ``[...]``.

        Raises:
            ValueError: the last dimension is not D, or the context is missing or of wrong size.
            TypeError: ``z`` is not a floating-point tensor of the parameters' dtype and device.
        """
        z, context = self._checked(z, context)
        with without_autocast(z):
            return self._forward(z, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Data → base: ``T⁻¹(z')`` and ``log|det ∂z/∂z'|``, the log-det of the map applied.

        Shapes and errors are those of :meth:`forward`.
        """
        z, context = self._checked(z, context)
        with without_autocast(z):
            return self._inverse(z, context)

    def stretches(self, n: int) -> list[Bijection]:
        """The map as ``n`` stretches of its inner time, in order; they share its weights.

        A map without inner time is one stretch, whatever ``n`` is.
        """
        arguments.whole("n", n, 1)
        return self._stretches(n)

    def jacobian_mask(self) -> Tensor:
        """``[D, D]`` booleans: False where ∂z'ᵢ/∂zⱼ is zero by construction."""
        return torch.ones(self.dim, self.dim, dtype=torch.bool)

    def describe(self) -> str:
        """A short name for layer strips and tables."""
        return type(self).__name__

    def defect(self) -> str | None:
        """Why the parameters make no bijection, in words; None while they do."""
        return None

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _stretches(self, n: int) -> list[Bijection]:
        return [self]

    def _image(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        """The map either way for draws alone: 0 for log|det J| where that is work of its own."""
        return (self._inverse if inverse else self._forward)(z, context)

    def _checked(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """A call's arguments, checked: the context broadcast to the batch, and neither of them as
        an autocast region has it."""
        name = self.describe()
        if not isinstance(z, Tensor) or not z.is_floating_point():
            got = z.dtype if isinstance(z, Tensor) else type(z).__name__
            raise TypeError(f"{name} maps floating-point tensors, got {got}")
        if z.ndim == 0 or z.shape[-1] != self.dim:
            raise ValueError(f"{name} maps points [..., {self.dim}], got shape {list(z.shape)}")
        like = next(self.parameters(), z)
        z = uncast(z, like)
        if like.dtype != z.dtype or like.device != z.device:
            raise TypeError(
                f"{name} has parameters of {like.dtype} on {like.device}, got points of {z.dtype} "
                f"on {z.device}; convert one of them with .to()"
            )
        if context is not None and not isinstance(context, Tensor):
            raise TypeError(f"{name} takes a context as a tensor, got {type(context).__name__}")
        if self.context == 0:
            if context is not None:
                raise ValueError(f"{name} takes no context, got one of shape {list(context.shape)}")
            return z, None
        if context is None:
            raise ValueError(f"{name} needs a context [..., {self.context}], got none")
        context = uncast(context, z)
        if context.dtype != z.dtype or context.device != z.device:
            raise TypeError(
                f"{name} takes a context of {z.dtype} on {z.device}, as its points are; got one of "
                f"{context.dtype} on {context.device}; convert it with .to()"
            )
        if context.ndim == 0 or context.shape[-1] != self.context:
            raise ValueError(
                f"{name} needs a context [..., {self.context}], got shape {list(context.shape)}"
            )
        batch = list(z.shape[:-1])
        try:
            return z, context.expand(*batch, self.context)
        except RuntimeError as error:
            raise ValueError(
                f"{name} needs a context that broadcasts to {[*batch, self.context]}, "
                f"got shape {list(context.shape)}"
            ) from error


class Inverse(Bijection):
    """T⁻¹ as a bijection: the two directions of ``bijection`` change places.

    MAF and IAF are the same autoregressive layer, one of them inside ``Inverse``.
    """

    def __init__(self, bijection: Bijection) -> None:
        if not isinstance(bijection, Bijection):
            raise TypeError(f"Inverse takes a bijection, got {type(bijection).__name__}")
        super().__init__(bijection.dim, bijection.context)
        self.bijection = bijection
        self.exact_inverse = bijection.exact_inverse
        self.exact_logabsdet = bijection.exact_logabsdet
        self.tolerance = bijection.tolerance

    def describe(self) -> str:
        return f"{self.bijection.describe()}⁻¹"

    def jacobian_mask(self) -> Tensor:
        # J_{T⁻¹} = J_T⁻¹ is a polynomial in J_T: an entry can be non-zero wherever j reaches i.
        mask = self.bijection.jacobian_mask().float()
        return torch.matrix_power(mask + torch.eye(self.dim), self.dim) > 0

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.bijection._inverse(z, context)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.bijection._forward(z, context)

    def _stretches(self, n: int) -> list[Bijection]:
        return [Inverse(stretch) for stretch in reversed(self.bijection._stretches(n))]

    def _image(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        return self.bijection._image(z, context, not inverse)


class Composition(Bijection):
    """T = T_K ∘ … ∘ T_1: the first of ``bijections`` acts first on a base sample.

    log|det J_T| = Σₖ log|det J_{T_k}(z_{k−1})|  (section 2.1).

    Args:
        bijections: at least one; equal ``dim``, and equal ``context`` where they take one.

    Raises:
        ValueError: there is none, or they do not fit each other.
        TypeError: they are no bijections.
    """

    def __init__(self, bijections: Iterable[Bijection]) -> None:
        layers = arguments.instances("bijections", bijections, Bijection)
        if not layers:
            raise ValueError("at least one bijection is needed, got none")
        if len(dims := {layer.dim for layer in layers}) > 1:
            raise ValueError(f"all bijections need the same dim, got {sorted(dims)}")
        if len(contexts := {layer.context for layer in layers} - {0}) > 1:
            raise ValueError(f"all contexts need the same size, got {sorted(contexts)}")
        super().__init__(layers[0].dim, max(layer.context for layer in layers))
        self.layers = nn.ModuleList(layers)
        self.exact_inverse = all(layer.exact_inverse for layer in layers)
        self.exact_logabsdet = all(layer.exact_logabsdet for layer in layers)
        self.tolerance = max(layer.tolerance for layer in layers)

    def __iter__(self) -> Iterator[Bijection]:
        return iter(cast("Iterable[Bijection]", self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def jacobian_mask(self) -> Tensor:
        product = torch.eye(self.dim)
        for layer in self:
            product = ((layer.jacobian_mask().float() @ product) > 0).float()
        return product > 0

    def steps(
        self, z: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield ``(state, log|det| of the map just applied)`` after each layer in turn."""
        z, context = self._checked(z, context)
        return self._uncast(self._steps(z, context, inverse), z)

    def _uncast(
        self, steps: Iterator[tuple[Tensor, Tensor]], z: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The steps without autocast, which whoever takes them keeps between them."""
        while True:
            with without_autocast(z):
                step = next(steps, None)
            if step is None:
                return
            yield step

    def _steps(
        self, z: Tensor, context: Tensor | None, inverse: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for layer in self._in_order(inverse):
            apply = layer._inverse if inverse else layer._forward
            z, logabsdet = apply(z, context if layer.context else None)
            yield z, logabsdet

    def _in_order(self, inverse: bool) -> list[Bijection]:
        """The layers, the one that acts first at the head."""
        layers = list(self)
        return layers[::-1] if inverse else layers

    def _stretches(self, n: int) -> list[Bijection]:
        return [stretch for layer in self for stretch in layer._stretches(n)]

    def _image(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(())
        for layer in self._in_order(inverse):
            z, logabsdet = layer._image(z, context if layer.context else None, inverse)
            total = total + logabsdet
        return z, total

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._total(z, context, inverse=False)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._total(z, context, inverse=True)

    def _total(self, z: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        steps = self._steps(z, context, inverse)
        z, total = next(steps)
        for state, logabsdet in steps:
            z, total = state, total + logabsdet
        return z, total


def estimated(module: nn.Module) -> list[Bijection]:
    """The layers within whose log-determinant is not exact, with those that wrap them."""
    layers = (m for m in module.modules() if isinstance(m, Bijection))
    return [layer for layer in layers if not layer.exact_logabsdet]


def jacobian(
    map: Bijection | Callable[..., tuple[Tensor, Tensor]],
    z: Tensor,
    context: Tensor | None = None,
) -> Tensor:
    """J_T(z), exact, by D backward passes; differentiable itself.

    Every point must be mapped on its own, whatever else the batch holds, as all layers do in
    evaluation mode.

    Args:
        map: a bijection, a flow, or a callable such as ``bijection.inverse``, called as
            ``map(z, context)``.
        z: points ``[..., D]``, one point ``[D]`` included.
        context: as ``map`` takes it, or None.

    Returns:
        ``[..., D, D]``: entry (i, j) is ∂z'ᵢ/∂zⱼ.

    Raises:
        TypeError: ``map`` cannot be called, or ``z`` is not a floating-point tensor.
        ValueError: ``z`` has no dimension.
    """
    arguments.function("map", map)
    if not isinstance(z, Tensor) or not z.is_floating_point():
        got = z.dtype if isinstance(z, Tensor) else type(z).__name__
        raise TypeError(f"a Jacobian is taken at floating-point tensors, got {got}")
    if z.ndim == 0:
        raise ValueError("a Jacobian is taken at points [..., D], got shape []")
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if z.requires_grad else z.detach().requires_grad_()
        image = map(z, context)[0]
        rows = [
            torch.autograd.grad(
                image[..., i].sum(),
                z,
                retain_graph=True,
                create_graph=graph,
            )[0]
            for i in range(z.shape[-1])
        ]
    return torch.stack(rows, -2)
