"""Affine coupling of the two halves of the channels, through a convolutional network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Conditioner
from flowviz.flows.autoregressive.transformers import Affine
from flowviz.flows.linear.convolution import check_shape
from flowviz.flows.numerics.mlp import OUTPUT_SCALE, check_hidden

# Two 3 × 3 convolutions see two pixels far.
REACH = 2


class ConvolutionalCoupling(Conditioner):
    """The first channels set the parameters of the others: h = CNN(x_{≤C/2}).

    The network: 3 × 3 convolutions first and last, 1 × 1 between, SiLU after all but the last;
    the image is padded with zeros. A moved pixel depends on the kept ones that are at most two
    pixels away. Both directions take one pass.

    Args:
        shape: (C, H, W), C ≥ 2.
        parameters_per_dim: P.
        hidden: channels of the network's hidden layers.
        context: C of the context, which every pixel sees.
    """

    title = "convolutional coupling"

    def __init__(
        self,
        shape: Sequence[int],
        parameters_per_dim: int,
        *,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        channels, *self._size = check_shape(shape)
        pixels = math.prod(self._size)
        super().__init__(channels * pixels, parameters_per_dim, context)
        if channels < 2:
            raise ValueError(f"a coupling of channels needs two or more of them, got {channels}")
        kept = channels // 2
        moved = channels - kept
        self._sizes = [kept * pixels, moved * pixels]
        self.groups = (list(range(moved * pixels)),)

        widths = [kept + context, *check_hidden(hidden)]
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            size = 3 if i == 0 else 1
            layers += [nn.Conv2d(inputs, outputs, size, padding="same"), nn.SiLU()]
        last = nn.Conv2d(widths[-1], moved * parameters_per_dim, 3, padding="same")
        for parameter in last.parameters():
            parameter.data.mul_(OUTPUT_SCALE)
        self.network = nn.Sequential(*layers, last)

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = z.split(self._sizes, -1)
        return kept, moved

    def forward(self, seen: Tensor, context: Tensor | None) -> Tensor:
        image = seen.unflatten(-1, (-1, *self._size))
        if context is not None:
            everywhere = context[..., None, None].expand(*context.shape, *self._size)
            image = torch.cat([image, everywhere], -3)
        h = self.network(image.reshape(-1, *image.shape[-3:]))
        # [N, M/(H·W)·P, H, W] to [..., M, P]: P is the slower half of the channels.
        h = h.unflatten(1, (self.parameters_per_dim, -1)).flatten(2).mT
        return h.reshape(*seen.shape[:-1], *h.shape[1:])

    def join(self, seen: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([seen, moved], -1)

    def dependencies(self) -> Tensor:
        H, W = self._size
        row, column = torch.arange(H * W) // W, torch.arange(H * W) % W
        near = ((row[:, None] - row).abs() <= REACH) & ((column[:, None] - column).abs() <= REACH)
        kept, moved = self._sizes
        mask = torch.zeros(self.dim, self.dim, dtype=torch.bool)
        mask[kept:, :kept] = near.repeat(moved // (H * W), kept // (H * W))
        return mask


class ImageCoupling(Autoregressive):
    """x'_{≤C/2} = x_{≤C/2},  x'_{>C/2} = α ⊙ x_{>C/2} + β,  (α, β) = CNN(x_{≤C/2}).

    The affine coupling of Real NVP and Glow for images (Dinh et al. 2017; Kingma & Dhariwal
    2018, section 3.3), the halves being channels: see :class:`ConvolutionalCoupling`.

    Args:
        shape: (C, H, W), C ≥ 2.
        hidden: channels of the network's hidden layers.
        context: number of context features.
    """

    def __init__(
        self, shape: Sequence[int], *, hidden: Sequence[int] = (64, 64), context: int = 0
    ) -> None:
        transformer = Affine()
        conditioner = ConvolutionalCoupling(
            shape, transformer.parameters_per_dim, hidden=hidden, context=context
        )
        super().__init__(transformer, conditioner)
        self.shape = check_shape(shape)
