"""The surroundings that torch computes in: device, precision, threads and seed."""

import contextlib


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


@contextlib.contextmanager
def torch_settings(n_threads=None, seed=None, device="cpu"):
    """Set torch's threads and seed, where given, and put back what was there."""
    import torch

    with contextlib.ExitStack() as before:
        if seed is not None:
            cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
            before.enter_context(torch.random.fork_rng(devices=cuda))
            torch.manual_seed(seed)
        if n_threads is not None:
            before.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(n_threads)
        yield
