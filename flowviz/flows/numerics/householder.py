"""Orthonormal columns as a product of Householder reflections."""

from __future__ import annotations

import torch
from torch import Tensor


def householder(raw: Tensor) -> Tensor:
    """Q = −H_1 ⋯ H_M, its first M columns; H_m = I − 2 v_m v_mᵀ / ‖v_m‖².

    v_m is 1 in row m, 0 above it and free below: no vector can vanish, whatever the parameters
    are, and none is longer than it need be. At raw = 0, Q = I (hence the minus sign). For M = D
    every rotation but a set of measure zero is one product of this kind.

    The product is not multiplied out reflection by reflection: H_1 ⋯ H_M = I − V T Vᵀ, where
    T⁻¹ is the part of VᵀV above its diagonal and half of that diagonal (the compact WY form;
    Schreiber & Van Loan 1989, Joffrain et al. 2006). It costs O(D M²).

    Args:
        raw: ``[..., D, M]``, D ≥ M; its entries below the diagonal are the free ones.

    Returns:
        ``[..., D, M]`` with orthonormal columns.
    """
    eye = torch.eye(*raw.shape[-2:], dtype=raw.dtype, device=raw.device)
    V = raw.tril(-1) + eye
    gram = V.mT @ V
    inverse_T = gram.triu(1) + torch.diag_embed(gram.diagonal(dim1=-2, dim2=-1) / 2)
    # The first M columns of I − V T Vᵀ need the first M rows of V only.
    top = V[..., : raw.shape[-1], :].mT
    return V @ torch.linalg.solve_triangular(inverse_T, top, upper=True) - eye
