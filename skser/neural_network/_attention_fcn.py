"""Attention-based fully convolutional network (Zhang et al., 2018)."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skser.neural_network._attention_map import AttentionMap, cell_positions
from skser.neural_network._base import NeuralEstimator
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network.modules.fcn import AttentionFCN
from skser.sequences import Layout, Sequences

_NORMALIZATIONS = ("batch", "local_response", "none")


class _AttentionFCN(NeuralEstimator):
    """Architecture and attention, for the classifier and the regressor."""

    _parameter_constraints = {
        "filters": [tuple, list],
        "kernel_size": [Integral, tuple, list],
        "strides": [Integral, tuple, list],
        "pool_size": [Integral, tuple, list],
        "pool_strides": [Integral, tuple, list, None],
        "normalization": [str, tuple, list],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def _check_input(self, X, *, reset):
        sequences = super()._check_input(X, reset=reset)
        fitted, given = getattr(self, "_layout", None), sequences.layout
        if reset or fitted is None or given.n_channels == fitted.n_channels:
            return sequences
        if given == Layout.unnamed(sequences.n_columns):  # plain arrays say nothing of channels
            return Sequences(sequences.values, sequences.lengths, sequences.starts, fitted)
        raise ValueError(
            f"{type(self).__name__} was fitted on {fitted.n_channels} channels of {fitted.n_bands} "
            f"bands and is now given {given.n_channels} of {given.n_bands}."
        )

    def _make_module(self, layout, n_outputs):
        n_layers = len(self.filters)
        pool_strides = self.pool_size if self.pool_strides is None else self.pool_strides
        normalizations = self.normalization
        if isinstance(normalizations, str):
            normalizations = (normalizations,) * n_layers
        if len(normalizations) != n_layers or not set(normalizations) <= set(_NORMALIZATIONS):
            raise ValueError(
                f"normalization={self.normalization!r} must be one of {_NORMALIZATIONS}, "
                f"or one for each of the {n_layers} layers of filters."
            )

        def pairs(name, value):
            return _per_layer(name, value, n_layers, one_dimensional=layout.n_bands == 1)

        return AttentionFCN(
            n_channels=layout.n_channels,
            n_outputs=n_outputs,
            filters=self.filters,
            kernel_sizes=pairs("kernel_size", self.kernel_size),
            strides=pairs("strides", self.strides),
            pool_sizes=pairs("pool_size", self.pool_size),
            pool_strides=pairs("pool_strides", pool_strides),
            normalizations=normalizations,
            n_heads=self.n_heads,
            temperature=self.temperature,
            dropout=self.dropout,
        )

    def attention(self, X):
        """Where the network looks.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array

        Returns
        -------
        list of AttentionMap
            One per utterance, on the (time, band) grid of the last layer.
        """
        check_is_fitted(self)
        sequences = self._check_input(X, reset=False)
        module = self.net_.module_
        time_steps, band_steps = module.steps()
        layout = sequences.layout
        bands = np.arange(layout.n_bands) if layout.frequencies is None else layout.frequencies
        maps = [None] * len(sequences)
        for indices, batch in self._batches(sequences):
            weights, lengths = module.attention(**batch)
            weights = weights.float().cpu().numpy().astype(np.float64)
            for i, w, length in zip(indices, weights, lengths.tolist(), strict=False):
                seconds = np.arange(sequences.lengths[i]) * (layout.hop or 1) + layout.offset
                times, time_extents = cell_positions(time_steps, length, seconds)
                frequencies, frequency_extents = cell_positions(band_steps, w.shape[2], bands)
                maps[i] = AttentionMap(
                    w[:, :length], times, time_extents, frequencies, frequency_extents
                )
        return maps


class AttentionFCNClassifier(SequenceClassifier, _AttentionFCN):
    """Fully convolutional network with attention pooling, for utterances of any length.

    Convolutions over (time, band), or over time alone for input of one band; a scaled
    softmax over every cell of the last layer; a linear classifier on the pooled vectors.

    Parameters
    ----------
    filters : tuple of int, default=(16, 32, 48, 64)
        Channels of each convolution layer.
    kernel_size : int or tuple, default=3
        Of the convolutions: one number, or one per layer, each a number or a pair
        (time, bands). So for `strides`, `pool_size` and `pool_strides`.
    strides : int or tuple, default=(2, 1, 1, 1)
        Of the convolutions.
    pool_size : int or tuple, default=(2, 2, 2, 1)
        Maximum pooling behind each layer; 1 means none.
    pool_strides : int, tuple or None, default=None
        None means those of `pool_size`.
    normalization : {"batch", "local_response", "none"} or tuple of these, default="batch"
        Of each layer.
    n_heads : int, default=4
        Attention heads; their pooled vectors are concatenated.
    temperature : float, default=1.0
        Factor λ of the attention scores: 1 is the ordinary softmax, 0 is mean pooling.
    dropout : float, default=0.3
        Share of the pooled vector dropped in training.
    label_smoothing : float, default=0.1
        Share of each target spread over all classes.
    mixup : float, default=0.0
        Parameter α of Beta(α, α), from which the shares are drawn when each utterance of a
        training batch, and its target, is mixed with another one's (Zhang, Cisse et al.,
        2018); 0 mixes nothing.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    max_epochs : int, default=50
        Epochs of `fit`.
    batch_size : int, default=16
        Utterances per update at most, and per batch in prediction.
    learning_rate : float, default=0.003
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out utterances in `fit`, stop when their loss no longer falls, and
        keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, stratified by class, and by speaker where `groups` are given.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : "auto", callable or None, default="auto"
        Applied to training batches, afresh each epoch; "auto" is `SpecAugment()` for input
        of several bands and nothing for one.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run the network through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        Weights, order of batches, dropout, augmentation, mixup and validation split.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
    history_ : skorch.history.History
        Losses and times per epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns.

    References
    ----------
    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA. arXiv:1806.01506.

    Zhang, H., Cisse, M., Dauphin, Y. N. and Lopez-Paz, D. (2018). mixup: Beyond Empirical
    Risk Minimization. ICLR. arXiv:1710.09412.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> X = MelSpectrogram(input_sampling_rate=corpus.sampling_rate).transform(corpus.data)
    >>> model = AttentionFCNClassifier(max_epochs=10, device="cpu", random_state=0)
    >>> model.fit(X, corpus.target).predict_proba(X).shape
    (10, 5)
    >>> model.attention(X[:1])[0].weights.sum(axis=(1, 2)).round(5)
    array([1., 1., 1., 1.])
    """

    _parameter_constraints = {
        **SequenceClassifier._parameter_constraints,
        **_AttentionFCN._parameter_constraints,
    }

    def __init__(
        self,
        filters=(16, 32, 48, 64),
        kernel_size=3,
        strides=(2, 1, 1, 1),
        pool_size=(2, 2, 2, 1),
        pool_strides=None,
        normalization="batch",
        n_heads=4,
        temperature=1.0,
        dropout=0.3,
        *,
        label_smoothing=0.1,
        mixup=0.0,
        class_weight=None,
        max_epochs=50,
        batch_size=16,
        learning_rate=0.003,
        learning_rate_schedule="one-cycle",
        weight_decay=0.01,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        augment="auto",
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
        warm_start=False,
        callbacks=(),
        checkpoint_dir=None,
        device="auto",
        n_threads=None,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=None,
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.pool_size = pool_size
        self.pool_strides = pool_strides
        self.normalization = normalization
        self.n_heads = n_heads
        self.temperature = temperature
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state


class AttentionFCNRegressor(SequenceRegressor, _AttentionFCN):
    """Fully convolutional network with attention pooling, for continuous targets.

    The network of `AttentionFCNClassifier` with linear outputs and squared error; targets
    are standardised for training. Valence, activation and dominance are a y of 3 columns.

    Parameters
    ----------
    filters : tuple of int, default=(16, 32, 48, 64)
        Channels of each convolution layer.
    kernel_size : int or tuple, default=3
        Of the convolutions: one number, or one per layer, each a number or a pair
        (time, bands). So for `strides`, `pool_size` and `pool_strides`.
    strides : int or tuple, default=(2, 1, 1, 1)
        Of the convolutions.
    pool_size : int or tuple, default=(1, 2, 2, 2)
        Maximum pooling behind each layer; 1 means none.
    pool_strides : int, tuple or None, default=None
        None means those of `pool_size`.
    normalization : {"batch", "local_response", "none"} or tuple of these, default="batch"
        Of each layer.
    n_heads : int, default=4
        Attention heads; their pooled vectors are concatenated.
    temperature : float, default=1.0
        Factor λ of the attention scores: 1 is the ordinary softmax, 0 is mean pooling.
    dropout : float, default=0.3
        Share of the pooled vector dropped in training.
    max_epochs : int, default=50
        Epochs of `fit`.
    batch_size : int, default=16
        Utterances per update at most, and per batch in prediction.
    learning_rate : float, default=0.01
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out utterances in `fit`, stop when their loss no longer falls, and
        keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, whole speakers where `groups` are given.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : "auto", callable or None, default="auto"
        Applied to training batches, afresh each epoch; "auto" is `SpecAugment()` for input
        of several bands and nothing for one.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run the network through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        Weights, order of batches, dropout, augmentation and validation split.

    Attributes
    ----------
    net_ : skorch.NeuralNet
    history_ : skorch.history.History
        Losses and times per epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns.

    References
    ----------
    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA. arXiv:1806.01506.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.neural_network import AttentionFCNRegressor
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> X = MelSpectrogram(input_sampling_rate=corpus.sampling_rate).transform(corpus.data)
    >>> y = corpus.frame[["valence", "activation", "dominance"]]
    >>> AttentionFCNRegressor(max_epochs=2, device="cpu").fit(X, y).predict(X).shape
    (10, 3)
    """

    _parameter_constraints = {
        **SequenceRegressor._parameter_constraints,
        **_AttentionFCN._parameter_constraints,
    }

    def __init__(
        self,
        filters=(16, 32, 48, 64),
        kernel_size=3,
        strides=(2, 1, 1, 1),
        pool_size=(1, 2, 2, 2),
        pool_strides=None,
        normalization="batch",
        n_heads=4,
        temperature=1.0,
        dropout=0.3,
        *,
        max_epochs=50,
        batch_size=16,
        learning_rate=0.01,
        learning_rate_schedule="one-cycle",
        weight_decay=0.01,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        augment="auto",
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
        warm_start=False,
        callbacks=(),
        checkpoint_dir=None,
        device="auto",
        n_threads=None,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=None,
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.pool_size = pool_size
        self.pool_strides = pool_strides
        self.normalization = normalization
        self.n_heads = n_heads
        self.temperature = temperature
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state


def _per_layer(name, value, n_layers, *, one_dimensional):
    """Expand a parameter into a pair (time, bands) for each layer."""
    values = [value] * n_layers if isinstance(value, Integral) else list(value)
    if len(values) != n_layers:
        raise ValueError(f"{name}={value!r} has {len(values)} layers, filters has {n_layers}.")
    pairs = [(v, v) if isinstance(v, Integral) else tuple(v) for v in values]
    if any(len(pair) != 2 or min(pair) < 1 for pair in pairs):
        raise ValueError(f"{name}={value!r} must hold numbers of at least 1, or pairs of them.")
    return [(time, 1) for time, _ in pairs] if one_dimensional else pairs
