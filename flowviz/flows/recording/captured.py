"""A program as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from flowviz.flows.recording.tape import Operation

Program = Callable[..., tuple[Tensor, ...]]

STEADY_ALGEBRA = (
    "linalg_vector_norm",
    "linalg_solve_triangular",
    "linalg_lu_factor_ex",
    "linalg_lu_solve",
)
"""Operations of linear algebra that do not let the CPU wait for a GPU's answer."""


class Captured:
    """A program whose kernels a GPU is given all at once.

    To launch a kernel takes the CPU longer than a small flow's kernel runs, and there are hundreds
    of them in a step. A CUDA graph is launched as one. It finds and leaves its numbers at the
    same places each time: what lies elsewhere at every call is copied to a place of the graph's
    own, and what it yields is copied from there. All else, a flow's parameters and buffers, it
    uses where they lie; once they lie elsewhere, the program runs kernel by kernel again, as it
    does where the GPU cannot take it as a graph.

    Args:
        program: of tensors on one CUDA device. Captured at its first call.
        moving: the places of the inputs that lie elsewhere at every call.
    """

    def __init__(self, program: Program, moving: Sequence[int]) -> None:
        self._program = program
        self._moving = moving
        self._graph: torch.cuda.CUDAGraph | None = None
        self._is_new = True

    @property
    def is_graph(self) -> bool:
        """Whether the GPU has the program as a graph."""
        return self._graph is not None

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self._is_new:
            self._is_new = False
            self._capture(inputs)
        if self._graph is None or self._places(inputs) != self._own_places:
            return self._program(*inputs)
        with torch.cuda.device(self._device):
            self._entrance.take([inputs[i] for i in self._moving])
            self._graph.replay()
            return self._exit.copies()

    def _capture(self, inputs: Sequence[Tensor]) -> None:
        moving = set(self._moving)
        own = [t.clone() if i in moving else t for i, t in enumerate(inputs)]
        self._steady = [i for i in range(len(inputs)) if i not in moving]
        # They are kept, so that nothing else can come to lie where they lie.
        self._inputs, self._own_places = own, self._places(own)
        self._device = next(t.device for t in inputs if t.is_cuda)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            # Libraries prepare themselves at the first call, which no graph may hold. It is made
            # on copies: a program can move buffers.
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._program(*(t.clone() for t in own))
            torch.cuda.current_stream().wait_stream(stream)
            try:
                # Other threads may go on using the GPU.
                with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    results = self._program(*own)
            except RuntimeError:
                return
        self._entrance = _Row([own[i] for i in self._moving])
        self._exit = _Row(results)
        self._graph = graph

    def _places(self, inputs: Sequence[Tensor]) -> list[int]:
        return [inputs[i].data_ptr() for i in self._steady]


def capturable(operations: Sequence[Operation]) -> bool:
    """Whether a GPU can be given all of these at once, the CPU waiting for no answer in between."""
    names = (operation.function.name().removeprefix("aten::") for operation in operations)
    algebra = [name for name in names if name.lstrip("_").startswith(("linalg_", "lu_"))]
    return all(name.startswith(STEADY_ALGEBRA) for name in algebra)


class _Row:
    """Tensors, to be copied to or from all at once those of one dtype."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors
        kinds = dict.fromkeys(t.dtype for t in tensors)
        self._kinds = [[i for i, t in enumerate(tensors) if t.dtype == kind] for kind in kinds]

    def take(self, sources: Sequence[Tensor]) -> None:
        """Copy these here."""
        self._copy(self._tensors, sources)

    def copies(self) -> tuple[Tensor, ...]:
        """Others of the same numbers and layout."""
        copies = tuple(map(torch.empty_like, self._tensors))
        self._copy(copies, self._tensors)
        return copies

    def _copy(self, places: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
        for kind in self._kinds:
            torch._foreach_copy_([places[i] for i in kind], [sources[i] for i in kind])
