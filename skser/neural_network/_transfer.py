"""Training that starts from the weights of another fitted network, in one stage or two."""

import contextlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Transfer:
    """How a network starts from the weights of another one.

    Parameters
    ----------
    source : fitted NeuralEstimator
    strategy : {"single-stage", "two-stage"}
    head_epochs : int
        Epochs of the first of two stages, in which the copied weights are frozen.
    lr_multiplier : float
        Factor of the learning rate for copied weights.
    """

    source: object
    strategy: str
    head_epochs: int
    lr_multiplier: float

    def copy_weights(self, module, classes):
        """Copy the source's weights into a module of the same architecture.

        Parameters
        ----------
        module : torch.nn.Module
            Its `class_layers`, of which ``output`` is always one, belong to the classes.
        classes : ndarray or None
            Classes of the module's outputs, None for a regressor. If they are the source's too,
            their layers are copied where the shape allows.

        Returns
        -------
        set of str
            Names of the parameters that were copied, without those of `class_layers`.

        Raises
        ------
        ValueError
            Naming the layers that do not fit.
        """
        source = self.source
        theirs, ours = source.net_.module_.state_dict(), module.state_dict()
        fitting = {
            name: value
            for name, value in theirs.items()
            if name in ours and ours[name].shape == value.shape
        }
        odd = sorted(name for name in theirs.keys() ^ ours.keys() | (ours.keys() - fitting.keys()))
        of_classes = ("output.", *getattr(module, "class_layers", ()))
        odd = [name for name in odd if not name.startswith(of_classes)]
        if odd:
            raise ValueError(
                f"The layers of source={type(source).__name__} do not fit: {', '.join(odd)}. "
                "Give both estimators the same architecture and input."
            )
        shared = {name for name in fitting if not name.startswith(of_classes)}
        same_classes = np.array_equal(classes, getattr(source, "classes_", None))
        copied = {name: fitting[name] for name in (fitting if same_classes else shared)}
        module.load_state_dict(copied, strict=False)
        return shared.intersection(name for name, _ in module.named_parameters())


@contextlib.contextmanager
def transferring(network, transfer):
    """Within this context, `fit` of a network starts from the weights of another one.

    The network may be the last step of a pipeline that is fitted. It keeps no reference to the
    other one.

    Parameters
    ----------
    network : NeuralEstimator
    transfer : Transfer
    """
    network._transfer = transfer
    try:
        yield
    finally:
        del network._transfer


@contextlib.contextmanager
def frozen(module, names):
    """Keep parameters of these names as they are within this context."""
    parameters = dict(module.named_parameters())
    changed = [parameters[name] for name in names if parameters[name].requires_grad]
    try:
        for parameter in changed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)
