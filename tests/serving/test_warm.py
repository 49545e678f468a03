"""Kernels that have imported everything: forked ones on Linux, spare processes elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from flowviz import panels
from flowviz.serving.warm import fork_server, spare
from tests.serving.managed import answer, client_of, run, with_manager

forks = pytest.mark.skipif(not fork_server.possible(), reason="kernels cannot be forked here")
ways = pytest.mark.parametrize("way", [pytest.param("forked", marks=forks), "spare"])

TELL = """
import os, sys
print("torch" in sys.modules, os.environ["QUERY_STRING"], os.getcwd(), input.__module__)
import ipywidgets
print(ipywidgets.Widget().comm.comm_id != "")
"""


@pytest.fixture
def spares(monkeypatch):
    monkeypatch.setattr(fork_server, "possible", lambda: False)


def begin(manager, way: str, monkeypatch) -> None:
    if way == "spare":
        monkeypatch.setattr(fork_server, "possible", lambda: False)
    manager.prepare()


def process_of(manager, kernel_id: str):
    return manager.get_kernel(kernel_id).provisioner.process


def runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until(condition, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


MADE = """
from flowviz import panels
from flowviz.dashboard import ahead
print([name for name in panels.names() if ahead.take(name) is not None])
"""


@ways
def test_a_kernel_finds_panels_made_and_a_forked_one_all_of_them(way, monkeypatch):
    async def check(manager):
        begin(manager, way, monkeypatch)
        deadline = time.monotonic() + 60
        expected = panels.names() if way == "forked" else [panels.landing()]
        told = ""
        # What a visitor does not land on is made once nobody asks for a kernel.
        while told != f"{expected}\n" and time.monotonic() < deadline:
            kernel_id = await manager.start_kernel(kernel_name="python3", env=dict(os.environ))
            told = await answer(manager, kernel_id, MADE)
            assert panels.landing() in told, "from the first kernel on"
            await manager.shutdown_kernel(kernel_id, now=True)
        assert told == f"{expected}\n", told

    with_manager(check, respite=0.2)


@ways
def test_a_page_gets_a_kernel_that_has_imported_everything(way, tmp_path, monkeypatch):
    monkeypatch.setenv("LEFT_BEHIND", "1")

    async def check(manager):
        begin(manager, way, monkeypatch)
        monkeypatch.delenv("LEFT_BEHIND")
        environment = {**os.environ, "QUERY_STRING": "layers=6"}
        kernel_id = await manager.start_kernel(
            kernel_name="python3", cwd=str(tmp_path), env=environment
        )
        process = process_of(manager, kernel_id)
        kind = fork_server.ForkedProcess if way == "forked" else subprocess.Popen
        assert isinstance(process, kind)
        told = await answer(manager, kernel_id, TELL)
        assert told == f"True layers=6 {tmp_path} ipykernel.kernelbase\nTrue\n", told
        assert await answer(manager, kernel_id, "print('LEFT_BEHIND' in os.environ)") == "False\n"
        await manager.shutdown_all(now=True)
        assert process.wait(timeout=5) is not None

    with_manager(check, respite=0.2)


def test_a_spare_that_was_taken_is_followed_by_another(spares):
    async def check(manager):
        manager.prepare()
        first = manager.warm.spare.process
        kernel_id = await manager.start_kernel(kernel_name="python3")
        assert process_of(manager, kernel_id) is first
        assert await until(lambda: manager.warm.spare is not None)
        following = manager.warm.spare.process
        await manager.shutdown_all(now=True)
        assert following.poll() is not None

    with_manager(check, respite=0.2)


def test_a_spare_that_has_died_is_done_without(spares):
    async def check(manager):
        manager.prepare()
        dead = manager.warm.spare.process
        dead.kill()
        dead.wait()
        kernel_id = await manager.start_kernel(kernel_name="python3")
        assert process_of(manager, kernel_id) is not dead
        assert await answer(manager, kernel_id, "print(6 * 7)") == "42\n"

    with_manager(check)


def test_a_spare_whose_server_is_gone_ends():
    alone = spare.Spare(os.environ)
    alone.process.stdin.close()
    assert alone.process.wait(timeout=60) == 0


@forks
def test_forked_kernels_share_nothing_that_changes(monkeypatch):
    """Their own groups, seeds, signals and threads, no history; one's death is nobody else's."""
    tell = (
        "import os, random, signal, numpy, torch\n"
        "print(os.getpgid(0) == os.getpid() != os.getsid(0), torch.rand(1).item(), random.random(),"
        " numpy.random.rand(), signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,"
        " torch.get_num_threads(), os.getpriority(os.PRIO_PROCESS, os.getpid()),"
        " get_ipython().history_manager.enabled)"
    )
    after = str(os.getpriority(os.PRIO_PROCESS, os.getpid()) + 5)

    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    async def check(manager):
        manager.prepare()
        first, second = [await manager.start_kernel(kernel_name="python3") for _ in range(2)]
        told = [(await answer(manager, kernel, tell)).split() for kernel in (first, second)]
        for group, *drawn, signals, threads, niceness, history in told:
            assert (group, signals, threads, history) == ("True", "True", "2", "False")
            assert niceness == after, "the server comes first"
            assert len(set(drawn)) == 3
        assert not set(told[0][1:4]) & set(told[1][1:4])
        # What uses processes of its own is not disturbed.
        code = "import subprocess; print(subprocess.run(['sh', '-c', 'exit 3']).returncode)"
        assert await answer(manager, first, code) == "3\n"
        doomed = process_of(manager, first)
        manager.get_kernel(first).stop_restarter()
        os.kill(doomed.pid, signal.SIGKILL)
        assert await until(lambda: doomed.poll() is not None)
        assert not runs(doomed.pid), "it is a zombie"
        assert await answer(manager, second, "print(6 * 7)") == "42\n"

    with_manager(check)


@forks
def test_a_forked_kernel_is_interrupted_and_restarted():
    async def check(manager):
        manager.prepare()
        kernel_id = await manager.start_kernel(kernel_name="python3")
        kernel = manager.get_kernel(kernel_id)
        client = client_of(kernel)
        await client.wait_for_ready(timeout=60)
        asked = client.execute("import time\nprint('busy', flush=True)\ntime.sleep(600)")
        while (await client.get_iopub_msg(timeout=30))["msg_type"] != "stream":
            pass
        await kernel.interrupt_kernel()
        while (reply := await client.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != asked:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        client.stop_channels()
        before = process_of(manager, kernel_id)
        await kernel.restart_kernel()
        after = process_of(manager, kernel_id)
        assert isinstance(after, fork_server.ForkedProcess) and after.pid != before.pid
        assert await answer(manager, kernel_id, "print('torch' in __import__('sys').modules)")

    with_manager(check)


@forks
def test_kernels_outlive_the_process_that_forked_them_and_it_is_replaced():
    async def check(manager):
        manager.prepare()
        first = await manager.start_kernel(kernel_name="python3")
        former = manager.warm.process
        former.kill()
        former.wait()
        assert await answer(manager, first, "print(6 * 7)") == "42\n"
        second = await manager.start_kernel(kernel_name="python3")
        assert isinstance(process_of(manager, second), fork_server.ForkedProcess)
        assert manager.warm.process is not former
        assert await answer(manager, second, "print(6 * 7)") == "42\n"

    with_manager(check)


@forks
def test_kernels_and_their_forking_process_end_with_the_server(tmp_path):
    """Also where the server is killed, and can say nothing."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.serving.doomed", tmp_path], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in server.stdout.readline().split()]
    assert len(pids) == 2 and all(map(runs, pids))
    server.kill()
    server.communicate()

    assert run(until(lambda: not any(map(runs, pids))))


@forks
def test_a_process_with_two_threads_does_not_fork():
    """It would take along locks that nobody opens: another way is found instead."""
    code = (
        "import sys, threading, time; from flowviz.serving.warm import forking;"
        "threading.Thread(target=time.sleep, args=(3,), daemon=True).start();"
        "forking.prepare = forking._warm_up = lambda: None;"
        "import socket; forking.serve(socket.socketpair()[0], 0)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert told.returncode == 1
    assert "kernels cannot be forked: 2 threads run" in told.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no such limits")
@ways
def test_a_kernel_has_no_more_memory_than_it_may(way, monkeypatch):
    async def check(manager):
        begin(manager, way, monkeypatch)
        kernel_id = await manager.start_kernel(kernel_name="python3")
        hungry = (
            "import torch\n"
            "try: torch.ones(2**30)\n"
            "except RuntimeError as error: print('alloc' in str(error))"
        )
        assert await answer(manager, kernel_id, hungry) == "True\n"
        assert await answer(manager, kernel_id, "print(torch.ones(2**24).sum().item())")

    with_manager(check, memory_limit=2000)
