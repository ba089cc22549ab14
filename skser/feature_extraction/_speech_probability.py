"""Probability of speech over time."""

from skser._docstrings import insert_descriptions
from skser._silero import CHUNK, RATE, VERSION, speech_probability
from skser.feature_extraction._base import AudioTransformer
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.sequences import Layout


@insert_descriptions(DESCRIPTIONS)
class SpeechProbability(AudioTransformer):
    """Probability that each 32 ms of an utterance hold speech, by the network Silero VAD.

    The network and its weights come with this package; no other library is needed. Each utterance
    is resampled to 16 kHz, its mean is removed and its peak is raised to full scale, so the level
    of the recording has no effect.

    Parameters
    ----------
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}

    See Also
    --------
    skser.preprocessing.VoiceActivityTrimmer : Removal of the silence around speech.
    skser.compose.RejectingClassifier : Classifier that refuses utterances without speech.

    Notes
    -----
    The weights [1]_ are those of version 6.2 in half precision. Probabilities differ by less than
    0.01 from the network of the library ``silero-vad``. Each one depends on the samples before it
    too, but not on those after it.

    References
    ----------
    .. [1] Silero Team. Silero VAD: pre-trained enterprise-grade voice activity detector. MIT
           license. https://github.com/snakers4/silero-vad

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import SpeechProbability
    >>> noise = np.random.RandomState(0).randn(16000)
    >>> X = SpeechProbability(input_sampling_rate=16000).transform([noise / 10])
    >>> X[0].shape, X.layout.hop, float(X[0].max()) < 0.5
    ((32, 1), 0.032, True)
    """

    _parameter_constraints = {
        name: constraint
        for name, constraint in AudioTransformer._parameter_constraints.items()
        if name != "sampling_rate"
    }

    def __init__(
        self,
        *,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
    ):
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    @property
    def sampling_rate(self):
        """Sampling rate of the network's training audio, in Hz. All audio is resampled to it."""
        return RATE

    def _prepare(self):
        return None

    def _extract(self, samples, prepared):
        return speech_probability(samples)[:, None]

    def _settings(self):
        return {**super()._settings(), "version of silero": VERSION}

    def _layout(self, prepared):
        return Layout(("speech",), hop=CHUNK / RATE, offset=CHUNK / RATE / 2)
