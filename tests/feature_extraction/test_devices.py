import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skser.audio import AudioReadError, Utterance
from skser.feature_extraction import (
    MFCC,
    Functionals,
    LevelContour,
    MelSpectrogram,
    Spectrogram,
    _engine,
)
from tests.support import audio_checks

RATE = 16000
EVERY = [
    Spectrogram(scale="power"),
    Spectrogram(scale="linear", window=0.025),
    Spectrogram(n_fft=801, fmax=4000, scale="log"),
    Spectrogram(window=0.010, hop=0.015),
    MelSpectrogram(),
    MelSpectrogram(normalize=None, top_db=None, deltas=1, n_mels=7, fmin=0, fmax=None),
    LevelContour(),
    LevelContour(offset=0.01, deltas=1, top_db=None),
    MFCC(),
    MFCC(n_mfcc=12, n_mels=40, deltas=2, n_fft=1024),
]
every_transformer = pytest.mark.parametrize(
    "transformer", EVERY, ids=[f"{type(t).__name__}{i}" for i, t in enumerate(EVERY)]
)


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
        ),
    ]
)
def device(request):
    return request.param


@pytest.fixture(scope="module")
def utterances(corpus):
    """Loud and quiet speech of several lengths, silence, noise as long as a window."""
    random = np.random.RandomState(0)
    gains = 10.0 ** random.uniform(-4, 0, 12)
    speech = [
        gain * samples[: random.randint(2000, len(samples))]
        for gain, samples in zip(gains, corpus.data, strict=False)
    ]
    return [*speech, np.zeros(RATE), random.randn(640), np.ones(5000)]


def on(device, transformer):
    return clone(transformer).set_params(device=device, input_sampling_rate=RATE)


def assert_close(given, expected, scale=1e-5):
    """Assert equality within `scale` of each utterance's largest value."""
    np.testing.assert_array_equal(given.lengths, expected.lengths)
    assert given.layout == expected.layout
    for a, b in zip(given, expected, strict=True):
        assert a.dtype == np.float32
        assert np.abs(a - b).max() <= scale * np.abs(b).max()


def test_power_is_that_of_numpy_within_1e_5_of_the_maximum(device, utterances):
    for settings in ({}, {"window": 0.025}, {"n_fft": 800, "hop": 0.016}):
        power = Spectrogram(scale="power", **settings)
        given, expected = (on(d, power).transform(utterances) for d in (device, None))
        assert_close(given, expected, scale=1e-5)


@pytest.mark.parametrize(
    "transformer",
    [
        Spectrogram(top_db=60),
        MelSpectrogram(),
        MelSpectrogram(normalize=None, deltas=0),
        MelSpectrogram(n_mels=20, window=0.040, n_fft=1024, fmax=None),
        MFCC(top_db=60, deltas=2),
    ],
    ids=["spectrogram", "mel", "static mel", "few bands", "mfcc"],
)
def test_decibels_are_those_of_numpy_within_a_hundredth(device, transformer, utterances):
    given, expected = (on(d, transformer).transform(utterances) for d in (device, None))
    np.testing.assert_array_equal(given.lengths, expected.lengths)
    assert given.layout == expected.layout
    assert np.abs(given.values - expected.values).max() < 0.01


@pytest.mark.parametrize("top_db", [60, 120, None])
def test_amplitudes_come_from_the_same_spectra(device, corpus, top_db):
    # Compared as magnitudes: decibels far below the maximum are those of rounding errors.
    for scale, amplitude in (("db", lambda x: 10 ** (x / 20)), ("log", np.exp)):
        spectrogram = Spectrogram(scale=scale, top_db=top_db)
        given, expected = (on(d, spectrogram).transform(corpus.data[:3]) for d in (device, None))
        given, expected = amplitude(given.values), amplitude(expected.values)
        assert np.abs(given - expected).max() < 1e-5 * expected.max()


@every_transformer
def test_an_utterance_does_not_depend_on_the_others_or_their_order(device, transformer, utterances):
    transformer = on(device, transformer)
    X = transformer.transform(utterances)
    order = np.random.RandomState(1).permutation(len(utterances))
    assert_close(transformer.transform([utterances[i] for i in order]), X[order])
    for i in (0, 5, len(utterances) - 2):
        assert_close(transformer.transform([utterances[i]]), X[[i]])


@every_transformer
def test_a_long_utterance_computed_in_pieces_gives_the_same(
    device, transformer, utterances, monkeypatch
):
    long = [np.concatenate(utterances[:4]), *utterances[4:]]
    transformer = on(device, transformer)
    expected = transformer.transform(long)
    n_at_once, rfft, sizes = 2**14, torch.fft.rfft, []

    def spy(x, n):
        sizes.append(len(x) * n)
        return rfft(x, n=n)

    monkeypatch.setattr(_engine, "SAMPLES_AT_ONCE", n_at_once)
    monkeypatch.setattr(torch.fft, "rfft", spy)
    assert_close(transformer.transform(long), expected)
    if not isinstance(transformer, MFCC):  # its cosine transform calls rfft too
        assert max(sizes) <= n_at_once


def test_batches_hold_a_bounded_number_of_samples(device, corpus, monkeypatch):
    monkeypatch.setattr(_engine, "SAMPLES_AT_ONCE", 2**16)
    held, extract = [], MelSpectrogram._extract_batch

    def spy(self, utterances, prepared):
        held.append(sum(map(len, utterances)))
        return extract(self, utterances, prepared)

    monkeypatch.setattr(MelSpectrogram, "_extract_batch", spy)
    on(device, MelSpectrogram()).transform(corpus.data)
    assert sum(held) == sum(map(len, corpus.data))
    assert max(held) < 2**16 + max(map(len, corpus.data))
    assert min(held[:-1]) >= 2**16


def test_deltas_do_not_reach_into_the_next_utterance(device):
    # Every hop of the tone is 0.5 dB louder than the one before.
    loudness = np.repeat(0.5 * np.arange(60), 160)
    tone = np.sin(2 * np.pi * 1000 * np.arange(9600) / RATE) * 10 ** (loudness / 20)
    mel = on(device, MelSpectrogram(n_mels=8, fmin=0, deltas=1, normalize=None, top_db=None))
    tones = [Utterance(x, max_amplitude=None) for x in (tone, np.zeros(8000), tone[::-1].copy())]
    rising, silent, falling = mel.transform(tones)
    np.testing.assert_allclose(rising[10:-10, 8:], 0.5, atol=0.02)
    np.testing.assert_allclose(falling[10:-10, 8:], -0.5, atol=0.02)
    np.testing.assert_array_equal(silent, [np.repeat([-100.0, 0.0], 8)] * 51)


def test_torch_matmul_precision_has_no_effect(device, utterances):
    for transformer in (MelSpectrogram(), MFCC()):
        transformer = on(device, transformer)
        expected = transformer.transform(utterances)
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            assert_close(transformer.transform(utterances), expected)
        finally:
            torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    "check", [name for name in vars(audio_checks) if name.startswith("check_")]
)
def test_audio_checks_hold_on_a_device(check, tmp_path):
    check = getattr(audio_checks, check)
    folder = [tmp_path] if "tmp_path" in inspect.signature(check).parameters else []
    check("MelSpectrogram", MelSpectrogram(device="cpu"), *folder)


class TestFiles:
    @pytest.fixture
    def files(self, wav, corpus, tmp_path):
        """Three good files among four unusable ones."""
        good = [wav(corpus.data[i], name=f"{i}.wav", subtype="FLOAT") for i in range(3)]
        short = wav(np.ones(100), name="short.wav")
        (tmp_path / "text.wav").write_text("not audio")
        (tmp_path / "empty.wav").touch()
        bad = [str(tmp_path / name) for name in ("text.wav", "empty.wav", "no.wav")]
        return [good[0], bad[0], bad[1], good[1], short, bad[2], good[2]]

    def test_every_bad_file_is_named_after_the_others_are_done(
        self, device, files, tmp_path, corpus
    ):
        mel = MelSpectrogram(memory=tmp_path / "cache", device=device)
        with pytest.raises(AudioReadError, match="4 of 7.*less than one window of 400") as caught:
            mel.transform(files)
        assert [name for name, _ in caught.value.failures] == [files[i] for i in (1, 2, 4, 5)]
        assert len(list((tmp_path / "cache").rglob("*.npy"))) == 3
        with pytest.warns(UserWarning, match="4 of 7.*left with 0 frames"):
            X = mel.set_params(on_error="empty").transform(files)
        assert (X.lengths == 0).tolist() == [False, True, True, False, True, True, False]
        expected = on(device, MelSpectrogram()).transform(corpus.data[:3])
        assert_close(X[[0, 3, 6]], expected)

    def test_reading_in_processes_gives_the_same(self, files):
        mel = MelSpectrogram(device="cpu")
        good = [files[i] for i in (0, 3, 6)]
        expected = mel.transform(good)
        assert_close(mel.set_params(n_jobs=2).transform(good), expected)

    def test_features_go_to_disk(self, device, files, tmp_path, monkeypatch):
        monkeypatch.setattr(_engine, "SAMPLES_AT_ONCE", 2**15)
        mel = MelSpectrogram(device=device, on_error="empty")
        with pytest.warns(UserWarning, match="4 of 7"):
            expected = mel.transform(files)
        with pytest.warns(UserWarning, match="4 of 7"):
            X = mel.transform_to(files, tmp_path / "mels")
        assert_close(X[X.lengths > 0], expected[expected.lengths > 0])
        with pytest.raises(ValueError, match="started with device="):
            mel.set_params(device=None).transform_to(files, tmp_path / "mels")


class TestCache:
    def test_features_are_computed_once(self, device, corpus, tmp_path, monkeypatch):
        data = corpus.data[:4]
        mel = on(device, MelSpectrogram(memory=tmp_path))
        first = mel.transform(data[:2])
        extracted, extract = [], MelSpectrogram._extract_batch

        def spy(self, utterances, prepared):
            extracted.append(len(utterances))
            return extract(self, utterances, prepared)

        monkeypatch.setattr(MelSpectrogram, "_extract_batch", spy)
        X = mel.transform(data)
        assert_close(X[:2], first, scale=0)
        assert_close(mel.transform(data[::-1]), X[::-1], scale=0)
        assert extracted == [2]

    def test_entries_of_device_and_numpy_are_kept_apart(self, corpus, tmp_path):
        data = corpus.data[:1]
        for device in (None, "cpu"):
            on(device, MelSpectrogram(memory=tmp_path)).transform(data)
        assert len(list(tmp_path.iterdir())) == 2
        assert len(list(tmp_path.rglob("*.npy"))) == 2

    def test_kept_features_are_not_gathered_without_end(self, corpus, tmp_path, monkeypatch):
        mel = on("cpu", MelSpectrogram(memory=tmp_path))
        mel.transform(corpus.data)
        monkeypatch.setattr(_engine, "SAMPLES_AT_ONCE", 2**16)
        batches, extracted = [], _engine.ExtractionEngine._extracted

        def spy(self, batch, *arguments):
            batches.append(sum(frames.size for frames in batch))
            return extracted(self, batch, *arguments)

        monkeypatch.setattr(_engine.ExtractionEngine, "_extracted", spy)
        X = mel.transform(corpus.data)
        assert max(batches) < 2**16 + X.lengths.max() * X.n_columns


@pytest.mark.parametrize("transformer", [Spectrogram(), MelSpectrogram(), MFCC()])
def test_a_device_that_is_not_there_is_named_before_any_work(transformer, tmp_path):
    transformer.set_params(device="abacus")
    for call in (
        transformer.fit,
        lambda: transformer.transform(["no.wav"]),
        lambda: transformer.transform_to(["no.wav"], tmp_path / "features"),
    ):
        with pytest.raises(ValueError, match="device='abacus' is not available here"):
            call()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="The 'device' parameter"):
        transformer.set_params(device=0).fit()
    assert len(transformer.set_params(device="abacus").get_feature_names_out()) > 0


def test_auto_selects_an_available_device(corpus):
    mel = MelSpectrogram(input_sampling_rate=RATE)
    expected = mel.transform(corpus.data[:2])
    X = mel.set_params(device="auto").transform(corpus.data[:2])
    assert np.abs(X.values - expected.values).max() < 0.01


def test_a_pickle_and_a_clone_compute_the_same(device, corpus):
    mel = on(device, MelSpectrogram(deltas=1))
    expected = mel.fit_transform(corpus.data[:3])
    for copy in (pickle.loads(pickle.dumps(mel)), clone(mel)):
        assert copy.device == device
        assert_close(copy.transform(corpus.data[:3]), expected)


def mean_and_spread(X):
    return np.stack([np.concatenate([x.mean(axis=0), x.std(axis=0)]) for x in X])


def test_a_search_runs_over_devices_in_threads(corpus, tmp_path):
    model = make_pipeline(
        MFCC(memory=tmp_path, input_sampling_rate=RATE),
        FunctionTransformer(mean_and_spread),
        LogisticRegression(max_iter=2000),
    )
    search = GridSearchCV(
        model,
        {"mfcc__device": [None, "cpu"], "mfcc__n_mfcc": [12, 20]},
        cv=GroupKFold(2),
        scoring="balanced_accuracy",
        n_jobs=2,
    )
    with parallel_config("threading"):
        search.fit(corpus.data, corpus.target, groups=corpus.speakers)
    numpy, on_device = search.cv_results_["mean_test_score"].reshape(2, 2)
    np.testing.assert_allclose(numpy, on_device)
    assert len(list(tmp_path.iterdir())) == 4


def test_torch_is_not_loaded_without_a_device():
    code = (
        "import sys, numpy as np; from skser.feature_extraction import MelSpectrogram; "
        "X = MelSpectrogram(input_sampling_rate=16000).fit_transform([np.ones(8000)]); "
        "print(X.lengths[0], 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split() == ["51", "False"], result.stderr


@pytest.mark.real_data
def test_real_speech_gives_the_same(device, emodb_path, ravdess_originals_path):
    files = sorted(emodb_path.glob("*.flac"))[:40] + sorted(ravdess_originals_path.rglob("*.wav"))
    for transformer in (Spectrogram(top_db=60), MelSpectrogram(), MFCC(top_db=60)):
        expected = transformer.transform(files)
        X = clone(transformer).set_params(device=device).transform(files)
        np.testing.assert_array_equal(X.lengths, expected.lengths)
        assert np.abs(X.values - expected.values).max() < 0.01


def test_functionals_are_those_of_the_frames(device, corpus, tmp_path):
    expected = on(device, MFCC()).transform(corpus.data[:8])
    expected = Functionals().fit_transform(expected)
    for memory in (None, tmp_path, tmp_path):
        mfcc = on(device, MFCC(memory=memory))
        found = Functionals(mfcc).fit_transform(corpus.data[:8])
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
