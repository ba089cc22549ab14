"""Emotion over the time of a recording of any length."""

import os
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skser.audio import Utterance, Waveform, audio_inputs, read_at_rate, stream_audio
from skser.inspection._turns import turns_of
from skser.inspection._windows import cut_windows, working_rate

_SAMPLES_AT_ONCE = 2**21


@validate_params(
    {
        "model": [HasMethods("predict_proba")],
        "path": [str, os.PathLike, bytes, Utterance, Waveform, dict, tuple, HasMethods("read")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "segments": [str, os.PathLike, pd.DataFrame, None],
    },
    prefer_skip_nested_validation=True,
)
def emotion_timeline(model, path, window=2.0, hop=0.5, segments=None):
    """Probabilities of the emotions in successive windows, or speakers' turns, of a recording.

    The recording is read, cut and predicted piece by piece: memory does not grow with its
    length.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Whatever takes audio and has `predict_proba`: a pipeline that begins with a transformer
        such as `MelSpectrogram`, or a search, a vote, a calibration of such pipelines. Its
        parameters are left as they are, and it may have been trained on paths or on arrays.
    path : str, path-like, bytes, binary file, Waveform, Utterance or another source of audio
        Any file that `skser.audio.load_audio` reads, of any rate, number of channels and length,
        samples with their rate, or an `skser.audio.Utterance` of either.
    window : float, default=2.0
        Length of a window in seconds. A recording that is shorter is one window as it is.
    hop : float, default=0.5
        From the start of one window to the start of the next, in seconds. If audio is left over
        at the end, a last window ends with the recording.
    segments : path-like, DataFrame or None, default=None
        Speakers' turns: an RTTM file, of which the turns of this recording are taken, or a table
        with columns ``start`` and ``end`` in seconds from the start of the file and, optionally,
        ``speaker`` and ``channel``. Each turn is one utterance, whatever its length, and `window`
        and `hop` have no effect. None slides the window.

    Returns
    -------
    DataFrame of shape (n_windows, 2 + n_classes) or (n_turns, 3 + n_classes)
        Columns ``start`` and ``end`` of the window or turn, in seconds from the start of the
        file; ``speaker`` with `segments`, None where unknown; and one column per class with its
        probability, in the order of ``model.classes_``. Turns are sorted by their start.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    AudioReadError
        If the file cannot be read, or a window is too short for the model's features.
    ValueError
        If a parameter is out of range, or `window` or `hop` is less than one sample. If
        `segments` has no turn of this recording or no times, or `path` is a part of a recording
        as well.

    Warns
    -----
    UserWarning
        If turns overlap: the voices of both speakers are in both.

    See Also
    --------
    emotion_stream : The same, while the audio arrives.
    skser.datasets.read_rttm : The turns of an RTTM file.
    skser.compose.SegmentedClassifier : Training on windows, one prediction per utterance.

    Notes
    -----
    The recording is resampled as a whole, to the highest ``sampling_rate`` of the transformers
    in `model`, before it is cut; a window is then what slices of ``load_audio(path,
    sampling_rate)`` would be. It reaches the model as a `skser.audio.Waveform`, which states its
    own rate.

    A model hears each window as an utterance of its own. It should have been trained on
    utterances of about that length, if need be by a `SegmentedClassifier`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, soundfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.inspection import emotion_timeline
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> features = Functionals(FrameFeatures(("energy",), input_sampling_rate=16000))
    >>> model = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model = model.fit(corpus.data, corpus.target)
    >>> path = os.path.join(tempfile.mkdtemp(), "call.wav")
    >>> soundfile.write(path, np.concatenate(corpus.data)[:72000], 16000)
    >>> timeline = emotion_timeline(model, path, window=2.0, hop=1.0)
    >>> timeline[["start", "end"]].to_numpy().tolist()
    [[0.0, 2.0], [1.0, 3.0], [2.0, 4.0], [2.5, 4.5]]
    >>> timeline.columns[2:].tolist() == model.classes_.tolist()
    True
    """
    if hasattr(model, "fit"):  # an OnnxModel is always fitted
        check_is_fitted(model)
    (item,) = audio_inputs([path])
    part = item if isinstance(item, Utterance) else Utterance(item)
    part = Utterance(
        part.source, part.start, part.end, part.channel, name=part.name,
        max_duration=None, max_amplitude=part.max_amplitude,
    )  # fmt: skip
    if segments is not None:
        turns, utterances = turns_of(part, segments)
        proba = [
            model.predict_proba([waveform for _, waveform in batch])
            for batch in _batches(utterances)
        ]
        return pd.concat([turns, _table(proba, model)], axis=1)
    name = part.name or (part.source if isinstance(part.source, str) else "the recording")
    rate = working_rate(model)
    if isinstance(part.source, str | bytes):
        pieces = stream_audio(part, rate)
    else:
        pieces = [read_at_rate(part, 0, None, rate)]
    windows = cut_windows(pieces, window, hop, name, part.start or 0.0, part.max_amplitude)
    bounds, proba = [], []
    for batch in _batches(windows):
        bounds += [span for span, _ in batch]
        proba.append(model.predict_proba([waveform for _, waveform in batch]))
    # To the nanosecond, so that 0.15 s is not 0.15000000000000002 s.
    bounds = pd.DataFrame(np.round(bounds, 9), columns=["start", "end"])
    return pd.concat([bounds, _table(proba, model)], axis=1)


def _table(proba, model):
    return pd.DataFrame(np.concatenate(proba), columns=model.classes_)


def _batches(windows):
    """Lists of windows, of a bounded number of samples."""
    # The first window is alone: what is wrong with all of them is told once.
    batch, size = [], _SAMPLES_AT_ONCE
    for window in windows:
        batch.append(window)
        size += len(window[1])
        if size >= _SAMPLES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
