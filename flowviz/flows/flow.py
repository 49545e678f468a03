"""A flow: a base distribution and the bijections that carry its samples to the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.bijection import Bijection, Composition
from flowviz.flows.distributions import Base, explain_nan
from flowviz.flows.normalisation.standardisation import Standardisation, StandardisedContext
from flowviz.flows.numerics.precision import without_autocast
from flowviz.flows.numerics.transforms import numbers
from flowviz.flows.recipe import Recipe
from flowviz.flows.recording import Pass, Player
from flowviz.moments import moments, moments_of_density

if TYPE_CHECKING:
    from flowviz.flows.programs import Program


@dataclass(frozen=True)
class Trace:
    """What happens on the way through the layers; what the panels animate.

    Attributes:
        states: ``[K+1, N, D]``, z_0 = u first and z_K = x last, whichever way it was computed.
        logabsdet: ``[K, N]``, log|det J_{T_k}(z_{k−1})| of each layer's *forward* map.
        names: the K layers' names.
    """

    states: Tensor
    logabsdet: Tensor
    names: list[str]


class FlowComposition(Composition):
    """The composition within a flow: what it is given, the user gave the flow."""

    def describe(self) -> str:
        return "Flow"


class Flow(nn.Module):
    """log p_x(x) = log p_u(T⁻¹(x)) + log|det J_{T⁻¹}(x)|  (section 2.1).

    The transforms of ``torch.func`` (``vmap``, ``grad``, ``jvp``, ``hessian``, …) go through a
    flow, for derivatives up to the third; they set no first statistics and move no running ones.
    In a region of ``torch.autocast`` it computes in its parameters' dtype, and takes points and
    contexts in the region's: a log-density has no digits to spare.

    >>> scores = torch.func.vmap(torch.func.grad(flow.log_prob))(x)  # doctest: +SKIP

    Args:
        base: p_u, the distribution of u.
        bijections: T_1, …, T_K; the first acts first on u.

    Raises:
        ValueError: the base and the bijections differ in dimension, or there is no bijection.
        TypeError: ``base`` is no base, or ``bijections`` are no bijections.
    """

    player: Player | None = None
    """Plays what it has recorded of the flow's passes, within ``with player:``."""

    recipe: Recipe | None = None
    """How the catalogue made it; None for a flow that was put together by hand."""

    def __init__(self, base: Base, bijections: Iterable[Bijection]) -> None:
        super().__init__()
        self.base = arguments.instance("base", base, Base)
        self.transform = FlowComposition(bijections)
        if base.dim != self.transform.dim:
            raise ValueError(
                f"the base has dimension {base.dim}, the bijections {self.transform.dim}"
            )

    def __getstate__(self) -> dict[str, Any]:
        # A copy is played by nobody.
        return {name: value for name, value in self.__dict__.items() if name != "player"}

    @property
    def dim(self) -> int:
        """D."""
        return self.base.dim

    @property
    def like(self) -> Tensor:
        """A number on the device and of the dtype that the flow computes with."""
        return self.base._like

    @property
    def context(self) -> int:
        """C, the number of context features; 0 for an unconditional flow."""
        return self.transform.context

    @property
    def bijections(self) -> nn.ModuleList:
        """T_1, …, T_K in the order in which a base sample meets them."""
        return self.transform.layers

    def forward(self, u: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Base → data: ``x [..., D]`` and ``log|det J_T(u)| [...]``."""
        return self._run(self.transform._forward, u, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Data → base: ``u [..., D]`` and ``log|det J_{T⁻¹}(x)| [...]``."""
        return self._run(self.transform._inverse, x, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p_x(x), of shape ``[...]`` for ``x [..., D]``."""
        return self._run(self._inverse_and_log_prob, x, context)[1]

    def log_prob_backward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Tensor | None:
        """:meth:`log_prob` without gradient; on the way, ``(-log_prob).mean().backward()``.

        Within ``with player:`` the two are one program, which takes a fourth less time. Where they
        are not, ``cancelled`` is asked between them; when it answers yes the result is None.
        """
        x, context = self.transform._checked(x, context)
        run = self._inverse_and_log_prob
        with without_autocast(x):
            played = None if self.player is None else self.player.descend(run, x, context)
            result = run(x, context) if played is None else played
            log_prob = self._explained(result, x, context)[1]
            if played is None:
                if cancelled():
                    return None
                (-log_prob).mean().backward()
        return log_prob.detach()

    @torch.no_grad()
    def sample(
        self, n: int, context: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """``n`` draws ``[n, D]``; with a context ``[C]`` or ``[n, C]`` each from its own.

        Raises:
            ValueError: ``n`` is not a whole number ≥ 0, or the context does not fit.
            TypeError: ``generator`` is neither a generator nor None.
        """
        return self._run(self._draw, self.base.sample(n, generator), context)[0]

    def rsample_and_log_prob(
        self, n: int, context: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """``n`` reparametrised draws ``[n, D]`` and their log p_x ``[n]``, without an inverse.

        Errors are those of :meth:`sample`.
        """
        u = self.base.rsample(n, generator)
        return self._run(self._forward_and_log_prob, u, context)

    def program(self, kind: str, stretches: int = 1) -> Program:
        """A pass as a plain file that a web page can play (:mod:`flowviz.flows.programs`).

        ``"forward"`` and ``"inverse"`` trace points through the layers, ``"log_prob"`` evaluates
        the density, ``"descent"`` and ``"pulled_descent"`` yield the gradients of −mean log p(x)
        and of the mean of log p(T(u)) − log p*(T(u)), the latter for any target: of
        ``log_density`` and ``pull``, log p* and its gradient at T(u), which whoever plays it puts
        in. ``"matching_descent"`` yields that of flow matching on data. All are for any number of
        points; adaptive solvers take eight steps of the Runge–Kutta method of order four there.

        Args:
            kind: see above.
            stretches: a layer with an inner time is traced in so many (:meth:`unrolled`).

        Raises:
            ValueError: there is no program of that name, or the flow has none: its operations
                depend on the points, say.
        """
        from flowviz.flows.programs import program

        return program(self, kind, stretches)

    def unrolled(self, n: int) -> Flow:
        """The same flow, each layer with an inner time as ``n`` layers: its path can be traced.

        The weights are shared. Layers without inner time, all but the continuous ones, stay. The
        homotopy of a contractive layer, z + t g(z), is the straight line between its two states.

        >>> flow.unrolled(8).trace(u).states  # doctest: +SKIP
        """
        return Flow(self.base, self.transform.stretches(n))

    def standardised(self, x: Tensor, context: Tensor | None = None) -> Flow:
        """The flow for data such as ``x``: what it had of ℝᴰ it now has of (x − mean) / std.

        A fixed affine layer at the end takes the base's scale to that of the data. Its log-det is
        part of the density: points, draws and densities are in the units of x. The weights are
        shared with this flow; a standardisation that it had is replaced.

        >>> flow = catalog.make("rq_spline_coupling", dim=3).standardised(x)  # doctest: +SKIP

        Args:
            x: ``[N, D]``, N ≥ 2.
            context: ``[N, C]``, to standardise what a conditional flow is given as well. A feature
                that never varies in it is not looked at, whatever it is later on.

        Raises:
            TypeError: one of them is not a floating-point tensor.
            ValueError: it has another shape or holds NaN or infinity, or a column of ``x`` never
                varies: it has no density.
        """
        location, scale = moments_of_density("x", arguments.wide("x", x, self.dim))
        of_context = None
        if context is not None:
            if not self.context:
                raise ValueError("the flow takes no context: only x is standardised")
            mean, spread = moments("context", arguments.wide("context", context, self.context))
            of_context = mean, torch.where(spread > 0, spread, torch.inf)
        return self._standardised((location, scale), of_context)

    def _standardised(
        self, data: tuple[Tensor, Tensor], context: tuple[Tensor, Tensor] | None
    ) -> Flow:
        """The flow over (x − location) / scale; the same of its context, if it has one."""
        layers: list[Bijection] = []
        for layer in self.transform:
            if isinstance(layer, Standardisation):
                continue
            plain = layer.bijection if isinstance(layer, StandardisedContext) else layer
            if context is not None and plain.context:
                plain = StandardisedContext(plain, *(t.to(self.like) for t in context))
            layers.append(plain)
        flow = Flow(self.base, [*layers, Standardisation(*(t.to(self.like) for t in data))])
        if self.recipe is not None:
            has = context is not None
            flow.recipe = dataclasses.replace(self.recipe, data=True, context=has)
        return flow

    def trace(self, u: Tensor, context: Tensor | None = None) -> Trace:
        """Every state on the way from ``u [N, D]`` to the data; context as in :meth:`forward`."""
        return self._trace(u, context, inverse=False)

    def trace_inverse(self, x: Tensor, context: Tensor | None = None) -> Trace:
        """Every state on the way from ``x [N, D]`` back to the base, in the order z_0, …, z_K."""
        return self._trace(x, context, inverse=True)

    def _draw(self, u: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """x = T(u), and what of log|det J_T(u)| comes with it."""
        return self.transform._image(u, context, inverse=False)

    def _forward_and_log_prob(self, u: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        x, logabsdet = self.transform._forward(u, context)
        return x, self.base._log_prob(u) - logabsdet

    def _inverse_and_log_prob(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        u, logabsdet = self.transform._inverse(x, context)
        # Only the density is asked for: nothing needs the gradient that could reach u.
        return u.detach(), self.base._log_prob(u) + logabsdet

    def _run(self, run: Pass, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """``run(z, context)``: what is given is checked before, and the result after it."""
        z, context = self.transform._checked(z, context)
        with without_autocast(z):
            player = self.player
            result = run(z, context) if player is None else player.play(run, z, context)
            return self._explained(result, z, context)

    def _trace(self, z: Tensor, context: Tensor | None, inverse: bool) -> Trace:
        z, context = self.transform._checked(z, context)
        if z.ndim != 2:
            raise ValueError(f"a trace takes points [N, {self.dim}], got shape {list(z.shape)}")
        states, logabsdets = [z], []
        with without_autocast(z):
            for state, logabsdet in self.transform._steps(z, context, inverse):
                states.append(state)
                logabsdets.append(-logabsdet if inverse else logabsdet)
        if inverse:
            states.reverse()
            logabsdets.reverse()
        names = [layer.describe() for layer in self.transform]
        result = torch.stack(states), torch.stack(logabsdets)
        return Trace(*self._explained(result, z, context), names)

    def _explained(
        self, result: tuple[Tensor, Tensor], z: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Pass ``result`` on, unless it holds a NaN: then say where that came from."""
        state, logs = result
        # A sum is NaN wherever a term is; where infinities cancel, one has to look.
        if state.is_meta:
            return result
        lost = numbers(state.sum() + logs.sum()).isnan()
        # Of many totals where vmap maps over the points.
        if not bool(lost.any() if lost.ndim else lost):
            return result
        if not bool(numbers(state.isnan().any() | logs.isnan().any()).any()):
            return result
        explain_nan(self, "the flow", z, context)
