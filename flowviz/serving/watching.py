"""What a server says of itself to those who watch over it: ``health`` and ``metrics``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import prometheus_client
import psutil
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from tornado import web

from flowviz.serving.kernels import ReapingKernelManager


class HealthHandler(JupyterHandler):
    """Says in public that the server answers, and whether there is room: 200, or 503 when full."""

    @allow_unauthenticated
    def get(self) -> None:
        kernels: Any = self.kernel_manager
        full = kernels.full
        self.set_status(503 if full else 200)
        self.finish({"status": "full" if full else "ok"})


class MetricsHandler(JupyterHandler):
    """The server's numbers in Prometheus' form, for those who have the token."""

    @web.authenticated
    def get(self) -> None:
        kernels: Any = self.kernel_manager
        registry = prometheus_client.CollectorRegistry()
        registry.register(Numbers(kernels))
        self.set_header("Content-Type", prometheus_client.CONTENT_TYPE_LATEST)
        self.finish(prometheus_client.generate_latest(registry))


class Numbers(Collector):
    """Reads the numbers when they are asked for.

    Args:
        kernels: the manager of all kernels.
    """

    def __init__(self, kernels: ReapingKernelManager) -> None:
        self._kernels = kernels

    def collect(self) -> Iterator[Any]:
        """The metrics, each with its help."""
        kernels = self._kernels
        yield GaugeMetricFamily("flowviz_visitors", "Pages with a kernel", kernels.present)
        yield GaugeMetricFamily(
            "flowviz_visitors_limit", "The most of them; 0 for any number", kernels.visitors
        )
        yield GaugeMetricFamily(
            "flowviz_connected", "Pages whose connection is up", kernels.connected
        )
        yield CounterMetricFamily(
            "flowviz_visitors_refused", "Pages that got no kernel", kernels.refused
        )
        yield CounterMetricFamily(
            "flowviz_kernels_lost", "Kernels that ended by themselves", kernels.lost
        )
        memory = GaugeMetricFamily(
            "flowviz_memory_bytes",
            "Memory that is resident (what kernels share is counted once, with the server)",
            labels=["of"],
        )
        server = psutil.Process()
        memory.add_metric(["server"], server.memory_info().rss)
        memory.add_metric(["kernels"], sum(map(_own_memory, kernels.processes())))
        yield memory


def _own_memory(pid: int) -> int:
    """What a process shares with no other; 0 once it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_full_info().uss)
    return 0


def handlers(base: str) -> list[Any]:
    """The routes below an address."""
    return [
        (url_path_join(base, "health"), HealthHandler),
        (url_path_join(base, "metrics"), MetricsHandler),
    ]
