"""Parallel tasks on processes or a Dask cluster, with ordered results and bounded memory."""

import contextlib
import os
import shutil
import sys
import tempfile
import warnings
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

_TASKS_AHEAD = 16
_ATTEMPTS = 3


class WorkersLost(RuntimeError):
    """Loss of worker processes, repeatedly, at the same task.

    Parameters
    ----------
    task : int
        Position of the first task without a result.
    """

    def __init__(self, task):
        super().__init__(task)
        self.task = task


def parallel_map(function, tasks, n_jobs=None):
    """Yield ``function(*task)`` for every task, in order.

    The active joblib backend does the work. A bounded number of results wait for their reader.
    Tasks that are lost with their worker are submitted again. If a result is a list, its arrays
    are valid only until the next result is requested, since their memory may be reused.

    Parameters
    ----------
    function : callable
        Function to call. Processes must be able to pickle it.
    tasks : list of tuple
        Arguments of each call.
    n_jobs : int or None, default=None
        Number of processes, as in joblib. A Dask cluster uses all its workers.

    Yields
    ------
    object
        Result of each task.

    Raises
    ------
    WorkersLost
        If three attempts in a row lose the same task.
    """
    attempt, lost = _engine(n_jobs)
    done, attempts = 0, 0
    while True:
        try:
            for result in attempt(function, tasks[done:]):
                yield result
                done, attempts = done + 1, 0
            return
        except lost as error:
            attempts += 1
            if attempts == _ATTEMPTS:
                raise WorkersLost(done) from error


def n_workers(n_jobs):
    """Return the number of tasks that run at the same time."""
    return 1 if _is_dask_task() else effective_n_jobs(n_jobs)


def _engine(n_jobs):
    """Return a function that runs tasks, and the errors that it raises when workers are lost."""
    if _is_dask_task():  # such as one of a grid search, which keeps the cluster busy already
        return _one_by_one, ()
    backend, _ = get_active_backend()
    if not _is_dask(backend):
        if effective_n_jobs(n_jobs) == 1:
            return _one_by_one, ()
        return partial(_on_joblib, n_jobs), BrokenProcessPool
    import distributed

    lost = (distributed.KilledWorker, distributed.CancelledError)
    return partial(_on_dask, backend.client), lost


def _is_dask(backend):
    return type(backend).__name__ == "DaskDistributedBackend"


def _is_dask_task():
    if "distributed" not in sys.modules:
        return False
    import distributed

    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _one_by_one(function, tasks):
    for task in tasks:
        yield function(*task)


def _on_joblib(n_jobs, function, tasks):
    backend, _ = get_active_backend()
    return_as = "generator" if backend.supports_return_generator else "list"
    # joblib's generator runs ahead of a slow reader without limit, so it gets a few tasks at once.
    n_ahead = _TASKS_AHEAD * effective_n_jobs(n_jobs)
    shared = None if getattr(backend, "supports_sharedmem", False) else _new_shared_file()
    try:
        with Parallel(n_jobs=n_jobs, return_as=return_as, batch_size=1) as parallel:
            for first in range(0, len(tasks), n_ahead):
                some = enumerate(tasks[first : first + n_ahead])
                results = parallel(
                    delayed(_into_file)(shared, i, function, task) for i, task in some
                )
                with _given_up_quietly(results):
                    for i, result in enumerate(results):
                        yield result if shared is None else shared.take(i, result)
    finally:
        if shared is not None:
            shared.remove()


@contextlib.contextmanager
def _given_up_quietly(results):
    """Close the results without a warning if the reader stops early, as over a full disk."""
    try:
        yield
    finally:
        if hasattr(results, "close"):
            with warnings.catch_warnings():  # joblib warns of the tasks that it cancels
                warnings.simplefilter("ignore")
                results.close()


def _new_shared_file():
    try:
        return SharedArrayFile()
    except OSError:  # no room for temporary files: send everything through the pipe
        return None


def _into_file(shared, place, function, task):
    result = function(*task)
    return result if shared is None else shared.put(place, result)


@dataclass(frozen=True)
class _Place:
    """Location of an array of a result, in bytes from the start of its file."""

    start: int
    dtype: str
    shape: tuple


class SharedArrayFile:
    """Files through which processes of one machine pass arrays to each other.

    A pipe copies an array four times, and would keep the calling process as busy as a worker that
    computes features. Each place is one file, which is overwritten for each result.
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="skser-")

    def put(self, place, result):
        """Write the arrays of a list, and return the list with their locations, for `take`."""
        if not isinstance(result, list):
            return result
        left, end = list(result), 0
        try:
            descriptor = os.open(Path(self.folder) / str(place), os.O_RDWR | os.O_CREAT, 0o600)
            with open(descriptor, "wb") as file:
                for i, array in enumerate(result):
                    if isinstance(array, np.ndarray) and array.size:
                        left[i] = _Place(end, array.dtype.str, array.shape)
                        end += file.write(np.ascontiguousarray(array).data.cast("B"))
        except OSError:  # such as a full disk: send the result through the pipe
            return result
        return left

    def take(self, place, result):
        """Return the list given to `put`, with its arrays as views of the file."""
        if not isinstance(result, list) or not any(isinstance(p, _Place) for p in result):
            return result
        values = np.memmap(Path(self.folder) / str(place), np.uint8, "r")
        return [_view(values, part) if isinstance(part, _Place) else part for part in result]

    def remove(self):
        """Delete the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _view(values, part):
    n_bytes = int(np.prod(part.shape)) * np.dtype(part.dtype).itemsize
    view = values[part.start : part.start + n_bytes].view(np.ndarray)
    return view.view(part.dtype).reshape(part.shape)


def _on_dask(client, function, tasks):
    # Uses the client's futures. joblib would wait forever for a task that Dask gives up, and it
    # scatters each array to one worker, so that the array is lost if that worker dies.
    waiting, tasks = deque(), deque(tasks)
    while tasks or waiting:
        n_ahead = 4 * max(1, sum(client.ncores().values()))
        while tasks and len(waiting) < n_ahead:
            waiting.append(client.submit(function, *tasks.popleft(), pure=False))
        yield waiting.popleft().result()
