"""Additive and affine autoregressive flows."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz.flows.autoregressive.transformers import Additive, Affine
from flowviz.flows.catalog import autoregressive as ar
from flowviz.flows.catalog.entry import MASKED, NETWORK, Entry, Layers
from flowviz.flows.linear import PLU, Diagonal
from flowviz.flows.normalisation import ActNorm


def _nice(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    numbers = reversed(range(layers))
    couplings = [ar.layer(Additive(), ar.COUPLING, dim, n, settings) for n in numbers]
    return [*couplings, Diagonal(dim)]


def _glow(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    blocks: Layers = []
    for _ in range(layers):
        # The linear layer mixes the coordinates, so that no coupling needs swapping.
        coupling = ar.layer(Affine(), ar.COUPLING, dim, 0, settings)
        blocks += [coupling, PLU(dim, generator), ActNorm(dim)]
    return blocks


ENTRIES = (
    ar.autoregressive(
        "real_nvp",
        "Real NVP",
        "Dinh, Sohl-Dickstein & Bengio 2017",
        r"z'_{\le d} = z_{\le d},\quad z'_{>d} = \alpha(z_{\le d})\, z_{>d} + \beta(z_{\le d})",
        lambda _: Affine(),
        ar.COUPLING,
        "base to data",
        layers=6,
    ),
    ar.autoregressive(
        "nice",
        "NICE",
        "Dinh, Krueger & Bengio 2015",
        r"z'_{\le d} = z_{\le d},\quad z'_{>d} = z_{>d} + \beta(z_{\le d})",
        lambda _: Additive(),
        ar.COUPLING,
        "base to data",
        layers=6,
        build=_nice,
    ),
    Entry(
        name="glow",
        title="Glow",
        family="Autoregressive: coupling",
        reference="Kingma & Dhariwal 2018",
        equation=r"z' = \exp(s) \odot P L U\, \mathrm{coupling}(z) + b",
        fast_forward=True,
        fast_inverse=True,
        jacobian="dense",
        determinant_cost="O(D)",
        inverse_cost="closed, 1 pass and O(D²)",
        build=_glow,
        options=NETWORK,
        min_dim=2,
    ),
    ar.autoregressive(
        "maf",
        "MAF",
        "Papamakarios, Pavlakou & Murray 2017",
        r"u_i = \alpha_i(x_{<i})\, x_i + \beta_i(x_{<i})",
        lambda _: Affine(),
        ar.MASKED,
        options=MASKED,
    ),
    ar.autoregressive(
        "iaf",
        "IAF",
        "Kingma et al. 2016",
        r"x_i = \alpha_i(u_{<i})\, u_i + \beta_i(u_{<i})",
        lambda _: Affine(),
        ar.MASKED,
        "base to data",
        options=MASKED,
    ),
)
