"""Predictions of a model for windows: probabilities of classes, or numbers.

The command line imports this file, so it imports neither pandas nor scikit-learn.
"""

import numpy as np

from skser.audio import Utterance, audio_inputs, read_at_rate, stream_audio, stream_blocks
from skser.inspection._windows import cut_windows, working_rate

_SAMPLES_AT_ONCE = 2**21


class WindowOutputs:
    """Method that predicts windows, and the names of its columns.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Classifier with `predict_proba`, or regressor.
    names : list of str or None
        Name of each number that a regressor predicts.

    Raises
    ------
    TypeError
        If the model is a classifier without `predict_proba`.
    """

    def __init__(self, model, names):
        self.model = model
        self.names = names
        self.is_proba = hasattr(model, "predict_proba")
        has_tags = hasattr(model, "__sklearn_tags__")  # an OnnxModel has none
        if (
            not self.is_proba
            and has_tags
            and model.__sklearn_tags__().estimator_type == "classifier"
        ):
            raise TypeError(
                f"{type(model).__name__} is not a model implementing 'predict_proba'. Calibrate it "
                "with sklearn.calibration.CalibratedClassifierCV, or enable its probabilities."
            )

    def timeline(self, path, window, hop):
        """Yield the outputs for successive windows of a recording, in batches.

        Parameters
        ----------
        path : source of audio
            Recording, as in `emotion_timeline`.
        window, hop : float
            Length of a window and time between the starts of windows, in seconds.

        Yields
        ------
        bounds : ndarray of shape (n_windows, 2)
            Start and end of each window, in seconds, rounded to nanoseconds, so that 0.15 s does
            not become 0.15000000000000002 s.
        values : ndarray of shape (n_windows, n_columns)
            Outputs for each window.
        """
        part = recording(path)
        name = part.name or (part.source if isinstance(part.source, str) else "the recording")
        rate = working_rate(self.model)
        if isinstance(part.source, str | bytes):
            pieces = stream_audio(part, rate)
        else:
            pieces = [read_at_rate(part, 0, None, rate)]
        windows = cut_windows(pieces, window, hop, name, part.start or 0.0, part.max_amplitude)
        for batch in batches(windows):
            bounds = np.round([span for span, _ in batch], 9)
            yield bounds, self.predict([waveform for _, waveform in batch])

    def stream(self, blocks, sampling_rate, window, hop):
        """Yield start, end and outputs of each window of audio that arrives in blocks.

        Parameters
        ----------
        blocks, sampling_rate, window, hop
            Parameters of `emotion_stream`.

        Yields
        ------
        start, end : float
            Bounds of the window in seconds, rounded as by `timeline`.
        values : ndarray of shape (n_columns,)
            Outputs for the window.
        """
        pieces = stream_blocks(blocks, sampling_rate, working_rate(self.model))
        for bounds, waveform in cut_windows(pieces, window, hop, "the stream"):
            (values,) = self.predict([waveform])
            yield *np.round(bounds, 9).tolist(), values

    def predict(self, windows):
        """Return the outputs for some windows, of shape (n_windows, n_columns)."""
        if self.is_proba:
            return self.model.predict_proba(windows)
        return np.asarray(self.model.predict(windows), np.float64).reshape(len(windows), -1)

    def columns(self, n_columns):
        """Return the names of the columns: the classes, or `names`.

        Raises
        ------
        ValueError
            If the number of names is not that of the columns.
        """
        if self.is_proba:
            return self.model.classes_
        if self.names is None:
            return ["prediction"] if n_columns == 1 else [f"target{i}" for i in range(n_columns)]
        if len(self.names) != n_columns:
            raise ValueError(
                f"names={list(self.names)} are {len(self.names)}, but the model predicts "
                f"{n_columns} numbers. Give one name for each."
            )
        return list(self.names)


def recording(path):
    """Return a source of audio as an `Utterance` without a limit on its duration."""
    (item,) = audio_inputs([path])
    part = item if isinstance(item, Utterance) else Utterance(item)
    return Utterance(
        part.source, part.start, part.end, part.channel, name=part.name,
        max_duration=None, max_amplitude=part.max_amplitude,
    )  # fmt: skip


def batches(windows):
    """Yield lists of windows with a bounded total number of samples."""
    # The first window forms its own batch, so that an error in all windows is reported once.
    batch, size = [], _SAMPLES_AT_ONCE
    for window in windows:
        batch.append(window)
        size += len(window[1])
        if size >= _SAMPLES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
