"""Detection of speech, and trimming of the silence around it."""

import warnings
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skser import _silero
from skser._base import in_container
from skser._docstrings import insert_descriptions
from skser.audio import (
    AudioReadError,
    Waveform,
    audio_inputs,
    printable,
    read_utterance,
    resample,
    utterance_name,
)
from skser.feature_extraction import DESCRIPTIONS, AudioTransformer
from skser.sequences import Layout

_STEP, _STEPS_PER_FRAME = 0.005, 4  # the former in seconds
_PEAK_FRAMES = 10  # 50 ms, so that a click does not count as the peak
_FLOOR_PERCENTILE = 10
_HYSTERESIS = 6.0  # in dB
_DIGITAL_SILENCE = -110.0  # in dB of full scale
_SILERO_LOWER = 0.3  # lower threshold as a share of the upper; the network reacts with a delay


@insert_descriptions(DESCRIPTIONS)
class VoiceActivityTrimmer(AudioTransformer, auto_wrap_output_keys=("transform",)):
    """Trimming of the silence before the first speech and after the last.

    Audio goes in and audio comes out: put this transformer before one of audio in a Pipeline.
    Each trimmed utterance carries its sampling rate, so the next step needs no
    `input_sampling_rate`. The number of utterances stays the same: an utterance in which no
    speech is found is kept whole, and a warning names it.

    Parameters
    ----------
    method : {"energy", "silero"}, default="energy"
        Method of detection. "energy" compares the level with the utterance's own noise floor and
        peak. "silero" applies a neural network that distinguishes speech from other sounds.
    remove_pauses : bool, default=False
        Whether to cut out the pauses between stretches of speech too. Pauses carry emotion, so
        they are kept by default.
    margin : float, default=0.05
        Time to keep before and after speech, in seconds.
    min_speech : float, default=0.1
        Shortest stretch that counts as speech, in seconds.
    min_pause : float, default=0.2
        Shortest gap that counts as a pause, in seconds. Shorter gaps are part of speech.
    threshold : float, default=6.0
        Smallest distance of speech from the noise floor, in dB. Only used by method "energy".
    dynamic_range : float, default=40.0
        Largest distance of speech below the peak, in dB. Only used by method "energy".
    probability : float, default=0.5
        Probability above which the network's output counts as speech. Only used by method
        "silero".
    sampling_rate : float, default=16000
        Sampling rate of the result, in Hz. Audio at other rates is resampled.
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    on_error : {"raise", "empty"}, default="raise"
        Treatment of unreadable utterances, after all others are done: "raise" names them in an
        error; "empty" gives each of them 0 samples and names them in a warning.
    memory : path-like or None, default=None
        Folder that caches each trimmed utterance, so that it is computed only once. None caches
        nothing.

    Notes
    -----
    Method "energy" follows the end-point detection of [1]_. Two thresholds are set from the noise
    floor and the peak of the utterance. The upper one must be exceeded for speech to be found;
    speech then extends as far as the level stays above the lower one. Levels are those of 20-ms
    frames after their mean is removed. The floor is the 10th percentile of the levels, and the
    peak is the level that the loudest 50 ms exceed. The dynamic range below the peak follows
    [2]_. Multiplying the utterance by a constant has no effect. An utterance whose level varies by
    less than `threshold` counts as speech throughout, even if it is a steady noise.

    Method "silero" [3]_ processes the utterance with its mean removed and its peak at full
    scale. The network judges 32 ms at a time. Speech is found where its output exceeds
    `probability`, and extends as far as the output stays above 0.3 times `probability`.

    References
    ----------
    .. [1] Rabiner, L. R. and Sambur, M. R. (1975). An algorithm for determining the endpoints
       of isolated utterances. Bell System Technical Journal 54(2).

    .. [2] Kinnunen, T. and Li, H. (2010). An overview of text-independent speaker recognition:
       from features to supervectors. Speech Communication 52(1).

    .. [3] Silero Team. Silero VAD: pre-trained enterprise-grade voice activity detector.
       https://github.com/snakers4/silero-vad

    Examples
    --------
    >>> import numpy as np
    >>> from skser.preprocessing import VoiceActivityTrimmer
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    >>> recording = np.concatenate([np.zeros(8000), tone, np.zeros(12000)])
    >>> trimmer = VoiceActivityTrimmer(input_sampling_rate=16000)
    >>> trimmer.speech_segments([recording])[0].round(1)
    array([[0.5, 1.5]])
    >>> trimmed = trimmer.transform([recording])
    >>> trimmed.shape, round(len(trimmed[0]) / 16000, 1)
    ((1,), 1.1)
    """

    _parameter_constraints = {
        **AudioTransformer._parameter_constraints,
        "method": [StrOptions({"energy", "silero"})],
        "remove_pauses": ["boolean"],
        "margin": [Interval(Real, 0, None, closed="left")],
        "min_speech": [Interval(Real, 0, None, closed="left")],
        "min_pause": [Interval(Real, 0, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="neither")],
        "dynamic_range": [Interval(Real, 0, None, closed="neither")],
        "probability": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        method="energy",
        remove_pauses=False,
        margin=0.05,
        min_speech=0.1,
        min_pause=0.2,
        threshold=6.0,
        dynamic_range=40.0,
        probability=0.5,
        *,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
    ):
        super().__init__(sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory)
        self.method = method
        self.remove_pauses = remove_pauses
        self.margin = margin
        self.min_speech = min_speech
        self.min_pause = min_pause
        self.threshold = threshold
        self.dynamic_range = dynamic_range
        self.probability = probability

    @property
    def _prefer(self):
        return "threads" if self.method == "energy" else "processes"

    @insert_descriptions(DESCRIPTIONS)
    def transform(self, X):
        """Trim every utterance.

        Parameters
        ----------
        {sources}

        Returns
        -------
        ndarray of shape (n_utterances,), object
            One `skser.audio.Waveform` per utterance: a 1-D float32 array at `sampling_rate`.
            If `set_output` asks for a DataFrame, they are in its only column, ``audio``.

        Raises
        ------
        AudioReadError
            If some utterances cannot be used and `on_error` is "raise". The error comes after
            all other utterances are done, and names every unusable one.

        Warns
        -----
        UserWarning
            If no speech was found in some utterances, which the warning names.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)  # once, as an upload is read only once
        trimmed = self._collect(*self._extract_all(items))
        speechless = []
        for i, item in enumerate(items):
            if len(trimmed[i]):
                continue
            try:
                whole = read_utterance(item, i, self.input_sampling_rate, self.sampling_rate)
                trimmed[i] = self._with_rate(whole)
            except AudioReadError:  # reported already; it keeps its 0 samples
                continue
            speechless.append(printable(utterance_name(item, i)))
        if speechless:
            warnings.warn(
                f"No speech was found in {len(speechless)} of {len(trimmed)} utterances, which "
                f"are kept whole: {'; '.join(speechless)}.",
                stacklevel=2,
            )
        return in_container(self, trimmed, X)

    def speech_segments(self, X):
        """Find the stretches of speech, without `margin`.

        Parameters
        ----------
        X : list or 1-D array of sources, or DataFrame
            Audio, as for `transform`.

        Returns
        -------
        list of ndarray of shape (n_segments, 2), float64
            Start and end of each stretch of speech, in seconds from the start of the utterance,
            which may be a part of a file. An utterance without speech has 0 rows.
        """
        return _SegmentFinder(**self.get_params()).transform(X)

    def _prepare(self):
        return None

    def _segments(self, samples):
        """Return start and end of each stretch of speech, (n_segments, 2), in seconds."""
        if self.method == "silero":
            scores, edges = _speech_probability(samples, self.sampling_rate)
            low, high = _SILERO_LOWER * self.probability, self.probability
        else:
            scores, edges = _levels(samples, self.sampling_rate)
            low, high = _thresholds(scores, self.threshold, self.dynamic_range)
        segments = edges[_runs(scores, low, high)]
        segments = _merge(segments, self.min_pause)
        return segments[segments[:, 1] - segments[:, 0] >= self.min_speech]

    def _extract(self, samples, prepared):
        segments = self._segments(samples)
        if len(segments) and not self.remove_pauses:
            segments = np.array([[segments[0, 0], segments[-1, 1]]])
        kept = _merge(segments + np.array([-self.margin, self.margin]), 0)
        bounds = np.rint(kept * self.sampling_rate).astype(int).clip(0, len(samples))
        # Empty if no speech was found; `transform` then names the utterance and keeps it whole.
        return np.concatenate([samples[:0], *(samples[start:stop] for start, stop in bounds)])

    def _settings(self):
        settings = super()._settings()
        if self.method == "silero":
            settings["version of silero"] = _silero.VERSION
        return settings

    def _layout(self, prepared):
        return Layout(("audio",), hop=1 / self.sampling_rate)

    _empty_result_name = "0 samples"

    def _empty_result(self, prepared):
        return np.empty(0, np.float32)

    def _collect(self, results, prepared):
        # Filled one by one, since NumPy would stack arrays of equal length into a 2-D array.
        collected = np.empty(len(results), dtype=object)
        for i, result in enumerate(results):
            collected[i] = self._with_rate(result)
        return collected

    def _with_rate(self, samples):
        # Without a limit, since reading the utterance has checked the amplitude already.
        return Waveform(samples, self.sampling_rate, max_amplitude=None)


class _SegmentFinder(VoiceActivityTrimmer):
    """Transformer of audio to its speech segments, for `speech_segments`."""

    transform = AudioTransformer.transform

    def _extract(self, samples, prepared):
        return self._segments(samples)

    _empty_result_name = "0 segments"

    def _empty_result(self, prepared):
        return np.empty((0, 2))

    def _collect(self, results, prepared):
        return list(results)  # arrays, also where workers or a cache return them in one block


def _levels(samples, rate):
    """Compute the level of each frame in dB of full scale, and the n_frames + 1 times at edges."""
    step = max(1, round(_STEP * rate))
    width = step * _STEPS_PER_FRAME
    if len(samples) < width:
        return np.empty(0), np.zeros(1)  # too short to hold speech
    n_steps = len(samples) // step
    steps = samples[: n_steps * step].reshape(n_steps, step)
    ones = np.ones(_STEPS_PER_FRAME)
    mean = np.convolve(steps.sum(axis=1, dtype=np.float64), ones, "valid") / width
    squares = np.einsum("ij,ij->i", steps, steps, dtype=np.float64)
    power = np.convolve(squares, ones, "valid") / width - mean**2
    # A frame stands for the step in its middle; the first and last extend to the ends.
    edges = (np.arange(len(power) + 1) + (_STEPS_PER_FRAME - 1) / 2) * (step / rate)
    edges[0], edges[-1] = 0, len(samples) / rate
    return 10 * np.log10(np.maximum(power, 1e-12)), edges


def _thresholds(levels, threshold, dynamic_range):
    """Return the lower and upper threshold in dB."""
    if not len(levels):
        return np.inf, np.inf
    peak = np.sort(levels)[-_PEAK_FRAMES:][0]
    floor = np.percentile(levels, _FLOOR_PERCENTILE)
    if peak < _DIGITAL_SILENCE:
        return np.inf, np.inf
    if peak - floor < threshold:
        return -np.inf, -np.inf
    middle = (floor + peak) / 2
    low = max(peak - dynamic_range, min(floor + threshold, middle))
    return low, min(low + _HYSTERESIS, (low + peak) / 2)


def _speech_probability(samples, rate):
    """Compute the probability of speech in each chunk, and the n_chunks + 1 times at edges."""
    resampled = resample(samples, rate, _silero.RATE)
    if len(resampled) < _silero.CHUNK:
        return np.empty(0), np.zeros(1)  # too short to hold speech
    probabilities = _silero.speech_probability(resampled)
    edges = np.arange(len(probabilities) + 1) * (_silero.CHUNK / _silero.RATE)
    edges[-1] = len(samples) / rate
    return probabilities, edges


def _runs(scores, low, high):
    """Find runs above `low` that rise above `high`: first frame, and frame after the last."""
    changes = np.diff(scores > low, prepend=False, append=False)
    runs = np.flatnonzero(changes).reshape(-1, 2)
    if not len(runs):
        return runs
    # reduceat alternates between runs and gaps, so every other value belongs to a run. The padding
    # is the end of a run that lasts up to the last frame.
    highest = np.maximum.reduceat(np.append(scores, -np.inf), runs.ravel())[::2]
    return runs[highest > high]


def _merge(segments, min_gap):
    """Join segments less than `min_gap` seconds apart."""
    if not len(segments):
        return segments
    apart = segments[1:, 0] - segments[:-1, 1] >= min_gap
    starts = segments[np.append(True, apart), 0]
    ends = segments[np.append(apart, True), 1]
    return np.column_stack([starts, ends])
