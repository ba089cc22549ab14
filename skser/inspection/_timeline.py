"""Prediction of emotions over the time of a recording of any length."""

import os
from itertools import chain
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skser.audio import Utterance, Waveform
from skser.inspection._turns import turns_of
from skser.inspection._window_outputs import WindowOutputs
from skser.inspection._windows import batches, recording, timeline_outputs


@validate_params(
    {
        "model": [HasMethods("predict_proba"), HasMethods("predict")],
        "path": [str, os.PathLike, bytes, Utterance, Waveform, dict, tuple, HasMethods("read")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "segments": [str, os.PathLike, pd.DataFrame, None],
        "names": [list, None],
    },
    prefer_skip_nested_validation=True,
)
def emotion_timeline(model, path, window=2.0, hop=0.5, segments=None, names=None):
    """Predict the emotions in successive windows, or speakers' turns, of a recording.

    The recording is read, cut and predicted piece by piece, so memory does not grow with its
    length.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Classifier of audio with `predict_proba`, or regressor of audio: a pipeline that begins
        with a transformer such as `MelSpectrogram`, or a search, a voting classifier or a
        calibration of such pipelines. Its parameters are not changed. It may have been trained on
        paths or on arrays.
    path : str, path-like, bytes, binary file, Waveform, Utterance or another source of audio
        Recording: any file that `skser.audio.load_audio` can read, samples with their sampling
        rate, or a `skser.audio.Utterance` of either. It may have any sampling rate, number of
        channels and length.
    window : float, default=2.0
        Length of a window, in seconds. A shorter recording forms one window.
    hop : float, default=0.5
        Time between the starts of successive windows, in seconds. If audio remains at the end,
        one more window is added that ends with the recording.
    segments : path-like, DataFrame or None, default=None
        Speakers' turns: an RTTM file, from which the turns of this recording are selected, or a
        table with columns ``start`` and ``end``, in seconds from the start of the file, and
        optionally ``speaker`` and ``channel``. Each turn is one utterance of any length, and
        `window` and `hop` are ignored. With None, sliding windows are used.
    names : list of str or None, default=None
        Name of each number that a regressor predicts, such as "valence". None means "prediction",
        or "target0", "target1" and so on for several. It is ignored for classifiers.

    Returns
    -------
    DataFrame with n_windows or n_turns rows
        Columns ``start`` and ``end`` of the window or turn, in seconds from the start of the
        file, and the probability of each class, in the order of ``model.classes_``, or each
        number that a regressor predicts. If the model can refuse audio, as a
        `RejectingClassifier` and the models of the package do, the last column, ``reason``, says
        why: "no speech", "unlike training", "unsure", or "" if it does not. Probabilities of what
        is refused mean nothing. With `segments`, there is also a column ``speaker``, which is None
        if the speaker is unknown. Turns are sorted by their start.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If the model is a classifier without `predict_proba`.
    AudioReadError
        If the file cannot be read, or if a window is too short for the model's features.
    ValueError
        If a parameter is out of range, or if `window` or `hop` is shorter than one sample. Also
        if `segments` lacks times or has no turn of this recording, or if `path` is only a part of
        a recording and `segments` is given.

    Warns
    -----
    UserWarning
        If turns overlap, because each of them then contains the voices of both speakers.

    See Also
    --------
    emotion_stream : Predict the emotions while the audio arrives.
    skser.datasets.read_rttm : Read the turns in an RTTM file.
    skser.compose.SegmentedClassifier : Train on windows and predict whole utterances.

    Notes
    -----
    The whole recording is resampled to the highest ``sampling_rate`` of the transformers in
    `model` before it is cut. The windows therefore equal slices of ``load_audio(path,
    sampling_rate)``. The model receives each as a `skser.audio.Waveform`, which carries its
    sampling rate.

    The model treats each window as an utterance. It should therefore have been trained on
    utterances of about that length, for example with a `SegmentedClassifier`.

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
    outputs = WindowOutputs(model, names)
    if segments is not None:
        turns, utterances = turns_of(recording(path), segments)
        rows = [outputs.rows([waveform for _, waveform in batch]) for batch in batches(utterances)]
        return pd.concat([turns, pd.DataFrame(list(chain(*rows)))], axis=1)
    bounds, rows = zip(*timeline_outputs(model, outputs.rows, path, window, hop), strict=True)
    bounds = pd.DataFrame(np.concatenate(bounds), columns=["start", "end"])
    return pd.concat([bounds, pd.DataFrame(list(chain(*rows)))], axis=1)
