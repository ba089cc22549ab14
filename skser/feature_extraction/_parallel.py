"""Tasks over processes or a Dask cluster: results in order, few ahead of their reader."""

import sys
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

_TASKS_AHEAD = 16
_ATTEMPTS = 3


class WorkersLost(RuntimeError):
    """Workers died again and again over the same tasks.

    Parameters
    ----------
    task : int
        Position of the first task without a result.
    """

    def __init__(self, task):
        super().__init__(task)
        self.task = task


def in_order(function, tasks, n_jobs=None):
    """Yield ``function(*task)`` for every task.

    The active joblib backend does the work, and a bounded number of results wait for their
    reader. Tasks that are lost with their worker are submitted again.

    Parameters
    ----------
    function : callable
    tasks : list of tuple
    n_jobs : int or None, default=None
        As in joblib; a Dask cluster works with all it has.

    Raises
    ------
    WorkersLost
        If three attempts in a row do not get beyond some task.
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
    """How many tasks run at a time."""
    return 1 if _is_dask_task() else effective_n_jobs(n_jobs)


def _engine(n_jobs):
    """What runs tasks here, and the errors by which it says that it lost some."""
    if _is_dask_task():  # of a grid search, say, which keeps the cluster busy as it is
        return _one_by_one, ()
    backend, _ = get_active_backend()
    if not _is_dask(backend):
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
    # joblib runs ahead of a slow reader without end, so it gets so many tasks at a time.
    n_ahead = _TASKS_AHEAD * effective_n_jobs(n_jobs)
    with Parallel(n_jobs=n_jobs, return_as=return_as, batch_size=1) as parallel:
        for first in range(0, len(tasks), n_ahead):
            yield from parallel(delayed(function)(*task) for task in tasks[first : first + n_ahead])


def _on_dask(client, function, tasks):
    # The client's own futures: joblib would wait for ever for a task that Dask gives up, and
    # scatters arrays, each to one worker, with whose death they are lost.
    waiting, tasks = deque(), deque(tasks)
    while tasks or waiting:
        n_ahead = 4 * max(1, sum(client.ncores().values()))
        while tasks and len(waiting) < n_ahead:
            waiting.append(client.submit(function, *tasks.popleft(), pure=False))
        yield waiting.popleft().result()
