"""Silence around speech, found and cut off."""

import threading
import warnings
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skser._base import in_container
from skser._device import torch_threads
from skser._optional import import_optional
from skser.audio import (
    AudioReadError,
    Waveform,
    audio_inputs,
    printable,
    read_utterance,
    resample,
    utterance_name,
)
from skser.feature_extraction import AudioTransformer
from skser.sequences import Layout

_STEP, _STEPS_PER_FRAME = 0.005, 4
_PEAK_FRAMES = 10  # 50 ms, so that a click is no peak
_FLOOR_PERCENTILE = 10
_HYSTERESIS = 6.0  # dB
_DIGITAL_SILENCE = -110.0  # dB of full scale
_SILERO_RATE, _SILERO_CHUNK = 16000, 512
_SILERO_LOWER = 0.3  # of the upper threshold; the network takes a moment to be sure


class VoiceActivityTrimmer(AudioTransformer, auto_wrap_output_keys=("transform",)):
    """Cut off what comes before the first speech and after the last.

    Audio in, audio out: put it before a transformer of audio in a Pipeline, and tell that one
    ``input_sampling_rate=16000``, the `sampling_rate` of this one. Utterances stay as many as
    they were: one in which no speech is found is kept whole, and named in a warning.

    Parameters
    ----------
    method : {"energy", "silero"}, default="energy"
        "energy" goes by the level, against the utterance's own noise floor and peak. "silero"
        asks a network, which knows speech from other noises (extra ``vad``).
    remove_pauses : bool, default=False
        Whether to cut out the pauses between stretches of speech too. They carry emotion, so
        by default they stay.
    margin : float, default=0.05
        What is kept before and after speech, in seconds.
    min_speech : float, default=0.1
        Stretches shorter than this are no speech, in seconds.
    min_pause : float, default=0.2
        Gaps shorter than this are part of speech, in seconds.
    threshold : float, default=6.0
        Method "energy": how far above the noise floor speech starts, in dB.
    dynamic_range : float, default=40.0
        Method "energy": what lies further than this below the peak is no speech, in dB.
    probability : float, default=0.5
        Method "silero": probability from which on the network is believed.
    sampling_rate : float, default=16000
        Rate of the result in Hz; other rates are resampled. Each utterance states it to what comes
        next.
    input_sampling_rate : float or None, default=None
        Rate of arrays given to `transform`, in Hz.
    n_jobs : int or None, default=None
        Processes, as in joblib.
    verbose : bool, default=False
        Whether to draw a progress bar over utterances.
    on_error : {"raise", "empty"}, default="raise"
        What to do about unreadable utterances once all others are done: name them in an
        error, or leave each with 0 samples and name them in a warning.
    memory : path-like or None, default=None
        Folder where each trimmed utterance is kept and found again.

    Notes
    -----
    Method "energy" follows the end-point detection of [1]_: two thresholds are set from the
    noise floor and the peak of the utterance, the upper says that there is speech, the lower
    how far it reaches. Levels are those of 20-ms frames, their mean removed; the floor is their
    10th percentile, the peak what the loudest 50 ms exceed, and the lower bound of the range is
    that of [2]_, relative to the peak. Multiplying the utterance by a constant changes nothing.
    An utterance whose level varies by less than `threshold` is all speech; to this method a
    steady noise is.

    Method "silero" [3]_ hears the utterance with its mean removed and its peak at full scale.
    The network judges 32 ms at a time; where it is sure of speech, speech reaches as far as the
    probability stays above 0.3 times `probability`.

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
        self.method = method
        self.remove_pauses = remove_pauses
        self.margin = margin
        self.min_speech = min_speech
        self.min_pause = min_pause
        self.threshold = threshold
        self.dynamic_range = dynamic_range
        self.probability = probability
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    def transform(self, X):
        """Trim every utterance.

        Parameters
        ----------
        X : list or 1-D array of sources, or DataFrame
            Audio: paths, `skser.audio.Utterance`, `skser.audio.Waveform`, contents of files,
            or 1-D arrays, which need `input_sampling_rate`. A DataFrame has them in its column
            ``audio``, and may have ``start`` and ``end`` in seconds and ``channel``.

        Returns
        -------
        ndarray of shape (n_utterances,), object
            A 1-D float32 array for each utterance, at `sampling_rate`. After `set_output`, a
            DataFrame that holds them in its one column, ``audio``.

        Raises
        ------
        AudioReadError
            After all other utterances are done, naming each that could not be used, if
            `on_error` is "raise".

        Warns
        -----
        UserWarning
            Naming the utterances in which no speech was found.
        """
        trimmed = self._collect(*self._extract_all(X))
        speechless = []
        for i, item in enumerate(audio_inputs(X, self.input_sampling_rate)):
            if len(trimmed[i]):
                continue
            try:
                whole = read_utterance(item, i, self.input_sampling_rate, self.sampling_rate)
                trimmed[i] = self._stated(whole)
            except AudioReadError:
                continue  # which has been said
            speechless.append(printable(utterance_name(item, i)))
        if speechless:
            warnings.warn(
                f"No speech was found in {len(speechless)} of {len(trimmed)} utterances, which "
                f"are kept whole: {'; '.join(speechless)}.",
                stacklevel=2,
            )
        return in_container(self, trimmed, X)

    def speech_segments(self, X):
        """Find where speech is, without `margin`.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, or DataFrame
            As for `transform`.

        Returns
        -------
        list of ndarray of shape (n_segments, 2), float64
            Start and end of each stretch of speech, in seconds; (0, 2) where there is none.
        """
        return _SegmentFinder(**self.get_params()).transform(X)

    def _prepare(self):
        if self.method == "silero":
            _import_silero()

    def _segments(self, samples):
        """Start and end of each stretch of speech, (n_segments, 2), in seconds."""
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
        # An empty array stands for "no speech" until `transform` has the utterance's name.
        return np.concatenate([samples[:0], *(samples[start:stop] for start, stop in bounds)])

    def _settings(self):
        settings = super()._settings()
        if self.method == "silero":
            settings["version of silero"] = _import_silero().__version__
        return settings

    def _layout(self, prepared):
        return Layout(("audio",), hop=1 / self.sampling_rate)

    _empty_result_name = "0 samples"

    def _empty_result(self, prepared):
        return np.empty(0, np.float32)

    def _collect(self, results, prepared):
        # Filled one by one: of arrays of one length NumPy would make a 2-D array.
        collected = np.empty(len(results), dtype=object)
        for i, result in enumerate(results):
            collected[i] = self._stated(result)
        return collected

    def _stated(self, samples):
        # With its rate, whatever comes next; its amplitude has been checked.
        return Waveform(samples, self.sampling_rate, max_amplitude=None)


class _SegmentFinder(VoiceActivityTrimmer):
    """Gives what `speech_segments` does, by the same reading, processes and folder."""

    transform = AudioTransformer.transform

    def _extract(self, samples, prepared):
        return self._segments(samples)

    _empty_result_name = "0 segments"

    def _empty_result(self, prepared):
        return np.empty((0, 2))

    def _collect(self, results, prepared):
        return results


def _levels(samples, rate):
    """Level of each frame in dB of full scale, and the times (n_frames + 1) between frames."""
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
    # A frame tells of the step in its middle, the first and the last of all up to the ends.
    edges = (np.arange(len(power) + 1) + (_STEPS_PER_FRAME - 1) / 2) * (step / rate)
    edges[0], edges[-1] = 0, len(samples) / rate
    return 10 * np.log10(np.maximum(power, 1e-12)), edges


def _thresholds(levels, threshold, dynamic_range):
    """Lower and upper threshold in dB."""
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
    """Probability of speech in each chunk, and the times (n_chunks + 1) between chunks."""
    import torch

    heard = resample(samples, rate, _SILERO_RATE)
    if len(heard) < _SILERO_CHUNK:
        return np.empty(0), np.zeros(1)  # too short to hold speech
    heard = heard - heard.mean()
    peak = np.abs(heard).max()
    if peak > 10 ** (_DIGITAL_SILENCE / 20):
        heard /= peak
    with torch_threads(), torch.inference_mode():
        probabilities = _silero().audio_forward(torch.from_numpy(heard), _SILERO_RATE)[0].numpy()
    edges = np.arange(len(probabilities) + 1) * (_SILERO_CHUNK / _SILERO_RATE)
    edges[-1] = len(samples) / rate
    return probabilities, edges


def _runs(scores, low, high):
    """First frame, and frame after the last, of each run above `low` that rises above `high`."""
    changes = np.diff(scores > low, prepend=False, append=False)
    runs = np.flatnonzero(changes).reshape(-1, 2)
    if not len(runs):
        return runs
    # Every other stretch of reduceat is a run; the padding lets the last one end.
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


def _import_silero():
    import torch

    n_threads = torch.get_num_threads()
    try:
        return import_optional(
            "silero_vad", extra="vad", purpose="VoiceActivityTrimmer(method='silero')"
        )
    finally:
        torch.set_num_threads(n_threads)  # its import leaves the whole process with one


# Of each thread its own, since the network keeps the state of the utterance that it hears.
_loaded = threading.local()
_loading = threading.Lock()  # filters of warnings are the process's, not the thread's


def _silero():
    if not hasattr(_loaded, "silero"):
        library = _import_silero()
        with (
            _loading,
            warnings.catch_warnings(),
        ):  # torch has deprecated the format that Silero comes in
            warnings.simplefilter("ignore", DeprecationWarning)
            _loaded.silero = library.load_silero_vad()
    return _loaded.silero
