"""A fitted network without torch's own objects: settings and weights, and back."""

import contextlib
import threading

import numpy as np
import torch
from skorch.history import History
from torch.nn.modules.module import register_module_parameter_registration_hook

from skser.neural_network._training import torch_settings

# What a net keeps of its fit: parameters of the estimator may have been changed since.
_OF_THE_FIT = (
    "lr",
    "optimizer__weight_decay",
    "rate_factors",
    "fresh_statistics",
    "reconstruction_weight",
    "adversarial_weight",
    "supervised_weight",
    "n_discriminator_updates",
    "seed",
)


def network_state(estimator):
    """What a fitted network consists of beside the other attributes of its estimator.

    Parameters
    ----------
    estimator : fitted NeuralEstimator

    Returns
    -------
    settings : dict
        Of plain values; the history's batches are one per epoch, with their size alone.
    weights : dict of ndarray
    """
    net = estimator.net_
    history = [
        {**row, "batches": [{"train_batch_size": _n_utterances(row)}]} for row in net.history
    ]
    settings = {name: getattr(net, name) for name in _OF_THE_FIT if hasattr(net, name)}
    modules = {"module": net.module_, "criterion": net.criterion_}
    weights = {
        f"{part}.{name}": tensor.detach().cpu().contiguous().numpy()
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    return {**settings, "history": history}, weights


def restore_network(estimator, settings, weights):
    """Give an estimator, whose other attributes are there, its network back.

    Parameters
    ----------
    estimator : NeuralEstimator
    settings : dict
    weights : dict of ndarray
        As from `network_state`.

    Raises
    ------
    ValueError
        Naming the weights that are missing, too many, or of another shape than the estimator's
        parameters say. Nothing of the size that these say is allocated before.
    """
    of_module, of_criterion = (_below(part, weights) for part in ("module.", "criterion."))
    with torch.device("meta"), _at_most(len(of_module)), torch_settings(seed=0):
        module = estimator._make_module(estimator._layout, estimator._n_outputs)
    _load(module, of_module)
    module.to(memory_format=torch.channels_last)
    criterion = estimator._make_criterion(np.arange(estimator._n_outputs))
    _load(criterion, of_criterion)
    rate_factors = settings["rate_factors"]
    net = estimator.net_ = estimator._net_around(module, criterion, rate_factors)
    estimator._new_optimizer()
    for name in _OF_THE_FIT:
        if hasattr(net, name):
            setattr(net, name, settings[name])
    net.initialize_optimizer()
    net.history = estimator.history_ = History(settings["history"])
    net.module_.eval()


def _n_utterances(row):
    return sum(batch.get("train_batch_size", 0) for batch in row["batches"])


def _below(prefix, weights):
    return {
        name.removeprefix(prefix): array
        for name, array in weights.items()
        if name.startswith(prefix)
    }


def _load(module, arrays):
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
def _at_most(n_weights):
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
