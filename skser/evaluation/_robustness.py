"""Scores of a model on distorted recordings."""

import hashlib
import warnings

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, validate_params
from sklearn.utils.validation import check_consistent_length

from skser.audio import (
    Waveform,
    audio_inputs,
    read_at_rate,
    utterance_name,
    without_parts,
)
from skser.augmentation import altered, default_distortions
from skser.evaluation._target_metrics import metrics_of, over_ratings
from skser.evaluation._targets import EMOTION, VOTES, target_of

_CLEAN = "clean"


@validate_params(
    {
        "model": [HasMethods("predict")],
        "distortions": [dict, None],
        "target": [str, list],
        "metric": [callable, None],
        "use_frame": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def robustness_report(
    model,
    corpus,
    *,
    distortions=None,
    target="emotion",
    metric=None,
    use_frame=False,
    random_state=0,
):
    """Score a fitted model on distorted copies of recordings that it was not trained on.

    Parameters
    ----------
    model : fitted estimator
        Classifier or regressor of audio, such as a pipeline whose first step is `MelSpectrogram`.
    corpus : SpeechCorpus
        Corpus of speakers that the model was not trained on; see `SpeechCorpus.select`.
    distortions : dict of callable or None, default=None
        Distortions by name, or by kind and level as in ``("noise", "10 dB")``. Each is called as
        ``distortion(samples, sampling_rate, random_state)`` with mono float32 samples and returns
        samples, possibly of another length. Transforms of the library audiomentations work as
        well. None means `default_distortions`.
    target : str or list of str, default="emotion"
        Target that the model predicts, as in `cross_validate_speakers`. Utterances without it are
        left out, and each of several dimensions is scored over the utterances with a rating of it.
    metric : callable or None, default=None
        Score as ``metric(y_true, y_pred)`` -> float. None means the UAR for the emotion, the CCC
        for dimensions and the cross-entropy for votes.
    use_frame : bool, default=False
        Whether to give the model ``corpus.frame``, an utterance table, rather than a list of
        audio.
    random_state : int, RandomState instance or None, default=0
        Seed of the distortions. With an int, the noise of an utterance depends only on its
        samples, so it is the same in a corpus of other utterances.

    Returns
    -------
    DataFrame
        One row for the clean recordings and one for each distortion, indexed by ``kind`` and
        ``level``. ``score`` is the score and ``change`` its difference from the clean one.
        For the emotion, ``same`` is the share of utterances whose prediction did not change, and
        ``shift``, if the model has probabilities, is their mean absolute difference from the
        clean ones. For other targets, ``shift`` is that of the predictions.

    Raises
    ------
    ValueError
        If a distortion fails, returns anything but finite 1-D floats, or is named "clean", where
        the message names the distortion and the utterance; if the model has no class of the
        corpus, or predicts NaN.

    References
    ----------
    Derington, A., Wierstorf, H., Özkil, A., Eyben, F., Burkhardt, F. and Schuller, B. W.
    (2025). Testing Correctness, Fairness, and Robustness of Speech Emotion Recognition Models.
    IEEE Transactions on Affective Computing 16(3).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.evaluation import robustness_report
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> known, new = corpus.select(speakers=["01", "02"]), corpus.select(speakers=["03", "04"])
    >>> features = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    >>> model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    >>> model = model.fit(known.data, known.target)
    >>> softer = {"softer": lambda samples, sampling_rate, random_state: samples / 2}
    >>> robustness_report(model, new, distortions=softer).index.tolist()
    [('clean', ''), ('softer', '')]
    """
    distortions = default_distortions() if distortions is None else distortions
    if {_CLEAN, (_CLEAN, "")} & set(distortions):
        raise ValueError(
            f"A distortion cannot be named {_CLEAN!r}, which names the row of undistorted audio."
        )
    wanted = target_of(corpus, target)
    wanted.of_model(model)
    _check_classes(model, wanted)
    metric = next(iter(metrics_of(wanted.name).values())) if metric is None else metric
    rated = wanted.partly_rated
    y_true = wanted.values[rated]
    if not rated.all():
        corpus = corpus[rated]
    metric = over_ratings(metric, y_true)
    items = audio_inputs(corpus.data, corpus.sampling_rate)
    check_consistent_length(items, y_true)
    waves = []
    for i, item in enumerate(items):
        samples, rate = read_at_rate(item, i, corpus.sampling_rate)
        waves.append(Waveform(samples, rate, utterance_name(item, i), max_amplitude=None))
    base = check_random_state(random_state).randint(2**31 - 1)
    seeds = [_seed_of(wave, base) for wave in waves]

    def outputs(versions):
        X = without_parts(corpus.frame, versions) if use_frame else versions
        predicted = np.asarray(wanted.predict(model, X, np.flatnonzero(rated))["predicted"])
        if wanted.name != EMOTION:
            return predicted, predicted
        proba = model.predict_proba(X) if hasattr(model, "predict_proba") else None
        return predicted, proba

    clean, clean_proba = outputs(waves)
    best = metric(y_true, clean)
    rows = {}

    def add(key, predicted, proba):
        score = metric(y_true, predicted)
        rows[key] = {"score": score, "change": score - best}
        if wanted.name == EMOTION:
            rows[key]["same"] = float(np.mean(predicted == clean))
        if proba is not None:
            rows[key]["shift"] = float(np.abs(proba - clean_proba).mean())

    add((_CLEAN, ""), clean, clean_proba)
    for name, distortion in distortions.items():
        versions = [
            _distorted(wave, distortion, name, seed)
            for wave, seed in zip(waves, seeds, strict=True)
        ]
        add(name if isinstance(name, tuple) else (str(name), ""), *outputs(versions))
    index = pd.MultiIndex.from_tuples(rows, names=["kind", "level"])
    return pd.DataFrame(list(rows.values()), index=index)


def _check_classes(model, target):
    """Warn if the model lacks emotions of the corpus; raise if it has none of them."""
    classes = {str(name) for name in getattr(model, "classes_", ())}
    names = set(target.columns if target.name == VOTES else target.labels.tolist())
    if target.name not in (EMOTION, VOTES) or not classes or names <= classes:
        return
    both = f"Its classes are {sorted(classes)}, and the emotions of the corpus {sorted(names)}."
    if not classes & names:
        raise ValueError(f"The model has no class of the corpus. {both} Rename the emotions.")
    warnings.warn(
        f"The model never predicts {sorted(names - classes)}. {both}",
        stacklevel=4,  # past scikit-learn's wrapper
    )


def _distorted(wave, distortion, name, seed):
    """Return a distorted copy of a waveform, or raise an error that names the distortion."""
    samples, rate = np.asarray(wave), wave.sampling_rate
    what = f"The distortion {name!r}"
    samples = altered(samples, rate, distortion, seed, wave.name, what)
    return Waveform(samples, rate, wave.name, max_amplitude=None)  # loud noise may exceed 1


def _seed_of(wave, base):
    """Return a seed for an utterance that depends on its samples and a common seed."""
    content = hashlib.sha256(np.ascontiguousarray(wave).tobytes())
    content.update(int(base).to_bytes(8, "little"))
    return int.from_bytes(content.digest()[:4], "little")
