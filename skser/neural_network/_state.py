"""State of a fitted network as arrays and plain values, and a network from such a state."""

import json

import numpy as np
import torch
from skorch.history import History

from skser.neural_network._adversarial_parameters import check_objectives
from skser.neural_network._weights import assign_weights, at_most, weights_of
from skser.neural_network.modules.layers import as_global

# Attributes of a net that belong to its fit: parameters of the estimator may have changed since.
_SETTINGS = (
    "lr",
    "optimizer__weight_decay",
    "rate_factors",
    "fresh_statistics",
    "reconstruction_weight",
    "adversarial_weight",
    "supervised_weight",
    "objectives",
    "seed",
)
# Parameters that `architecture` returns, but that a fitted network can be trained on with.
OF_LOSS = frozenset({"class_weight", "label_smoothing", "loss"})
OF_TRAINING = OF_LOSS | {
    "adversarial_weight",
    "latent",
    "mixup",
    "objectives",
    "reconstruction_weight",
    "supervised_weight",
    "unlabeled",
}


def network_state(estimator):
    """Return the state of a fitted network.

    Parameters
    ----------
    estimator : NeuralEstimator
        Fitted estimator.

    Returns
    -------
    dict
        ``architecture``, parameters that were changed after the network was built; ``settings``
        of the net; ``weights`` and ``optimizers``, arrays by name; ``history``, JSON.
    """
    net = estimator.net_
    return {
        "architecture": {
            name: value
            for name, value in net.made_with.items()
            if repr(value) != repr(getattr(estimator, name))
        },
        "settings": {name: getattr(net, name) for name in _SETTINGS if hasattr(net, name)},
        "weights": weights_of("module.", net.module_) | weights_of("criterion.", net.criterion_),
        "optimizers": {
            f"{number}.{place}.{name}": tensor.detach().cpu().contiguous().numpy()
            for number, optimizer in enumerate(net.optimizers())
            for place, values in optimizer.state_dict()["state"].items()
            for name, tensor in values.items()
        },
        # One text instead of thousands of small objects.
        "history": json.dumps(list(net.history), default=_plain),
    }


class PostponedOptimizer(torch.optim.Optimizer):
    """Stand-in for the optimizer of a net that has only predicted since it was loaded.

    The first optimizer of a process imports torch's compiler, which takes seconds. `_train`
    creates the optimizer before it is needed.

    Parameters
    ----------
    groups : list of dict
        Parameter groups.
    **settings
        Settings of the optimizer, which are not used.
    """

    def __init__(self, groups, **settings):  # not the parent's, which imports the compiler
        self.param_groups = groups

    def state_dict(self):
        """Return an empty state."""
        return {"state": {}}

    def load_state_dict(self, state):
        """Do nothing, since there is no state yet."""


def restore_network(estimator, state):
    """Rebuild the network of an estimator whose other attributes are all set.

    Parameters
    ----------
    estimator : NeuralEstimator
        Estimator without a network.
    state : dict
        State that `network_state` returned.

    Raises
    ------
    ValueError
        If weights are missing, unknown, or of another shape than the parameters ask for. No
        memory of that size is allocated before.
    """
    settings, weights = state["settings"], state["weights"]
    maker = object.__new__(type(estimator))
    vars(maker).update(vars(estimator), **state["architecture"])
    n_weights = sum(name.startswith("module.") for name in weights)
    unseen = torch.Generator("cpu")  # initial weights are drawn, and replaced
    with torch.device("meta"), at_most(n_weights), as_global(unseen):
        module = maker._make_module(maker._layout, maker._n_outputs)
    assign_weights(module, "module.", weights)
    module.to(memory_format=torch.channels_last)
    criterion = maker._make_criterion(np.arange(maker._n_outputs))
    assign_weights(criterion, "criterion.", weights)
    net = estimator._net_around(module, criterion, settings["rate_factors"], PostponedOptimizer)
    net.optimizer = torch.optim.AdamW
    for name in _SETTINGS:
        if name in settings:
            value = settings[name]
            setattr(net, name, check_objectives(value) if name == "objectives" else value)
    if state["optimizers"]:
        net.initialize_optimizer()
        _restore_optimizers(net, state["optimizers"])
    net.history = estimator.history_ = History(json.loads(state["history"]))
    net.module_.eval()
    net.made_with = architecture(maker)
    estimator.net_ = net


def architecture(estimator):
    """Return the parameters that the layers depend on.

    Parameters
    ----------
    estimator : NeuralEstimator

    Returns
    -------
    dict of plain values
    """
    plain = bool | int | float | str | tuple | list | dict | None
    return {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name not in estimator.TRAINING_PARAMETERS and isinstance(value, plain)
    }


def _restore_optimizers(net, arrays):
    states = [{} for _ in net.optimizers()]
    for key, array in arrays.items():
        number, place, name = key.split(".", 2)
        states[int(number)].setdefault(int(place), {})[name] = torch.tensor(array)
    for optimizer, state in zip(net.optimizers(), states, strict=True):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for place, values in state.items():
            # The fused optimizer trusts sizes, and its moments must lie as the weights do.
            like = parameters[place].shape
            shapes = {"step": (), "exp_avg": like, "exp_avg_sq": like}
            for name, shape in shapes.items():
                if values.keys() != shapes.keys() or values[name].shape != shape:
                    raise ValueError("The state of the optimizer does not fit the weights.")
                if values[name].ndim == 4:
                    values[name] = values[name].to(memory_format=torch.channels_last)
        if state:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)
