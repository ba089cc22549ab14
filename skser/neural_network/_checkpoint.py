"""Checkpoints: the state of a training, stored after each epoch to resume after interruptions."""

import hashlib
import inspect
import io
import os
import time
import warnings
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from skorch.history import History

import skser
from skser._fingerprint import digest
from skser._whole_file import parts_of, whole_file
from skser.neural_network._bimodal import Bimodal

# Parameters that do not influence the trained weights.
_WITHOUT_EFFECT = {"checkpoint_dir", "verbose"}
# Callbacks of skorch that carry no state from one epoch to the next.
_STATELESS = {"epoch_timer", "train_loss", "valid_loss", "print_log"}


def training_key(estimator, sequences, *others):
    """Hash everything that a fit depends on: parameters, data, initial weights and versions.

    Parameters
    ----------
    estimator : NeuralEstimator
        Estimator to fit.
    sequences : Sequences or Bimodal
        Utterances to fit it on.
    *others : ndarray or None
        Targets, groups and soft targets.

    Returns
    -------
    str
        Hexadecimal digest.

    Raises
    ------
    ValueError
        If ``random_state`` is not an int.
    """
    name = type(estimator).__name__
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            f"checkpoint_dir needs random_state to be an int, so that a resumed fit of {name} "
            f"gives the same result; it is {estimator.random_state!r}."
        )
    # Clones: whether a transformer is already fitted must not change the key.
    parameters = {
        key: clone(value) if hasattr(value, "fit") else value
        for key, value in estimator.get_params(deep=False).items()
        if key not in _WITHOUT_EFFECT
    }
    transfer, plan, sources = estimator._transfer, None, []
    if transfer is not None:
        plan = (transfer.strategy, transfer.head_epochs, transfer.lr_multiplier)
        sources.append(transfer.source)
    if estimator.warm_start:
        sources.append(estimator)
    weights = [
        (model.net_.module_.state_dict(), getattr(model, "classes_", None))
        for model in sources
        if hasattr(model, "net_")
    ]
    versions = (skser.__version__, torch.__version__)
    blocks = [sequences.frames, sequences.words] if isinstance(sequences, Bimodal) else [sequences]
    content = [(block.layout, block.lengths, _digest_of_frames(block)) for block in blocks]
    classes = getattr(estimator, "classes_", None)  # those of the source decide what is copied
    return digest((name, parameters, plan, weights, versions, content, classes, others))


def _digest_of_frames(sequences):
    """Hash the frames of each utterance in turn.

    The block itself may be memory-mapped, and may hold other utterances too.
    """
    found = hashlib.sha256()
    for frames in sequences:
        found.update(np.ascontiguousarray(frames))
    return found.hexdigest()


class TrainingCheckpoint(Callback):
    """Callback that writes the whole state of a training after each epoch, and resumes from it.

    It must come after the user's callbacks. The state consists of weights, optimizers, random
    generators, the position in the order of batches, the history, and the attributes of the other
    callbacks (numbers, text, arrays, tensors, and objects with a ``state_dict``).

    Parameters
    ----------
    path : path-like
        File that stores the state.
    """

    def __init__(self, path):
        self.path = os.fspath(path)  # a Path pickled on one system may not load on another

    def on_train_begin(self, net, **kwargs):
        self.n_done_ = 0
        self.iterator_ = self.waiting_ = None
        _remove_old_parts(Path(self.path))
        if not os.path.exists(self.path):
            return
        try:
            # weights_only: loading a checkpoint must not execute code.
            state = torch.load(self.path, map_location=net.device, weights_only=True)
            self._restore(net, state)
        except Exception as error:  # a forged file can make torch raise any error
            raise ValueError(
                f"The checkpoint {self.path} is damaged; delete it to train from the beginning."
            ) from error

    def _restore(self, net, state):
        """Set the network, its optimizers and callbacks to a state."""
        net.module_.load_state_dict(state["module"])
        for optimizer, found in zip(net.optimizers(), state["optimizers"], strict=True):
            _check_moments(optimizer, found)
            optimizer.load_state_dict(found)
        for callback, found in zip(_stateful(net), state["callbacks"], strict=True):
            _restore(callback, found)
        net.history = History(state["history"])
        self.n_done_ = state["n_done"]
        if state["random"].keys() != {"iterator", "generators"}:
            raise KeyError("random")
        self.waiting_ = state["random"]

    def begin(self, net, iterator):
        """Restore the random generators, once the iterator over batches exists."""
        self.iterator_ = iterator
        if self.waiting_ is None:
            return
        state, self.waiting_ = self.waiting_, None
        iterator.set_state(state["iterator"])
        for generator, found in zip(net.generators(), state["generators"], strict=True):
            generator.set_state(found.cpu())

    def on_epoch_end(self, net, **kwargs):
        self.n_done_ += 1
        state = {
            "n_done": self.n_done_,
            "module": net.module_.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in net.optimizers()],
            "callbacks": [_state(callback) for callback in _stateful(net)],
            "history": _plain(list(net.history)),
            "random": {
                "iterator": self.iterator_.state(),
                "generators": [generator.get_state() for generator in net.generators()],
            },
        }
        content = io.BytesIO()
        torch.save(state, content)
        _write(Path(self.path), content.getbuffer())

    def on_train_end(self, net, **kwargs):
        self.iterator_ = self.waiting_ = None  # not part of a fitted model


def _check_moments(optimizer, state):
    """Raise ValueError if moments do not have their weights' shapes, which fused steps trust."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for place, values in state["state"].items():
        for name, value in values.items():
            if value.shape != (() if name == "step" else parameters[place].shape):
                raise ValueError(f"{name} has shape {tuple(value.shape)}")


def _stateful(net):
    return [
        callback
        for name, callback in net.callbacks_
        if name not in _STATELESS and not isinstance(callback, TrainingCheckpoint)
    ]


def _state(callback):
    """Return a callback's attributes: plain values, arrays, and states of its objects."""
    state = {"values": {}, "arrays": {}, "objects": {}}
    parameters = inspect.signature(type(callback)).parameters
    for name, value in vars(callback).items():
        if isinstance(value, type):
            continue
        if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
            found = value.state_dict()
            if not _is_plain(found):
                raise TypeError(
                    f"checkpoint_dir cannot store the state of {type(callback).__name__}.{name}: "
                    "its state_dict may hold only numbers, text and tensors. Remove the callback, "
                    "or set checkpoint_dir=None."
                )
            state["objects"][name] = _plain(found)
        elif isinstance(value, np.ndarray) and value.dtype.kind in "bif":
            state["arrays"][name] = torch.from_numpy(value.copy())
        elif _is_plain(value):
            state["values"][name] = _plain(value)
        elif name not in parameters:
            warnings.warn(
                f"checkpoint_dir does not store {type(callback).__name__}.{name}, of type "
                f"{type(value).__name__}: a resumed training starts without its value.",
                stacklevel=2,
            )
    return state


def _restore(callback, state):
    vars(callback).update(state["values"])
    vars(callback).update({name: found.numpy() for name, found in state["arrays"].items()})
    for name, found in state["objects"].items():
        getattr(callback, name).load_state_dict(found)


def _is_plain(value):
    if isinstance(value, dict):
        return all(_is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(_is_plain(part) for part in value)
    return isinstance(value, str | int | float | None | np.generic | torch.Tensor)


def _plain(value):
    """Convert numpy's numbers to Python's, as ``torch.load(weights_only=True)`` rejects them."""
    if isinstance(value, dict):
        return type(value)((_plain(key), _plain(part)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


def _write(path, content):
    """Write the state of an epoch over that of the previous one, atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise OSError(
            f"The checkpoint {path} could not be written: {error.strerror or error}. The state of "
            "the previous epoch, if any, is still there."
        ) from error


def _remove_old_parts(path):
    """Remove unfinished files of killed processes that are older than an hour."""
    for part in parts_of(path):
        if time.time() - part.stat().st_mtime > 3600:
            part.unlink(missing_ok=True)


def checkpoints_of(folder, key):
    """Create a checkpoint callback for each stage of a training: the head, and all weights."""
    return {
        stage: TrainingCheckpoint(Path(folder, f"{key[:32]}-{stage}.pt"))
        for stage in ("head", "all")
    }
