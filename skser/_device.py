"""Device, precision and number of threads that torch computes with."""

import contextlib
import functools
import os
import platform
import threading
import warnings


def resolve_device(device):
    """Return the name of a torch device that is available on this machine.

    Parameters
    ----------
    device : str
        Name of the device. "auto" selects the first one available of cuda, mps and cpu.

    Returns
    -------
    str

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
            "use device='auto' for the best device of this machine."
        ) from error
    return device


def autocast(device, precision):
    """Return a context in which torch computes in bfloat16 if that is the `precision`."""
    import torch

    if precision != "bfloat16":
        return contextlib.nullcontext()
    kind = torch.device(device).type
    if kind == "cpu":
        warn_if_emulated(precision)
    return torch.autocast(kind, dtype=torch.bfloat16)


def warn_if_emulated(precision):
    """Warn if this processor has no instructions that multiply matrices in bfloat16 or int8."""
    if not _has_instructions(precision):
        warnings.warn(
            f"This processor has no instructions for precision={precision!r}, so that torch "
            "computes many times slower than in single precision: use precision='float32' here.",
            stacklevel=2,
        )


@functools.cache
def _has_instructions(precision):
    """Return whether oneDNN multiplies matrices in a format on this processor, and not torch."""
    import torch

    if precision == "int8":
        return platform.machine().lower() not in ("x86_64", "amd64") or (
            torch.cpu._is_vnni_supported()
        )
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


class _SharedThreadCount:
    """Number of torch threads, which is the same in the whole process at any time.

    Callers that ask for the number in force share it. Callers that ask for another number wait
    until all of them have finished. A forked process always computes with one thread, because
    OpenMP's worker threads are not copied by a fork and it would wait for them forever.
    """

    def __init__(self):
        self.freed = threading.Condition()
        self.n_holders = 0
        self.in_force = None
        self.outside = None  # torch's own setting, restored when the last holder leaves
        self.held = threading.local()
        self.is_forked = False

    def take(self, n_threads):
        """Wait until `n_threads` can be in force, and set it; None keeps torch's own setting."""
        import torch

        if getattr(self.held, "depth", 0):  # nested, such as a prediction in a callback
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
        # Needed in every thread: OpenMP keeps a separate setting for each calling thread.
        torch.set_num_threads(wanted)

    def give_back(self):
        """Undo one call of `take`."""
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
def _reset_after_forks():
    def in_child():
        global _thread_count
        _thread_count = _SharedThreadCount()
        _thread_count.is_forked = True

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_child)


@contextlib.contextmanager
def torch_threads(n_threads=None):
    """Run a block with the given number of torch threads, then restore the previous number.

    Parameters
    ----------
    n_threads : int or None, default=None
        Number of threads; None keeps torch's own setting. Contexts of different Python threads
        that ask for different numbers wait for each other. A forked process always uses one.
    """
    _reset_after_forks()
    shared = _thread_count
    shared.take(n_threads)
    try:
        yield
    finally:
        shared.give_back()
