"""Devices of torch, by name, and the precision they compute in."""

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
