"""Networks on spectrograms: published ones, and this package's own."""

from skser._docstrings import insert_descriptions
from skser.feature_extraction import LevelContour, MelSpectrogram, Spectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.pipelines._parts import (
    DESCRIPTIONS,
    FROM_SCRATCH,
    in_conditions,
    n_epochs,
    with_scaler,
)


def _published_network(**settings):
    """Build an attention FCN without the additions that this package makes by default."""
    return AttentionFCNClassifier(
        dropout=0.0,
        label_smoothing=0.0,
        learning_rate_schedule="constant",
        weight_decay=0.0,
        class_weight=None,
        augment=None,
        **settings,
    )


@insert_descriptions(DESCRIPTIONS)
def attention_fcn(
    *,
    max_epochs=None,
    conditions=False,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Build an attention FCN on mel spectrograms, with this package's own settings.

    The network is small (66,000 weights) and fast on a CPU. It differs from `zhang2018` by mel
    bands, batch normalization, label smoothing, and by the masking of random stretches of time
    and frequency in training.

    Parameters
    ----------
    {epochs}
    {clean_or_conditions}
    {audio}
    {torch}
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of batches, dropout, masking and altered copies.

    Returns
    -------
    Pipeline or AugmentedClassifier
        Steps ``features``, ``scaler`` and ``classifier``; if trained in conditions, a classifier
        around this pipeline.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.pipelines import attention_fcn
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> model = attention_fcn(
    ...     max_epochs=2, input_sampling_rate=corpus.sampling_rate, device="cpu", random_state=0
    ... )
    >>> model.fit(corpus.data, corpus.target).predict_proba(corpus.data).shape
    (10, 5)
    """
    features = MelSpectrogram(input_sampling_rate=input_sampling_rate, n_jobs=n_jobs, memory=memory)
    classifier = AttentionFCNClassifier(
        max_epochs=n_epochs(max_epochs, conditions),
        device=device,
        n_threads=n_threads,
        random_state=random_state,
    )
    return in_conditions(
        with_scaler(features, classifier),
        conditions,
        FROM_SCRATCH,
        input_sampling_rate=input_sampling_rate,
        n_jobs=n_jobs,
        random_state=random_state,
    )


@insert_descriptions(DESCRIPTIONS)
def zhang2018(
    *,
    max_epochs=50,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Build the attention FCN of Zhang et al. (2018): AlexNet's convolutions over a spectrogram.

    Settings as published: Hamming windows of 40 ms every 10 ms, Fourier transforms of 800 points,
    and the logarithm of the magnitude from 0 to 4 kHz (200 bins); the five convolution layers of
    AlexNet, with local response normalization after the first two and without fully connected
    layers; attention with λ = 0.3 over all (time, frequency) cells; whole utterances of any
    length.

    Settings chosen here, because the publication does not state them or was not available: each
    bin is standardized, the floor is 80 dB below the maximum of each utterance, layers are padded
    by half their kernel, and Adam runs at 1e-4 with batches of 16. The weights are initialized at
    random; the published system was also initialized with weights trained on ImageNet.

    Parameters
    ----------
    {max_epochs}
    {audio}
    {torch}
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights and the order of batches.

    Returns
    -------
    Pipeline
        Steps ``features``, ``scaler`` and ``classifier``.

    References
    ----------
    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA. arXiv:1806.01506.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.pipelines import zhang2018
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> model = zhang2018(input_sampling_rate=corpus.sampling_rate, random_state=0)
    >>> list(model.named_steps)
    ['features', 'scaler', 'classifier']
    >>> model["features"].transform(corpus.data).n_columns
    200
    """
    features = Spectrogram(
        window=0.040,
        hop=0.010,
        window_type="hamming",
        n_fft=800,
        fmin=0.0,
        fmax=4000.0,
        scale="log",
        top_db=80.0,
        sampling_rate=16000,
        input_sampling_rate=input_sampling_rate,
        n_jobs=n_jobs,
        memory=memory,
    )
    classifier = _published_network(
        filters=(96, 256, 384, 384, 256),
        kernel_sizes=(11, 5, 3, 3, 3),
        strides=(4, 1, 1, 1, 1),
        pool_sizes=(3, 3, 1, 1, 3),
        pool_strides=(2, 2, 1, 1, 2),
        normalization=("local_response", "local_response", "none", "none", "none"),
        n_heads=1,
        attention_scale=0.3,
        learning_rate=1e-4,
        batch_size=16,
        max_epochs=max_epochs,
        device=device,
        n_threads=n_threads,
        random_state=random_state,
    )
    return with_scaler(features, classifier)


@insert_descriptions(DESCRIPTIONS)
def gans2020(
    *,
    n_fifth_filters=None,
    n_heads=1,
    max_epochs=200,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Build the one-dimensional attention FCN of "Emotion in Motion" on level contours.

    Settings as published: 3 s of audio at 44.1 kHz, starting at 0.5 s; the mean of 128 mel bands
    up to 8 kHz in dB, 259 values without normalization; four convolution layers over time with 5,
    10, 20 and 30 channels and the kernels, strides and pooling of AlexNet; attention with
    λ = 0.8; Adam at 1e-3 with batches of 51 for 200 epochs.

    Differences from the publication: here attention is over the positions of one utterance, and
    its hidden layer is the dense layer with tanh. In the publication that layer came before the
    attention, which acted on the class outputs and was normalized over the batch, so that a
    prediction depended on the other utterances of its batch. The publication dropped clips
    shorter than 3.5 s; here they are kept, with shorter contours. Layers are padded by half their
    kernel, which the publication does not state.

    All steps after the first accept contours that were computed before, as in
    ``gans2020()[1:].fit(contours, y)``: an array (n_utterances, 259), or `Sequences` of one
    column and any lengths.

    Parameters
    ----------
    n_fifth_filters : int or None, default=None
        Number of channels of a fifth convolution layer before the last pooling, with kernel size
        3 as in AlexNet; None omits the layer.
    n_heads : int, default=1
        Number of attention heads.
    max_epochs : int, default=200
        Number of epochs that train the network.
    {audio}
    {torch}
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights and the order of batches.

    Returns
    -------
    Pipeline
        Steps ``features``, ``scaler`` ("passthrough", which ``set_params`` can replace) and
        ``classifier``.

    References
    ----------
    Gans, Theodores and Rusu (2020). Emotion in Motion.

    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA. arXiv:1806.01506.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.pipelines import gans2020
    >>> contours = np.random.RandomState(0).randn(12, 259)
    >>> y = np.repeat(["calm", "angry"], 6)
    >>> contours[y == "angry"] += 3
    >>> model = gans2020(max_epochs=5, device="cpu", random_state=0)[1:].fit(contours, y)
    >>> model.predict_proba(contours).shape
    (12, 2)
    """
    features = LevelContour(
        offset=0.5,
        duration=3.0,
        n_mels=128,
        window=2048 / 44100,
        hop=512 / 44100,
        window_type="hann",
        n_fft=2048,
        fmin=0.0,
        fmax=8000.0,
        deltas=0,
        top_db=80.0,
        sampling_rate=44100,
        input_sampling_rate=input_sampling_rate,
        n_jobs=n_jobs,
        memory=memory,
    )
    # Pooling follows the last layer, so a fifth layer moves it back by one place.
    fifth = () if n_fifth_filters is None else (n_fifth_filters,)
    between = (1,) * (1 + len(fifth))
    classifier = _published_network(
        filters=(5, 10, 20, 30, *fifth),
        kernel_sizes=(11, 5, 3, 3, *(3 for _ in fifth)),
        strides=(4, 1, 1, 1, *(1 for _ in fifth)),
        pool_sizes=(3, 3, *between, 3),
        pool_strides=(2, 2, *between, 2),
        normalization="none",
        n_heads=n_heads,
        attention_scale=0.8,
        learning_rate=1e-3,
        batch_size=51,
        max_epochs=max_epochs,
        device=device,
        n_threads=n_threads,
        random_state=random_state,
    )
    return with_scaler(features, classifier, scaler="passthrough")
