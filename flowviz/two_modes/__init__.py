"""Two modes, and the increasing maps that carry a Gaussian to them.

Masses are kept from the middle and from the end, so that neither underflows where it matters; all
is float64, and x, u and the like are tensors of one shape.

>>> target = Gaussians(apart=6.0, width=0.5)
>>> round(Capped(target).largest_log_slope, 1)
17.3
>>> round(Capped(target, cap=8.0).share(target.bridge), 3)
0.149
"""

from flowviz.two_modes.capped import Capped
from flowviz.two_modes.maps import Affine, Map
from flowviz.two_modes.table import Table
from flowviz.two_modes.targets import Discs, Gaussians, Modes

__all__ = ["Affine", "Capped", "Discs", "Gaussians", "Map", "Modes", "Table"]
