"""Jobs on real threads: coalescing, cancelling, throttling, and errors that are told."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

import pytest

from flowviz.widgets.jobs import PROGRESS_HZ, Job, JobRunner, in_words


@pytest.fixture
def runner():
    made = JobRunner()
    yield made
    made.close()
    assert made.wait(5)


def until_cancelled(job: Job) -> str:
    step = 0
    while not job.cancelled:
        time.sleep(0.002)
        step += 1
        job.report(step)
    return f"stopped at {step}"


def test_result_and_last_payload_arrive_in_order(runner):
    told = []
    assert runner.start(
        lambda job: [job.report(i) for i in range(1_000)] and "ready",
        on_progress=told.append,
        on_done=lambda job: told.append((job.result, job.cancelled)),
    )
    assert runner.wait(5)
    assert told[-2:] == [999, ("ready", False)]
    assert told[:-1] == sorted(told[:-1])
    assert not runner.running


def test_progress_is_throttled_and_lazy_payloads_are_made_only_when_delivered(runner):
    made, told = [], []

    def work(job: Job) -> None:
        step = 0
        while len(told) < 6:
            step += 1
            job.report(lambda step=step: made.append(step) or step)

    began = time.monotonic()
    runner.start(work, on_progress=told.append)
    assert runner.wait(10)
    assert time.monotonic() - began >= 5 / PROGRESS_HZ
    assert made == told
    assert told[0] == 1 and told[-1] > 100, "most are not delivered"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_job_comes_after_what_answers_a_page(runner):
    def niceness(_: Job | None = None) -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    told = []
    for _ in range(2):
        runner.start(niceness, on_done=lambda job: told.append(job.result))
        assert runner.wait(5)
    runner.latest(lambda: told.append(niceness()))()
    assert runner.wait(5)
    own = niceness()
    assert told == [own + 10, own + 10, own], "twice is no worse, and a picture comes first again"


def test_stop_takes_effect_within_one_step(runner):
    done = threading.Event()
    steps = []

    def work(job: Job) -> None:
        while not job.cancelled:
            time.sleep(0.05)
            steps.append(1)

    runner.start(work, on_done=lambda job: done.set() if job.cancelled else None)
    time.sleep(0.12)
    before = len(steps)
    asked = time.monotonic()
    assert runner.stop(wait=True)
    assert time.monotonic() - asked < 0.2
    assert len(steps) <= before + 1
    assert done.is_set()


def test_second_start_is_refused_and_never_queued(runner):
    ran = []
    assert runner.start(lambda job: (ran.append("first"), until_cancelled(job)))
    assert not runner.start(lambda job: ran.append("second"))
    time.sleep(0.02)
    assert not runner.start(lambda job: ran.append("third"))
    runner.stop(wait=True)
    assert ran == ["first"]
    assert runner.start(lambda job: ran.append("fourth"))
    assert runner.wait(5)
    assert ran == ["first", "fourth"]


def test_start_right_after_stop_follows_the_stopping_job(runner):
    order = []

    def slow(job: Job) -> None:
        while not job.cancelled:
            time.sleep(0.05)
        order.append("first ended")

    runner.start(slow)
    time.sleep(0.02)
    runner.stop()
    assert runner.start(lambda job: order.append("second"))
    assert not runner.start(lambda job: order.append("third"))
    assert runner.wait(5)
    assert order == ["first ended", "second"]


def test_restart_keeps_only_the_newest(runner):
    ran = []
    runner.start(lambda job: (until_cancelled(job), ran.append(0)))
    time.sleep(0.02)
    for i in range(1, 6):
        runner.restart(lambda job, i=i: ran.append(i))
    assert runner.wait(5)
    assert ran[-1] == 5
    assert len(ran) <= 3
    assert threading.active_count() < 20


def test_latest_forgets_what_is_overtaken(runner):
    seen = []
    drawing = threading.Event()

    def picture(value: int) -> None:
        drawing.set()
        time.sleep(0.02)
        seen.append(value)

    ask = runner.latest(picture)
    began = time.monotonic()
    ask(0)
    assert drawing.wait(5)  # else it may be overtaken before the thread has woken up
    for value in range(1, 200):
        ask(value)
        time.sleep(0.001)
    asked_for = time.monotonic() - began
    assert runner.wait(5)
    assert seen[0] == 0
    assert seen[-1] == 199
    assert seen == sorted(seen)
    assert len(seen) <= asked_for * 30 + 2
    assert time.monotonic() - began < asked_for + 0.2  # no backlog is worked off


def test_latest_answers_at_once_when_idle(runner):
    answered = threading.Event()
    ask = runner.latest(answered.set)
    began = time.monotonic()
    ask()
    assert answered.wait(1)
    assert time.monotonic() - began < 0.03


def test_latest_runs_between_the_steps_of_a_job(runner):
    inside, torn, seen = [False], [], []

    def work(job: Job) -> None:
        while not job.cancelled:
            inside[0] = True
            time.sleep(0.003)
            inside[0] = False
            job.report(None)

    def picture(value: int) -> None:
        torn.append(inside[0])
        seen.append(value)

    runner.start(work)
    ask = runner.latest(picture)
    for value in range(30):
        ask(value)
        time.sleep(0.01)
    time.sleep(0.1)
    assert seen[-1] == 29  # while the job still runs
    assert runner.running
    runner.stop(wait=True)
    assert len(seen) > 3
    assert not any(torn)


@pytest.mark.parametrize("where", ["function", "on_progress", "on_done"])
def test_errors_are_told_and_logged_and_the_runner_lives(runner, caplog, where):
    told = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    callbacks = {
        "function": {},
        "on_progress": {"on_progress": fail},
        "on_done": {"on_done": fail},
    }[where]
    function = fail if where == "function" else lambda job: job.report(1)
    with caplog.at_level(logging.ERROR):
        runner.start(function, on_error=told.append, **callbacks)
        assert runner.wait(5)
    assert [in_words(error) for error in told] == ["ZeroDivisionError: division by zero"]
    assert "Traceback" in caplog.text
    assert not runner.running
    assert runner.start(lambda job: told.append("again"))
    assert runner.wait(5)
    assert told[-1] == "again"


def test_errors_of_pictures_go_to_the_runners_own_listener(caplog):
    told = []
    runner = JobRunner(on_error=told.append)
    runner.latest(lambda: 1 / 0)()
    assert runner.wait(5)
    assert isinstance(told[0], ZeroDivisionError)


def test_stop_while_holding_the_lock_does_not_deadlock(runner):
    reported = threading.Event()

    def work(job: Job) -> None:
        while not job.cancelled:
            reported.set()
            job.report(1)

    runner.start(work, on_progress=lambda _: None, on_done=lambda _: None)
    assert reported.wait(1)
    with runner.lock, runner.lock:
        assert runner.stop(wait=2)


def test_callbacks_hold_the_lock(runner):
    inside = threading.Event()
    overlapped = []

    def slow(_: object) -> None:
        inside.set()
        time.sleep(0.05)
        overlapped.append(False)

    runner.start(lambda job: job.report(1), on_progress=slow)
    assert inside.wait(1)
    with runner.lock:
        assert overlapped == [False]


def test_a_callback_may_stop_and_start(runner):
    told = []

    def again(job: Job) -> None:
        told.append(job.result)
        assert not runner.stop(wait=True)  # returns at once: it is the worker itself
        if len(told) < 3:
            assert runner.start(lambda job: len(told), on_done=again)

    runner.start(lambda job: len(told), on_done=again)
    assert runner.wait(5)
    assert told == [0, 1, 2]


def test_closed_runners_refuse_work():
    runner = JobRunner()
    runner.close()
    assert not runner.start(lambda job: None)
    runner.latest(lambda: 1 / 0)()
    assert runner.wait(1)


def ended(script: str) -> subprocess.CompletedProcess[str]:
    """A process that comes to its end right after the script."""
    return subprocess.run(
        [sys.executable, "-c", script], timeout=20, capture_output=True, text=True
    )


def test_a_job_that_does_not_stop_does_not_keep_the_process_alive():
    process = ended(
        "import time\n"
        "from flowviz.widgets import jobs\n"
        "jobs.LAST_STEP = 0.2\n"
        "runner = jobs.JobRunner()\n"
        "def forever(job):\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "runner.start(forever)\n"
    )
    assert process.returncode == 0
    assert process.stderr == ""


def test_a_process_ends_after_the_step_of_its_job_not_in_the_middle():
    """A thread in the middle of a step of PyTorch's would abort the process."""
    process = ended(
        "import time\n"
        "from flowviz.widgets.jobs import JobRunner\n"
        "runner = JobRunner()\n"
        "def slow(job):\n"
        "    while not job.cancelled:\n"
        "        time.sleep(0.8)\n"
        "    print('stopped')\n"
        "runner.start(slow, on_done=lambda _: print('told'))\n"
        "time.sleep(0.05)\n"
    )
    assert process.returncode == 0
    assert process.stdout == "stopped\n"
