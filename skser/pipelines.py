"""Whole systems, audio in, emotions out: published ones, and the best of this package."""

from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer

from skser.feature_extraction import (
    FrameFeatures,
    Functionals,
    LevelContour,
    MelSpectrogram,
    Spectrogram,
)
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

__all__ = ["attention_fcn", "fcn_and_functionals", "gans2020", "zhang2018"]

# Nothing that the classifier's own defaults add.
_PLAIN_TRAINING = {
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "learning_rate_schedule": "constant",
    "weight_decay": 0.0,
    "class_weight": None,
    "augment": None,
}


def attention_fcn(
    *,
    max_epochs=50,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Attention FCN on mel spectrograms, with this package's own settings.

    Small (66,000 weights) and quick on a CPU; what `zhang2018` was, with mel bands, batch
    normalisation, label smoothing and masked stretches of time and frequency in training.

    Parameters
    ----------
    max_epochs : int, default=50
        Epochs of `fit`.
    input_sampling_rate : float or None, default=None
        Rate of arrays of samples, in Hz; files state their own.
    n_jobs : int or None, default=None
        Processes that compute features, as in joblib.
    memory : path-like or None, default=None
        Folder where each utterance's features are kept and found again.
    device : str, default="auto"
        Torch device of the network; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while the network works; None leaves its setting.
    random_state : int, RandomState instance or None, default=None
        Weights, order of batches, dropout and masking.

    Returns
    -------
    Pipeline
        Steps ``features``, ``scaler`` and ``classifier``.

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
        max_epochs=max_epochs, device=device, n_threads=n_threads, random_state=random_state
    )
    return Pipeline(
        [("features", features), ("scaler", SequenceScaler()), ("classifier", classifier)]
    )


def fcn_and_functionals(
    *,
    max_epochs=50,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Soft vote of the attention FCN and a logistic regression on sentence vectors.

    The two err on different utterances: the network sees shapes in the spectrogram, the
    regression 5191 statistics of pitch, voice quality, formants and spectrum, which few
    utterances suffice to weigh; its probabilities count twice. Trained from nothing but the
    corpus at hand, and for each speaker as they come (inductive).

    Parameters
    ----------
    max_epochs : int, default=50
        Epochs of the network.
    input_sampling_rate : float or None, default=None
        Rate of arrays of samples, in Hz; files state their own.
    n_jobs : int or None, default=None
        Processes that compute features, as in joblib.
    memory : path-like or None, default=None
        Folder where each utterance's features are kept and found again.
    device : str, default="auto"
        Torch device of the network; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while the network works; None leaves its setting.
    random_state : int, RandomState instance or None, default=None
        Of the network, and of the utterances from which deciles are taken, if there are more
        than 10,000.

    Returns
    -------
    VotingClassifier
        Of two pipelines, ``network`` and ``functionals``.

    Notes
    -----
    Each statistic is replaced by its rank among the training utterances, interpolated between
    deciles, so that none weighs more for being far out. The ranks are rotated onto their
    principal components, all of them: with fewer utterances than columns this changes no
    prediction, and the regression has a tenth as many weights to find.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.pipelines import fcn_and_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> model = fcn_and_functionals(
    ...     max_epochs=2, input_sampling_rate=corpus.sampling_rate, device="cpu", random_state=0
    ... )
    >>> model.fit(corpus.data, corpus.target).predict_proba(corpus.data).shape
    (10, 5)
    """
    audio = {"input_sampling_rate": input_sampling_rate, "n_jobs": n_jobs, "memory": memory}
    network = attention_fcn(
        max_epochs=max_epochs,
        device=device,
        n_threads=n_threads,
        random_state=random_state,
        **audio,
    )
    functionals = Pipeline(
        [
            ("features", Functionals(FrameFeatures(**audio))),
            ("ranks", QuantileTransformer(n_quantiles=10, random_state=random_state)),
            ("rotation", PCA()),
            ("classifier", LogisticRegression(class_weight="balanced", max_iter=1000)),
        ]
    )
    return VotingClassifier(
        [("network", network), ("functionals", functionals)], voting="soft", weights=[1, 2]
    )


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
    """Attention FCN of Zhang et al. (2018): AlexNet's convolutions over a spectrogram.

    Published: windows of 40 ms (Hamming) every 10 ms, 800-point Fourier transforms, the
    logarithm of the magnitude from 0 to 4 kHz (200 bins); the five convolution layers of
    AlexNet, with local response normalisation behind the first two, and no fully connected
    layer; attention with λ = 0.3 over every (time, frequency) cell. Whole utterances of any
    length.

    Chosen here, where the publication is silent or was not at hand: each bin standardised,
    a floor 80 dB below each utterance's maximum, layers padded by half their kernel, and
    Adam at 1e-4 with batches of 16. The weights start at random; the published ones were
    also started from ImageNet's.

    Parameters
    ----------
    max_epochs : int, default=50
        Epochs of `fit`.
    input_sampling_rate : float or None, default=None
        Rate of arrays of samples, in Hz; files state their own.
    n_jobs : int or None, default=None
        Processes that compute features, as in joblib.
    memory : path-like or None, default=None
        Folder where each utterance's features are kept and found again.
    device : str, default="auto"
        Torch device of the network; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while the network works; None leaves its setting.
    random_state : int, RandomState instance or None, default=None
        Weights and order of batches.

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
    classifier = AttentionFCNClassifier(
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
        **_PLAIN_TRAINING,
        max_epochs=max_epochs,
        device=device,
        n_threads=n_threads,
        random_state=random_state,
    )
    return Pipeline(
        [("features", features), ("scaler", SequenceScaler()), ("classifier", classifier)]
    )


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
    """One-dimensional attention FCN on the level contour of "Emotion in Motion".

    Published: audio at 44.1 kHz from 0.5 s on, 3 s of it; the mean over 128 mel bands up to
    8 kHz in decibels, 259 values, not normalised; four convolution layers over time of 5,
    10, 20 and 30 channels, with the kernels, strides and pooling of AlexNet; λ = 0.8; Adam at
    1e-3, batches of 51, 200 epochs.

    Otherwise than published: attention is over the positions of one utterance, and its hidden
    layer is the dense layer with tanh. Theirs stood before the attention, which acted on the
    class outputs and was normalised over the batch, so that a prediction depended on its
    company. Clips shorter than 3.5 s were dropped; here rows never change, and a shorter clip
    keeps a shorter contour. Chosen here: layers padded by half their kernel.

    The steps behind the first take ready contours: ``gans2020()[1:].fit(contours, y)`` with an
    array (n_utterances, 259), or with `Sequences` of one column and of any lengths.

    Parameters
    ----------
    n_fifth_filters : int or None, default=None
        Channels of a fifth convolution layer of kernel 3, before the last pooling, as AlexNet
        has one; None means none.
    n_heads : int, default=1
        Attention heads.
    max_epochs : int, default=200
        Epochs of `fit`.
    input_sampling_rate : float or None, default=None
        Rate of arrays of samples, in Hz; files state their own.
    n_jobs : int or None, default=None
        Processes that compute features, as in joblib.
    memory : path-like or None, default=None
        Folder where each utterance's features are kept and found again.
    device : str, default="auto"
        Torch device of the network; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while the network works; None leaves its setting.
    random_state : int, RandomState instance or None, default=None
        Weights and order of batches.

    Returns
    -------
    Pipeline
        Steps ``features``, ``scaler`` ("passthrough", for ``set_params`` to replace) and
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
    # The last pooling stands behind the last layer, so a fifth comes before it.
    fifth = () if n_fifth_filters is None else (n_fifth_filters,)
    between = (1,) * (1 + len(fifth))
    classifier = AttentionFCNClassifier(
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
        **_PLAIN_TRAINING,
        max_epochs=max_epochs,
        device=device,
        n_threads=n_threads,
        random_state=random_state,
    )
    return Pipeline([("features", features), ("scaler", "passthrough"), ("classifier", classifier)])
