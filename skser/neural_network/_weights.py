"""Conversion of a module's weights to arrays and back."""

import contextlib
import threading

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook


def weights_of(prefix, module):
    """Return the weights and buffers of a module as arrays.

    Parameters
    ----------
    prefix : str
        Prefix of each name in the result.
    module : torch.nn.Module
        Module on any device.

    Returns
    -------
    dict of ndarray
        Arrays by name.
    """
    return {
        prefix + name: tensor.detach().cpu().contiguous().numpy()
        for name, tensor in module.state_dict().items()
    }


def assign_weights(module, prefix, weights):
    """Assign weights and buffers to a module, which may be on the meta device.

    Parameters
    ----------
    module : torch.nn.Module
        Module to change.
    prefix : str
        Prefix of the names that belong to the module.
    weights : dict of ndarray
        Arrays by name, as from `weights_of`.

    Raises
    ------
    ValueError
        If a weight is missing, belongs to no layer, or has another shape or dtype than in the
        module. The message names the first one.
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
        found, dtype = arrays[name], str(tensor.dtype).removeprefix("torch.")
        if (found.shape, str(found.dtype)) != (tensor.shape, dtype):
            raise ValueError(
                f"The weight {name!r} is {found.dtype} of shape {found.shape}; the parameters ask "
                f"for {dtype} of shape {tuple(tensor.shape)}."
            )
    # Copies: arrays may be read-only, mapped from a file, or the weights of another network.
    copies = {name: torch.tensor(array) for name, array in arrays.items()}
    module.load_state_dict(copies, assign=True)
    # Non-persistent buffers are not in the state_dict and would stay without memory.
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            raise ValueError(
                f"The weight {name!r} is not part of a saved model, so this network cannot be "
                "restored from its weights."
            )


@contextlib.contextmanager
def at_most(n_weights):
    """Raise within this context if a module registers more weights than a file holds.

    A damaged or malicious file could otherwise ask for millions of layers.
    """
    this, count = threading.get_ident(), 0

    def check(module, name, parameter):
        nonlocal count
        # The hook is global to the process; other threads may build modules meanwhile.
        if threading.get_ident() == this:
            count += 1
            if count > n_weights + 10_000:  # leaves room for a complete pretrained encoder
                raise ValueError(
                    f"The parameters ask for more weights than the {n_weights} that are given."
                )

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()
