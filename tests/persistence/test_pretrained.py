"""Models that come with the package: what they answer, what they refuse, and their size."""

import numpy as np
import pytest

import skser
from skser.audio import AudioReadError, Waveform
from skser.compose import adapt
from skser.datasets import load_emodb
from skser.persistence import _pretrained, list_pretrained, path_of, read_info

RATE = 16000
EMOTIONS = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]
REFUSING = ["emodb-functionals", "emodb-whisper"]
every_model = pytest.mark.parametrize("name", ["emodb-afcn", *REFUSING])
refusing_models = pytest.mark.parametrize("name", REFUSING)
random = np.random.RandomState(0)
TIMES = np.arange(2 * RATE) / RATE
NO_SPEECH = {
    "silence": np.zeros(len(TIMES)),
    "white noise": 0.1 * random.standard_normal(len(TIMES)),
    "tone": 0.3 * np.sin(2 * np.pi * 220 * TIMES),
}


@pytest.fixture(scope="module")
def models():
    return {name: skser.load_pretrained(name) for name in list_pretrained()}


def wave(samples):
    return Waveform(np.asarray(samples, np.float32), RATE)


def test_the_default_is_the_most_accurate_model():
    assert list_pretrained() == ["emodb-afcn", *REFUSING]
    card = read_info(path_of("emodb-whisper"))["card"]
    assert card.startswith("# emodb-whisper\n")
    assert type(skser.load_pretrained()).__name__ == "RejectingClassifier"


@every_model
def test_probabilities_are_those_of_seven_emotions(models, name):
    model = models[name]
    assert model.classes_.tolist() == EMOTIONS
    probabilities = model.predict_proba([wave(NO_SPEECH["tone"]), wave(NO_SPEECH["silence"])])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@refusing_models
@pytest.mark.parametrize("kind", NO_SPEECH)
def test_recordings_without_speech_get_no_emotion(models, name, kind):
    recording = [wave(NO_SPEECH[kind])]
    assert models[name].predict(recording).tolist() == ["unknown"]
    assert models[name].reasons(recording).tolist() == ["no speech"]


@every_model
def test_samples_without_their_rate_are_refused(models, name):
    with pytest.raises((AudioReadError, ValueError, TypeError), match="Waveform"):
        models[name].predict([NO_SPEECH["tone"]])


@refusing_models
def test_adaptation_moves_the_statistics_of_the_scaler(models, name):
    recordings = [
        wave(0.1 * np.sin(2 * np.pi * f * TIMES) + 0.01 * random.standard_normal(len(TIMES)))
        for f in range(110, 270, 8)
    ]
    before = models[name].predict_proba(recordings)
    after = adapt(models[name], recordings).predict_proba(recordings)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_array_equal(models[name].predict_proba(recordings), before)


def test_a_missing_library_is_named_with_the_way_around_it(monkeypatch):
    def missing(name, *, extra, purpose):
        raise ImportError(f"{purpose} needs the library {name!r}: pip install 'skser[{extra}]'.")

    monkeypatch.setattr(_pretrained, "import_optional", missing)
    message = r"emodb-whisper needs .*skser\[embeddings\].* skser.load_onnx\('emodb-whisper'\)"
    with pytest.raises(ImportError, match=message):
        skser.load_pretrained("emodb-whisper")
    assert skser.load_pretrained("emodb-functionals").classes_.tolist() == EMOTIONS


def test_the_models_are_small():
    folder = path_of("emodb-whisper").parent
    sizes = {path: path.stat().st_size / 1e6 for path in folder.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 14.8  # the wheel, which compresses a little, is to stay below 14
    assert sizes[path_of("emodb-functionals")] < 1
    # The weights of the encoder and the speech detector lie in files of their own.
    assert sizes[path_of("emodb-whisper")] < 0.3
    assert sizes[path_of("emodb-whisper").with_suffix(".onnx")] < 0.75


@every_model
def test_cards_state_figures_and_limits(name):
    card = read_info(path_of(name))["card"]
    assert "EmoDB-LOSO" in card
    assert all(f"| {emotion} |" in card for emotion in EMOTIONS)
    if name in REFUSING:
        assert "| babble |" in card
        assert "RAVDESS (English, acted), 6 labels" in card
    assert "Article 5(1)(f)" in card


@refusing_models
def test_cards_credit_the_noise_of_training(name):
    assert "`ESC-10-CREDITS.csv`" in read_info(path_of(name))["card"]
    credits = (path_of(name).parent / "ESC-10-CREDITS.csv").read_text().splitlines()
    assert credits[0] == "file,sound,author,licence,source"
    assert len(credits) == 239
    assert all(("CC0" in line) or ("CC-BY" in line) for line in credits[1:])


def test_the_onnx_file_predicts_what_the_model_predicts(models):
    onnx = skser.load_onnx("emodb-whisper")
    voices = [
        wave(np.sign(np.sin(2 * np.pi * f * TIMES)) * np.abs(np.sin(6 * TIMES)) * 0.1)
        for f in (120, 240)
    ]
    np.testing.assert_allclose(
        onnx.predict_proba(voices), models["emodb-whisper"].predict_proba(voices), atol=1e-4
    )
    recordings = [*voices, *map(wave, NO_SPEECH.values())]
    assert onnx.predict(recordings).tolist() == models["emodb-whisper"].predict(recordings).tolist()


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "least"), [("emodb-afcn", 0.85), *((n, 0.95) for n in REFUSING)])
def test_training_utterances_are_recognized(models, emodb_path, name, least):
    emodb = load_emodb(emodb_path)
    some = slice(0, None, 12)
    predicted = models[name].predict(emodb.data[some])
    assert np.mean(predicted == emodb.target[some].astype(str)) >= least


@pytest.mark.parametrize("name", ["emodb-whisper", "emodb-afcn"])
def test_every_node_of_an_included_onnx_file_has_its_own_name(name):
    onnx = pytest.importorskip("onnx")
    path = path_of(name).with_suffix(".onnx")
    names = [node.name for node in onnx.load(path, load_external_data=False).graph.node]
    # onnxruntime 1.20 names the parts of what it fuses after them.
    assert all(names)
    assert len(set(names)) == len(names) > 100
