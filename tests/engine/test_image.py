"""Flows on images: squeezing, channels, couplings, and Glow on small bars."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowviz.flows import Composition, Flow, catalog
from flowviz.flows.catalog.image import image_shape
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.image import ImageActNorm, ImageCoupling, Squeeze, Unsqueeze, glow_step
from tests.engine.engine_checks import (
    assert_absolute,
    assert_layer,
    assert_structure,
    points,
    random_flow,
    randomise,
)
from tests.engine.mutations.linear import MORE_THAN_ONE_PIXEL


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 4, 6), (2, 2, 8)])
def test_squeezing_is_that_of_torch(shape: tuple[int, int, int]) -> None:
    squeeze, unsqueeze = Squeeze(shape), Unsqueeze(shape)
    x = points(5, squeeze.dim)
    image, logabsdet = squeeze(x)
    expected = F.pixel_unshuffle(x.unflatten(-1, shape), 2)
    assert expected.shape[1:] == squeeze.squeezed == unsqueeze.squeezed
    assert torch.equal(image, expected.flatten(1)) and not logabsdet.any()
    assert torch.equal(unsqueeze(image)[0], x) and torch.equal(squeeze.inverse(image)[0], x)
    assert torch.equal(unsqueeze.jacobian_mask(), squeeze.jacobian_mask().mT)
    for bad in ((1, 3, 2), (1, 2, 3)):
        with pytest.raises(ValueError, match="squeezing halves the height and the width"):
            Squeeze(bad)


def test_actnorm_of_channels() -> None:
    layer = ImageActNorm((3, 2, 4)).double()
    x = points(50, 24).unflatten(-1, (3, 8)) * torch.tensor([[1.0], [5.0], [0.1]]) + 7
    image = layer(x.flatten(1))[0].unflatten(-1, (3, 8))
    assert torch.allclose(image.mean((0, 2)), torch.zeros(3).double(), atol=1e-9)
    assert torch.allclose(image.std((0, 2), correction=0), torch.ones(3).double())
    logabsdet = layer(x.flatten(1))[1]
    assert torch.allclose(logabsdet, 8 * layer.bijection.log_scale.sum().expand(50))


@pytest.mark.parametrize("shape", [(2, 1, 1), (3, 5, 7), (4, 2, 2)])
def test_coupling_keeps_half_the_channels_and_sees_two_pixels_far(
    shape: tuple[int, int, int],
) -> None:
    layer = ImageCoupling(shape, hidden=(8, 8))
    flow = randomise(Flow(StandardNormal(layer.dim), [layer]), 0.5).double()
    x = points(4, layer.dim)
    assert_layer(layer, x)
    kept = shape[0] // 2
    image = flow(x)[0].unflatten(-1, shape)
    assert torch.equal(image[:, :kept], x.unflatten(-1, shape)[:, :kept])
    assert (image[:, kept:] != x.unflatten(-1, shape)[:, kept:]).all()
    J = torch.autograd.functional.jacobian(lambda z: layer(z)[0], x[0])
    assert torch.equal(J != 0, layer.jacobian_mask())


def test_coupling_by_hand() -> None:
    """The same through plain convolutions on an image."""
    layer = ImageCoupling((4, 3, 2), hidden=(8,)).double()
    x = points(5, 24)
    kept, moved = x.unflatten(-1, (4, 3, 2)).chunk(2, 1)
    first, _, last = layer.conditioner.network
    h = F.silu(F.conv2d(kept, first.weight, first.bias, padding=1))
    a, shift = F.conv2d(h, last.weight, last.bias, padding=1).chunk(2, 1)
    log_scale = 5 * torch.tanh(a / 5)
    expected = torch.cat([kept, moved * log_scale.exp() + shift], 1)
    image, logabsdet = layer(x)
    assert torch.allclose(image, expected.flatten(1))
    assert torch.allclose(logabsdet, log_scale.sum((1, 2, 3)))
    with pytest.raises(ValueError, match="needs two or more of them, got 1"):
        ImageCoupling((1, 4, 4))


def test_contexts_reach_every_pixel() -> None:
    layer = ImageCoupling((2, 3, 3), hidden=(8,), context=2).double()
    x, context = points(4, 18), points(4, 2, seed=1).requires_grad_()
    image, _ = layer(x, context)
    assert torch.allclose(layer.inverse(image, context)[0], x)
    assert (image - layer(x, context.flip(0))[0])[:, 9:].abs().min() > 0
    assert layer(x.reshape(2, 2, 18), context[0])[0].shape == (2, 2, 18)


def test_shapes_of_dimensions() -> None:
    expected = {4: (2, 2), 8: (2, 4), 12: (2, 6), 16: (4, 4), 24: (4, 6), 28: (2, 14), 64: (8, 8)}
    for dim, size in expected.items():
        assert image_shape(dim) == (1, *size)
    for bad in (2, 6, 15):
        with pytest.raises(ValueError, match="dim ≥ 4, a multiple of 4"):
            catalog.make("glow_image", bad)


def test_two_scales_by_squeezing_twice() -> None:
    """The blocks compose for any shape: 3 × 8 × 8, squeezed to 12 × 4 × 4 and 48 × 2 × 2."""
    first, second = Squeeze((3, 8, 8)), Squeeze((12, 4, 4))
    layers = [
        first,
        *glow_step(first.squeezed, hidden=(8,)),
        second,
        *glow_step(second.squeezed, hidden=(8,)),
        Unsqueeze((12, 4, 4)),
        Unsqueeze((3, 8, 8)),
    ]
    flow = randomise(Flow(StandardNormal(192), Composition(layers)), 0.1).double()
    assert_absolute(flow, points(4, 192), 1e-9)


@pytest.mark.parametrize("mutate", [None, *MORE_THAN_ONE_PIXEL])
def test_the_checks_see_mistakes_between_pixels(
    mutate: Callable[[pytest.MonkeyPatch], None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mutate is not None:
        mutate(monkeypatch)
    with nullcontext() if mutate is None else pytest.raises(AssertionError):
        flow = random_flow("glow_image", 8, 0.4)
        for layer in flow.bijections:
            assert_layer(layer, points(16, 8))
        assert_structure("glow_image", flow, points(16, 8) / 2)


def bars(n: int, seed: int = 0) -> Tensor:
    """4 × 4 images with one bright row or column, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(8, (n,), generator=generator)
    images = torch.zeros(n, 4, 4)
    rows = place < 4
    images[rows, place[rows]] = 1
    images[~rows, :, place[~rows] - 4] = 1
    return (images + 0.1 * torch.randn(n, 4, 4, generator=generator)).flatten(1)


def test_training_on_bars_lowers_the_loss() -> None:
    flow = catalog.make("glow_image", 16, 3, hidden=(16, 16), seed=0)
    optimiser = torch.optim.Adam(flow.parameters(), 5e-3)
    losses = []
    for step in range(150):
        loss = -flow.log_prob(bars(128, step)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    held_out = -flow.eval().log_prob(bars(512, 999)).mean().item()
    # A normal with the data's mean and covariance.
    x = bars(4096, 1)
    normal = torch.distributions.MultivariateNormal(x.mean(0), x.mT.cov())
    gaussian = -normal.log_prob(bars(512, 999)).mean().item()
    assert losses[-1] < losses[1] - 5 and held_out < gaussian
