"""What a page plays while its kernel starts is the flow that it will open with."""

from __future__ import annotations

import base64
import json

import numpy as np

from flowviz.serving import first_flight


def test_the_samples_are_those_of_the_flow_that_the_dashboard_opens_with():
    kept, made = (
        json.loads(first_flight.FILE.read_text()),
        json.loads(json.dumps(first_flight.flight())),
    )
    advice = "python -m flowviz.serving.first_flight writes them anew"
    numbers = [
        np.frombuffer(base64.b64decode(told.pop("positions")), "<u2").astype(int)
        for told in (kept, made)
    ]
    assert kept == made, advice
    # Machines round a flow's numbers in different ways.
    assert np.abs(numbers[0] - numbers[1]).max() <= 20, advice
    assert len(numbers[0]) == made["states"] * made["points"] * 2
