"""Inference for simulators, which have no likelihood: a conditional flow (section 6.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.moments import moments, moments_of_density
from flowviz.objectives import Estimate, forward_kl


@dataclass(frozen=True)
class Simulator:
    """θ ~ prior, x ~ p(x | θ) by running a program: draws, but no density.

    The program runs on the CPU, with a generator of the CPU, wherever the flow is.

    Attributes:
        prior: ``(n, generator) -> θ [n, P]``.
        simulate: ``(θ [n, P], generator) -> x [n, X]``.
        about: one sentence on what it is.

    Raises:
        TypeError: ``prior`` or ``simulate`` is not a function, or ``about`` not a text.
    """

    prior: Callable[[int, Generator | None], Tensor]
    simulate: Callable[[Tensor, Generator | None], Tensor]
    about: str

    def __post_init__(self) -> None:
        arguments.function("prior", self.prior)
        arguments.function("simulate", self.simulate)
        arguments.instance("about", self.about, str)

    def draw(self, n: int, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """``n`` pairs θ ``[n, P]``, x ``[n, X]`` of the joint distribution, n ≥ 0."""
        θ = self.prior(arguments.whole("n", n, 0), generator)
        return θ, self.simulate(θ, generator)


class NeuralPosterior(nn.Module):
    """q(θ | x), a conditional flow fitted to a simulator's draws by maximum likelihood.

    −E_{θ, x}[log q(θ | x)] is least where q is the posterior for every x (Papamakarios & Murray
    2016; Greenberg, Nonnenmacher & Macke 2019). Both θ and x are standardised by a first batch;
    an observation that never varies in it tells nothing, and is not looked at.

    Args:
        flow: over θ, with ``context`` = X.
        simulator: what is inferred.
        generator: of the batch that sets the scales.

    Raises:
        TypeError: the simulator's draws are not floating-point tensors.
        ValueError: they are not tables, the flow's sizes are not those of the simulator, or a
            parameter never varies: it has no posterior density.
    """

    location: Tensor
    scale: Tensor
    data_location: Tensor
    data_scale: Tensor

    def __init__(
        self, flow: Flow, simulator: Simulator, generator: Generator | None = None
    ) -> None:
        super().__init__()
        arguments.instance("flow", flow, Flow)
        θ, x = arguments.instance("simulator", simulator, Simulator).draw(1000, generator)
        arguments.array("the simulator's θ", θ, "[n, P]")
        arguments.array("the simulator's x", x, "[n, X]")
        if (flow.dim, flow.context) != (θ.shape[-1], x.shape[-1]):
            raise ValueError(
                f"the simulator has {θ.shape[-1]} parameters and {x.shape[-1]} observations; "
                f"the flow has dim={flow.dim} and context={flow.context}"
            )
        self.flow = flow
        self.simulator = simulator
        location, scale = moments_of_density("the simulator's θ", θ)
        data_location, data_scale = moments("the simulator's x", x)
        self.register_buffer("location", location)
        self.register_buffer("scale", scale)
        self.register_buffer("data_location", data_location)
        # Over ∞ it is 0, whatever it is in an observation.
        self.register_buffer("data_scale", torch.where(data_scale > 0, data_scale, torch.inf))

    def objective(self, batch: int = 512) -> Callable[[Any, Generator], Estimate]:
        """The loss on fresh draws of the simulator, for :class:`flowviz.training.Trainer`."""
        return _Amortised(arguments.whole("batch", batch, 1))

    def log_prob(self, θ: Tensor, x: Tensor) -> Tensor:
        """log q(θ | x), ``[..., P]`` and ``[..., X]`` (or ``[X]``) to ``[...]``.

        Raises:
            TypeError: one of them is not a floating-point tensor.
            ValueError: it has another width.
        """
        arguments.wide("θ", θ, self.flow.dim)
        standard = (θ - self.location) / self.scale
        return self.flow.log_prob(standard, self._context(x)) - self.scale.log().sum()

    @torch.no_grad()
    def sample(self, n: int, x: Tensor, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, P]`` of q(θ | x) for one observation ``x [X]``. Raises as above."""
        return self.location + self.scale * self.flow.sample(
            arguments.whole("n", n, 0), self._context(x), generator
        )

    @torch.no_grad()
    def ranks(
        self, tests: int = 200, draws: int = 99, generator: Generator | None = None
    ) -> Tensor:
        """Ranks ``[tests, P]`` of the true θ among posterior draws, 0 … ``draws``.

        Uniform where the posterior is right (simulation-based calibration, Talts, Betancourt,
        Simpson, Vehtari & Gelman 2018).

        Raises:
            ValueError: ``tests`` or ``draws`` is less than 1.
        """
        arguments.whole("tests", tests, 1)
        arguments.whole("draws", draws, 1)
        θ, x = self._draw(tests, generator)
        context = self._context(x).repeat_interleave(draws, 0)
        sample = self.flow.sample(tests * draws, context, generator)
        sample = self.location + self.scale * sample.reshape(tests, draws, -1)
        return (sample < θ.unsqueeze(1)).sum(1)

    def _draw(self, n: int, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """``n`` pairs of the simulator, where the flow is; so may the generator be."""
        there = None if generator is None else generator.device
        if there is not None and there.type != "cpu":
            seed = torch.randint(2**62, (), generator=generator, device=there)
            generator = Generator().manual_seed(int(seed))
        θ, x = self.simulator.draw(n, generator)
        return θ.to(self.location.device), x.to(self.location.device)

    def _context(self, x: Tensor) -> Tensor:
        return (arguments.wide("x", x, self.flow.context) - self.data_location) / self.data_scale


@dataclass(frozen=True)
class _Amortised:
    """−E[log q(θ | x)] of a neural posterior, whichever it is given: a copy trains itself."""

    batch: int

    def __call__(self, posterior: Any, generator: Generator) -> Estimate:
        θ, x = posterior._draw(self.batch, generator)
        standard = (θ - posterior.location) / posterior.scale
        return forward_kl(posterior.flow, standard, posterior._context(x))


def two_moons_simulator() -> Simulator:
    """A posterior of two crescents, from two observations (Greenberg et al. 2019)."""

    def prior(n: int, generator: Generator | None) -> Tensor:
        return 2 * torch.rand(n, 2, generator=generator) - 1

    def simulate(θ: Tensor, generator: Generator | None) -> Tensor:
        angle = torch.pi * (torch.rand(len(θ), generator=generator) - 0.5)
        radius = 0.1 + 0.01 * torch.randn(len(θ), generator=generator)
        crescent = torch.stack([radius * torch.cos(angle) + 0.25, radius * torch.sin(angle)], -1)
        turned = torch.stack([-(θ[:, 0] + θ[:, 1]).abs(), θ[:, 1] - θ[:, 0]], -1)
        return crescent + turned / 2**0.5

    return Simulator(prior, simulate, "θ turned, folded along a diagonal, and thrown on a crescent")


def straight_line_simulator(points: int = 5, noise: float = 0.5) -> Simulator:
    """Intercept and slope of a line seen with Gaussian noise: the posterior is known, a Gaussian.

    Args:
        points: how many heights are observed, at equal distances from −1 to 1.
        noise: their standard deviation.
    """
    arguments.whole("points", points, 1)
    arguments.positive("noise", noise)
    design = torch.stack([torch.ones(points), torch.linspace(-1, 1, points)], -1)

    def prior(n: int, generator: Generator | None) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    def simulate(θ: Tensor, generator: Generator | None) -> Tensor:
        return θ @ design.mT + noise * torch.randn(len(θ), points, generator=generator)

    return Simulator(prior, simulate, f"{points} noisy heights of a straight line")
