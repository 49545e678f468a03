"""The recurrent conditioner: a state that is carried along the coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from flowviz.flows.autoregressive.conditioners.conditioner import with_context
from flowviz.flows.autoregressive.conditioners.ordered import Sequential
from flowviz.flows.numerics.mlp import MLP, check_hidden, start_small


class Recurrent(Sequential):
    """sᵢ = GRU(z_{i−1}, s_{i−1}), hᵢ = NN(sᵢ), with z_0 = 0, s_0 = 0  (section 3.1.2).

    A recurrent autoregressive flow (Oliva et al. 2018). The coordinates share one cell (Cho et
    al. 2014) and one network, but D steps follow one another in *both* directions.

    Args:
        dim: D ≥ 1.
        parameters_per_dim: P.
        order: ``order[j]`` is the place of coordinate j, 0 … D − 1; natural by default.
        hidden: the width of the state, then the widths of the network from it to hᵢ.
        context: C; every step sees it.

    Attributes:
        cell: the GRU, called once a step.
    """

    title = "recurrent"

    def __init__(
        self,
        dim: int,
        parameters_per_dim: int,
        *,
        order: Sequence[int] | None = None,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim, parameters_per_dim, order, context)
        width, *more = check_hidden(hidden)
        self.cell = Cell(1 + context, width)
        if more:
            self.network: nn.Module = MLP(width, parameters_per_dim, more)
            start_small(self.network[-1])
        else:
            self.network = nn.Linear(width, parameters_per_dim)
            start_small(self.network)

    def run(self, tokens: Tensor) -> Tensor:
        state, states = self.cell.start(tokens[:, 0]), []
        for by_token in self.cell.from_token(tokens).unbind(-2):
            state = self.cell(by_token, state)
            states.append(state)
        return self.network(torch.stack(states, -2))

    def successive(self, context: Tensor | None) -> Callable[[int, Tensor], Tensor]:
        """The inverse's parameters: the state goes on from one coordinate to the next."""
        states: list[Tensor] = []

        def of_place(k: int, solved: Tensor) -> Tensor:
            # What is not solved yet is zero, as the token before the first is.
            last = solved[..., self.groups[max(k - 1, 0)]]
            token = with_context(last, context)
            state = states.pop() if k else self.cell.start(token)
            states.append(self.cell(self.cell.from_token(token), state))
            return self.network(states[0]).unsqueeze(-2)

        return of_place


class Cell(nn.Module):
    """A step of the gated recurrent unit, for a token x ``[..., I]`` and a state s ``[..., W]``.

    r = σ(A_r x + B_r s),  q = σ(A_q x + B_q s),  n = tanh(A_n x + r ⊙ B_n s),
    s' = n + q ⊙ (s − n),  biases within A and B.

    Written out, since the kernels of ``torch.nn.GRU`` have no second derivative on every device.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.from_token = nn.Linear(inputs, 3 * width)
        self.from_state = nn.Linear(width, 3 * width)

    def start(self, token: Tensor) -> Tensor:
        """s_0 = 0, for the first tokens ``[..., I]``."""
        return token.new_zeros(*token.shape[:-1], self.width)

    def forward(self, by_token: Tensor, state: Tensor) -> Tensor:
        """``A x [..., 3 W]`` and s to s'."""
        sizes = [2 * self.width, self.width]
        gates, candidate = by_token.split(sizes, -1)
        state_gates, state_candidate = self.from_state(state).split(sizes, -1)
        r, q = torch.sigmoid(gates + state_gates).chunk(2, -1)
        n = torch.tanh(torch.addcmul(candidate, r, state_candidate))
        return torch.lerp(n, state, q)
