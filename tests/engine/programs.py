"""Playing programs in Node, and what PyTorch says to the same points."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz.flows import Flow
from flowviz.flows.programs import Program, passes

PLAY = Path(__file__).parents[1] / "js" / "play.js"
ENGINE = Path(__file__).parents[2] / "flowviz" / "widgets" / "engine"
Numbers = dict[str, list[np.ndarray]]
"""The views of each output."""


def play(jobs: Sequence[dict[str, Any]], folder: Path, *, plain: bool = False) -> list[Numbers]:
    """Play programs: each job has "program", a :class:`Program`, "n", "inputs" and "noise"."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to play programs")
    written = []
    for i, job in enumerate(jobs):
        path = folder / f"{i}.bin"
        path.write_bytes(job["program"].to_bytes())
        inputs = {name: _file(folder / f"{i}.{name}", v) for name, v in job["inputs"].items()}
        noise = {str(k): _file(folder / f"{i}.e{k}", v) for k, v in enumerate(job["noise"])}
        out = str(folder / f"{i}.out")
        written.append(
            {"program": str(path), "n": job["n"], "inputs": inputs, "noise": noise, "out": out}
        )
    manifest = folder / "jobs.json"
    manifest.write_text(json.dumps(written))
    command = [node, str(PLAY), *(["--plain"] if plain else []), "--manifest", str(manifest)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return [
        _read(answer, job) for answer, job in zip(json.loads(done.stdout), written, strict=True)
    ]


TRAIN = """
import {{ readFileSync }} from "node:fs";
import {{ Session }} from "{session}";
const numbers = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);
const session = await Session.of({{
  program: readFileSync("{program}"), parameters: null, table: numbers("{table}"), ...{settings},
}});
session.left = {steps};
while (session.runs) session.step();
const report = session.report();
const plain = (value) => (value instanceof Float32Array ? Array.from(value) : value);
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(report).map(([key, value]) => [key, plain(value)]))));
"""


def train(
    program: Program, x: Tensor, folder: Path, *, steps: int, **settings: Any
) -> dict[str, Any]:
    """So many steps of a descent on all of ``x`` each time, and what the session reports."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to play programs")
    path = folder / "descent.bin"
    path.write_bytes(program.to_bytes())
    script = TRAIN.format(
        session=(ENGINE / "session.js").as_uri(),
        program=path,
        table=_file(folder / "x.f32", x),
        settings=json.dumps({"batch": len(x), **settings}),
        steps=steps,
    )
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _file(path: Path, values: Tensor) -> str:
    path.write_bytes(values.detach().float().numpy().tobytes())
    return str(path)


def _read(answer: dict[str, Any], job: dict[str, Any]) -> Numbers:
    assert "error" not in answer, answer["error"]
    folder = Path(job["out"])
    return {
        name: [
            np.fromfile(folder / f"{name}.{k}.f32", dtype=np.float32).reshape(shape)
            for k, shape in enumerate(shapes)
        ]
        for name, shapes in answer["outputs"].items()
    }


def by_torch(flow: Flow, kind: str, **inputs: Tensor) -> Numbers:
    """What the pass itself yields of its inputs, in the flow's dtype."""
    flow = passes._prepared(flow, training=kind in passes.TRAINING)
    given = {name: tensor.to(flow.like) for name, tensor in inputs.items()}
    learned = {n: table[leaf] for n, ((table, leaf), *_) in passes._places(flow).items()}
    learned = {name: tensor for name, tensor in learned.items() if tensor is not None}
    outputs = passes.PASSES[kind](flow, given, learned)
    return {
        name: [t.detach().double().numpy() for t in ([v] if isinstance(v, Tensor) else v)]
        for name, v in outputs.items()
    }


def noise_of(program: Program, n: int, seed: int) -> list[Tensor]:
    """The draws of the program that PyTorch makes after ``torch.manual_seed(seed)``."""
    torch.manual_seed(seed)
    sizes = [[_at(size, n) for size in shape] for _, _, shape, _ in program.header["noise"]]
    return [torch.randn(size) for size in sizes]


def _at(size: Any, n: int) -> int:
    return size[0] + size[1] * n if isinstance(size, list) else size
