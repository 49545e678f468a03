"""The one class of all autoregressive flows: any transformer with any conditioner."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.autoregressive.conditioners.conditioner import Conditioner
from flowviz.flows.autoregressive.transformers.transformer import Transformer
from flowviz.flows.bijection import Bijection


class Autoregressive(Bijection):
    """z'ᵢ = τ(zᵢ; hᵢ), hᵢ = cᵢ(z_{<i})  (section 3.1).

    The Jacobian is triangular in the conditioner's order: log|det J| = Σᵢ log ∂τ/∂zᵢ. The forward
    direction takes one pass of the conditioner, the inverse one a group of coordinates: D when
    masked, one for a coupling.

    Args:
        transformer: τ.
        conditioner: c, made for the transformer's number of parameters.

    Raises:
        ValueError: the conditioner yields another number of parameters than τ takes.
    """

    def __init__(self, transformer: Transformer, conditioner: Conditioner) -> None:
        arguments.instance("transformer", transformer, Transformer)
        arguments.instance("conditioner", conditioner, Conditioner)
        super().__init__(conditioner.dim, conditioner.context)
        if conditioner.parameters_per_dim != transformer.parameters_per_dim:
            raise ValueError(
                f"{type(transformer).__name__} takes {transformer.parameters_per_dim} parameters "
                f"a coordinate, the conditioner yields {conditioner.parameters_per_dim}"
            )
        self.transformer = transformer
        self.conditioner = conditioner
        self.exact_inverse = transformer.exact_inverse

    def describe(self) -> str:
        return f"{self.transformer.title} {self.conditioner.title}"

    def jacobian_mask(self) -> Tensor:
        return self.conditioner.dependencies() | torch.eye(self.dim, dtype=torch.bool)

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        c = self.conditioner
        seen, moved = c.split(z)
        moved, log_derivative = self.transformer(moved, c(seen, context))
        return c.join(seen, moved), log_derivative.sum(-1)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        c = self.conditioner
        seen, image = c.split(z)
        if len(c.groups) == 1:
            moved, log_derivative = self.transformer.inverse(image, c(seen, context))
            return c.join(seen, moved), log_derivative.sum(-1)

        # Group after group; what is not known yet is zero, and no parameter looks at it.
        solved = torch.zeros_like(image)
        log_derivatives = []
        parameters = c.successive(context)
        for k, group in enumerate(c.groups):
            index = torch.tensor(group, device=z.device)
            part, log_derivative = self.transformer.inverse(
                image.index_select(-1, index), parameters(k, solved)
            )
            solved = solved.index_copy(-1, index, part)
            log_derivatives.append(log_derivative)
        return solved, torch.cat(log_derivatives, -1).sum(-1)
