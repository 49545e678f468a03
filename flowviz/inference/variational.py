"""Variational inference, amortised: an autoencoder whose posterior is a flow (section 6.2.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from flowviz import arguments
from flowviz.flows.flow import Flow
from flowviz.flows.numerics.mlp import MLP
from flowviz.objectives import Estimate

START_SCALE = 0.1
"""s before training. A latent that explains less variance than s² collapses, and comes back late or
never (Lucas, Tucker, Grosse & Norouzi 2019)."""

ENCODER_GAIN = 5.0
"""On the encoder's last layer, whose features are then of order 1: the posterior hears of x before
the decoder has learned to do without z."""


class VAE(nn.Module):
    """p(x, z) = N(z; 0, I) N(x; m(z), s² I) and q(z | x), a conditional flow.

    Kingma & Welling 2014; a flow as the posterior, Rezende & Mohamed 2015. The encoder turns x
    into the context of the flow, so that one flow serves every x. The scale s is learned, too; it
    starts at :data:`START_SCALE`, which suits data of variances around 1.

    Args:
        posterior: q(z | x), a flow over z with ``context`` = E > 0.
        data_dim: dimension of x.
        hidden: widths of the encoder's and the decoder's hidden layers.
        decoder: m, ``[..., Z] -> [..., X]``; a network by default.

    Raises:
        TypeError: ``decoder`` is not a module.
        ValueError: the posterior takes no context, or a size is less than 1.
    """

    def __init__(
        self,
        posterior: Flow,
        data_dim: int,
        hidden: Sequence[int] = (64, 64),
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if arguments.instance("posterior", posterior, Flow).context == 0:
            raise ValueError("the posterior must be a conditional flow, made with context ≥ 1")
        if decoder is not None:
            arguments.instance("decoder", decoder, nn.Module)
        self.data_dim = arguments.whole("data_dim", data_dim, 1)
        self.posterior = posterior
        self.encoder = MLP(data_dim, posterior.context, hidden)
        for parameter in self.encoder[-1].parameters():
            parameter.data.mul_(ENCODER_GAIN)
        self.decoder = MLP(posterior.dim, data_dim, hidden) if decoder is None else decoder
        self.log_scale = nn.Parameter(torch.tensor(math.log(START_SCALE)))

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z), ``[..., X]`` and ``[..., Z]`` to ``[...]``.

        Raises:
            TypeError: one of them is not a floating-point tensor.
            ValueError: it has another width, or what the decoder makes of z has.
        """
        arguments.wide("x", x, self.data_dim)
        arguments.wide("z", z, self.posterior.dim)
        mean = arguments.wide("the decoder's output", self.decoder(z), self.data_dim)
        prior = _normal_log_prob(z, torch.zeros_like(z), z.new_zeros(()))
        return prior + _normal_log_prob(x, mean, self.log_scale)

    def elbo(self, x: Tensor, generator: Generator | None = None) -> Estimate:
        """E_q[log p(x, z) − log q(z | x)] ≤ log p(x), a mean over ``x [N, X]``, one z each."""
        log_weights, _ = self._log_weights(x, generator)
        return Estimate.of(log_weights)

    def loss(self, x: Tensor, generator: Generator | None = None) -> Estimate:
        """−ELBO, to minimise."""
        bound = self.elbo(x, generator)
        return Estimate(-bound.value, bound.standard_error)

    @torch.no_grad()
    def log_likelihood(
        self, x: Tensor, draws: int = 100, generator: Generator | None = None
    ) -> Tensor:
        """log p(x) ``[N]`` by importance sampling with q: a bound that tightens with ``draws``.

        Burda, Grosse & Salakhutdinov 2016.
        """
        arguments.whole("draws", draws, 1)
        arguments.wide("x", x, self.data_dim)
        repeated = x.expand(draws, *x.shape).reshape(-1, x.shape[-1])
        log_weights, _ = self._log_weights(repeated, generator)
        return torch.logsumexp(log_weights.reshape(draws, -1), 0) - math.log(draws)

    @torch.no_grad()
    def infer(self, x: Tensor, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, Z]`` of q(z | x) for one ``x [X]``."""
        context = self.encoder(arguments.wide("x", x, self.data_dim))
        return self.posterior.sample(arguments.whole("n", n, 0), context, generator)

    @torch.no_grad()
    def generate(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` draws ``[n, X]`` of p(x), n ≥ 0."""
        arguments.whole("n", n, 0)
        like = self.log_scale
        z = torch.randn(
            n, self.posterior.dim, generator=generator, dtype=like.dtype, device=like.device
        )
        mean = self.decoder(z)
        noise = torch.randn(mean.shape, generator=generator, dtype=z.dtype, device=z.device)
        return mean + torch.exp(like) * noise

    def _log_weights(self, x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """log p(x, z) − log q(z | x) ``[N]`` at one draw ``z [N, Z]`` for each x."""
        arguments.wide("x", arguments.array("x", x, "[N, X]"), self.data_dim)
        z, log_q = self.posterior.rsample_and_log_prob(len(x), self.encoder(x), generator)
        return self.log_joint(x, z) - log_q, z


def _normal_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    standard = (x - mean) * torch.exp(-log_scale)
    constant = x.shape[-1] * (0.5 * math.log(2 * math.pi) + log_scale)
    return -0.5 * standard.square().sum(-1) - constant
