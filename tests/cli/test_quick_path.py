"""Commands that start without torch, scikit-learn and pandas, and predict as Python does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import skser
from skser.audio import load_audio
from skser.cli._predicted_rows import predicted_rows
from skser.datasets import make_emotional_speech

HEAVY = {"torch", "librosa", "numba", "sklearn", "skorch", "skops", "pandas", "scipy", "joblib"}
MEASURED = (
    "import json, sys, time; sys.argv[0] = 'skser';"
    "begin = time.process_time()\n"
    "try:\n from skser.cli import main; main()\n"
    "except SystemExit as ended: code = ended.code\n"
    "print(json.dumps([code, time.process_time() - begin, list(sys.modules)]), file=sys.stderr)"
)
BARE = "import time; begin = time.process_time(); import onnxruntime, numpy, soundfile;"
MICROPHONE = """
import sys, types, numpy
sys.modules["sounddevice"] = sounddevice = types.ModuleType("sounddevice")

class InputStream:
    active = True
    def __init__(self, callback, blocksize, **settings):
        for _ in range(60):
            callback(numpy.ones((blocksize, 1), "float32") / 10, blocksize, None, None)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass

sounddevice.InputStream, sounddevice.PortAudioError = InputStream, OSError
"""


def measured(*arguments, before=""):
    """Run a command in a new process; return exit code, output, seconds and modules."""
    result = subprocess.run(
        [sys.executable, "-c", before + MEASURED, *map(str, arguments)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    code, seconds, modules = json.loads(result.stderr.splitlines()[-1])
    return code, result.stdout, seconds, {name.partition(".")[0] for name in modules}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    corpus = make_emotional_speech(2, 5, random_state=0, output_dir=folder)
    paths = [str(path) for path in corpus.data]
    samples, rate = load_audio(paths[0])
    two = np.stack([np.tile(samples, 5)] * 2, axis=1)
    soundfile.write(folder / "long.flac", two, rate)
    soundfile.write(folder / "48 kHz.wav", np.repeat(samples, 3), 48000)
    return [*paths[:3], str(folder / "long.flac"), str(folder / "48 kHz.wav")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "{file}"],
        ["predict", "{file}", "--timeline", "--json"],
        ["predict", "{folder}", "--csv"],
        ["listen", "--seconds", "2.5"],
        ["info", "emodb-afcn"],
        ["corpora"],
        ["corpora", "--json"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_quick_commands_import_no_large_library(arguments, files):
    places = {"file": files[3], "folder": os.path.dirname(files[0])}
    before = MICROPHONE if arguments[0] == "listen" else ""
    code, out, _, modules = measured(*(a.format(**places) for a in arguments), before=before)
    assert code == 0
    assert out
    assert HEAVY & modules == set()


def test_predict_takes_little_longer_than_the_imports_that_it_needs(files):
    def bare():
        code = f"{BARE} print(time.process_time() - begin)"
        return float(subprocess.check_output([sys.executable, "-c", code]))

    measured("predict", files[0])  # fills the caches of the file system
    pairs = [(measured("predict", files[0])[2], bare()) for _ in range(5)]
    # 3.4 times was measured; scikit-learn alone would make it 9, and torch 35.
    assert np.median([seconds / least for seconds, least in pairs]) < 6


@pytest.mark.parametrize("name", skser.persistence.list_pretrained())
def test_the_included_onnx_model_predicts_as_the_saved_one(name, files):
    graph = skser.persistence.path_of(name).with_suffix(".onnx")
    if not graph.exists():
        pytest.skip("this model has no ONNX file")
    if name == "emodb-whisper":
        pytest.importorskip("transformers")
    model = skser.load_pretrained(name)
    loaded = skser.load_onnx(graph)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    np.testing.assert_allclose(loaded.predict_proba(files), model.predict_proba(files), atol=1e-4)


def test_rows_equal_those_of_the_saved_model(files, tmp_path):
    (tmp_path / "broken.wav").write_text("no audio")
    soundfile.write(tmp_path / "5ms.wav", np.zeros(80), 16000)
    named = [(path, path) for path in [*files, *map(str, tmp_path.iterdir()), "nowhere.wav"]]
    quick = skser.load_onnx(skser.persistence.path_of("emodb-afcn").with_suffix(".onnx"))
    ordinary = skser.load_pretrained("emodb-afcn")
    for windows in (None, (1.0, 0.5)):
        found, failed = predicted_rows(quick, named, windows)
        expected, expected_failed = predicted_rows(ordinary, named, windows)
        assert [name for name, _ in failed] == [name for name, _ in expected_failed]
        assert len(failed) == 3
        assert len(found) == len(expected) > 4
        for row, other in zip(found, expected, strict=True):
            assert row["probabilities"] == pytest.approx(other.pop("probabilities"), abs=1e-4)
            del row["probabilities"]
            assert row == other
