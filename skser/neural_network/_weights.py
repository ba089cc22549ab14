"""Weights of a module as arrays, and a module of such weights."""

import contextlib
import threading

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook


def weights_of(prefix, module):
    """Weights and buffers of a module as arrays, by name.

    Parameters
    ----------
    prefix : str
        Start of each name.
    module : torch.nn.Module

    Returns
    -------
    dict of ndarray
    """
    return {
        prefix + name: tensor.detach().cpu().contiguous().numpy()
        for name, tensor in module.state_dict().items()
    }


def assign_weights(module, prefix, weights):
    """Give a module, possibly one without memory, its weights and buffers.

    Parameters
    ----------
    module : torch.nn.Module
    prefix : str
        Start of the names to take.
    weights : dict of ndarray

    Raises
    ------
    ValueError
        Naming the first weight that is missing, too many, or of another shape than the module's.
    """
    arrays = {
        name.removeprefix(prefix): array
        for name, array in weights.items()
        if name.startswith(prefix)
    }
    expected = module.state_dict()
    for name in sorted(expected.keys() ^ arrays.keys()):
        found = "is missing" if name in expected else "belongs to no layer"
        raise ValueError(f"The weight {name!r} {found}.")
    for name, tensor in expected.items():
        found = torch.from_numpy(arrays[name])
        if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            raise ValueError(
                f"The weight {name!r} has the shape {tuple(found.shape)} and is {found.dtype}; by "
                f"the parameters it has the shape {tuple(tensor.shape)} and is {tensor.dtype}."
            )
    module.load_state_dict(
        {name: torch.from_numpy(array) for name, array in arrays.items()}, assign=True
    )
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            raise ValueError(f"The weight {name!r} is not saved with a model.")


@contextlib.contextmanager
def at_most(n_weights):
    """Refuse to make a module of more weights, before a loop over layers takes for ever."""
    this, count = threading.get_ident(), 0

    def check(module, name, parameter):
        nonlocal count
        if threading.get_ident() == this:
            count += 1
            if count > n_weights + 10_000:  # those of a whole pretrained encoder come on top
                raise ValueError(f"The parameters ask for more than the {n_weights} weights.")

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()
