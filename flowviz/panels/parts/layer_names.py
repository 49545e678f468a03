"""What a flow's layers are called where a student reads it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from flowviz.flows import Flow, catalog

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


@cache
def counted_in_words(family: str) -> str:
    """Why a family has more layers than are asked for, in words; "" where it has as many.

    >>> counted_in_words("nice"), counted_in_words("permutation")
    ('and one more: scaling', 'each is 2: permutation + shift')
    """
    one, two = (layer_names(catalog.make(family, layers=layers)) for layers in (1, 2))
    each, words = list((Counter(two) - Counter(one)).elements()), []
    if len(each) > 1:
        words.append(f"each is {len(each)}: {' + '.join(each)}")
    if len(one) > len(each):
        words += [f"and one more: {name}" for name in Counter(one) - Counter(each)]
    return "; ".join(words)
