"""The command line, as a shell would call it."""

import csv
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

import skser
from skser import datasets
from skser.audio import load_audio
from skser.cli import main
from skser.datasets import load_table, make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import emotion_timeline
from skser.pipelines import attention_fcn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of made-up speech, and a model trained on it."""
    folder = tmp_path_factory.mktemp("with a space")
    corpus = make_emotional_speech(3, 8, random_state=0, write_to=folder / "speech")
    corpus.frame.to_csv(folder / "table.csv", index=False)
    model = attention_fcn(max_epochs=3, device="cpu", n_threads=1, random_state=0)
    skser.save(model.fit(corpus.data, corpus.target.astype(str)), folder / "model.skser")
    return folder


@pytest.fixture
def files(folder):
    return load_table(folder / "table.csv").data[:3].tolist()


@pytest.fixture
def shell(monkeypatch, capfd):
    """Run a command; gives the exit code, what it printed, and its messages."""

    def run(*arguments, pipe=b""):
        monkeypatch.setattr(sys, "argv", ["skser", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pipe)))
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return run


def test_predict_works_right_after_the_installation(shell, files):
    code, out, _ = shell("predict", *files)
    assert code == 0
    model = skser.load_pretrained("emodb-afcn")
    lines = out.splitlines()
    assert len(lines) == 3
    for line, file, emotion in zip(lines, files, model.predict(files), strict=True):
        assert line.startswith(f"{file}: {emotion} ")


def test_json_and_csv_hold_what_python_gives(shell, folder, files):
    model = skser.load(folder / "model.skser")
    expected = model.predict_proba(files)
    _, out, _ = shell("predict", *files, "--model", folder / "model.skser", "--json")
    rows = json.loads(out)
    assert [row["file"] for row in rows] == files
    assert [row["emotion"] for row in rows] == model.predict(files).tolist()
    found = [[row["probabilities"][c] for c in model.classes_] for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    _, out, _ = shell("predict", *files, "--model", folder / "model.skser", "--csv")
    table = pd.read_csv(io.StringIO(out))
    assert table["file"].tolist() == files
    np.testing.assert_allclose(table[[f"proba_{c}" for c in model.classes_]], expected, rtol=1e-6)


def test_an_onnx_file_is_a_model_too(shell, folder, files, tmp_path):
    pytest.importorskip("onnxruntime")
    skser.export_onnx(skser.load(folder / "model.skser"), tmp_path / "model.onnx")
    _, out, _ = shell("predict", *files, "--model", tmp_path / "model.onnx", "--json")
    _, expected, _ = shell("predict", *files, "--model", folder / "model.skser", "--json")
    for one, two in zip(json.loads(out), json.loads(expected), strict=True):
        assert one["probabilities"] == pytest.approx(two["probabilities"], abs=1e-4)


def test_unreadable_files_are_named_and_the_others_predicted(shell, files, tmp_path):
    broken = tmp_path / "broken [bold].wav"
    broken.write_text("no audio")
    code, out, err = shell("predict", files[0], broken, "nowhere.wav", files[1], "--json")
    assert code == 1
    assert [row["file"] for row in json.loads(out)] == files[:2]
    lines = err.splitlines()
    assert len(lines) == 2
    assert f"skser: error: {broken}: cannot be read as audio" in lines[0]
    assert lines[1].startswith("skser: error: nowhere.wav: ")


def test_audio_comes_through_a_pipe(shell, files):
    with open(files[0], "rb") as file:
        code, out, _ = shell("predict", "-", "--json", pipe=file.read())
    _, expected, _ = shell("predict", files[0], "--json")
    assert code == 0
    assert json.loads(out) == [json.loads(expected)[0] | {"file": "-"}]


def test_names_come_through_a_pipe(shell, files):
    code, out, _ = shell("predict", "-", "--json", pipe="\n".join(files).encode())
    assert code == 0
    assert [row["file"] for row in json.loads(out)] == files


def test_an_empty_pipe_is_an_error(shell):
    code, _, err = shell("predict", "-")
    assert code == 1
    assert err.startswith("skser: error: The pipe is empty")


def test_timeline_is_that_of_python(shell, folder, files, tmp_path):
    samples, rate = load_audio(files[0])
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 4), rate)
    _, out, _ = shell(
        "predict", tmp_path / "long.wav", "--model", folder / "model.skser", "--timeline",
        "--window", 1, "--hop", 1, "--csv",
    )  # fmt: skip
    model = skser.load(folder / "model.skser")
    expected = emotion_timeline(model, tmp_path / "long.wav", window=1, hop=1)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["end"]) for row in rows] == pytest.approx(expected["end"].tolist())
    found = [[float(row[f"proba_{c}"]) for c in model.classes_] for row in rows]
    np.testing.assert_allclose(found, expected[list(model.classes_)], rtol=1e-6)


def test_a_regressor_prints_its_values(shell, folder, files, tmp_path):
    corpus = load_table(folder / "table.csv")
    model = make_pipeline(FrameFeatures(), Functionals(), KNeighborsRegressor())
    ratings = corpus.frame[["valence", "activation"]]
    skser.save(model.fit(corpus.data, ratings.to_numpy()), tmp_path / "ratings.skser")
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "ratings.skser", "--json")
    (row,) = json.loads(out)
    assert [row["output 0"], row["output 1"]] == pytest.approx(model.predict(files[:1])[0].tolist())
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "ratings.skser")
    assert out.startswith(f"{files[0]}: {row['output 0']:.3f}, ")


def test_train_writes_the_model_that_python_would(shell, folder, files, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.skser", "--max-epochs", 3,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "24 utterances" in err
    expected = skser.load(folder / "model.skser").predict_proba(files)
    found = skser.load(tmp_path / "m.skser").predict_proba(files)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:All 8 predictions", "ignore:In its last epoch")
def test_evaluate_judges_on_strangers_and_writes_the_report(shell, folder, tmp_path):
    pytest.importorskip("jinja2")
    code, out, err = shell(
        "evaluate", folder / "table.csv", "--max-epochs", 2, "--folds", 3, "--json",
        "--report", tmp_path / "report.html", "--memory", tmp_path / "memory", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert 0 <= json.loads(out)["uar"]["pooled"] <= 1
    assert "<html" in (tmp_path / "report.html").read_text()


def test_fetch_writes_a_table(shell, folder, tmp_path, monkeypatch):
    corpus = load_table(folder / "table.csv")
    monkeypatch.setattr(datasets, "fetch_ravdess", lambda home, **options: corpus)
    code, out, _ = shell("fetch", "ravdess", "--table", tmp_path / "ravdess.csv")
    assert code == 0
    assert "24 utterances" in out
    assert load_table(tmp_path / "ravdess.csv").data.tolist() == corpus.data.tolist()


def test_corpora_lists_the_loaders(shell):
    _, out, _ = shell("corpora")
    assert {"emodb", "iemocap", "msp-podcast"} <= {line.split()[0] for line in out.splitlines()}
    _, out, _ = shell("corpora", "--json")
    assert json.loads(out)["ravdess"]["n_utterances"] == 1440


def test_info_tells_labels_and_card(shell):
    code, out, _ = shell("info", "emodb-afcn")
    assert code == 0
    facts, _ = json.JSONDecoder().raw_decode(out)
    assert len(facts["labels"]) == 7
    assert "EmoDB-LOSO" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "a.wav", "--model", "no.skser"], "no.skser"),
        (["train", "no.csv", "--out", "m.skser"], "There is no table no.csv"),
        (["train", "{folder}", "--out", "m.skser"], "say with --corpus"),
        (["train", "{folder}", "--corpus", "emodb", "--out", "m"], "holds no EmoDB file"),
        (["train", "{folder}/table.csv", "--out", "no/m.skser"], "There is no folder"),
        (["evaluate", "{folder}/table.csv", "--protocol", "ravdess-9"], "ravdess-9"),
        (["info", "{folder}/table.csv"], "table.csv"),
    ],
)
def test_errors_are_told_on_one_line(shell, folder, arguments, message):
    code, _, err = shell(*(argument.format(folder=folder) for argument in arguments))
    assert code == 1
    assert len(err.splitlines()) == 1
    assert err.startswith("skser: error: ")
    assert message in err


@pytest.mark.parametrize(
    "arguments", [["predict"], ["predict", "a", "--json", "--csv"], ["train", "t", "--out"], ["x"]]
)
def test_wrong_usage_ends_with_2(shell, arguments):
    assert shell(*arguments)[0] == 2


def test_the_command_is_installed():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"skser": "skser.cli:main"}
