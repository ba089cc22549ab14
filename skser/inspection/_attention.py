"""Plot of a network's attention over an utterance."""

import os

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skser.audio import audio_inputs, read_at_rate, utterance_name
from skser.feature_extraction import Spectrogram
from skser.inspection._drawing import new_axes
from skser.preprocessing import VoiceActivityTrimmer


class AttentionDisplay:
    """Plot of one utterance's waveform and spectrogram, with a network's attention over them.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Samples of the utterance.
    sampling_rate : float
        Sampling rate, in Hz.
    attention : AttentionMap
        Attention to the utterance, from the `attention` method of a network.
    title : str, default=""
        Title of the plot.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, (3,)
        Waveform, spectrogram with contours of the attention, and attention over time.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    Examples
    --------
    >>> from skser.audio import Waveform
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.inspection import AttentionDisplay
    >>> from skser.persistence import load_pretrained
    >>> corpus = make_emotional_speech(1, 5, random_state=0)
    >>> utterance = Waveform(corpus.data[0], corpus.sampling_rate)
    >>> model = load_pretrained("emodb-afcn", device="cpu")
    >>> display = AttentionDisplay.from_estimator(model, utterance)
    >>> len(display.axes_)
    3
    """

    def __init__(self, samples, sampling_rate, attention, title=""):
        self.samples = samples
        self.sampling_rate = sampling_rate
        self.attention = attention
        self.title = title

    @classmethod
    def from_estimator(cls, estimator, utterance, *, axes=None):
        """Plot the attention of a fitted pipeline over an utterance.

        Parameters
        ----------
        estimator : fitted Pipeline
            Pipeline that takes audio and ends in a network with an `attention` method, such as
            `AttentionFCNClassifier`.
        utterance : path-like, Utterance, Waveform, or another source of audio
            Utterance to plot. If a `skser.preprocessing.VoiceActivityTrimmer` comes before the
            features, what it leaves of the utterance is plotted.
        axes : array of matplotlib Axes or None, default=None
            Three axes, from top to bottom. With None, a new figure is created.

        Returns
        -------
        AttentionDisplay
            Display with the plot.

        Raises
        ------
        TypeError
            If `estimator` is not a Pipeline, or its last step has no `attention`.
        """
        check_is_fitted(estimator)
        if not isinstance(estimator, Pipeline) or not hasattr(estimator[-1], "attention"):
            given = type(estimator).__name__
            if isinstance(estimator, Pipeline):
                given += f" that ends in {type(estimator[-1]).__name__}"
            raise TypeError(
                "AttentionDisplay needs a Pipeline that takes audio and ends in a network with an "
                f"attention method, such as AttentionFCNClassifier. Got a {given}."
            )
        (item,) = audio_inputs([utterance])
        (attention,) = estimator[-1].attention(estimator[:-1].transform([item]))
        name = os.path.basename(utterance_name(item, 0))
        title = f"{name}, predicted: {estimator.predict([item])[0]}"
        for step in estimator[:-1]:
            if isinstance(step, VoiceActivityTrimmer):  # the network hears only what is left
                (item,) = step.transform([item])
        samples, rate = read_at_rate(item, 0, None)
        return cls(samples, rate, attention, title).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw the waveform, the spectrogram with the attention, and the attention over time.

        The contours show the mean attention over the heads.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            Three axes, from top to bottom. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        if axes is None:
            axes = new_axes(self, 3, sharex=True, figsize=(9, 7), height_ratios=[1, 3, 1])
        wave_ax, spectrum_ax, course_ax = axes
        seconds = np.arange(len(self.samples)) / self.sampling_rate
        wave_ax.plot(seconds, self.samples, linewidth=0.4, color="tab:blue")
        wave_ax.set(title=self.title, ylabel="amplitude")
        spectrogram = Spectrogram(input_sampling_rate=self.sampling_rate).transform([self.samples])
        layout = spectrogram.layout
        times = np.arange(len(spectrogram[0])) * layout.hop + layout.offset
        spectrum_ax.pcolormesh(times, layout.frequencies, spectrogram[0].T, cmap="Greys")
        weights = self.attention.weights.mean(axis=0)
        # Contours need a grid of at least 2 x 2 and distinct levels.
        if min(weights.shape) > 1 and np.ptp(weights):
            levels = np.unique(np.quantile(weights, [0.5, 0.75, 0.9, 1.0]))
            spectrum_ax.contourf(
                self.attention.times, self.attention.frequencies, weights.T,
                levels=levels, extend="max", cmap="autumn_r", alpha=0.4,
            )  # fmt: skip
        spectrum_ax.set(ylabel="Hz", ylim=(0, layout.frequencies[-1]))
        for head, of_head in enumerate(self.attention.weights):
            course_ax.plot(self.attention.times, of_head.sum(axis=1), label=f"head {head + 1}")
        course_ax.set(xlabel="seconds", ylabel="attention", ylim=(0, None), xlim=(0, seconds[-1]))
        course_ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.axes_, self.figure_ = np.asarray(axes), wave_ax.figure
        return self
