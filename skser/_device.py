"""The surroundings that torch computes in: device, precision and threads."""

import contextlib
import functools
import os
import threading


def resolve_device(device):
    """Name of a torch device that is there.

    Parameters
    ----------
    device : str
        "auto" takes cuda, mps or cpu, in that order.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} is not available here ({reason}); "
            "device='auto' takes what there is."
        ) from error
    return device


def autocast(device, precision):
    """Context in which torch computes in `precision`, "float32" or "bfloat16"."""
    import torch

    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


class _SharedThreadCount:
    """Number of torch's threads, one for the whole process at any time.

    Those who ask for the number that is in force share it; others wait until the last has gone.
    A process that was forked computes with one thread: OpenMP's others did not come along, and it
    would wait for them for ever.
    """

    def __init__(self):
        self.freed = threading.Condition()
        self.n_holders = 0
        self.in_force = None
        self.outside = None  # torch's own setting, while somebody holds another
        self.held = threading.local()
        self.is_forked = False

    def take(self, n_threads):
        """Wait until `n_threads` (None: those that torch is set to) may be in force."""
        import torch

        if getattr(self.held, "depth", 0):  # a prediction in a callback, say
            self.held.depth += 1
            return
        with self.freed:
            while self.n_holders:
                wanted = 1 if self.is_forked else n_threads or self.outside
                if self.in_force == wanted:
                    break
                self.freed.wait()
            else:
                self.outside = torch.get_num_threads()
                wanted = 1 if self.is_forked else n_threads or self.outside
            self.n_holders += 1
            self.in_force = wanted
        self.held.depth = 1
        # Of each thread apart: OpenMP keeps a number for every thread that calls it.
        torch.set_num_threads(wanted)

    def give_back(self):
        """Undo `take`."""
        import torch

        self.held.depth -= 1
        if self.held.depth:
            return
        torch.set_num_threads(1 if self.is_forked else self.outside)
        with self.freed:
            self.n_holders -= 1
            if not self.n_holders:
                self.freed.notify_all()


_thread_count = _SharedThreadCount()


@functools.cache
def _watch_for_forks():
    def in_child():
        global _thread_count
        _thread_count = _SharedThreadCount()
        _thread_count.is_forked = True

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_child)


@contextlib.contextmanager
def torch_threads(n_threads=None):
    """Context in which torch works with a number of threads, and then with those it had.

    Parameters
    ----------
    n_threads : int or None, default=None
        None means those that torch is set to. Contexts of other threads that ask for another
        number wait for each other. In a forked process it is always one.
    """
    _watch_for_forks()
    shared = _thread_count
    shared.take(n_threads)
    try:
        yield
    finally:
        shared.give_back()
