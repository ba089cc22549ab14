"""Callbacks of every training: learning rate schedule, warnings and pickling check."""

import io
import math
import pickle
import sys
import types
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

# Packages whose frames lie between the user's call and a warning.
_BETWEEN = {"skser", "sklearn", "skorch", "torch", "joblib", "contextlib"}


def warn_caller(message, category=UserWarning):
    """Issue a warning that points to the line that called into this package.

    Parameters
    ----------
    message : str
        Text of the warning.
    category : type of Warning, default=UserWarning
        Class of the warning.
    """
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class OneCycle(Callback):
    """Callback that raises the learning rate to a peak and lowers it again, along half cosines.

    The "scale" of a parameter group multiplies its rate.

    Parameters
    ----------
    peak : float
        Peak learning rate.
    n_steps : int
        Number of updates of the whole training.
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


class FreshSequences(Callback):
    """Callback that replaces the training utterances at the beginning of each epoch.

    Parameters
    ----------
    sequences_of : callable
        Function of the epoch, counted from 1, that returns the `Sequences` of all training
        utterances in the same order. Their lengths may change.
    """

    def __init__(self, sequences_of):
        self.sequences_of = sequences_of

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        dataset_train.sequences = self.sequences_of(len(net.history))

    def on_train_end(self, net, **kwargs):
        self.sequences_of = None  # a fitted network need not hold the training utterances


class WarnOfSingleClass(Callback):
    """Callback that warns if the last training epoch predicted one class for all utterances."""

    def __init__(self, classes):
        self.classes = classes

    def on_epoch_begin(self, net, **kwargs):
        self.counts_ = torch.zeros(len(self.classes), dtype=torch.int64, device=net.device)

    def on_batch_end(self, net, training, y_pred=None, **kwargs):
        if training:
            predicted = y_pred.detach().argmax(dim=1)
            self.counts_.scatter_add_(0, predicted, torch.ones_like(predicted))

    def on_train_end(self, net, **kwargs):
        counts = self.counts_.tolist()
        del self.counts_  # not part of a fitted model
        if sum(count > 0 for count in counts) == 1:
            warn_caller(
                "In its last epoch the network predicted "
                f"{str(self.classes[np.argmax(counts)])!r} "
                "for every training utterance. Try more epochs, another learning rate, scaled "
                "input or class_weight='balanced'.",
                ConvergenceWarning,
            )


class _Probe(pickle.Pickler):
    """Pickler that skips classes and functions, which cloudpickle can send to other processes."""

    def persistent_id(self, thing):
        return "elsewhere" if isinstance(thing, type | types.FunctionType) else None


def check_that_they_travel(callbacks, name):
    """Raise if a callback cannot be pickled, and thus not be sent to another process.

    Parameters
    ----------
    callbacks : sequence of skorch callbacks
        Callbacks to check.
    name : str
        Name of the estimator, for the message.

    Raises
    ------
    TypeError
        If a callback cannot be pickled. The message names the first one.
    """
    for i, callback in enumerate(callbacks):
        try:
            _Probe(io.BytesIO()).dump(callback)
        except Exception as error:  # __reduce__ of any object may raise anything
            raise TypeError(
                f"callbacks[{i}] of {name}, a {type(callback).__name__}, cannot be pickled "
                f"({error}). Use a single process (n_jobs=None), and set callbacks=() before "
                "saving the model."
            ) from error
