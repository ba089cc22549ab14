"""The skorch net that every estimator trains."""

import contextlib
import io
import math
import pickle

import torch
from skorch import NeuralNet
from skorch.utils import get_map_location

from skser._device import autocast
from skser.neural_network._checkpoint import TrainingCheckpoint


class _TrainingStopped(Exception):
    """A callback such as EarlyStopping has ended the training."""


class _PickleByValue:
    """A pickle module that writes equal strings alike, whether they are one object or two."""

    class Pickler(pickle._Pickler):
        def memoize(self, obj):
            if not isinstance(obj, str):
                super().memoize(obj)


class SequenceNet(NeuralNet):
    """skorch's training loop over `BatchIterator`.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Precision of the forward pass; weights stay float32.
    fresh_statistics : bool
        Whether batch normalisation averages its statistics anew in each epoch.
    rate_factors : dict of float
        Factors of the learning rate, by names of weights, or names of modules and a dot.
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
            Parameters by their names in the module. Those that need no gradient are left out.
        rate : float
        scale : float, default=1.0
            Factor of the learning rate of all parameters.

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
        """Random generators of the training."""
        return [self.generator_]

    def checkpoint(self):
        """The callback that keeps the state of the training, or None."""
        callbacks = (callback for _, callback in self.callbacks_)
        return next((c for c in callbacks if isinstance(c, TrainingCheckpoint)), None)

    def partial_fit(self, X, y=None, classes=None, **kwargs):
        """As skorch's, but Ctrl-C does not end the training silently: it goes to the caller."""
        self.notify("on_train_begin", X=X, y=y)
        with contextlib.suppress(_TrainingStopped):
            self.fit_loop(X, y, **kwargs)
        self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **kwargs):
        """As skorch's; KeyboardInterrupt is how its callbacks end a training after an epoch."""
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

    def __getstate__(self):
        """As skorch's, but the state of a copy is the same to the byte, and so its `joblib.hash`.

        A pickle of tensors names their places in memory; torch's own format does not.
        """
        state = vars(self).copy()
        on_device = tuple(self.cuda_dependent_attributes_)
        content = {name: state.pop(name) for name in vars(self) if name.startswith(on_device)}
        if state["module"] is content.get("module_"):
            del state["module"]
        file = io.BytesIO()
        torch.save(content, file, pickle_module=_PickleByValue)
        return {**state, "on_device": file.getvalue()}

    def __setstate__(self, state):
        state = dict(state)
        location = get_map_location(state["device"])
        state["device"] = self._check_device(state["device"], location)
        file = io.BytesIO(state.pop("on_device"))
        content = torch.load(file, map_location=location, weights_only=False)
        state.setdefault("module", content.get("module_"))
        vars(self).update(state | content)

    def on_epoch_begin(self, net, **kwargs):
        super().on_epoch_begin(net, **kwargs)
        if self.fresh_statistics:
            for module in self.module_.modules():
                if hasattr(module, "reset_running_stats"):
                    module.reset_running_stats()
