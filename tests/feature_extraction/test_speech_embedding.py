"""Pretrained speech encoders: the hidden states equal those of transformers."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from joblib import Parallel, delayed, parallel_config
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skser import _device
from skser.audio import AudioReadError
from skser.feature_extraction import SpeechEmbedding, _speech_embedding, _speech_encoder
from skser.feature_extraction._int8 import quantize_linear_layers
from tests.support.checkpoints import SPEECH, save_speech_checkpoint

RATE = 16000


def noise(n, seed=0):
    return (np.random.RandomState(seed + n).randn(n) / 10).astype(np.float32)


UTTERANCES = [noise(n) for n in (9000, 4000, 16000, 4321, 700)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: save_speech_checkpoint(kind, folder / kind) for kind in SPEECH}


@pytest.fixture
def whisper(checkpoints):
    return checkpoints["whisper"]


def embedding(checkpoint, layers="all", pooling=None, **settings):
    settings = {"device": "cpu", "input_sampling_rate": RATE} | settings
    return SpeechEmbedding(checkpoint, layers, pooling, **settings)


def theirs(folder, samples):
    """Compute the hidden states, (n_layers, n_frames, width), by transformers."""
    preprocessor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        inputs = preprocessor(samples, sampling_rate=RATE, return_tensors="pt")
        output = model(inputs.input_values, output_hidden_states=True)
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    return torch.cat(states).numpy()


def test_an_offset_of_the_recording_has_no_effect(whisper):
    states = embedding(whisper, pooling="mean").transform
    shifted = [samples + np.float32(0.5) for samples in UTTERANCES]
    np.testing.assert_allclose(states(shifted), states(UTTERANCES), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [kind for kind in SPEECH if kind != "whisper"])
def test_states_equal_the_hidden_states_of_transformers(checkpoints, kind):
    X = embedding(checkpoints[kind]).transform(UTTERANCES[:2])
    for frames, samples in zip(X, UTTERANCES, strict=False):
        expected = np.concatenate(theirs(checkpoints[kind], samples), axis=1)
        np.testing.assert_allclose(frames, expected, atol=1e-5)


def test_states_of_whisper_on_30_seconds_equal_those_of_transformers(whisper):
    samples = noise(30 * RATE)
    mel = transformers.AutoFeatureExtractor.from_pretrained(whisper)(
        samples, sampling_rate=RATE, return_tensors="pt"
    ).input_features
    encoder = transformers.AutoModel.from_pretrained(whisper).get_encoder().eval()
    with torch.inference_mode():
        output = encoder(mel, output_hidden_states=True)
    expected = np.concatenate(
        [x[0].numpy() for x in [*output.hidden_states[:-1], output.last_hidden_state]], axis=1
    )
    np.testing.assert_allclose(embedding(whisper).transform([samples])[0], expected, atol=1e-4)


@pytest.mark.parametrize("kind", SPEECH)
def test_outputs_do_not_depend_on_the_batch(checkpoints, kind):
    transformer = embedding(checkpoints[kind])
    prepared = transformer._prepare()
    alone = [transformer._extract(samples, prepared) for samples in UTTERANCES]
    for batch_size in (2, 5):
        transformer.set_params(batch_size=batch_size)
        together = transformer._extract_batch(UTTERANCES, prepared)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    assert all(np.abs(frames).max() > 0.1 for frames in alone)


@pytest.mark.parametrize("kind", SPEECH)
def test_layers_are_columns_and_higher_ones_are_not_computed(checkpoints, kind):
    whole = embedding(checkpoints[kind]).transform(UTTERANCES[:1])
    assert whole.layout.n_channels == 4
    assert whole.layout.feature_names[33] == "layer1_1"
    for layers, columns in ((0, [0]), (1, [1]), (-1, [3]), ((2, 1), [2, 1])):
        part = embedding(checkpoints[kind], layers)
        values = part.transform(UTTERANCES[:1])[0].reshape(-1, len(columns), 32)
        expected = whole[0].reshape(-1, 4, 32)[:, columns]
        np.testing.assert_allclose(values, expected, atol=1e-6)
        facts, chosen, *_ = part._prepare()
        encoder = _speech_encoder.load_encoder(facts, max(chosen), False, "cpu")
        assert len(encoder.encoder.layers) == max(1, max(columns))


def test_the_layout_states_the_times_of_the_frames(checkpoints):
    X = embedding(checkpoints["whisper"]).transform(UTTERANCES)
    assert (X.layout.hop, X.layout.offset) == (0.02, 0.0)
    assert X.lengths.tolist() == [-(-(len(samples) // 160) // 2) for samples in UTTERANCES]
    X = embedding(checkpoints["wavlm"]).transform(UTTERANCES)
    # Kernels of 10, 8 and 4 samples, strides of 5, 8 and 8.
    reach = 10 + 7 * 5 + 3 * 40
    assert (X.layout.hop, X.layout.offset) == (320 / RATE, reach // 2 / RATE)
    assert X.lengths.tolist() == [(len(samples) - reach) // 320 + 1 for samples in UTTERANCES]


def test_pooled_columns_are_statistics_of_the_frames(whisper):
    frames = embedding(whisper, (1, 3)).transform(UTTERANCES)
    both = embedding(whisper, (1, 3), "mean+std+percentiles")
    X = both.transform(UTTERANCES)
    names = list(both.get_feature_names_out())
    assert X.shape == (5, len(names)) == (5, 2 * 7 * 32)
    for i, sequence in enumerate(frames):
        value = dict(zip(names, X[i], strict=True))
        assert value["layer3_mean_5"] == pytest.approx(sequence[:, 32 + 5].mean(), abs=1e-6)
        assert value["layer1_std_31"] == pytest.approx(sequence[:, 31].std(), abs=1e-6)
        expected = np.percentile(sequence[:, 2], 75)
        assert value["layer1_percentile75_2"] == pytest.approx(expected, abs=1e-6)
    for pooling in ("mean", "mean+std", "percentiles"):
        part = embedding(whisper, (1, 3), pooling)
        columns = [names.index(name) for name in part.get_feature_names_out()]
        np.testing.assert_array_equal(part.transform(UTTERANCES), X[:, columns])


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "wavlm, stable"])
def test_a_long_utterance_is_cut_into_windows(checkpoints, kind):
    samples = noise(40 * RATE)
    cut = embedding(checkpoints[kind], 2, window=20, overlap=4).transform([samples])[0]
    longest = 30 if kind == "whisper" else 50
    whole = embedding(checkpoints[kind], 2, window=longest, overlap=4).transform([samples])[0]
    if kind != "whisper":
        assert cut.shape == whole.shape
    n = len(cut)
    assert n == (40 * 50 if kind == "whisper" else (len(samples) - 165) // 320 + 1)
    # Frames of the second window equal those of its samples alone.
    alone = embedding(checkpoints[kind], 2).transform([samples[16 * RATE : 36 * RATE]])[0]
    np.testing.assert_allclose(cut[1000:1600], alone[200:800], atol=1e-4)


def test_each_half_of_an_overlap_comes_from_the_window_around_it():
    window, overlap, n = 20, 6, 50
    cut = _speech_embedding._cut(np.arange(n), window, overlap)
    states = [np.stack([piece, np.full(len(piece), i)], axis=1) for i, piece in enumerate(cut)]
    joined = _speech_embedding._join(states, window, overlap)
    np.testing.assert_array_equal(joined[:, 0], np.arange(n))
    np.testing.assert_array_equal(np.flatnonzero(np.diff(joined[:, 1])) + 1, [17, 31, 45])


def test_threads_share_an_encoder(checkpoints):
    for kind in ("wav2vec2", "wavlm"):
        transformer = embedding(checkpoints[kind])
        prepared = transformer._prepare()
        expected = [transformer._extract(samples, prepared) for samples in UTTERANCES] * 3
        found = Parallel(4, backend="threading")(
            delayed(transformer._extract)(samples, prepared) for samples in UTTERANCES * 3
        )
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_window_beyond_the_positions_of_whisper_is_refused(checkpoints):
    with pytest.raises(ValueError, match=r"window=31 is longer than the 30 s that .*whisper"):
        embedding(checkpoints["whisper"], window=31).transform([noise(8000)])


@pytest.mark.parametrize(("overlap", "fits"), [(0.1, True), (10, True), (10.04, False)])
def test_an_overlap_is_at_most_half_of_a_window(whisper, overlap, fits):
    transformer = embedding(whisper, 0, window=20, overlap=overlap)
    if fits:
        assert transformer.transform([noise(8000)])[0].shape == (25, 32)
    else:
        with pytest.raises(
            ValueError, match="must be at least 0.08 s, and at most half of .* 20 s"
        ):
            transformer.transform([noise(8000)])


def test_windows_cover_every_length_once(whisper):
    for n in (20 * RATE - 1, 20 * RATE, 20 * RATE + 1, 36 * RATE, 36 * RATE + 700, 40 * RATE):
        X = embedding(whisper, 0, window=20, overlap=4).transform([noise(n)])
        assert X.lengths[0] == -(-(n // 160) // 2)


def test_a_pipeline_is_cloned_pickled_and_run_in_threads(whisper, wav):
    paths = [wav(noise(8000 + 100 * i), name=f"{i}.wav") for i in range(6)]
    y = ["a", "b"] * 3
    model = make_pipeline(
        embedding(whisper, pooling="mean+std", input_sampling_rate=None), LogisticRegression()
    )
    expected = clone(model).fit(paths, y).predict_proba(paths)
    loaded = pickle.loads(pickle.dumps(model.fit(paths, y)))
    np.testing.assert_array_equal(loaded.predict_proba(paths), expected)
    np.testing.assert_allclose(loaded.predict_proba(paths[2:3]), expected[2:3], atol=1e-6)
    model.set_params(speechembedding__n_jobs=2)
    with parallel_config("threading"):
        np.testing.assert_allclose(model.predict_proba(paths), expected, atol=1e-5)
    assert len(pickle.dumps(model)) < 20_000  # the encoder is not in it


def test_cache_entries_depend_on_the_checkpoint_but_not_on_its_folder(whisper, tmp_path):
    def kept():
        return {path.name for path in (tmp_path / "memory").rglob("*.npy")}, len(
            list((tmp_path / "memory").iterdir())
        )

    memory = {"memory": tmp_path / "memory", "pooling": "mean"}
    first = embedding(whisper, **memory).transform(UTTERANCES)
    assert kept() == (kept()[0], 1)
    assert len(kept()[0]) == 5
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in Path(whisper).iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    np.testing.assert_array_equal(embedding(moved, **memory).transform(UTTERANCES), first)
    assert kept()[1] == 1
    other = save_speech_checkpoint("whisper", moved, seed=1)
    changed = embedding(other, **memory).transform(UTTERANCES)
    assert np.abs(changed - first).max() > 0.01
    assert kept()[1] == 2


def test_set_output_gives_a_table_with_names(whisper):
    transformer = embedding(whisper, 1, "mean").set_output(transform="pandas")
    table = transformer.fit_transform(UTTERANCES)
    assert list(table.columns[:2]) == ["layer1_mean_0", "layer1_mean_1"]
    assert table.shape == (5, 32)


def test_bfloat16_is_close_to_float32(whisper):
    a = embedding(whisper, -1, "mean").transform(UTTERANCES)
    b = embedding(whisper, -1, "mean", precision="bfloat16").transform(UTTERANCES)
    assert 0 < np.abs(a - b).max() < 0.1


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_bfloat16_of_convolutions_is_close_to_float32(checkpoints, kind):
    a, b = (
        embedding(checkpoints[kind], precision=precision).transform(UTTERANCES[:1])[0]
        for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(a - b).mean() < 0.02 * np.abs(a).max()


@pytest.mark.parametrize("kind", SPEECH)
def test_int8_is_close_to_float32_and_independent_of_the_batch(checkpoints, kind):
    exact = embedding(checkpoints[kind], -1).transform(UTTERANCES)
    transformer = embedding(checkpoints[kind], -1, precision="int8")
    prepared = transformer._prepare()
    alone = [transformer._extract(samples, prepared) for samples in UTTERANCES]
    together = transformer._extract_batch(UTTERANCES, prepared)
    for expected, a, b in zip(exact, alone, together, strict=True):
        scale = np.abs(expected).max()
        assert 1e-5 < np.abs(a - expected).mean() / scale < 0.01
        np.testing.assert_allclose(a, b, atol=0.02 * scale)


def test_int8_multiplies_rounded_integers():
    layer = torch.nn.Linear(3, 2)
    layer.weight.data = torch.tensor([[127.0, -64.4, 0.0], [0.0, 0.0, 0.0]])
    layer.bias.data = torch.tensor([1.0, 2.0])
    quantize_linear_layers(torch.nn.ModuleList([layer]))
    with torch.inference_mode():
        y = layer(torch.tensor([[[1.27, 0.634, 0.0], [0.0, 0.0, 0.0]]]))
    # 1.27 and 0.634 become 127 and 63 hundredths, and -64.4 becomes -64.
    torch.testing.assert_close(y, torch.tensor([[[1.27 * 127 - 0.63 * 64 + 1, 2.0], [1.0, 2.0]]]))


def test_int8_entries_of_the_cache_are_separate(whisper, tmp_path):
    settings = {"memory": tmp_path, "pooling": "mean"}
    exact = embedding(whisper, **settings).transform(UTTERANCES)
    rounded = embedding(whisper, precision="int8", **settings).transform(UTTERANCES)
    assert (exact != rounded).any(axis=1).all()


def test_int8_is_refused_on_other_devices(whisper, monkeypatch):
    monkeypatch.setattr(_speech_embedding, "resolve_device", lambda device: "cuda")
    with pytest.raises(ValueError, match=r"on a CPU only, but device='auto' is 'cuda' here"):
        embedding(whisper, precision="int8", device="auto").transform(UTTERANCES)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_formats_that_a_processor_only_emulates_are_warned_of(whisper, monkeypatch, precision):
    _speech_encoder.load_encoder.cache_clear()
    rounded = embedding(whisper, -1, "mean", precision=precision)
    monkeypatch.setattr(_device, "_has_instructions", {precision: False}.get)
    with pytest.warns(UserWarning, match=f"no instructions for precision='{precision}'.*float32"):
        emulated = rounded.transform(UTTERANCES[:1])
    _speech_encoder.load_encoder.cache_clear()
    monkeypatch.setattr(_device, "_has_instructions", {precision: True}.get)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(rounded.transform(UTTERANCES[:1]), emulated)


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
def test_only_the_layers_asked_for_are_loaded(checkpoints, kind, tmp_path):
    folder = save_speech_checkpoint(kind, tmp_path / "broken")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if "decoder." in name or "encoder.layers.2." in name:
            tensor.fill_(np.nan)
    save_file(tensors, path, {"format": "pt"})
    expected = embedding(checkpoints[kind], (0, 2)).transform(UTTERANCES[:1])
    found = embedding(folder, (0, 2)).transform(UTTERANCES[:1])
    np.testing.assert_array_equal(found[0], expected[0])
    with pytest.raises(ValueError, match=r"not finite, such as '.*layers\.2\."):
        embedding(folder, 3).transform(UTTERANCES[:1])


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "hubert"])
def test_the_batch_has_little_effect_in_bfloat16(checkpoints, kind):
    transformer = embedding(checkpoints[kind], precision="bfloat16", batch_size=5)
    prepared = transformer._prepare()
    together = transformer._extract_batch(UTTERANCES, prepared)
    for samples, b in zip(UTTERANCES, together, strict=True):
        a = transformer._extract(samples, prepared)
        assert np.abs(a - b).mean() < 0.005 * np.abs(a).max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("kind", SPEECH)
def test_cuda_gives_the_values_of_the_cpu(checkpoints, kind):
    a = embedding(checkpoints[kind], pooling="mean").transform(UTTERANCES)
    b = embedding(checkpoints[kind], pooling="mean", device="cuda").transform(UTTERANCES)
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_unusable_utterances_are_named_and_the_others_kept(whisper, wav):
    paths = [wav(noise(8000), name="good.wav"), wav(noise(300), name="short.wav"), "missing.wav"]
    settings = {"pooling": "mean", "input_sampling_rate": None}
    with pytest.raises(AudioReadError, match=r"short\.wav: has 300 samples, less than one frame"):
        embedding(whisper, **settings).transform(paths)
    with pytest.warns(UserWarning, match=r"missing\.wav: no such file.*left with NaN"):
        X = embedding(whisper, on_error="empty", **settings).transform(paths)
    assert np.isfinite(X).all(axis=1).tolist() == [True, False, False]
    settings["pooling"] = None
    with pytest.warns(UserWarning, match="left with 0 frames"):
        X = embedding(whisper, on_error="empty", **settings).transform(paths)
    assert X.lengths.tolist() == [25, 0, 0]


@pytest.mark.real_data
class TestWhisperTiny:
    """Tests with the weights of a real encoder."""

    def test_shapes_and_independence_of_the_batch(self, whisper_tiny):
        transformer = embedding(whisper_tiny)
        prepared = transformer._prepare()
        alone = [transformer._extract(samples, prepared) for samples in UTTERANCES]
        assert alone[0].shape == (28, 5 * 384)
        together = transformer._extract_batch(UTTERANCES, prepared)
        for a, b in zip(alone, together, strict=True):
            assert np.abs(a - b).max() < 1e-5 * np.abs(a).max()

    def test_emotions_of_an_unseen_speaker_are_recognized(self, whisper_tiny, emodb_path):
        from skser.datasets import load_emodb

        corpus = load_emodb(emodb_path)
        rows = np.flatnonzero(np.isin(corpus.target, ["anger", "sadness"]))
        rows = rows[np.isin(corpus.speakers[rows], ["03", "08", "09"])]
        X = embedding(whisper_tiny, 2, "mean+std", input_sampling_rate=None).transform(
            [corpus.data[i] for i in rows]
        )
        y, test = corpus.target[rows], corpus.speakers[rows] == "09"
        model = LogisticRegression(max_iter=1000).fit(X[~test], y[~test])
        assert model.score(X[test], y[test]) > 0.95
