"""The mass of the bridge between two modes, and what a map to them costs, each had in two ways."""

from __future__ import annotations

import math

import ipywidgets as widgets
from torch import Tensor

from flowviz.objectives import Estimate
from flowviz.two_modes import Map
from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import Note, Readout, format_number

SAMPLES = 6_000
BRIDGE = "The mass in the dashed box: between discs, or from 3 s inside to 3 s inside of Gaussians"


class BridgeNumbers:
    """The bridge's share and KL(p*‖p): exact, and from samples; and the largest log slope.

    Attributes:
        widgets: two rows of read-outs, and by how much samples differ from what is exact.
        share: the model's mass in the bridge, 0 to 1.
        kl: KL(p*‖p) in nats.
    """

    def __init__(self) -> None:
        self._share = Readout("Bridge", unit="%", help=f"{BRIDGE} that p has, in closed form")
        self._counted = Readout(
            "in samples", unit="%", help=f"{BRIDGE}: that part of {SAMPLES:,} samples of p"
        )
        self.target_share = Readout(
            "of p*",
            unit="%",
            help=f"{BRIDGE}, of p*: one number for all Gaussians that are 6 s apart or more",
        )
        self._kl = Readout("KL(p*‖p)", help="In nats, by quadrature")
        self._sampled = Readout("samples", help=f"KL(p*‖p) from {SAMPLES:,} samples")
        self._slope = Readout("log T′", help="The largest of the map along the axis, in nats")
        self._difference = Note()
        self.widgets = [
            _three(self._share, self._counted, self.target_share),
            _three(self._kl, self._sampled, self._slope),
            self._difference,
        ]
        self.share = self.kl = math.nan

    def measure(self, map_: Map, u: Tensor, seed: int) -> None:
        """Measure a map and show what came out.

        Args:
            u: SAMPLES of the base, ``[N, 2]``.
            seed: of the samples that the divergence is had from.
        """
        bridge = map_.target.bridge
        x, _ = map_.carry(u)
        counted = Estimate.of((x[:, 0].abs() < bridge).double())
        sampled = map_.kl_sampled(SAMPLES, seed)
        self.share, self.kl = map_.share(bridge), map_.kl()
        self._share.show(100 * self.share)
        self.target_share.show(100 * map_.target.share(bridge))
        self._kl.show(self.kl)
        self._slope.show(map_.largest_log_slope)
        _show(self._counted, counted, 100)
        _show(self._sampled, sampled)
        off = 100 * (float(counted.value) - self.share), float(sampled.value) - self.kl
        first, second = (format_number(value, 1) for value in off)
        self._difference.show(
            f"Samples − exact: bridge {first} percentage points, KL {second} nats"
        )


def _three(*readouts: Readout) -> widgets.Box:
    return classed(widgets.Box(readouts), "fv-three", "fv-middle")


def _show(readout: Readout, estimate: Estimate, times: float = 1.0) -> None:
    """An estimate with its error; words where all samples say the same, and none of the error."""
    value, error = (times * float(e) for e in (estimate.value, estimate.standard_error))
    known = 1e-4 * abs(value) < error < math.inf
    if known or value == 0:
        readout.show(value, error if known else None)
    else:
        readout.show_text("no sample tells", detail="none fell where p and p* differ")
