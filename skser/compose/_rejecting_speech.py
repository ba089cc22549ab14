"""Search for speech in the audio that a classifier receives."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from skser.feature_extraction import AudioTransformer, SpeechProbability

_LEAST_PROBABILITY = 0.5
# Sounds of ESC-10's folds 1 to 3 reach at most 0.7 of what these two ask for, and sentences of
# EmoDB at least 2.6 times as much.
_LEAST_SHARE = 0.2
_ENOUGH = 1.0  # seconds


def audio_transformer(estimator):
    """Return the first transformer of audio in an estimator, None if it does not take audio."""
    for part in (estimator, *estimator.get_params().values()):
        if isinstance(part, AudioTransformer):
            return part
        if isinstance(part, FrozenEstimator):
            found = audio_transformer(part.estimator)
            if found is not None:
                return found
    return None


def find_speech(estimator, X):
    """Look for speech in audio, read as an estimator reads it.

    Parameters
    ----------
    estimator : estimator
        Estimator that takes audio. The rate of arrays, the number of processes and the cache are
        those of its first transformer of audio.
    X : audio
        Utterances.

    Returns
    -------
    shares : ndarray of shape (n_utterances,), float64
        Share of each utterance that is speech, from 0 to 1.
    enough : ndarray of shape (n_utterances,), bool
        Whether a fifth of the utterance is speech, or one second of it.
    """
    first = audio_transformer(estimator)
    rates = {
        name: value
        for name, value in estimator.get_params().items()
        if name.endswith("input_sampling_rate") and value is not None
    }
    outermost = min(rates, key=lambda name: name.count("__"), default=None)
    detector = SpeechProbability(
        input_sampling_rate=rates.get(outermost, first.input_sampling_rate),
        n_jobs=first.n_jobs,
        memory=first.memory,
    )
    frames = detector.transform(X)
    is_speech = [np.count_nonzero(of_one > _LEAST_PROBABILITY) for of_one in frames]
    shares = np.array(is_speech) / frames.lengths
    durations = frames.lengths * frames.layout.hop
    return shares, shares * durations >= np.minimum(_LEAST_SHARE * durations, _ENOUGH)
