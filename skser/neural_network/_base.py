"""Base of all networks: input validation, the skorch net, training and outputs."""

import contextlib
import inspect
import os
from abc import abstractmethod
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split

from skser._base import validate_sequences
from skser._device import autocast, resolve_device, torch_threads
from skser._docstrings import insert_descriptions
from skser._wording import counted
from skser.neural_network._augmentation import SpecAugment
from skser.neural_network._batching import (
    BatchIterator,
    SequenceDataset,
    bucketed_indices,
    padded_batch,
)
from skser.neural_network._callbacks import OneCycle, check_that_they_travel, warn_caller
from skser.neural_network._checkpoint import checkpoints_of, training_key
from skser.neural_network._net import SequenceNet
from skser.neural_network._parameters import SHARED, TrainingParameters
from skser.neural_network._state import (
    OF_LOSS,
    OF_TRAINING,
    PostponedOptimizer,
    architecture,
    network_state,
    restore_network,
)
from skser.neural_network._transfer import frozen
from skser.neural_network.modules.layers import as_global, drawing_from
from skser.sequences import Layout, Sequences

MAX_SEED = 2**31 - 1
# Minimum number of values in a prediction batch of a 2-D array.
_FLAT_VALUES = 2**10


class NeuralEstimator(TrainingParameters):
    """Base class of estimators that build and train a skorch net in `fit`.

    A subclass lists its parameters, implements `_make_module`, and also derives from
    `SequenceClassifier` or `SequenceRegressor`.
    """

    _parameter_constraints = {
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"one-cycle", "constant"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions({"auto"}), callable, None],
        "warm_start": ["boolean"],
        "callbacks": ["array-like"],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "compile": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }
    # Parameters on which the layers do not depend.
    TRAINING_PARAMETERS = frozenset(_parameter_constraints)
    # False if only the number of columns matters, not how they are arranged in channels.
    _channels_matter = True
    _n_classes = None
    # Source of the initial weights, set by `transferring`.
    _transfer = None

    @abstractmethod
    def _make_module(self, layout, n_outputs):
        """Build the torch module; its weights are drawn from torch's global generator."""

    @abstractmethod
    def _encode_targets(self, y, *, reset, classes=None):
        """Check y and return the array that the criterion takes."""

    @abstractmethod
    def _make_criterion(self, targets):
        """Build the loss, a torch module."""

    def _make_net(self, module, **settings):
        """Build the skorch net that trains the module."""
        return SequenceNet(module, **settings)

    def _make_mixup(self):
        """Return the callable that mixes training batches, or None."""
        return None

    def _rate_factors(self):
        """Return factors of the learning rate, by prefix of weight names, such as "audio."."""
        return {}

    def _check_input(self, X, *, reset):
        """Check X and return it as `Sequences`."""
        sequences = validate_sequences(self, X, reset=reset)
        if reset or not self._channels_matter:
            return sequences
        fitted, given = self._layout, sequences.layout
        if given.n_channels == fitted.n_channels:
            return sequences
        if given == Layout.unnamed(sequences.n_columns):  # plain arrays have no channels
            return Sequences(sequences.values, sequences.lengths, sequences.starts, fitted)
        raise ValueError(
            f"X has {counted(given.n_channels, 'channel')} of {given.n_bands} bands, but "
            f"{type(self).__name__} was fitted on {counted(fitted.n_channels, 'channel')} of "
            f"{fitted.n_bands} bands."
        )

    def _training_batches(self, augment):
        """Return a callable that makes batches from a dataset and a batch size."""
        return partial(
            BatchIterator,
            seed=self._random.randint(MAX_SEED),
            augment=augment,
            device=self.net_.device,
            mixup=self._make_mixup(),
        )

    @insert_descriptions(SHARED)
    def fit(self, X, y, *, groups=None):
        """Train from new weights, or from the current ones if `warm_start` is True.

        Parameters
        ----------
        {X}
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
            Targets of each utterance.
        {groups}

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit(X, y, groups)

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X, y, groups, soft_targets=None):
        with self._as_before_on_failure(in_place=self.warm_start):
            goes_on = self.warm_start and hasattr(self, "net_")
            sequences, targets = self._validate(X, y, reset=not goes_on)
            if groups is not None:
                groups = column_or_1d(groups)
                check_consistent_length(sequences, groups)
            dataset = SequenceDataset(sequences, targets)
            if soft_targets is not None:
                dataset.targets = self._check_soft_targets(soft_targets, targets)
            checkpoints = {}
            if self.checkpoint_dir is not None:
                key = training_key(self, sequences, targets, groups, soft_targets)
                checkpoints = checkpoints_of(self.checkpoint_dir, key)
            train, valid = self._split(dataset, targets, groups)
            transferred = () if goes_on else self._initialize(sequences, targets)
            if goes_on:
                self._take_parameters(targets, with_loss=True)
            if transferred and self._transfer.strategy == "two-stage":
                with frozen(self.net_.module_, transferred):
                    self._new_optimizer()
                    head_epochs = self._transfer.head_epochs
                    self._train(train, valid, head_epochs, checkpoints.get("head"))
            self._new_optimizer()
            self._train(train, valid, self.max_epochs, checkpoints.get("all"))
            # The optimizer's state is not part of a fitted model: partial_fit starts afresh.
            self._new_optimizer()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, y, classes=None):
        with self._as_before_on_failure(in_place=True):
            first = not hasattr(self, "net_")
            sequences, targets = self._validate(X, y, reset=first, classes=classes)
            if first:
                self._initialize(sequences, targets)
                self._new_optimizer()
            else:
                self._take_parameters(targets)
                self._change_rates()
            dataset = SequenceDataset(sequences, targets)
            self._train(dataset, None, 1, in_part=True)
        return self

    def _take_parameters(self, targets, with_loss=False):
        """Let a fitted network be trained on with the present parameters.

        The loss, which may depend on all targets of a fit, stays if its parameters have not
        changed, unless `with_loss` is True.
        """
        net, now = self.net_, architecture(self)
        changed = {k for k, v in now.items() if repr(v) != repr(net.made_with.get(k, v))}
        for name in sorted(changed - OF_TRAINING):
            raise ValueError(
                f"{name}={now[name]!r} cannot change a fitted network, which was built with "
                f"{net.made_with[name]!r}. Set it back, or fit anew (without warm_start)."
            )
        if with_loss or changed & OF_LOSS:
            net.criterion_ = self._make_criterion(targets).to(net.device)
        net.made_with, net.precision = now, self.precision

    def _change_rates(self):
        """Give the optimizers the present learning rate and weight decay; moments stay."""
        self._set_training()
        for optimizer in self.net_.optimizers():
            for group in optimizer.param_groups:
                group["lr"] = group["scale"] * self.learning_rate
                if group["decays"]:
                    group["weight_decay"] = self.weight_decay

    @contextlib.contextmanager
    def _as_before_on_failure(self, in_place):
        """Restore a fitted model exactly if the training within this context fails or is stopped.

        `in_place` means that the training changes the current net instead of building a new one.
        """
        before = vars(self).copy()
        if in_place := in_place and hasattr(self, "net_"):
            net, random = self.net_.snapshot(), self._random.get_state()
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            if in_place:
                self.net_.go_back_to(net)
                self._random.set_state(random)
            raise

    def _validate(self, X, y, *, reset, classes=None):
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, "
                "but the target y is None."
            )
        sequences = self._check_input(X, reset=reset)
        targets = self._encode_targets(y, reset=reset, classes=classes)
        check_consistent_length(sequences, targets)
        return sequences, targets

    def _split(self, dataset, strata, groups):
        if not self.early_stopping:
            return dataset, None
        if groups is None:
            warn_caller(
                "early_stopping without groups may put utterances of one speaker into both "
                "training and validation; pass the speakers to fit as groups."
            )
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        splitter = self._validation_splitter(strata, groups, seed)
        splits = splitter.split(np.zeros(len(strata)), strata, groups)
        rows = next((pair for pair in splits if self._can_learn_from(strata, pair[0])), None)
        if rows is None:
            raise ValueError(
                "early_stopping holds out whole speakers, but whichever it holds out, a class is "
                "left without utterances for training. Give utterances of more speakers, or switch "
                "early_stopping off."
            )
        return tuple(SequenceDataset(dataset.sequences[i], dataset.targets[i]) for i in rows)

    def _can_learn_from(self, strata, rows):
        """Return whether some rows hold all that is to be learned."""
        return True

    def _initialize(self, sequences, targets):
        """Build the net and return the names of the weights that were transferred to it."""
        self._random = check_random_state(self.random_state)
        self._layout = sequences.layout
        seed = self._random.randint(MAX_SEED)
        with as_global(torch.Generator().manual_seed(seed)):
            module = self._make_module(self._layout, self._n_outputs)
        module.to(memory_format=torch.channels_last)
        transferred, rate_factors = set(), {}
        if self._transfer is not None:
            self._transfer.warn_of_other_input(self._layout)
            transferred = self._transfer.copy_weights(module, getattr(self, "classes_", None))
            rate_factors = dict.fromkeys(transferred, self._transfer.lr_multiplier)
        if self.compile:
            module.compile()  # in place, so that names of weights and pickles do not change
        rate_factors |= self._rate_factors()
        self.net_ = self._net_around(module, self._make_criterion(targets), rate_factors)
        self.net_.made_with = architecture(self)
        return transferred

    def _net_around(self, module, criterion, rate_factors, optimizer=torch.optim.AdamW):
        """Return an initialized skorch net of a module, on the device."""
        device = resolve_device(self.device)
        return self._make_net(
            module,
            criterion=criterion,
            optimizer=optimizer,
            optimizer__fused=torch.device(device).type in ("cpu", "cuda"),
            device=device,
            precision=self.precision,
            n_classes=self._n_classes,
            rate_factors=rate_factors,
            verbose=int(self.verbose),
        ).initialize()

    def _train(self, train, valid, epochs, checkpoint=None, in_part=False):
        net = self.net_
        augment = self.augment
        if isinstance(augment, str):
            augment = self._auto_augment(train.sequences.layout)
        net.train_split = None if valid is None else predefined_split(valid)
        net.fresh_statistics = not in_part
        net.batch_size = self.batch_size
        net.iterator_train = self._training_batches(augment)
        net.iterator_valid = partial(BatchIterator, device=net.device)
        n_steps = epochs * len(BatchIterator(train, self.batch_size))
        one_cycle = self.learning_rate_schedule == "one-cycle" and not in_part
        net.callbacks = [
            *self._own_callbacks(),
            *([OneCycle(self.learning_rate, n_steps)] if one_cycle else []),
            *_early_stopping(valid, self.n_iter_no_change),
            *self.callbacks,
            *([] if checkpoint is None else [checkpoint]),
        ]
        net.initialize_callbacks()
        net.generator_ = torch.Generator(net.device).manual_seed(self._random.randint(MAX_SEED))
        if isinstance(net.optimizer_, PostponedOptimizer):
            net.initialize_optimizer()
        with torch_threads(self.n_threads), drawing_from(net.generator_, net.module_):
            net.partial_fit(train, epochs=epochs)
        if not all(values.isfinite().all() for values in net.module_.state_dict().values()):
            raise ValueError(
                f"Training diverged: after {counted(len(net.history), 'epoch')}, weights are "
                "infinite or NaN. Lower learning_rate, or scale the input (SequenceScaler)."
            )
        del net.generator_  # not part of a fitted model
        self.history_ = net.history
        self.n_iter_ = len(net.history)

    def _auto_augment(self, layout):
        """Return the augmentation that ``augment="auto"`` stands for."""
        return SpecAugment() if layout.n_bands > 1 else None

    def _set_training(self):
        """Give the net the parameters of its training."""
        self.net_.lr = self.learning_rate
        self.net_.optimizer__weight_decay = self.weight_decay

    def _new_optimizer(self):
        self._set_training()
        self.net_.initialize_optimizer()

    def _outputs(self, X, compute=None):
        """Compute the module's outputs as float64 rows, one per utterance, in the order of X.

        `compute`, if given, is called with each batch instead of the module.
        """
        if not hasattr(self, "net_"):  # scikit-learn's check takes a tenth of a short prediction
            check_is_fitted(self)
        sequences = self._check_input(X, reset=False)
        outputs = None
        for indices, batch in self._batches(sequences):
            part = (compute or self.net_.module_)(**batch).float().cpu().numpy()[: len(indices)]
            if outputs is None:
                outputs = np.empty((len(sequences), *part.shape[1:]))
            outputs[indices] = part
        return outputs

    def _batches(self, sequences):
        """Iterate over indices and padded inputs on the device, in torch's inference mode."""
        net = self.net_
        if net.module_.training:
            net.module_.eval()
        with (
            torch_threads(self.n_threads),
            torch.inference_mode(),
            contextlib.nullcontext()
            if self.precision == "float32"
            else autocast(net.device, self.precision),
        ):
            order, batch_size = [np.zeros(1, int)], self.batch_size
            if self._fitted_on_flat:
                # Matrix products round differently for other numbers of rows. Batches of a 2-D
                # array, which are cheap, all have the same size, so that the output of a row
                # does not depend on the other rows.
                batch_size = max(batch_size, _FLAT_VALUES // max(1, int(sequences.lengths[0])))
            if len(sequences) > 1:
                order = bucketed_indices(sequences.lengths, batch_size)
            for indices in order:
                rows = np.resize(indices, batch_size) if self._fitted_on_flat else indices
                batch = padded_batch(sequences, rows)
                yield indices, {name: t.to(net.device) for name, t in batch.items()}

    def __getstate__(self):
        """Return arrays and plain values, which every way of storing objects takes."""
        check_that_they_travel(self.callbacks, type(self).__name__)
        state = dict(super().__getstate__())
        if "net_" in state:
            del state["net_"], state["history_"]
            state["_network"] = network_state(self)
        return state

    def __setstate__(self, state):
        state = dict(state)
        network = state.pop("_network", None)
        super().__setstate__(state)
        # Parameters that did not exist yet when the pickle was written.
        for name, parameter in inspect.signature(type(self)).parameters.items():
            vars(self).setdefault(name, parameter.default)
        if network is not None:
            restore_network(self, network)

    def __sklearn_clone__(self):
        # Clones share callbacks: one that holds an open file cannot be copied.
        stand_in = object.__new__(type(self))
        vars(stand_in).update(vars(self), callbacks=())
        copy = super(NeuralEstimator, stand_in).__sklearn_clone__()
        copy.callbacks = self.callbacks
        return copy

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def n_group_folds(groups, validation_fraction):
    """Return the number of folds so that one holds about `validation_fraction` of the groups."""
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"early_stopping with groups needs at least 2 groups, but groups has {n_groups}."
        )
    return min(n_groups, max(2, round(1 / validation_fraction)))


def _early_stopping(valid, patience):
    return [] if valid is None else [EarlyStopping(patience=patience, sink=_silent, load_best=True)]


def _silent(message):
    """Discard a message of EarlyStopping; n_iter_ and history_ hold the same information."""
