"""Linear flows z' = W z (section 3.2)."""

from flowviz.flows.linear.convolution import Conv1x1
from flowviz.flows.linear.dense import Dense
from flowviz.flows.linear.diagonal import Diagonal
from flowviz.flows.linear.orthogonal import OrthogonalCayley, OrthogonalExponential
from flowviz.flows.linear.permutation import Permutation
from flowviz.flows.linear.plu import PLU
from flowviz.flows.linear.qr import QR
from flowviz.flows.linear.shift import Shift
from flowviz.flows.linear.svd import SVD
from flowviz.flows.linear.triangular import Triangular

__all__ = [
    "PLU",
    "QR",
    "SVD",
    "Conv1x1",
    "Dense",
    "Diagonal",
    "OrthogonalCayley",
    "OrthogonalExponential",
    "Permutation",
    "Shift",
    "Triangular",
]
