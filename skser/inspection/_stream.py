"""Prediction of emotions over time, while the audio arrives."""

from numbers import Real

from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skser.inspection._window_outputs import WindowOutputs
from skser.inspection._windows import stream_outputs


@validate_params(
    {
        "model": [HasMethods("predict_proba"), HasMethods("predict")],
        "blocks": "no_validation",
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "names": [list, None],
    },
    prefer_skip_nested_validation=True,
)
def emotion_stream(model, blocks, sampling_rate, window=2.0, hop=0.5, names=None):
    """Predict the emotions in successive windows while the audio arrives.

    This is a generator. It predicts a window as soon as its last sample has arrived. It holds
    only about one window of audio in memory, however long the stream is.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Classifier of audio with `predict_proba`, or regressor, as in `emotion_timeline`.
    blocks : iterable of array-like of shape (n_samples,) or (n_samples, n_channels)
        Audio in the order of its arrival, for example from a microphone or a socket. The size of
        the blocks may vary, but their type and number of channels may not. Integers are scaled by
        the full scale of their type. Channels are averaged.
    sampling_rate : float
        Sampling rate of the blocks, in Hz.
    window, hop : float, default=2.0 and 0.5
        Length of a window and time between the starts of successive windows, in seconds.
    names : list of str or None, default=None
        Name of each number that a regressor predicts, as in `emotion_timeline`.

    Yields
    ------
    dict
        ``start`` and ``end`` of the window, in seconds from the first sample, and the probability
        of each class, or each number that a regressor predicts. If the model can refuse audio,
        ``reason`` says why it does, as in `emotion_timeline`. When the blocks end, the last window
        ends with them. An empty stream yields nothing.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If `blocks` is a single array, if a block is not an array of numbers, or if its type
        differs from that of the first block. The message names the block.
    ValueError
        If the number of channels changes, or if `window` or `hop` is shorter than one sample.
    AudioReadError
        If samples are not finite or beyond full scale, or if a window is too short for the
        model's features.

    See Also
    --------
    emotion_timeline : Predict the emotions over the time of a recording.

    Notes
    -----
    ``DataFrame(emotion_stream(...))`` equals the timeline of a file with the same samples. An
    exception from the iterator is passed on after all complete windows, with a note that names
    the block. If a model takes longer than `hop` to predict a window, the rows remain correct but
    arrive increasingly late.

    If the model's features need another sampling rate, the resampler adds a delay of a few
    milliseconds.

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
    return _rows(model, WindowOutputs(model, names).rows, blocks, sampling_rate, window, hop)


def _rows(*given):
    for start, end, row in stream_outputs(*given):
        yield {"start": start, "end": end} | row
