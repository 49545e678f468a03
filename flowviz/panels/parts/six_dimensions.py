"""A family in six dimensions: its Jacobian, with what is zero by construction."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from flowviz.flows import Bijection, Flow, catalog, jacobian
from flowviz.panels.parts.layer_names import layer_names

DIM = 6
SPREAD = 0.5
"""Standard deviation of what is added to every parameter."""


def six_dimensions(family: str, layers: int, layer: int, seed: int) -> tuple[Tensor, Tensor, str]:
    """The Jacobian ``[6, 6]`` of a layer (1 …), or of all (0), at a random point.

    Returns:
        It, where it may be other than 0, and what that is worth in words; without an entry where
        the family takes no six dimensions.
    """
    entry = catalog.entry(family)
    if not entry.allows(DIM):
        nothing = torch.zeros(0, 0)
        words = f"{entry.title} takes no six dimensions: {entry.dims_in_words()}."
        return nothing, nothing.bool(), words
    flow = random_flow(family, layers, seed)
    names = layer_names(flow)
    layer = layer if layer <= len(names) else 0
    map_: Bijection = list(flow.transform)[layer - 1] if layer else flow.transform
    point = torch.randn(1, DIM, generator=Generator().manual_seed(seed))
    J, mask = jacobian(map_, point)[0].detach(), map_.jacobian_mask().cpu()
    whose = f"Layer {layer}" if layer else f"All {len(names)} layers"
    return J, mask, f"{whose}: {cost_in_words(mask)}"


def random_flow(family: str, layers: int, seed: int) -> Flow:
    """A flow of six dimensions away from its start, where much is 0 that need not be."""
    flow = catalog.make(family, dim=DIM, layers=layers, seed=seed)
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(SPREAD * torch.randn(parameter.shape, generator=generator))
    return flow.eval()


def cost_in_words(mask: Tensor) -> str:
    """How many entries are zero by construction, and what the determinant costs for it."""
    zeros = int((~mask).sum())
    some = f"{zeros} of 36 entries are 0 by construction (hatched)" if zeros else "no entry is 0"
    if bool(mask.tril(-1).any()) and bool(mask.triu(1).any()):
        return f"{some}, and there is something on both sides of the diagonal."
    return f"{some}: det J is the product of six entries, not a sum of 720 products."
