"""What an import loads: a kernel that only wants a slider must not wait for torch."""

from __future__ import annotations

import subprocess
import sys


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_flowviz_loads_nothing_heavy() -> None:
    loaded = modules_after("import flowviz")
    assert not loaded & {"torch", "numpy", "ipywidgets", "plotly", "anywidget", "jupyterlab"}


def test_training_does_not_load_the_compiler() -> None:
    loaded = modules_after(
        "import torch, flowviz\n"
        "from flowviz.training import Trainer, maximum_likelihood, variational\n"
        "class Target:\n"
        "    def sample(self, n, generator, device, dtype): return torch.randn(n, 2)\n"
        "    def log_density(self, x): return -x.square().sum(-1)\n"
        "for objective in (maximum_likelihood(Target(), 8), variational(Target(), 8),\n"
        "                  variational(Target(), 8, path_gradient=True)):\n"
        "    flow = flowviz.flows.catalog.make('rq_spline_coupling', seed=0)\n"
        "    assert Trainer(flow, objective).step().failure is None\n"
        "    flowviz.flows.jacobian(flow, torch.zeros(2, 2))\n"
    )
    assert "flowviz.training" in loaded
    assert not loaded & {"torch._dynamo", "torch._inductor", "sympy"}
