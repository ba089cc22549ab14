"""Parallel tasks on threads, processes or a Dask cluster: ordered results in bounded memory."""

import contextlib
import sys
import warnings
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from functools import partial

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


def parallel_map(function, tasks, n_jobs=None, prefer="processes"):
    """Yield ``function(*task)`` for every task, in order.

    The active joblib backend does the work. A bounded number of results wait for their reader.
    Tasks that are lost with their worker process are submitted again.

    Parameters
    ----------
    function : callable
        Function to call. Processes must be able to pickle it.
    tasks : list of tuple
        Arguments of each call.
    n_jobs : int or None, default=None
        Number of threads or processes, as in joblib. A Dask cluster uses all its workers.
    prefer : {"processes", "threads"}, default="processes"
        Kind of workers, unless `joblib.parallel_config` has chosen a backend.

    Yields
    ------
    object
        Result of each task.

    Raises
    ------
    WorkersLost
        If three attempts in a row lose the same task.
    """
    attempt, lost = _engine(n_jobs, prefer)
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
    """Return the number of tasks that run at the same time; for a Dask cluster, at least 2."""
    if _is_dask_task():
        return 1
    n_jobs = effective_n_jobs(n_jobs)
    # A cluster of one worker needs runs of utterances as well, since every task is sent to it.
    return max(n_jobs, 2) if _is_dask(get_active_backend()[0]) else n_jobs


def _engine(n_jobs, prefer):
    """Return a function that runs tasks, and the errors that it raises when workers are lost."""
    if _is_dask_task():  # such as one of a grid search, which keeps the cluster busy already
        return _one_by_one, ()
    backend, _ = get_active_backend()
    if not _is_dask(backend):
        if effective_n_jobs(n_jobs) == 1:
            return _one_by_one, ()
        return partial(_on_joblib, n_jobs, prefer), BrokenProcessPool
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


def _on_joblib(n_jobs, prefer, function, tasks):
    n_jobs = effective_n_jobs(n_jobs)  # with threads, joblib would ignore a configured number
    backend, _ = get_active_backend(prefer=prefer)
    return_as = "generator" if backend.supports_return_generator else "list"
    # joblib's generator runs ahead of a slow reader without limit, so it gets a few tasks at once.
    n_ahead = _TASKS_AHEAD * n_jobs
    with Parallel(n_jobs=n_jobs, prefer=prefer, return_as=return_as, batch_size=1) as parallel:
        for first in range(0, len(tasks), n_ahead):
            results = parallel(delayed(function)(*task) for task in tasks[first : first + n_ahead])
            with _given_up_quietly(results):
                # `yield from` would close the results before the warning is switched off.
                for result in results:  # noqa: UP028
                    yield result


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


def _on_dask(client, function, tasks):
    # Uses the client's futures. joblib would wait forever for a task that Dask gives up, and it
    # scatters each array to one worker, so that the array is lost if that worker dies.
    waiting, tasks = deque(), deque(tasks)
    while tasks or waiting:
        n_ahead = 4 * max(1, sum(client.ncores().values()))
        while tasks and len(waiting) < n_ahead:
            waiting.append(client.submit(function, *tasks.popleft(), pure=False))
        yield waiting.popleft().result()
