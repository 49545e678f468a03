"""Additive and affine autoregressive flows."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz.flows.autoregressive.transformers import Additive, Affine
from flowviz.flows.catalog.build import coupling, masked, masked_from_data
from flowviz.flows.catalog.entry import MASKED, NETWORK, Entry, Layers
from flowviz.flows.linear import PLU, Diagonal
from flowviz.flows.normalisation import ActNorm


def _nice(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    couplings = [coupling(Additive(), dim, layer, settings) for layer in range(layers)]
    return [*couplings, Diagonal(dim)]


def _real_nvp(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return [coupling(Affine(), dim, layer, settings) for layer in range(layers)]


def _glow(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    blocks: Layers = []
    for _ in range(layers):
        # The linear layer mixes the coordinates, so that no coupling needs swapping.
        blocks += [coupling(Affine(), dim, 0, settings), PLU(dim, generator), ActNorm(dim)]
    return blocks


def _iaf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return [masked(Affine(), dim, layer, settings) for layer in range(layers)]


def _maf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return masked_from_data(Affine(), dim, layers, settings)


ENTRIES = (
    Entry(
        name="real_nvp",
        title="Real NVP",
        family="Autoregressive: coupling",
        reference="Dinh, Sohl-Dickstein & Bengio 2017",
        equation=r"z'_{\le d} = z_{\le d},\quad z'_{>d} = \alpha(z_{\le d})\, z_{>d} "
        r"+ \beta(z_{\le d})",
        fast_forward=True,
        fast_inverse=True,
        jacobian="block triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, 1 pass",
        build=_real_nvp,
        layers=6,
        options=NETWORK,
        min_dim=2,
    ),
    Entry(
        name="nice",
        title="NICE",
        family="Autoregressive: coupling",
        reference="Dinh, Krueger & Bengio 2015",
        equation=r"z'_{\le d} = z_{\le d},\quad z'_{>d} = z_{>d} + \beta(z_{\le d})",
        fast_forward=True,
        fast_inverse=True,
        jacobian="block triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, 1 pass",
        build=_nice,
        layers=6,
        options=NETWORK,
        min_dim=2,
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
    Entry(
        name="maf",
        title="MAF",
        family="Autoregressive: masked",
        reference="Papamakarios, Pavlakou & Murray 2017",
        equation=r"u_i = \alpha_i(x_{<i})\, x_i + \beta_i(x_{<i})",
        fast_forward=False,
        fast_inverse=True,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, D passes",
        build=_maf,
        options=MASKED,
    ),
    Entry(
        name="iaf",
        title="IAF",
        family="Autoregressive: masked",
        reference="Kingma et al. 2016",
        equation=r"x_i = \alpha_i(u_{<i})\, u_i + \beta_i(u_{<i})",
        fast_forward=True,
        fast_inverse=False,
        jacobian="triangular",
        determinant_cost="O(D)",
        inverse_cost="closed, D passes",
        build=_iaf,
        options=MASKED,
    ),
)
