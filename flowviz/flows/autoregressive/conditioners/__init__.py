"""Conditioners cᵢ(z_{<i}): where a transformer's parameters come from (section 3.1.2)."""

from flowviz.flows.autoregressive.conditioners.attention import Attention
from flowviz.flows.autoregressive.conditioners.block_coupling import BlockCoupling
from flowviz.flows.autoregressive.conditioners.conditioner import Conditioner
from flowviz.flows.autoregressive.conditioners.coupling import Coupling
from flowviz.flows.autoregressive.conditioners.masked import Masked
from flowviz.flows.autoregressive.conditioners.recurrent import Recurrent
from flowviz.flows.autoregressive.conditioners.separate import Separate

__all__ = [
    "Attention",
    "BlockCoupling",
    "Conditioner",
    "Coupling",
    "Masked",
    "Recurrent",
    "Separate",
]
