"""``python -m flowviz.check`` tells right from wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from flowviz import check
from flowviz.flows import catalog
from flowviz.flows.autoregressive.transformers import Affine


@pytest.mark.parametrize("dtype", check.DTYPES)
def test_every_family_holds(dtype: str) -> None:
    for row in check.rows(catalog.names(), dtype=dtype):
        assert row.judged and row.passed, row


def test_a_wrong_family_is_off(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    forward = Affine.forward

    def wrong(self, z, h):
        image, log_derivative = forward(self, z, h)
        return image, log_derivative + 1e-4 * torch.sin(image)

    monkeypatch.setattr(Affine, "forward", wrong)
    assert check.main(["real_nvp", "nice"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Real NVP") and lines[1].endswith("OFF")
    assert lines[2].startswith("NICE") and "OFF" not in lines[2]
    assert lines[-1] == "1 of 2 families hold."


def test_as_a_user_runs_it() -> None:
    command = [sys.executable, "-m", "flowviz.check", "planar", "maf", "--dim", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 of 2 families hold." in done.stdout and "MAF" in done.stdout
    wrong = subprocess.run([*command[:3], "plannar"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "Did you mean 'planar'?" in wrong.stderr
