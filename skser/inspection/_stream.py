"""Emotion over time, while the audio arrives."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skser.audio import stream_blocks
from skser.inspection._windows import cut_windows, working_rate


@validate_params(
    {
        "model": [HasMethods("predict_proba")],
        "blocks": "no_validation",
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def emotion_stream(model, blocks, sampling_rate, window=2.0, hop=0.5):
    """Probabilities of the emotions in successive windows, while the audio arrives.

    A generator: a window is predicted as soon as its last sample has come. Memory is that of a
    window, however long the stream is.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Model of audio with `predict_proba`, as in `emotion_timeline`.
    blocks : iterable of array-like of shape (n_samples,) or (n_samples, n_channels)
        Audio as it comes, from a microphone or a socket, in blocks of any size, which may change
        from block to block; their type and number of channels may not. Integers are scaled by
        the full scale of their type; channels are averaged.
    sampling_rate : float
        Rate of the blocks in Hz.
    window, hop : float, default=2.0 and 0.5
        Length of a window, and time from the start of one to the start of the next, in seconds.

    Yields
    ------
    dict
        ``start`` and ``end`` of the window, in seconds from the first sample, and a probability
        per class. When the blocks end, the last window ends with them, as in `emotion_timeline`.
        No row, if no sample came.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If `blocks` is a single array, or a block is not an array of numbers or of another type than
        the first, naming the block.
    ValueError
        If the number of channels changes, or `window` or `hop` is less than one sample.
    AudioReadError
        If samples are not finite or beyond full scale, or a window is too short for the model's
        features.

    See Also
    --------
    emotion_timeline : The same of a file.

    Notes
    -----
    ``DataFrame(emotion_stream(...))`` equals the timeline of a file of the same samples. What the
    iterator raises passes through, after the rows that were full; a note on it names the block.
    A model that takes longer than `hop` for a window falls behind: the rows stay right, and come
    late.

    Where the model's features need another rate, the resampler holds back a few milliseconds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.inspection import emotion_stream
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> features = Functionals(FrameFeatures(("energy",), input_sampling_rate=16000))
    >>> model = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model = model.fit(corpus.data, corpus.target)
    >>> blocks = np.array_split(np.concatenate(corpus.data)[:72000], 100)
    >>> for row in emotion_stream(model, blocks, 16000, window=2.0, hop=1.0):
    ...     print(row["start"], row["end"], len(row) - 2)
    0.0 2.0 5
    1.0 3.0 5
    2.0 4.0 5
    2.5 4.5 5
    """
    if hasattr(model, "fit"):  # an OnnxModel is always fitted
        check_is_fitted(model)
    return _rows(model, stream_blocks(blocks, sampling_rate, working_rate(model)), window, hop)


def _rows(model, pieces, window, hop):
    for bounds, waveform in cut_windows(pieces, window, hop, "the stream"):
        start, end = np.round(bounds, 9).tolist()
        (proba,) = model.predict_proba([waveform])
        yield {"start": start, "end": end} | dict(zip(model.classes_, proba.tolist(), strict=True))
