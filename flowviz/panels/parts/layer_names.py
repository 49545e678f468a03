"""What a flow's layers are called where a student reads it."""

from __future__ import annotations

import re

from flowviz.flows import Flow

_WORDS = {
    "RQ spline": "spline",
    "UMNN": "monotone network",
    "MLP ODE": "neural ODE",
    "Diagonal": "scaling",
    "Dense": "linear map",
    "Triangular": "triangular map",
    "PLU": "linear map, PLU",
    "QR": "linear map, QR",
    "SVD": "linear map, SVD",
    "OrthogonalExponential": "rotation",
    "OrthogonalCayley": "rotation",
    "ActNorm": "activation normalisation",
    "BatchNorm": "batch normalisation",
    "Permutation": "permutation",
    "Planar": "planar layer",
    "Radial": "radial layer",
    "Sylvester": "Sylvester layer",
    "Shift": "shift",
}
_TERM = re.compile(rf"\b({'|'.join(_WORDS)})\b")


def layer_names(flow: Flow) -> list[str]:
    """The names of all layers, base → data: ``spline coupling``, or ``…, inverse`` of one."""
    return [in_words(layer.describe()) for layer in flow.transform]


def in_words(described: str) -> str:
    """What a layer says that it is, without abbreviations and superscripts."""
    name = _TERM.sub(lambda term: _WORDS[term[0]], described)
    return name.replace("⁻¹", ", inverse")
