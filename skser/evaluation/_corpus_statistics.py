"""Statistics of the recordings of a corpus, and what a linear model can guess from them."""

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import audio_inputs, read_at_rate

_FRAME = 0.020  # seconds
_QUIET = 1e-3  # 30 dB below the loudest frame
_FULL = 0.999  # of full scale
_FLOOR = 1e-10  # -100 dB of full scale
_FOLDS = 3
_MOST_CLASSES = 100


def recording_statistics(corpus, n_jobs=None):
    """Measure each utterance of a corpus.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus whose audio is read, at its own sampling rate.
    n_jobs : int or None, default=None
        Number of processes, as in joblib.

    Returns
    -------
    DataFrame
        One row per utterance: ``duration`` in seconds; sampling ``rate`` in Hz; ``level``, the
        RMS in dB of full scale over frames of 20 ms that are at most 30 dB below the loudest one;
        ``silence``, the share of the other frames; ``snr``, an estimate in dB, from the level of
        these frames and that of the quietest tenth of all; and ``clipped``, the share of samples
        at full scale that follow another one.
    """
    items = audio_inputs(corpus.data, corpus.sampling_rate)
    rows = Parallel(n_jobs)(
        delayed(_measured)(item, i, corpus.sampling_rate) for i, item in enumerate(items)
    )
    return pd.DataFrame(rows)


def _measured(item, i, sampling_rate):
    """Measure one utterance."""
    samples, rate = read_at_rate(item, i, sampling_rate)
    length = max(1, round(_FRAME * rate))
    frames = np.array_split(samples.astype(np.float64), max(1, len(samples) // length))
    powers = np.array([np.mean(frame**2) for frame in frames]) + _FLOOR
    loud = powers >= _QUIET * powers.max()
    full = np.abs(samples) >= _FULL
    level, noise = powers[loud].mean(), np.quantile(powers, 0.1)
    return {
        "duration": len(samples) / rate,
        "rate": float(rate),
        "level": 10 * np.log10(level),
        "silence": 1 - loud.mean(),
        "snr": 10 * np.log10(max(level - noise, _FLOOR) / noise),
        # A single sample at full scale comes from normalization, two in a row from clipping.
        "clipped": np.sum(full[1:] & full[:-1]) / len(samples),
    }


def guessed_attributes(corpus, vectors, rates):
    """Score a linear model that guesses attributes of the utterances from their vectors.

    Emotion, sex, sentence and rate are guessed for speakers that are not in the training data, if
    there are several. Where speakers are unknown, each of these utterances counts as a speaker.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus with attributes.
    vectors : ndarray of shape (n_utterances, n_features)
        Features.
    rates : ndarray of shape (n_utterances,)
        Sampling rate of each utterance.

    Returns
    -------
    DataFrame
        One row per attribute that could be scored, indexed by its name: ``uar``, ``chance`` (one
        over the number of classes), number of ``classes`` and of ``utterances``, and ``split``,
        by "speaker" or "utterance".
    """
    n = len(corpus)
    attributes = {
        "emotion": corpus.target,
        "speaker": corpus.speakers,
        "sex": corpus.sexes,
        "sentence": corpus.sentences,
        "sampling rate": np.char.mod("%g", rates).astype(object),
        "corpus": corpus.frame["corpus"].to_numpy(object) if corpus.joined else None,
    }
    speakers = np.arange(n).astype(str)
    if corpus.speakers is not None:
        known = pd.notna(corpus.speakers)
        speakers = np.where(known, corpus.speakers, np.char.add("?", speakers)).astype(str)
    rows = {}
    for name, values in attributes.items():
        if values is None:
            continue
        by_speaker = name != "speaker" and corpus.speakers is not None
        found = _guessed(vectors, values, speakers if by_speaker else np.arange(n))
        if found is not None:
            rows[name] = found | {"split": "speaker" if by_speaker else "utterance"}
    return pd.DataFrame.from_dict(rows, orient="index")


def _guessed(vectors, values, groups):
    """Return the UAR of an attribute, or None if it has too few values to split."""
    use = np.flatnonzero(pd.notna(values))
    y, groups = np.asarray(values, dtype=object)[use].astype(str), groups[use]
    # A class must have a group in each fold, or nobody could learn it.
    table = pd.DataFrame({"y": y, "group": groups}).drop_duplicates()
    n_groups = table.groupby("y").size()
    kept = n_groups.index[n_groups >= 2]
    inside = np.isin(y, kept)
    use, y, groups = use[inside], y[inside], groups[inside]
    if not 2 <= len(kept) <= _MOST_CLASSES:
        return None
    n_folds = int(min(_FOLDS, n_groups[kept].min()))
    cv = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    predicted = cross_val_predict(model, vectors[use], y, groups=groups, cv=cv)
    return {
        "uar": balanced_accuracy_score(y, predicted),
        "chance": 1 / len(kept),
        "classes": len(kept),
        "utterances": len(y),
    }
