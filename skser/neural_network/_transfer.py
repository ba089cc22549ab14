"""Transfer learning: training that starts from the weights of another fitted network."""

import contextlib
from dataclasses import dataclass

import numpy as np

from skser.neural_network._callbacks import warn_caller


@dataclass(frozen=True)
class Transfer:
    """Transfer of the weights of a fitted network to a new one.

    Parameters
    ----------
    source : fitted NeuralEstimator
        Network to copy the weights from.
    strategy : {"single-stage", "two-stage"}
        Number of training stages. "two-stage" first trains the new layers alone, with the copied
        weights frozen.
    head_epochs : int
        Number of epochs of that first stage.
    lr_multiplier : float
        Factor of the learning rate of the copied weights.
    """

    source: object
    strategy: str
    head_epochs: int
    lr_multiplier: float

    def warn_of_other_input(self, layout):
        """Warn if columns or frames of the input meant something else to the source.

        Parameters
        ----------
        layout : Layout
            Layout of the input.
        """
        theirs = vars(self.source).get("_layout")
        if theirs is None or len(theirs.feature_names) != len(layout.feature_names):
            return
        different = theirs.difference(layout)
        if different:
            warn_caller(
                f"The source was trained on {different[0]}, but X has {different[1]}, so its "
                "weights may be of little use. Compute both with the same parameters."
            )

    def copy_weights(self, module, classes):
        """Copy the source's weights into a module of the same architecture.

        Parameters
        ----------
        module : torch.nn.Module
            Module to copy the weights to. The layers in its `class_layers`, and ``output``, depend
            on the classes.
        classes : ndarray or None
            Classes of the module's outputs, or None for a regressor. If the source has the same
            classes, the layers that depend on them are copied as well, where shapes match.

        Returns
        -------
        set of str
            Names of the copied parameters, without those that depend on the classes.

        Raises
        ------
        ValueError
            If other layers differ. The message names them.
        """
        source = self.source
        theirs, ours = source.net_.module_.state_dict(), module.state_dict()
        fitting = {
            name: value
            for name, value in theirs.items()
            if name in ours and ours[name].shape == value.shape
        }
        # Layers that only one of both has, or whose shapes differ.
        odd = sorted(name for name in theirs.keys() ^ ours.keys() | (ours.keys() - fitting.keys()))
        of_classes = ("output.", *getattr(module, "class_layers", ()))
        odd = [name for name in odd if not name.startswith(of_classes)]
        if odd:
            raise ValueError(
                f"The layers of the source, a {type(source).__name__}, do not match those of the "
                f"new network: {', '.join(odd)}. Give both the same architecture and input."
            )
        shared = {name for name in fitting if not name.startswith(of_classes)}
        same_classes = np.array_equal(classes, getattr(source, "classes_", None))
        copied = {name: fitting[name] for name in (fitting if same_classes else shared)}
        module.load_state_dict(copied, strict=False)  # other layers keep their initial weights
        return shared.intersection(name for name, _ in module.named_parameters())


@contextlib.contextmanager
def transferring(network, transfer):
    """Make `fit` of a network start from the weights of another one, within this context.

    The network may be the last step of a pipeline that is fitted within the context. Afterwards
    it holds no reference to the other network.

    Parameters
    ----------
    network : NeuralEstimator
        Network that is fitted.
    transfer : Transfer
        Source of the weights, and strategy.
    """
    network._transfer = transfer
    try:
        yield
    finally:
        del network._transfer


@contextlib.contextmanager
def frozen(module, names):
    """Freeze the named parameters within this context."""
    parameters = dict(module.named_parameters())
    changed = [parameters[name] for name in names if parameters[name].requires_grad]
    try:
        for parameter in changed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)
