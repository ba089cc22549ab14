"""Audio inputs: utterances, waveforms, and reading of their samples."""

from skser.audio._errors import AudioReadError, printable
from skser.audio._file import load_audio, resample, stream_audio
from skser.audio._identity import identity, overlapping
from skser.audio._inputs import (
    as_one_column,
    audio_inputs,
    rate_of,
    read_at_rate,
    read_utterance,
    utterance_name,
)
from skser.audio._live import stream_blocks
from skser.audio._opening import open_audio
from skser.audio._tables import (
    PART_COLUMNS,
    table_rows,
    with_index_columns,
    without_parts,
)
from skser.audio._utterance import Utterance, seconds
from skser.audio._waveform import Waveform

__all__ = [
    "PART_COLUMNS",
    "AudioReadError",
    "Utterance",
    "Waveform",
    "as_one_column",
    "audio_inputs",
    "identity",
    "load_audio",
    "open_audio",
    "overlapping",
    "printable",
    "rate_of",
    "read_at_rate",
    "read_utterance",
    "resample",
    "seconds",
    "stream_audio",
    "stream_blocks",
    "table_rows",
    "utterance_name",
    "with_index_columns",
    "without_parts",
]
