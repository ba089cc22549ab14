"""Sources that are not quite files or arrays: uploads, text, URLs, pairs and dicts."""

import base64
import io
import tempfile

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from skser.audio import (
    AudioReadError,
    Waveform,
    audio_inputs,
    load_audio,
    read_utterance,
    stream_audio,
    stream_blocks,
)
from skser.feature_extraction import MelSpectrogram
from skser.preprocessing import VoiceActivityTrimmer

RATE = 16000
NOISE = (np.random.RandomState(0).randn(RATE) / 10).astype(np.float32)


def content(samples=NOISE):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV")
    return file.getvalue()


class Pipe(io.RawIOBase):
    """Stream that can be read only once."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)


class AsyncUpload:
    """Upload whose methods are asynchronous, as in Starlette."""

    async def read(self, size=-1):
        return content()

    async def seek(self, offset):
        return None

    async def seekable(self):
        return True


class TestFiles:
    @pytest.mark.parametrize("read", [load_audio, lambda source: audio_inputs([source])])
    def test_an_asynchronous_upload_is_named_with_the_remedy(self, read):
        with pytest.raises(
            TypeError, match=r"type AsyncUpload, .*await upload.read\(\), or .*file"
        ):
            read(AsyncUpload())

    def test_an_open_sound_file_is_named_with_the_remedy(self, wav):
        remedy = "Utterance 0 is of type SoundFile.*pass a path"
        with soundfile.SoundFile(wav(NOISE)) as file, pytest.raises(TypeError, match=remedy):
            audio_inputs([file])

    def test_files_in_text_mode_are_rejected_whatever_they_contain(self, tmp_path):
        path = tmp_path / "a.wav"
        path.write_bytes(content() + b"\xff\xfe\x81")
        with open(path, encoding="utf-8") as file:
            with pytest.raises(TypeError, match="Utterance 1 was opened as text: .* mode='rb'"):
                audio_inputs([Waveform(NOISE, RATE), file])
            with pytest.raises(TypeError, match="The audio was opened as text"):
                load_audio(file)
        with tempfile.NamedTemporaryFile("w+") as file:
            file.write("text")
            with pytest.raises(TypeError, match="opened as text"):
                audio_inputs([file])

    def test_a_stream_that_was_read_before_is_explained(self):
        pipe = Pipe(content())
        assert len(MelSpectrogram().transform([pipe])) == 1
        message = "utterance 0: the file is empty .* read before, pass its content as bytes"
        with pytest.raises(AudioReadError, match=message):
            MelSpectrogram().transform([pipe])

    def test_the_trimmer_reads_a_stream_once(self):
        with pytest.warns(UserWarning, match="No speech was found in 1 of 1"):
            (trimmed,) = VoiceActivityTrimmer().transform([Pipe(content(np.zeros(RATE)))])
        assert len(trimmed) == RATE


class TestStrings:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("data:audio/wav;base64,UklGRg==", r"is a data URI, not a path: pass base64.b64decode"),
            (
                "data:audio/wav;base64," + base64.b64encode(content()).decode(),
                "is a data URI, not a path",
            ),
            (base64.b64encode(content()).decode(), "seems to be base64: pass base64.b64decode"),
            (base64.encodebytes(content()[:2000]).decode(), "seems to be base64"),
            ("https://example.org/a.wav", "is a URL, not a path: download it"),
            ("s3://bucket/a.wav", "is a URL, not a path: download it"),
            ("file:///calls/a.wav", "is a URL, not a path: pass the path without 'file://'"),
            ("n" * 300, r"(cannot be opened|no such file)"),
        ],
    )
    def test_strings_other_than_paths_are_explained_in_a_short_message(self, text, reason):
        for read in (load_audio, lambda text: MelSpectrogram().transform([text])):
            with pytest.raises(AudioReadError, match=reason) as caught:
                read(text)
            assert len(str(caught.value)) < 500
        with pytest.raises(TypeError, match="X is a single path") as caught:
            MelSpectrogram().transform(text)
        assert len(str(caught.value)) < 500


class TestArrays:
    @pytest.mark.parametrize(
        "item",
        [
            (RATE, NOISE.tolist()),
            [NOISE.tolist(), RATE],
            (np.array(RATE), NOISE),
            (NOISE, torch.tensor(RATE)),
            (torch.from_numpy(NOISE), np.float32(RATE)),
        ],
    )
    def test_pairs_of_lists_and_of_rates_in_arrays_are_read(self, item):
        (waveform,) = audio_inputs([item])
        assert waveform.sampling_rate == RATE
        np.testing.assert_array_equal(read_utterance(waveform, 0, None, RATE), NOISE)

    def test_integers_in_a_list_have_no_known_full_scale(self):
        with pytest.raises(AudioReadError, match="utterance 0: holds integers of 64 bits"):
            MelSpectrogram().transform([(RATE, [1, 2, 3])])

    @pytest.mark.parametrize(
        ("item", "reason"),
        [
            (("16000", NOISE), "Utterance 1: sampling_rate='16000' must be a positive"),
            ((NOISE, -1), "Utterance 1: sampling_rate=-1 must be a positive"),
            ({"array": NOISE, "sampling_rate": "16000"}, "Utterance 1: sampling_rate='16000'"),
            ((RATE, [[0.0], [0.0, 0.1]]), "Utterance 1: .*inhomogeneous"),
        ],
    )
    def test_invalid_pairs_are_named(self, item, reason):
        with pytest.raises(ValueError, match=reason):
            audio_inputs([Waveform(NOISE, RATE), item])

    def test_samples_of_16_bits_in_int32_are_warned_of(self):
        samples = (NOISE * 2**12).astype(np.int32)
        with pytest.warns(UserWarning, match=r"utterance 1: its int32 samples .* to int16"):
            MelSpectrogram(n_mels=8).transform(
                [Waveform(samples * 2**16, RATE), Waveform(samples, RATE)]
            )

    def test_tensors_of_bfloat16_are_read(self):
        tensor = torch.from_numpy(NOISE).bfloat16()
        expected = tensor.float().numpy()
        for item in (
            (tensor, RATE),
            Waveform(tensor, RATE),
            {"array": tensor, "sampling_rate": RATE},
        ):
            (waveform,) = audio_inputs([item])
            np.testing.assert_array_equal(read_utterance(waveform, 0, None, RATE), expected)
        np.testing.assert_array_equal(read_utterance(tensor, 0, RATE, RATE), expected)
        ((samples, _),) = stream_blocks([tensor], RATE)
        np.testing.assert_array_equal(samples, expected)

    def test_an_array_in_a_dict_is_not_dropped_for_its_path(self, wav):
        row = {"array": NOISE, "sample_rate": RATE, "path": wav(NOISE)}
        with pytest.raises(
            TypeError, match=r"'sample_rate', 'path'\], but needs .*'sampling_rate'"
        ):
            audio_inputs([row])

    @pytest.mark.parametrize("missing", [pd.NA, pd.NaT, None, np.nan])
    def test_missing_audio_is_named_by_its_row(self, missing):
        for X in (["a.wav", missing], pd.DataFrame({"audio": ["a.wav", missing], "start": 1.0})):
            with pytest.raises(TypeError, match="Utterance 1 is missing, not audio"):
                audio_inputs(X)
        with pytest.raises(TypeError, match="Utterance 1 is missing, not audio"):
            audio_inputs(pd.Series(["a.wav", None], dtype="string"))

    @pytest.mark.parametrize("rate", ["16000", 0, -8000, float("nan"), float("inf")])
    def test_the_rate_to_load_at_is_a_positive_number(self, wav, rate):
        path = wav(NOISE)
        for read in (load_audio, lambda *given: next(stream_audio(*given))):
            with pytest.raises(ValueError, match="sampling_rate=.* must be a positive, finite"):
                read(path, rate)
        with pytest.raises(ValueError, match="sampling_rate=.* must be a positive, finite"):
            next(stream_blocks([NOISE], RATE, rate))
