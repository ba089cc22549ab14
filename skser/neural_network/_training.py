"""The skorch net that every estimator trains, and the surroundings it trains in."""

import contextlib
import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from skser._device import autocast
from skser.neural_network._checkpoint import TrainingCheckpoint


class _TrainingStopped(Exception):
    """A callback such as EarlyStopping has ended the training."""


class SequenceNet(NeuralNet):
    """skorch's training loop over `BatchIterator`.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Of the forward pass; weights stay float32.
    fresh_statistics : bool
        Whether batch normalisation averages its statistics anew in each epoch.
    rate_factors : dict of float
        Factors of the learning rate, by the names of weights, or of modules with a dot behind.
    """

    def __init__(
        self, *args, precision="float32", fresh_statistics=True, rate_factors=None, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.precision = precision
        self.fresh_statistics = fresh_statistics
        self.rate_factors = rate_factors or {}

    def infer(self, x, **fit_params):
        with autocast(self.device, self.precision):
            outputs = super().infer(x, **fit_params)
        return outputs.float()

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Groups: biases and normalisation are not shrunk towards zero, rates may differ."""
        _, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        parameters = dict(self.module_.named_parameters())
        return (self.weight_groups(parameters, kwargs["lr"]),), kwargs

    def weight_groups(self, parameters, rate, scale=1.0):
        """Groups of parameters for AdamW, by decay and by learning rate.

        Parameters
        ----------
        parameters : dict of Parameter
            By their names in the module. Those that need no gradient are left out.
        rate : float
        scale : float, default=1.0
            Of all of them.

        Returns
        -------
        list of dict
            With "scale", the factor of `rate`.
        """
        groups = {(True, 1.0): []}  # an optimiser must have one, if only an empty one
        for name, parameter in parameters.items():
            if not parameter.requires_grad:
                continue
            factor = math.prod(
                factor
                for part, factor in self.rate_factors.items()
                if name == part or (part.endswith(".") and name.startswith(part))
            )
            groups.setdefault((parameter.ndim > 1, factor), []).append(parameter)
        return [
            {
                "params": members,
                "scale": scale * factor,
                "lr": scale * factor * rate,
                **({} if decays else {"weight_decay": 0.0}),
            }
            for (decays, factor), members in groups.items()
        ]

    def optimizers(self):
        """All optimisers of the training."""
        return [self.optimizer_]

    def generators(self):
        """Random generators of the training, besides torch's own."""
        return []

    def checkpoint(self):
        """The callback that keeps the state of the training, or None."""
        callbacks = (callback for _, callback in self.callbacks_)
        return next((c for c in callbacks if isinstance(c, TrainingCheckpoint)), None)

    def partial_fit(self, X, y=None, classes=None, **kwargs):
        """As skorch's, but Ctrl-C is no end of a training: it goes to the caller."""
        self.notify("on_train_begin", X=X, y=y)
        with contextlib.suppress(_TrainingStopped):
            self.fit_loop(X, y, **kwargs)
        self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **kwargs):
        """As skorch's; KeyboardInterrupt is how its callbacks end a training behind an epoch."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:
            if method_name == "on_epoch_end":
                raise _TrainingStopped from None
            raise

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        """As skorch's, without the epochs that a checkpoint has."""
        if (checkpoint := self.checkpoint()) is not None:
            epochs -= checkpoint.n_done_
        return super().fit_loop(X, y, epochs=epochs, **kwargs)

    def get_iterator(self, dataset, training=False):
        iterator = super().get_iterator(dataset, training=training)
        if training and (checkpoint := self.checkpoint()) is not None:
            checkpoint.begin(self, iterator)
        return iterator

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """As skorch's, but no batch waits for the device: losses are read once per epoch."""
        if iterator is None:
            return
        losses = []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            self.history.record_batch(f"{prefix}_loss", losses[-1])
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        for record, loss in zip(
            self.history[-1]["batches"][-len(losses) :], torch.stack(losses).tolist(), strict=True
        ):
            record[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", len(losses))

    def on_epoch_begin(self, net, **kwargs):
        super().on_epoch_begin(net, **kwargs)
        if self.fresh_statistics:
            for module in self.module_.modules():
                if hasattr(module, "reset_running_stats"):
                    module.reset_running_stats()


class OneCycle(Callback):
    """Learning rate that rises and falls once over all updates, along half cosines.

    A group of parameters with a "scale" has that many times the rate.

    Parameters
    ----------
    peak : float
    n_steps : int
        Updates of the whole training.
    rise : float, default=0.25
        Share of the updates before the peak.

    References
    ----------
    Smith, L. N. and Topin, N. (2018). Super-Convergence: Very Fast Training of Neural
    Networks Using Large Learning Rates. arXiv:1708.07120.
    """

    def __init__(self, peak, n_steps, rise=0.25):
        self.peak = peak
        self.n_steps = n_steps
        self.rise = rise

    def on_train_begin(self, net, **kwargs):
        self.step_ = 0

    def on_batch_begin(self, net, training=True, **kwargs):
        if not training:
            return
        progress = (self.step_ + 0.5) / self.n_steps
        if progress < self.rise:
            start, share = self.peak / 25, progress / self.rise
        else:
            start, share = 0.0, (1 - progress) / (1 - self.rise)
        rate = start + (self.peak - start) * 0.5 * (1 - math.cos(math.pi * share))
        for optimizer in net.optimizers():
            for group in optimizer.param_groups:
                group["lr"] = group.get("scale", 1.0) * rate
        self.step_ += 1


class WarnOfSingleClass(Callback):
    """Warn after training if the last epoch's own outputs were all of one class."""

    def __init__(self, classes):
        self.classes = classes

    def on_epoch_begin(self, net, **kwargs):
        self.counts_ = torch.zeros(len(self.classes), dtype=torch.int64, device=net.device)

    def on_batch_end(self, net, training, y_pred=None, **kwargs):
        if training:
            predicted = y_pred.detach().argmax(dim=1)
            self.counts_.scatter_add_(0, predicted, torch.ones_like(predicted))

    def on_train_end(self, net, **kwargs):
        if int((self.counts_ > 0).sum()) == 1:
            warnings.warn(
                "In its last epoch the network predicted "
                f"{str(self.classes[int(self.counts_.argmax())])!r} "
                "for every training utterance. Try more epochs, another learning rate, scaled "
                "input or class_weight='balanced'.",
                ConvergenceWarning,
                stacklevel=2,
            )


class SoftCrossEntropy(nn.Module):
    """Cross-entropy against classes or their shares, smoothed and weighted by class.

    The weights have mean 1 over the training utterances and the loss is divided by the
    number of utterances, so that a batch of rare classes counts for more than a batch of
    frequent ones. The loss of shares is the mean, by these shares, of the classes' own
    losses, each with its weight and its smoothing.

    Parameters
    ----------
    class_weight : tensor of shape (n_classes,) or None
    label_smoothing : float
        Share of each target that is spread over all classes.
    """

    def __init__(self, class_weight=None, label_smoothing=0.0):
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weight", class_weight)

    def forward(self, logits, targets):
        """Mean loss of logits (batch, n_classes).

        Targets are class indices (batch,) or shares (batch, n_classes).
        """
        if targets.ndim == 2:
            return self._loss_of_shares(logits, targets)
        losses = nn.functional.cross_entropy(
            logits, targets, reduction="none", label_smoothing=self.label_smoothing
        )
        if self.class_weight is not None:
            losses = losses * self.class_weight[targets]
        return losses.mean()

    def _loss_of_shares(self, logits, shares):
        if self.class_weight is not None:
            shares = shares * self.class_weight
        shares = torch.lerp(shares, shares.mean(dim=1, keepdim=True), self.label_smoothing)
        return -(shares * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


@contextlib.contextmanager
def torch_settings(n_threads=None, seed=None, device="cpu"):
    """Set torch's threads and seed, where given, and put back what was there."""
    with contextlib.ExitStack() as before:
        if seed is not None:
            cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
            before.enter_context(torch.random.fork_rng(devices=cuda))
            torch.manual_seed(seed)
        if n_threads is not None:
            before.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(n_threads)
        yield


def transfer_weights(source, module, same_classes):
    """Copy a fitted estimator's weights into a module of the same architecture.

    Parameters
    ----------
    source : fitted neural estimator
    module : torch.nn.Module
        Its `class_layers`, of which ``output`` is always one, belong to the classes.
    same_classes : bool
        Whether these are copied too, where their shape allows.

    Returns
    -------
    set of str
        Names of the parameters that were copied, without those of `class_layers`.

    Raises
    ------
    ValueError
        Naming the layers that do not fit.
    """
    check_is_fitted(source, "net_")
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
            f"The layers of initialize_from={type(source).__name__} do not fit: {', '.join(odd)}. "
            "Give both estimators the same architecture and input."
        )
    shared = {name for name in fitting if not name.startswith(of_classes)}
    copied = {name: fitting[name] for name in (fitting if same_classes else shared)}
    module.load_state_dict(copied, strict=False)
    return shared.intersection(name for name, _ in module.named_parameters())


@contextlib.contextmanager
def frozen(module, names):
    """Parameters of these names need no gradient, until the end."""
    parameters = dict(module.named_parameters())
    changed = [parameters[name] for name in names if parameters[name].requires_grad]
    try:
        for parameter in changed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)
