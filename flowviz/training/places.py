"""Where a module keeps its numbers."""

from __future__ import annotations

from torch import Tensor, nn


class Places:
    """The parameters and the buffers of a module, looked up anew each time.

    What holds the tensors themselves loses them where the module is moved to another dtype or
    device, which puts other buffers in their places. Walking the module takes 20 times as long.

    Args:
        module: whose structure stays as it is.
    """

    def __init__(self, module: nn.Module) -> None:
        seen: set[int] = set()
        self._parameters: list[tuple[nn.Module, str]] = []
        self._buffers: list[tuple[nn.Module, str]] = []
        for part in module.modules():
            for places, table in (
                (self._parameters, part._parameters),
                (self._buffers, part._buffers),
            ):
                for name, value in table.items():
                    if value is not None and id(value) not in seen:
                        seen.add(id(value))
                        places.append((part, name))

    def parameters(self) -> list[nn.Parameter]:
        """Those of now, each once."""
        return [part._parameters[name] for part, name in self._parameters]  # type: ignore[misc]

    def tensors(self) -> list[Tensor]:
        """The parameters and the buffers of now, each once."""
        buffers: list[Tensor] = [part._buffers[name] for part, name in self._buffers]  # type: ignore[misc]
        return [*self.parameters(), *buffers]


def alike(some: list[Tensor], others: list[Tensor]) -> bool:
    """Whether tensors of the same shapes have the same dtypes and devices."""
    # Asked every step: a device's number is had in a fifth of the time of the device itself.
    return all(
        a.dtype == b.dtype and a.get_device() == b.get_device()
        for a, b in zip(some, others, strict=True)
    )
