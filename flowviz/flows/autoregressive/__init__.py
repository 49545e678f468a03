"""Autoregressive flows (section 3.1): transformers × conditioners, through one class."""

from flowviz.flows.autoregressive.autoregressive import Autoregressive
from flowviz.flows.autoregressive.block_neural import BlockNeural

__all__ = ["Autoregressive", "BlockNeural"]
