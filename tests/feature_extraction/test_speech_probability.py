"""The probability of speech, and the network that it comes from."""

import warnings

import numpy as np
import pytest
import soundfile

from skser import _silero
from skser.audio import AudioReadError, Waveform
from skser.datasets import make_emotional_speech
from skser.feature_extraction import SpeechProbability

RATE = 16000


@pytest.fixture(scope="module")
def noise():
    return np.random.RandomState(0).standard_normal(3 * RATE).astype(np.float32) / 10


def probabilities(samples, rate=RATE):
    return SpeechProbability().transform([Waveform(samples, rate)])[0][:, 0]


def test_weights_are_those_of_the_library_in_half_precision():
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("silero_vad")
    from importlib.resources import files

    path = files("silero_vad") / "data" / "silero_vad_16k_sequence.onnx"
    stored = onnx.load(str(path)).graph.initializer
    theirs = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in stored}
    ours = _silero._read_weights()

    def half(array):
        return array.astype(np.float16).astype(np.float32)

    kernel = theirs["encoder.2.weight"]
    expected = half(kernel).transpose(2, 1, 0).reshape(-1, len(kernel))
    np.testing.assert_array_equal(ours["conv3"], expected)
    np.testing.assert_array_equal(ours["output"], half(theirs["output.weight"])[0, :, 0])
    # ONNX orders the gates input, output, forget, cell; torch input, forget, cell, output.
    i, o, f, c = np.split(theirs["onnx::LSTM_210"][0], 4)
    np.testing.assert_array_equal(ours["recurrent"], half(np.concatenate([i, f, c, o])).T)
    fourier = theirs["stft.forward_basis_buffer"][:, 0].T
    np.testing.assert_allclose(ours["fourier"], fourier, atol=1e-6)


def test_probabilities_are_those_of_the_library(noise):
    torch = pytest.importorskip("torch")
    n_threads = torch.get_num_threads()
    silero_vad = pytest.importorskip("silero_vad")
    torch.set_num_threads(n_threads)  # importing silero_vad sets it to 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the format of its weights
        network = silero_vad.load_silero_vad()
    speech = make_emotional_speech(1, 5, random_state=0).data[0]
    for samples in (speech, speech[:RATE] + noise[:RATE], noise):
        x = (samples - samples.mean()).astype(np.float32)
        x /= np.abs(x).max()
        with torch.inference_mode():
            theirs = network.audio_forward(torch.from_numpy(x), RATE)[0].numpy()
        np.testing.assert_allclose(probabilities(samples), theirs, atol=0.01)


def test_silence_noise_and_a_tone_are_no_speech(noise):
    time = np.arange(3 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * time).astype(np.float32)
    for samples in (np.zeros(3 * RATE, np.float32), 1e-4 * noise, noise, tone):
        assert np.mean(probabilities(samples) > 0.5) < 0.05


@pytest.mark.real_data
def test_spoken_sentences_are_speech(emodb_path):
    paths = sorted(emodb_path.glob("*.flac"))[::50]
    assert len(paths) > 5
    for frames in SpeechProbability().transform(paths):
        assert np.mean(frames > 0.5) > 0.5


@pytest.mark.real_data
def test_animals_machines_and_weather_are_no_speech(esc10_path):
    paths = sorted([*esc10_path.glob("4-*.ogg"), *esc10_path.glob("5-*.ogg")])[::8]
    assert len(paths) > 10
    shares = [np.mean(frames > 0.5) for frames in SpeechProbability().transform(paths)]
    assert max(shares) < 0.2


def test_level_and_offset_of_the_recording_have_no_effect():
    speech = make_emotional_speech(1, 5, random_state=0).data[0].astype(np.float32)
    plain = probabilities(speech)
    np.testing.assert_allclose(probabilities(speech / 64), plain, atol=1e-5)
    np.testing.assert_allclose(probabilities(0.5 * speech + 0.25), plain, atol=1e-3)


def test_frames_last_32_ms_and_the_last_is_filled_up(noise):
    X = SpeechProbability().transform([Waveform(noise[:n], RATE) for n in (1, 512, 513, 1024)])
    assert X.lengths.tolist() == [1, 1, 2, 2]
    assert X.values.shape == (6, 1)
    assert X.values.dtype == np.float32
    assert (X.layout.feature_names, X.layout.hop, X.layout.offset) == (("speech",), 0.032, 0.016)


def test_a_long_utterance_is_computed_in_blocks(noise, monkeypatch):
    expected = probabilities(noise)
    monkeypatch.setattr(_silero, "_CHUNKS_AT_ONCE", 7)
    np.testing.assert_allclose(probabilities(noise), expected, atol=1e-5)


def test_a_file_at_48_khz_is_resampled(noise, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.repeat(noise, 3), 3 * RATE)
    (frames,) = SpeechProbability().transform([tmp_path / "a.wav"])
    assert len(frames) == len(probabilities(noise))


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    with pytest.raises(AudioReadError, match=r"bad\.wav"):
        SpeechProbability().transform([tmp_path / "bad.wav"])
