"""Audio: what an utterance is, and how its samples come in."""

from skser.audio._errors import AudioReadError, printable
from skser.audio._file import load_audio, open_audio, resample, stream_audio
from skser.audio._inputs import as_one_column, audio_inputs, rate_of, read_utterance, utterance_name
from skser.audio._waveform import Waveform

__all__ = [
    "AudioReadError",
    "Waveform",
    "as_one_column",
    "audio_inputs",
    "load_audio",
    "open_audio",
    "printable",
    "rate_of",
    "read_utterance",
    "resample",
    "stream_audio",
    "utterance_name",
]
