"""The systems that measure best on the protocols, in noise and on foreign corpora too."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skser._docstrings import insert_descriptions
from skser.compose import GeometricVotingClassifier
from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.feature_extraction import FrameFeatures, Functionals, SpeechEmbedding
from skser.pipelines._networks import attention_fcn
from skser.pipelines._parts import (
    DESCRIPTIONS,
    FROM_SCRATCH,
    in_conditions,
    n_epochs,
    with_scaler,
)

# Chosen on inner folds; docs/robustness.rst compares them with other choices.
_SHRINKAGE, _TEMPERATURE = 0.6, 4.0
_WIDE_SHRINKAGE, _WIDE_TEMPERATURE = 0.8, 6.0
# Vectors of an encoder need half as many copies in noise, and gain from copies at other speeds.
_OF_ENCODERS = {"probabilities": "milder", "speed": (0.88, 1.14)}


@insert_descriptions(DESCRIPTIONS)
def fcn_and_functionals(
    *,
    max_epochs=None,
    conditions=True,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    n_threads=None,
    random_state=None,
):
    """Build a vote of the attention FCN and a discriminant analysis of utterance vectors.

    The two models make different errors. The network sees patterns in the spectrogram. The
    discriminant analysis sees 5191 statistics of pitch, voice quality, formants and spectrum, and
    needs few utterances to weigh them. The vote is the geometric mean of their probabilities, in
    which those of the discriminant analysis count twice. Both are trained only on the corpus
    passed to `fit`, and predict each utterance on its own (inductive).

    Parameters
    ----------
    {epochs}
    {conditions}
    {audio}
    {torch}
    random_state : int, RandomState instance or None, default=None
        Seed of the network, of altered copies, and of the draw of utterances that deciles are
        estimated from if there are more than 10,000.

    Returns
    -------
    AugmentedClassifier or GeometricVotingClassifier
        Classifier around a vote of two pipelines, ``network`` and ``functionals``; if `conditions`
        is False, the vote itself.

    Notes
    -----
    Each statistic is replaced by its rank among the training utterances, interpolated between
    deciles, so that outliers have no extra weight. The shrinkage of the discriminant analysis and
    the weights of the vote were chosen on inner folds of EmoDB and RAVDESS.

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
        max_epochs=n_epochs(max_epochs, conditions),
        device=device,
        n_threads=n_threads,
        random_state=random_state,
        **audio,
    )
    vectors = _on_ranks(random_state=random_state, **audio)
    vote = GeometricVotingClassifier(
        [("network", network), ("functionals", vectors)], weights=[1, 2]
    )
    return in_conditions(
        vote,
        conditions,
        FROM_SCRATCH,
        input_sampling_rate=input_sampling_rate,
        n_jobs=n_jobs,
        random_state=random_state,
    )


@insert_descriptions(DESCRIPTIONS)
def functionals(
    *, conditions=True, input_sampling_rate=None, n_jobs=None, memory=None, random_state=None
):
    """Build a linear discriminant analysis of utterance vectors, trained in recording conditions.

    The vectors are 5191 statistics of pitch, voice quality, formants and spectrum, replaced by
    their ranks as in `fcn_and_functionals`. The model needs no network and no pretrained weights.

    Parameters
    ----------
    {conditions}
    {audio}
    random_state : int, RandomState instance or None, default=None
        Seed of the altered copies, and of the draw of utterances that deciles are estimated from
        if there are more than 10,000. `memory` reuses the features of copies only with an int.

    Returns
    -------
    AugmentedClassifier or Pipeline
        Classifier around a pipeline with the steps ``features``, ``ranks`` and ``classifier``; if
        `conditions` is False, the pipeline itself.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.pipelines import functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> model = functionals(input_sampling_rate=corpus.sampling_rate, random_state=0)
    >>> model.fit(corpus.data, corpus.target).predict_proba(corpus.data).shape
    (10, 5)
    """
    audio = {"input_sampling_rate": input_sampling_rate, "n_jobs": n_jobs}
    model = _on_ranks(memory=memory, random_state=random_state, **audio)
    return in_conditions(model, conditions, FROM_SCRATCH, random_state=random_state, **audio)


def _on_ranks(*, random_state, **audio):
    """Chain functionals, their ranks and a discriminant analysis."""
    return Pipeline(
        [
            ("features", Functionals(FrameFeatures(**audio))),
            ("ranks", QuantileTransformer(n_quantiles=10, random_state=random_state)),
            ("classifier", WideDiscriminantAnalysis(_WIDE_SHRINKAGE, _WIDE_TEMPERATURE)),
        ]
    )


@insert_descriptions(DESCRIPTIONS)
def whisper_linear(
    checkpoint="whisper-tiny-lower",
    layers=(2, 3),
    *,
    conditions=True,
    input_sampling_rate=None,
    n_jobs=None,
    memory=None,
    device="auto",
    random_state=None,
):
    """Build a linear classifier of Whisper's hidden states, trained in recording conditions.

    The encoder is frozen. Mean and standard deviation of its second and third layer over the
    utterance are standardized and classified by linear discriminant analysis, whose covariance is
    shrunk by 0.6. It needs the extra ``embeddings``.

    Parameters
    ----------
    checkpoint : path-like, default="whisper-tiny-lower"
        Checkpoint of a speech encoder, as in `SpeechEmbedding`. The default comes with this
        package.
    layers : int, tuple of int or "all", default=(2, 3)
        Layers of the encoder, as indices into its hidden states.
    {conditions}
    {audio}
    device : str, default="auto"
        Torch device of the encoder; "auto" selects the first one available of cuda, mps and cpu.
    random_state : int, RandomState instance or None, default=None
        Seed of the altered copies. `memory` reuses their features only with an int.

    Returns
    -------
    AugmentedClassifier or Pipeline
        Classifier around a pipeline with the steps ``features``, ``scaler`` and ``classifier``;
        if `conditions` is False, the pipeline itself.

    See Also
    --------
    skser.load_pretrained : Load this system, trained on EmoDB.

    Examples
    --------
    >>> from skser.pipelines import whisper_linear
    >>> model = whisper_linear()
    >>> model.fit(paths, labels).predict(["file.wav"])  # doctest: +SKIP
    """
    audio = {"input_sampling_rate": input_sampling_rate, "n_jobs": n_jobs}
    model = with_scaler(
        SpeechEmbedding(checkpoint, layers, device=device, memory=memory, **audio),
        WideDiscriminantAnalysis(_SHRINKAGE, _TEMPERATURE),
        scaler=StandardScaler(),
    )
    return in_conditions(model, conditions, _OF_ENCODERS, random_state=random_state, **audio)
