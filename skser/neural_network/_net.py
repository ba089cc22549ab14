"""skorch net that every estimator trains."""

import contextlib
import copy
import dis
import math

import numpy as np
import scipy.special
import torch
from sklearn.utils import ClassifierTags
from skorch import NeuralNet

from skser._device import autocast
from skser.neural_network._batching import SequenceDataset, bucketed_indices
from skser.neural_network._checkpoint import TrainingCheckpoint
from skser.sequences import as_sequences


class _TrainingStopped(Exception):
    """Signal that a callback such as EarlyStopping has ended the training."""


def _is_raised_by_hand(error):
    """Return whether a `raise` statement raised an exception; Ctrl-C interrupts anywhere else."""
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    instruction = traceback.tb_frame.f_code.co_code[traceback.tb_lasti]
    return dis.opname[instruction] == "RAISE_VARARGS"


class SequenceNet(NeuralNet):
    """skorch's training loop over batches from `BatchIterator`.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Precision of the forward pass. Weights are always float32.
    fresh_statistics : bool
        If True, batch normalization restarts its running statistics in each epoch.
    rate_factors : dict of float
        Factors of the learning rate, by names of weights or by prefixes of names such as
        "audio.".
    n_classes : int or None
        Number of classes. Predictions, which callbacks may score, are codes from 0. None means a
        regressor.
    """

    def __init__(
        self,
        *args,
        precision="float32",
        fresh_statistics=True,
        rate_factors=None,
        n_classes=None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.n_classes = n_classes
        self.precision = precision
        self.fresh_statistics = fresh_statistics
        self.rate_factors = rate_factors or {}

    def infer(self, x, **fit_params):
        with autocast(self.device, self.precision):
            outputs = super().infer(x, **fit_params)
        return outputs.float()

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Return parameter groups with their own learning rate and weight decay."""
        _, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        parameters = dict(self.module_.named_parameters())
        return (self.weight_groups(parameters, kwargs["lr"]),), kwargs

    def weight_groups(self, parameters, rate, scale=1.0):
        """Group parameters for AdamW by weight decay and learning rate.

        Biases and weights of normalization layers, which have one dimension, get no weight decay.

        Parameters
        ----------
        parameters : dict of Parameter
            Parameters by their names in the module. Those without gradient are left out.
        rate : float
            Learning rate.
        scale : float, default=1.0
            Factor of the learning rate of all parameters.

        Returns
        -------
        list of dict
            Parameter groups. "scale" is the factor of `rate`, for learning rate schedules;
            "decays" states whether there is weight decay.
        """
        groups = {(True, 1.0): []}  # torch's optimizers require at least one group
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
                "decays": decays,
                **({} if decays else {"weight_decay": 0.0}),
            }
            for (decays, factor), members in groups.items()
        ]

    def optimizers(self):
        """Return all optimizers of the training."""
        return [self.optimizer_]

    def generators(self):
        """Return the random generators of the training."""
        return [self.generator_]

    def checkpoint(self):
        """Return the callback that stores the state of the training, or None."""
        callbacks = (callback for _, callback in self.callbacks_)
        return next((c for c in callbacks if isinstance(c, TrainingCheckpoint)), None)

    def partial_fit(self, X, y=None, classes=None, **kwargs):
        """Train as skorch does, but pass Ctrl-C to the caller instead of ending silently."""
        self.notify("on_train_begin", X=X, y=y)
        with contextlib.suppress(_TrainingStopped):
            self.fit_loop(X, y, **kwargs)
        self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **kwargs):
        """Notify callbacks, which end a training by raising KeyboardInterrupt after an epoch."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt as error:
            if method_name == "on_epoch_end" and _is_raised_by_hand(error):
                raise _TrainingStopped from None
            raise

    def get_dataset(self, X, y=None):
        """Return X if it is a dataset, or else a dataset of its sequences."""
        if isinstance(X, SequenceDataset):
            return X
        sequences = as_sequences(X)
        return SequenceDataset(sequences, np.zeros(len(sequences), int) if y is None else y)

    @property
    def classes_(self):
        """Codes (n_classes,) of the classes, for skorch's scoring callbacks."""
        if self.n_classes is None:
            raise AttributeError("This net is that of a regressor and has no classes_.")
        return np.arange(self.n_classes)

    def predict_proba(self, X):
        """Predict probabilities (n_utterances, n_classes), or the outputs of a regressor."""
        outputs = super().predict_proba(X)
        # Batches are sorted by length; restore the order of X. A scoring callback replaces
        # forward_iter by cached outputs, which belong to targets in the same order.
        if "forward_iter" not in vars(self):
            lengths = self.get_dataset(X).sequences.lengths
            order = np.concatenate(bucketed_indices(lengths, self.batch_size))
            outputs = outputs[np.argsort(order)]
        return outputs if self.n_classes is None else scipy.special.softmax(outputs, axis=1)

    def predict(self, X):
        """Predict codes (n_utterances,) of the classes, or the outputs of a regressor."""
        outputs = self.predict_proba(X)
        return outputs if self.n_classes is None else outputs.argmax(axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.n_classes is not None:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags

    def snapshot(self):
        """Return a copy of everything that a training changes, for `go_back_to`."""
        return {
            "attributes": vars(self).copy(),
            "states": [copy.deepcopy(part.state_dict()) for part in self._stateful_parts()],
            "history": copy.deepcopy(list(self.history)),
            "training": self.module_.training,
        }

    def go_back_to(self, snapshot):
        """Restore the state of a `snapshot`."""
        vars(self).clear()
        vars(self).update(snapshot["attributes"])
        for part, state in zip(self._stateful_parts(), snapshot["states"], strict=True):
            part.load_state_dict(state)
        self.history[:] = snapshot["history"]
        self.module_.train(snapshot["training"])

    def _stateful_parts(self):
        return [self.module_, self.criterion_, *self.optimizers()]

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        """Train as skorch does, minus the epochs that a checkpoint has completed."""
        if (checkpoint := self.checkpoint()) is not None:
            epochs -= checkpoint.n_done_
        return super().fit_loop(X, y, epochs=epochs, **kwargs)

    def get_iterator(self, dataset, training=False):
        iterator = super().get_iterator(dataset, training=training)
        if training and (checkpoint := self.checkpoint()) is not None:
            checkpoint.begin(self, iterator)
        return iterator

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run an epoch as skorch does, but read losses from the device once, at the end."""
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
