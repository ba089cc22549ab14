"""Attention-based fully convolutional network (Zhang et al., 2018)."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skser._docstrings import insert_descriptions
from skser.neural_network._attention_map import AttentionMap, cell_positions
from skser.neural_network._base import NeuralEstimator
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._parameters import SHARED, extend_signature
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network.modules.fcn import AttentionFCN

_NORMALIZATIONS = ("batch", "local_response", "none")
_DESCRIPTIONS = SHARED | {
    "filters": """\
filters : tuple of int, default=(16, 32, 48, 64)
    Number of output channels of each convolution layer.""",
    "kernel_sizes": """\
kernel_sizes : int or tuple, default=3
    Kernel size of the convolution layers: one for all layers, or a tuple with one entry per
    layer, each a number or a pair (time, bands). `strides`, `pool_sizes` and `pool_strides` have
    the same form.""",
    "strides": """\
strides : int or tuple, default=(2, 1, 1, 1)
    Stride of each convolution layer.""",
    "pool_strides": """\
pool_strides : int, tuple or None, default=None
    Stride of each layer's max pooling. None uses `pool_sizes`.""",
    "normalization": """\
normalization : {"batch", "local_response", "none"} or tuple of these, default="batch"
    Normalization of all layers, or a tuple with one entry per layer.""",
    "n_heads": """\
n_heads : int, default=4
    Number of attention heads. Their pooled vectors are concatenated.""",
    "attention_scale": """\
attention_scale : float, default=1.0
    Factor λ of the attention scores before the softmax: 1 is the ordinary softmax, 0 is mean
    pooling.""",
    "dropout": """\
dropout : float, default=0.3
    Dropout rate on the pooled vector.""",
    "augment": """\
augment : "auto", callable or None, default="auto"
    Augmentation of the training batches, drawn anew in each epoch. "auto" is `SpecAugment()` for
    input of several bands, and None for input of one band.""",
}


class _AttentionFCN(NeuralEstimator):
    """Constructor, architecture and attention maps of the classifier and the regressor."""

    _parameter_constraints = {
        "filters": [tuple, list],
        "kernel_sizes": [Integral, tuple, list],
        "strides": [Integral, tuple, list],
        "pool_sizes": [Integral, tuple, list],
        "pool_strides": [Integral, tuple, list, None],
        "normalization": [str, tuple, list],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "attention_scale": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    @extend_signature(NeuralEstimator.__init__)
    def __init__(
        self,
        filters=(16, 32, 48, 64),
        kernel_sizes=3,
        strides=(2, 1, 1, 1),
        pool_sizes=(1, 2, 2, 2),
        pool_strides=None,
        normalization="batch",
        n_heads=4,
        attention_scale=1.0,
        dropout=0.3,
        *,
        learning_rate=0.01,
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.filters = filters
        self.kernel_sizes = kernel_sizes
        self.strides = strides
        self.pool_sizes = pool_sizes
        self.pool_strides = pool_strides
        self.normalization = normalization
        self.n_heads = n_heads
        self.attention_scale = attention_scale
        self.dropout = dropout

    def _make_module(self, layout, n_outputs):
        n_layers = len(self.filters)
        pool_strides = self.pool_sizes if self.pool_strides is None else self.pool_strides
        normalizations = self.normalization
        if isinstance(normalizations, str):
            normalizations = (normalizations,) * n_layers
        if len(normalizations) != n_layers or not set(normalizations) <= set(_NORMALIZATIONS):
            raise ValueError(
                f"normalization={self.normalization!r} must be one of {_NORMALIZATIONS}, or a "
                f"tuple of {n_layers} of them, one for each layer in filters."
            )

        def pairs(name, value):
            return _per_layer(name, value, n_layers, one_dimensional=layout.n_bands == 1)

        return AttentionFCN(
            n_channels=layout.n_channels,
            n_outputs=n_outputs,
            filters=self.filters,
            kernel_sizes=pairs("kernel_sizes", self.kernel_sizes),
            strides=pairs("strides", self.strides),
            pool_sizes=pairs("pool_sizes", self.pool_sizes),
            pool_strides=pairs("pool_strides", pool_strides),
            normalizations=normalizations,
            n_heads=self.n_heads,
            attention_scale=self.attention_scale,
            dropout=self.dropout,
        )

    def attention(self, X):
        """Compute the attention weights of each utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Utterances.

        Returns
        -------
        list of AttentionMap
            One map per utterance, on the (time, band) grid of the last layer.
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
                # Without a hop, positions are in frames.
                seconds = np.arange(sequences.lengths[i]) * (layout.hop or 1) + layout.offset
                times, time_extents = cell_positions(time_steps, length, seconds)
                frequencies, frequency_extents = cell_positions(band_steps, w.shape[2], bands)
                maps[i] = AttentionMap(
                    w[:, :length], times, time_extents, frequencies, frequency_extents
                )
        return maps


@insert_descriptions(_DESCRIPTIONS)
class AttentionFCNClassifier(SequenceClassifier, _AttentionFCN):
    """Fully convolutional network with attention pooling, for utterances of any length.

    The network convolves over (time, band), or over time alone for input of one band. Attention
    with a scaled softmax pools all cells of the last layer, and a linear classifier follows.

    Parameters
    ----------
    {filters}
    {kernel_sizes}
    {strides}
    pool_sizes : int or tuple, default=(2, 2, 2, 1)
        Size of the max pooling after each layer; 1 means no pooling.
    {pool_strides}
    {normalization}
    {n_heads}
    {attention_scale}
    {dropout}
    {label_smoothing}
    {mixup}
    {class_weight}
    {max_epochs}
    {batch_size}
    learning_rate : float, default=0.003
        Peak learning rate of AdamW.
    {learning_rate_schedule}
    {weight_decay}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {augment}
    {warm_start}
    {callbacks}
    {checkpoint_dir}
    {device}
    {n_threads}
    {precision}
    {compile}
    {verbose}
    {random_state}

    Attributes
    ----------
    {classes_}
    {net_}
    {history_}
    {n_iter_}
    {n_features_in_}

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

    @extend_signature(_AttentionFCN.__init__)
    def __init__(
        self,
        filters=(16, 32, 48, 64),
        kernel_sizes=3,
        strides=(2, 1, 1, 1),
        pool_sizes=(2, 2, 2, 1),
        pool_strides=None,
        normalization="batch",
        n_heads=4,
        attention_scale=1.0,
        dropout=0.3,
        *,
        label_smoothing=0.1,
        mixup=0.0,
        class_weight=None,
        learning_rate=0.003,
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_sizes,
            strides,
            pool_sizes,
            pool_strides,
            normalization,
            n_heads,
            attention_scale,
            dropout,
            learning_rate=learning_rate,
            **kwargs,
        )
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.class_weight = class_weight


@insert_descriptions(_DESCRIPTIONS)
class AttentionFCNRegressor(SequenceRegressor, _AttentionFCN):
    """Fully convolutional network with attention pooling, for continuous targets.

    The architecture is that of `AttentionFCNClassifier`; the loss is the squared error. Targets
    are standardized for training. To predict valence, activation and dominance, pass them as the
    three columns of y.

    Parameters
    ----------
    {filters}
    {kernel_sizes}
    {strides}
    pool_sizes : int or tuple, default=(1, 2, 2, 2)
        Size of the max pooling after each layer; 1 means no pooling.
    {pool_strides}
    {normalization}
    {n_heads}
    {attention_scale}
    {dropout}
    {max_epochs}
    {batch_size}
    learning_rate : float, default=0.01
        Peak learning rate of AdamW.
    {learning_rate_schedule}
    {weight_decay}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {augment}
    {warm_start}
    {callbacks}
    {checkpoint_dir}
    {device}
    {n_threads}
    {precision}
    {compile}
    {verbose}
    {random_state}

    Attributes
    ----------
    {net_}
    {history_}
    {n_iter_}
    {n_features_in_}

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


def _per_layer(name, value, n_layers, *, one_dimensional):
    """Expand a parameter into a pair (time, bands) for each layer."""
    values = [value] * n_layers if isinstance(value, Integral) else list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{name}={value!r} has {len(values)} entries, but filters has {n_layers} layers: give "
            "one number for all layers, or one entry per layer."
        )
    pairs = [(v, v) if isinstance(v, Integral) else tuple(v) for v in values]
    if any(len(pair) != 2 or min(pair) < 1 for pair in pairs):
        raise ValueError(
            f"{name}={value!r} must hold integers of at least 1, or pairs (time, bands) of them."
        )
    # With one band, kernels and strides along bands would only see padding.
    return [(time, 1) for time, _ in pairs] if one_dimensional else pairs
