"""Long work off the page's back: one worker thread, one lock, one cancel event.

A :class:`JobRunner` runs at most one job. Its thread is also the one that recomputes pictures
while a slider is dragged (:meth:`JobRunner.latest`), between the steps of a running job, so a
picture never sees half a step and no step sees half a picture.

>>> runner = JobRunner()
>>> def count(job):
...     for step in range(1_000):
...         if job.cancelled:
...             break
...         job.report(step)
>>> runner.start(count, on_progress=show)
True

Widgets may be changed from the callbacks: they are called on the worker thread, holding
``runner.lock``. Only existing widgets, that is: a thread has no cell to display new ones in.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

PROGRESS_HZ = 15.0
"""Progress is delivered at most so often."""

PICTURE_HZ = 30.0
"""A picture that follows a slider is recomputed at most so often."""

LAST_STEP = 10.0
"""At the interpreter's end a job has so many seconds to come to its next step."""

NICENESS = 10
"""By so much a job comes after what answers a page, here and in the kernels beside this one."""

_live: weakref.WeakSet[JobRunner] = weakref.WeakSet()


def in_words(error: BaseException) -> str:
    """The exception in one line, with its type.

    >>> in_words(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Job:
    """What a running function is handed: it asks whether to stop, and reports."""

    def __init__(self, runner: JobRunner, spec: _Spec) -> None:
        self._runner = runner
        self._spec = spec
        self._cancel = threading.Event()
        self._payload: Any = None
        self._pending = False
        self._due = 0.0
        self.result: Any = None

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to stop. Look before every step."""
        return self._cancel.is_set()

    def report(self, payload: Any) -> None:
        """Hand over progress, and mark the point between two steps.

        Call it after every step: at most 15 times a second the newest payload goes to
        ``on_progress``, and the last one always does. Pictures waiting in
        :meth:`JobRunner.latest` are recomputed here.

        Args:
            payload: the progress, or a function of no arguments that makes it; the function is
                called only for payloads that are delivered.
        """
        self._payload, self._pending = payload, True
        if time.monotonic() >= self._due:
            self._deliver()
        self._runner._run_latest()

    def _deliver(self) -> None:
        if not self._pending:
            return
        payload, self._payload, self._pending = self._payload, None, False
        if callable(payload):
            payload = payload()
        if self._spec.on_progress is not None:
            with self._runner.lock:
                self._spec.on_progress(payload)
        self._due = time.monotonic() + 1 / PROGRESS_HZ


@dataclass(frozen=True)
class _Spec:
    """A job as it was asked for."""

    function: Callable[[Job], Any]
    on_progress: Callable[[Any], None] | None
    on_done: Callable[[Job], None] | None
    on_error: Callable[[Exception], None] | None


class Latest:
    """A function that is run on the worker thread with the newest arguments only."""

    def __init__(
        self,
        runner: JobRunner,
        function: Callable[..., Any],
        on_error: Callable[[Exception], None] | None,
    ) -> None:
        self._runner = runner
        self._function = function
        self._on_error = on_error
        self._due = 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Ask for a run with these arguments; arguments still waiting are forgotten."""
        self._runner._ask(self, args, kwargs)


class JobRunner:
    """Runs one job at a time on a thread of its own.

    The thread lives while there is work and never keeps the process from ending.

    Args:
        on_error: called with the exception of a job or picture that has no ``on_error`` of its
            own. Every exception is logged with its traceback as well.
    """

    def __init__(self, on_error: Callable[[Exception], None] | None = None) -> None:
        self.lock = threading.RLock()
        """Held while callbacks and pictures run; take it to change the same things elsewhere."""
        self._on_error = on_error
        # Guards the fields below. Held for moments only, so that asking for work never waits.
        self._mutex = threading.Lock()
        self._idle = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self._next: _Spec | None = None
        self._latest: dict[Latest, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self._wake = threading.Event()
        self._closed = False
        _live.add(self)

    @property
    def running(self) -> bool:
        """Whether a job runs or is about to."""
        with self._mutex:
            return self._job is not None or self._next is not None

    @property
    def awaited(self) -> bool:
        """Whether a job or a picture waits until the one at hand is done."""
        with self._mutex:
            return bool(self._latest) or self._next is not None

    def start(
        self,
        function: Callable[[Job], Any],
        *,
        on_progress: Callable[[Any], None] | None = None,
        on_done: Callable[[Job], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> bool:
        """Start a job, unless one runs already.

        Args:
            function: does the work, step by step; looks at ``job.cancelled`` before each step
                and calls ``job.report`` after it. What it returns becomes ``job.result``.
            on_progress: called with the newest payload, at most 15 times a second, and with the
                last payload before ``on_done``.
            on_done: called with the job when it has ended or was stopped (``job.cancelled``).
            on_error: called instead with the exception of ``function`` or ``on_progress``.

        Returns:
            False if a job was running: nothing is started and nothing queued. A job that has
            been told to stop does not count; the new one follows it.
        """
        with self._mutex:
            if self._closed or self._next is not None:
                return False
            if self._job is not None and not self._job.cancelled:
                return False
            self._next = _Spec(function, on_progress, on_done, on_error)
            self._work()
        return True

    def restart(self, function: Callable[[Job], Any], **callbacks: Any) -> None:
        """Stop what runs and start ``function`` after it, without waiting; as :meth:`start`."""
        self.stop(wait=False)
        self.start(function, **callbacks)

    def stop(self, *, wait: bool | float = False) -> bool:
        """Tell the job to stop: it does so before its next step.

        Args:
            wait: return only when it has stopped; a number is the most seconds to wait.
                While waiting, ``lock`` is let go even if the caller holds it.

        Returns:
            Whether nothing runs any more.
        """
        with self._mutex:
            self._next = None
            if self._job is not None:
                self._job._cancel.set()
        if wait is False:
            return not self.running
        return self.wait(None if wait is True else wait)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no job runs and no picture is waiting; False if ``timeout`` came first."""
        if threading.current_thread() is self._thread:
            return False  # a callback cannot wait for its own end
        started = time.monotonic()
        if not self.lock.acquire(timeout=-1 if timeout is None else timeout):
            return False
        try:
            if timeout is not None:
                timeout = max(0.0, timeout - (time.monotonic() - started))
            return self._idle.wait_for(self._is_idle, timeout)
        finally:
            self.lock.release()

    def latest(
        self,
        function: Callable[..., Any],
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> Latest:
        """Make ``function`` answer a drag: newest arguments win, never a backlog.

        The returned callable returns at once. ``function`` runs on the worker thread, holding
        ``lock``, at most 30 times a second; while a job runs, between two of its steps.
        """
        return Latest(self, function, on_error)

    def close(self) -> None:
        """Stop the job without a word of its end, forget what waits, refuse new work."""
        with self._mutex:
            self._closed = True
            self._latest.clear()
        self.stop(wait=False)
        self._wake.set()

    def _ask(self, latest: Latest, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self._mutex:
            if self._closed:
                return
            self._latest[latest] = args, kwargs
            self._work()

    def _work(self) -> None:
        """Have a thread that looks for work; the mutex is held."""
        self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="flowviz-jobs", daemon=True)
            self._thread.start()

    def _is_idle(self) -> bool:
        with self._mutex:
            return self._thread is None

    def _run(self) -> None:
        try:
            while True:
                self._wake.clear()
                pause = self._run_latest()
                with self._mutex:
                    spec, self._next = self._next, None
                    if spec is not None:
                        self._job = Job(self, spec)
                    elif pause is None and not self._latest:
                        self._thread = None
                        return
                if spec is not None:
                    self._run_job()
                elif pause:
                    self._wake.wait(pause)
        finally:
            with self._mutex:
                if self._thread is threading.current_thread():
                    self._thread = None
            with self._idle:
                self._idle.notify_all()

    def _run_job(self) -> None:
        job = self._job
        assert job is not None
        spec = job._spec
        _step_back()
        try:
            job.result = spec.function(job)
            job._deliver()
        except Exception as error:
            self._free()
            self._explain(error, spec.on_error)
            return
        except BaseException:
            self._free()
            raise
        self._free()
        if spec.on_done is not None and not self._closed:
            try:
                with self.lock:
                    spec.on_done(job)
            except Exception as error:
                self._explain(error, spec.on_error)

    def _free(self) -> None:
        """Let the next job start: also from the callbacks that tell of this one's end."""
        with self._mutex:
            self._job = None

    def _run_latest(self) -> float | None:
        """Recompute the pictures that are due; the seconds until the next one, None if none."""
        with self._mutex:
            now = time.monotonic()
            due = [latest for latest in self._latest if latest._due <= now]
            asked = [(latest, *self._latest.pop(latest)) for latest in due]
        for latest, args, kwargs in asked:
            try:
                with self.lock:
                    latest._function(*args, **kwargs)
            except Exception as error:
                self._explain(error, latest._on_error)
            latest._due = now + 1 / PICTURE_HZ
        with self._mutex:
            if not self._latest:
                return None
            soonest = min(latest._due for latest in self._latest)
        return max(1e-3, soonest - time.monotonic())

    def _explain(self, error: Exception, on_error: Callable[[Exception], None] | None) -> None:
        log.error("%s", in_words(error), exc_info=error)
        tell = on_error or self._on_error
        if tell is None:
            return
        try:
            with self.lock:
                tell(error)
        except Exception:
            log.exception("the error could not be shown")


def _step_back() -> None:
    """Lower the priority of this thread for the rest of its life: on Linux each has its own."""
    if sys.platform == "linux":
        own = os.getpriority(os.PRIO_PROCESS, os.getpid())
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + NICENESS, 19))


@atexit.register
def _stop_all() -> None:
    """Stop jobs at the interpreter's end: a thread that returns from native code after it aborts.

    A thread that wants the interpreter when there is none is unwound through C++ frames that
    allow no exception.
    """
    runners = list(_live)
    for runner in runners:
        runner.close()
    for runner in runners:
        thread = runner._thread
        if thread is not None:
            thread.join(timeout=LAST_STEP)
