"""Training steps and draws, family by family, against other libraries in the same run.

    python tests/benchmarks/peers.py                     # prints a markdown table
    python tests/benchmarks/peers.py --write             # … and puts it into README.md beside this
    python tests/benchmarks/peers.py --family maf nice --rounds 60
    python tests/benchmarks/peers.py --device cuda       # on an NVIDIA GPU
    python tests/benchmarks/peers.py --race              # seconds to KL(p* ‖ p) < 0.02 nats
    python tests/benchmarks/peers.py --inverses          # the directions that take many passes
    python tests/benchmarks/peers.py --accuracy          # what accuracy costs a CNF
    python tests/benchmarks/families.py                  # the README's tables, from those here

One thread, two dimensions, batch 512, four layers (or one ODE), hidden 64 × 64, eight bins. The
contenders take turns, round after round, so that a busy machine slows all of them alike. A turn is
a few runs in a row, as a training loop has them, and the first does not count: it finds the
numbers of the others in the processor's cache. Medians of processor time are shown, which does
not count waiting for other programs; on a GPU, of time until it is done. "Loss and gradient" is
maximum likelihood on a fixed batch; a "training step" is that and the optimiser each library is
used with: flowviz its own Adam, flowjax optax's in one compiled function, the others
torch.optim.Adam. flowviz plays passes that it has recorded, as its trainer does. Activations are
SiLU wherever a library lets one choose.
"""

from __future__ import annotations

import os

# Before any library starts its threads.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from contenders import LIBRARIES, Contender
from families import RESULTS, replaced

from flowviz.flows import catalog
from flowviz.flows.recording import WARM_UP

DIM, BATCH, LAYERS, RATE = 2, 512, 4, 1e-3
TURN, MOST_RUNS = 0.05, 8  # seconds that a turn takes, and the most runs in it
FIRST_RUNS = WARM_UP + 4  # a recording is made, and then prepared by its first two runs
INTRODUCTION = """\
Processor time in milliseconds, medians, all libraries taking turns of a few runs each in one run of
`python tests/benchmarks/peers.py` (`pip install ".[bench]"`): four layers (or one ODE), hidden 64 ×
64, batch 512, two dimensions, one thread, torch {torch}, each library with the optimiser that it is
used with. In brackets: that library's time over flowviz's. flowviz records its steps and plays
them, as its trainer does from the eleventh on; FlowJAX is compiled. The seconds that this
takes are in columns of their own and in no other. A dash: the library does not have the family with
a density that can be evaluated, or its run fails; or nothing can be recorded. Families that no
other has are left out. normflows' residual flow has as many terms in its series as flowviz's, so
that the estimates are of one variance; with its own settings, of fewer terms, it has no bound. The
times are those of a busy machine and compare within this table only.
"""
ON_CUDA = """\
The same on one {gpu}, in milliseconds until it is done: `python tests/benchmarks/peers.py
--device cuda`, torch {torch}. flowviz's passes are CUDA graphs there, but for those that look for a
root or take adaptive steps.
"""


def contenders(
    name: str,
    dim: int = DIM,
    layers: int = LAYERS,
    rate: float = RATE,
    seed: int = 0,
    device: str = "cpu",
    average: int = 0,
) -> dict[str, Contender]:
    """The family in those libraries that are installed and have it."""
    made = {}
    for library, make in LIBRARIES.items():
        try:
            torch.manual_seed(seed)
            made[library] = make(name, dim, layers, rate, seed, device, average)
        except ModuleNotFoundError as error:
            print(f"{error}: pip install 'flowviz[bench]'", file=sys.stderr)
        except KeyError:
            continue  # The library does not have the family.
    return made


@dataclass
class Timing:
    """Of one task.

    Attributes:
        median: milliseconds of processor time.
        preparing: seconds that its first runs took, more than as many later ones.
    """

    median: float
    preparing: float


def timings(
    tasks: dict[str, Callable[[], object]], rounds: int, budget: float, device: str = "cpu"
) -> dict[str, Timing]:
    """Of the tasks that can be run, which take turns; five or more within ``budget`` seconds."""
    times: dict[str, list[float]] = {}
    first = {}
    for name, task in list(tasks.items()):
        try:
            task()
            first[name] = seconds(lambda: [task() for _ in range(FIRST_RUNS)], device)  # noqa: B023
        except Exception as error:
            if name == "flowviz":
                raise
            # Such as draws from a flow that has no inverse there, or one that is not found.
            reason = (str(error).strip() or "no message").splitlines()[-1]
            print(f"{name} fails: {type(error).__name__}: {reason}", file=sys.stderr)
            del tasks[name]
    started = time.perf_counter()
    for turn in range(rounds):
        if turn >= 5 and time.perf_counter() - started > budget:
            break
        for name, task in tasks.items():
            runs = min(MOST_RUNS, int(TURN / first[name] * FIRST_RUNS))
            if runs < 2:
                times.setdefault(name, []).append(seconds(task, device))
                continue
            task()
            whole = seconds(lambda: [task() for _ in range(runs)], device)  # noqa: B023
            times.setdefault(name, []).append(whole / runs)
    found = {}
    for name, values in times.items():
        median = statistics.median(values)
        found[name] = Timing(1e3 * median, first[name] - FIRST_RUNS * median)
    return found


def seconds(task: Callable[[], object], device: str = "cpu") -> float:
    """Of processor time; of a GPU, of time until it is done."""
    if device == "cpu":
        start = time.process_time()
        task()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    task()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def family_rows(name: str, rounds: int, budget: float, device: str) -> Iterable[str]:
    made = contenders(name, device=device)
    x = torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(0)).to(device)
    kinds = {
        "training step": (lambda c: c.step(x), "step"),
        "loss and gradient": (lambda c: c.gradient(x), "gradient"),
        f"{BATCH} draws": (lambda c: c.draw(BATCH), "draw"),
    }
    for what, (run, key) in kinds.items():
        tasks = {library: (lambda c=c: run(c)) for library, c in made.items()}  # noqa: B023
        found = timings(tasks, rounds, budget, device)
        ours = found["flowviz"]
        cells = [f"{ours.median:.2f}"]
        for library in list(LIBRARIES)[1:]:
            if library in found:
                theirs = found[library].median
                cells.append(f"{theirs:.2f} ({theirs / ours.median:.1f}×)")
            else:
                cells.append("–")
        # The pass is recorded in the first task, whose recording the second plays as well.
        cells.append(
            f"{ours.preparing:.1f} s" if key == "step" and made["flowviz"].plays() else "–"
        )
        compiling = made["flowjax"].compiling.get(key) if "flowjax" in made else None
        cells.append("–" if compiling is None else f"{compiling:.1f} s")
        yield f"| {catalog.entry(name).title} | {what} | {' | '.join(cells)} |"


def trainable(name: str) -> bool:
    entry = catalog.entry(name)
    return entry.allows(DIM) and any(True for _ in catalog.make(name, DIM, seed=0).parameters())


def import_seconds(module: str, repeats: int = 5) -> float:
    """The median time of an import in a fresh interpreter, less the interpreter's own start."""

    def run(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    times = [(run(f"import {module}"), run("pass")) for _ in range(repeats)]
    return statistics.median(a for a, _ in times) - statistics.median(b for _, b in times)


def write(name: str, text: str) -> None:
    """Put ``text`` between the marks of that name in the README beside this."""
    RESULTS.write_text(replaced(RESULTS.read_text(), name, text))


def table(names: list[str], rounds: int, budget: float, device: str) -> str:
    """The table, printed row by row as it grows."""
    columns = ["Family", "ms", *LIBRARIES, "flowviz records", "flowjax compiles"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    print(*lines, sep="\n")
    for name in names:
        for line in family_rows(name, rounds, budget, device):
            print(line, flush=True)
            lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each row")
    parser.add_argument("--family", nargs="+", metavar="NAME", help="some families only")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--write", action="store_true", help="put it into README.md beside this")
    for other in ("race", "inverses", "accuracy"):
        parser.add_argument(f"--{other}", action="store_const", dest="other", const=other)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.other:
        from accuracy import accuracy
        from races import inverses, race

        text = {"race": race, "inverses": inverses, "accuracy": accuracy}[arguments.other]()
        if arguments.write:
            write(arguments.other, text)
        return
    names = arguments.family or [name for name in catalog.names() if trainable(name)]
    lines = table(names, arguments.rounds, arguments.budget, arguments.device)
    print(f"\n`import flowviz`: {1e3 * import_seconds('flowviz'):.0f} ms.")
    load = os.getloadavg()[0]
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, load average {load:.1f}.")
    if arguments.write:
        version = ".".join(torch.__version__.split(".")[:2])
        compared = [line for line in lines.splitlines() if "×" in line or "---" in line]
        header, *_ = lines.splitlines()
        section, introduction = "peers", INTRODUCTION.format(torch=version)
        if arguments.device == "cuda":
            section = "cuda"
            introduction = ON_CUDA.format(torch=version, gpu=torch.cuda.get_device_name())
        write(section, "\n".join([introduction, header, *compared]))


if __name__ == "__main__":
    main()
