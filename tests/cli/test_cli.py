"""Commands of the command line, called as a shell would call them."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from rich.console import Console
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import skser
from skser import datasets
from skser.audio import AudioReadError, Utterance, load_audio
from skser.cli import _corpora
from skser.cli._predicted_rows import Rows, in_words, predicted_rows
from skser.datasets import load_table
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import emotion_timeline
from skser.neural_network import AttentionFCNClassifier
from skser.pipelines import attention_fcn, fcn_and_functionals, functionals


def test_predict_works_with_the_included_model(shell, files):
    code, out, _ = shell("predict", *files)
    assert code == 0
    model = skser.load_pretrained("emodb-afcn")
    lines = out.splitlines()
    assert len(lines) == 3
    for line, file, emotion in zip(lines, files, model.predict(files), strict=True):
        assert line.startswith(f"{file}: {emotion} ")


def test_json_and_csv_equal_the_predictions_of_python(shell, folder, files):
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


def test_a_part_of_each_file_is_predicted(shell, files):
    part = ("--start", "0.1", "--end", "0.6", "--channel", "0")
    code, out, _ = shell("predict", *files, "--json", *part)
    assert code == 0
    wanted = skser.load_pretrained("emodb-afcn").predict_proba(
        [Utterance(file, 0.1, 0.6, 0) for file in files]
    )
    found = [list(row["probabilities"].values()) for row in json.loads(out)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    code, out, messages = shell("predict", files[0], "--start", "60")
    assert (code, out) == (1, "")
    assert f"{files[0]}: from 60 s: starts at 60 s, after the end" in messages


def test_predict_accepts_an_onnx_file(shell, folder, files, tmp_path):
    pytest.importorskip("onnx")
    skser.export_onnx(skser.load(folder / "model.skser"), tmp_path / "model.onnx")
    _, out, _ = shell("predict", *files, "--model", tmp_path / "model.onnx", "--json")
    _, expected, _ = shell("predict", *files, "--model", folder / "model.skser", "--json")
    for one, two in zip(json.loads(out), json.loads(expected), strict=True):
        assert one["probabilities"] == pytest.approx(two["probabilities"], abs=1e-4)


def test_predict_asks_for_trust_where_a_model_needs_it(shell, files, tmp_path):
    features = Functionals(FrameFeatures(("energy",)), ("moments",))
    model = make_pipeline(features, RandomForestClassifier(3, random_state=0))
    skser.save(model.fit(files, ["a", "b", "a"]), tmp_path / "forest.skser")
    command = "predict", files[0], "--model", tmp_path / "forest.skser"
    code, out, messages = shell(*command)
    assert (code, out) == (1, "")
    assert "RandomForestClassifier" in messages
    assert "--trust" in messages
    assert shell(*command, "--trust")[0] == 0


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


class _FailingModel:
    """Model that fails for some files."""

    classes_ = np.array(["calm", "tense"])

    def fit(self, X, y):
        raise NotImplementedError

    def predict_proba(self, X):
        if "file 3" in X:
            raise AudioReadError([("utterance 0", "holds no speech")])
        if "file 20" in X:
            raise ValueError("Something is\nwrong.")
        if len(X) > 1 and "file 39" in X:
            raise RuntimeError("Out of memory.")
        return np.tile([0.25, 0.75], (len(X), 1))


def test_a_failing_file_does_not_affect_the_others(capfd):
    names = [f"file {i}" for i in range(40)]
    rows, failures = predicted_rows(_FailingModel(), [(name, name) for name in names])
    assert [row["file"] for row in rows] == [n for n in names if n not in ("file 3", "file 20")]
    assert rows[0]["emotion"] == "tense"
    assert failures == [("file 3", "holds no speech"), ("file 20", "Something is wrong.")]


@pytest.mark.parametrize("around", [make_pipeline, lambda model: GridSearchCV(model, {}, cv=2)])
def test_the_emotion_is_the_one_that_the_model_predicts(around):
    X = np.random.RandomState(0).randn(60, 2)
    y = np.where(X[:, 0] + np.random.RandomState(1).randn(60) > 0, "tense", "calm")
    strict = FixedThresholdClassifier(LogisticRegression(), threshold=0.9)
    model = around(strict).fit(X, y)
    rows = Rows(model).predict(X)
    predicted = model.predict(X)
    assert (predicted != model.classes_[model.predict_proba(X).argmax(axis=1)]).sum() > 5
    assert [row["emotion"] for row in rows] == predicted.tolist()
    words = [in_words({"file": "x.wav"} | row) for row in rows]
    assert [text.split()[1] for text in words] == predicted.tolist()


def test_a_failing_timeline_is_named_and_the_others_printed(shell, folder, files, tmp_path):
    samples, rate = load_audio(files[0])
    soundfile.write(tmp_path / "20ms.wav", samples[: rate // 50], rate)
    code, out, err = shell(
        "predict", tmp_path / "20ms.wav", files[0], "--model", folder / "model.skser",
        "--timeline", "--json",
    )  # fmt: skip
    assert code == 1
    assert {row["file"] for row in json.loads(out)} == {files[0]}
    (line,) = err.splitlines()
    assert line.startswith(f"skser: error: {tmp_path / '20ms.wav'}: from 0 to 0.02 s: ")


def test_a_repeated_file_is_predicted_twice(shell, files):
    _, out, _ = shell("predict", files[0], files[1], files[0], "--json")
    rows = json.loads(out)
    assert [row["file"] for row in rows] == [files[0], files[1], files[0]]
    assert rows[0]["probabilities"] == rows[2]["probabilities"]


def test_a_name_with_a_line_break_is_printed_on_one_line(shell, files, tmp_path):
    name = tmp_path / "two\nlines :smile: [bold].wav"
    soundfile.write(name, *load_audio(files[0]))
    code, out, err = shell("predict", name, f"{name}x")
    assert code == 1
    assert len(out.splitlines()) == len(err.splitlines()) == 1
    assert "two\\nlines :smile: [bold].wav: " in out
    assert "two\\nlines :smile: [bold].wavx: no such file" in err


@pytest.mark.parametrize(
    "classifier",
    [RidgeClassifier(), VotingClassifier([("a", GaussianNB()), ("b", KNeighborsClassifier())])],
)
def test_a_classifier_without_probabilities_prints_the_emotion(
    classifier, shell, folder, files, tmp_path
):
    corpus = load_table(folder / "table.csv")
    model = make_pipeline(Functionals(FrameFeatures(("energy",))), classifier)
    skser.save(model.fit(corpus.data, corpus.target.astype(str)), tmp_path / "hard.skser")
    expected = model.predict(files).tolist()
    command = ["predict", *files, "--model", tmp_path / "hard.skser", "--trust"]
    _, out, _ = shell(*command, "--json")
    assert json.loads(out) == [
        {"file": file, "emotion": emotion} for file, emotion in zip(files, expected, strict=True)
    ]
    _, out, _ = shell(*command)
    assert out.splitlines()[0] == f"{files[0]}: {expected[0]}"
    code, _, err = shell(*command, "--timeline")
    assert code == 1
    assert err == (
        "skser: error: A timeline needs probabilities, but this model has no predict_proba. "
        "Leave out --timeline, or choose another --model.\n"
    )


def test_audio_is_read_from_a_pipe(shell, files):
    with open(files[0], "rb") as file:
        code, out, _ = shell("predict", "-", "--json", pipe=file.read())
    _, expected, _ = shell("predict", files[0], "--json")
    assert code == 0
    assert json.loads(out) == [json.loads(expected)[0] | {"file": "-"}]


def test_names_are_read_from_a_pipe(shell, files):
    code, out, _ = shell("predict", "-", "--json", pipe="\n".join(files).encode())
    assert code == 0
    assert [row["file"] for row in json.loads(out)] == files


def test_an_empty_pipe_is_an_error(shell):
    code, _, err = shell("predict", "-")
    assert code == 1
    assert err.startswith("skser: error: The pipe is empty. Send audio")


def test_the_timeline_equals_that_of_python(shell, folder, files, tmp_path):
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
    model = make_pipeline(FrameFeatures(("energy",)), Functionals(), LinearRegression())
    ratings = corpus.frame[["valence", "activation"]]
    skser.save(model.fit(corpus.data, ratings.to_numpy()), tmp_path / "ratings.skser")
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "ratings.skser", "--json")
    (row,) = json.loads(out)
    assert [row["output 0"], row["output 1"]] == pytest.approx(model.predict(files[:1])[0].tolist())
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "ratings.skser")
    assert out.startswith(f"{files[0]}: {row['output 0']:.3f}, ")


def test_train_writes_the_same_model_as_python(shell, folder, files, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.skser",
        "--system", "attention-fcn", "--max-epochs", 6,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "24 utterances" in err
    assert "MelSpectrogram: 100%" in err
    loaded = skser.load(tmp_path / "m.skser")
    assert loaded["features"].verbose is False
    assert not loaded[-1].verbose
    expected = skser.load(folder / "model.skser").predict_proba(files)
    found = skser.load(tmp_path / "m.skser").predict_proba(files)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_train_shows_the_progress_of_every_part_of_a_vote(shell, folder, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.skser", "--max-epochs", 1,
        "--device", "cpu", "--system", "fcn-and-functionals",
    )  # fmt: skip
    assert code == 0, err
    assert "MelSpectrogram: 100%" in err
    assert "FrameFeatures: 100%" in err
    network, functionals = skser.load(tmp_path / "m.skser").estimator_.estimators_
    assert not network["features"].verbose
    assert not functionals["features"].transformer.verbose


def test_train_in_conditions_equals_python(shell, folder, files, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.skser", "--system", "functionals",
        "--conditions", "--seed", 3,
    )  # fmt: skip
    assert code == 0, err
    corpus = load_table(folder / "table.csv")
    expected = functionals(random_state=3).fit(
        corpus.data, corpus.target.astype(str), groups=corpus.speakers
    )
    np.testing.assert_allclose(
        skser.load(tmp_path / "m.skser").predict_proba(files), expected.predict_proba(files)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--system", "functionals", "--max-epochs", 3], "functionals has no --max-epochs"),
        (["--system", "functionals", "--device", "cpu"], "functionals has no --device"),
        (["--system", "zhang2018", "--conditions"], "zhang2018 has no --conditions or --clean"),
    ],
)
def test_an_option_that_a_system_lacks_is_refused(shell, folder, tmp_path, options, message):
    code, _, err = shell("train", folder / "table.csv", "--out", tmp_path / "m.skser", *options)
    assert code == 1
    assert message in err


@pytest.mark.filterwarnings("ignore:In its last epoch the network")
@pytest.mark.parametrize("system", ["attention-fcn", "fcn-and-functionals"])
def test_train_writes_onnx_if_the_name_ends_in_onnx(system, shell, folder, files, tmp_path):
    pytest.importorskip("onnx")
    code, _, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.onnx", "--max-epochs", 6,
        "--device", "cpu", "--system", system,
    )  # fmt: skip
    assert code == 0, err
    given = {"max_epochs": 6, "device": "cpu", "random_state": 0}
    model = {"attention-fcn": attention_fcn, "fcn-and-functionals": fcn_and_functionals}[system]
    corpus = load_table(folder / "table.csv")
    # Babble is made of other speakers.
    groups = {"groups": corpus.speakers} if system == "fcn-and-functionals" else {}
    fitted = model(**given).fit(corpus.data, corpus.target.astype(str), **groups)
    expected = getattr(fitted, "estimator_", fitted).predict_proba(files)
    found = skser.load_onnx(tmp_path / "m.onnx").predict_proba(files)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_ends_a_training_with_130_and_saves_nothing(folder, tmp_path):
    # A shell may start background jobs with SIGINT ignored.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from skser.cli import main; main()"
    )
    command = [
        "train", folder / "table.csv", "--out", tmp_path / "m.skser", "--system", "attention-fcn",
        "--device", "cpu",
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", code, *command, "--max-epochs", "1000000"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = iter(process.stderr.readline, "")
        assert any("100%" in line for line in lines)  # the features are computed
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest = [line for line in lines if line.strip()]
        # A slow machine draws the completed progress bar twice. Epochs are printed as a table.
        messages = [
            line for line in rest if not re.match(r"MelSpectrogram: 100%|[ \d.-]+$|  epoch ", line)
        ]
        assert messages == ["skser: interrupted\n"]
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--report", "--table"])
def test_an_unwritable_place_is_reported_before_the_work(
    option, shell, folder, tmp_path, monkeypatch
):
    command = {"--out": "train", "--report": "evaluate", "--table": "fetch"}[option]
    argument = "emodb" if command == "fetch" else folder / "table.csv"
    monkeypatch.setattr(datasets, "load_table", lambda path: pytest.fail("started to work"))
    monkeypatch.setattr(datasets, "fetch_audb", lambda *_, **__: pytest.fail("started to work"))

    def message(place):
        code, _, err = shell(command, argument, option, place)
        assert code == 1
        assert len(err.splitlines()) == 1
        return err

    assert "There is no folder" in message(tmp_path / "no" / "file")
    assert "is a folder. Give the name of a file" in message(folder)
    (tmp_path / "protected").touch(0o400)
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # root may write everywhere
    assert "is write-protected" in message(tmp_path / "protected")

    def full(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "cannot be written (Read-only file system)" in message(tmp_path / "new")


def test_a_missing_library_is_reported_before_the_work(shell, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_table", lambda path: pytest.fail("started to work"))
    monkeypatch.setitem(sys.modules, "jinja2", None)
    _, _, err = shell("evaluate", folder / "table.csv", "--report", tmp_path / "r.html")
    assert err.startswith("skser: error: --report needs the library 'jinja2': pip install")
    monkeypatch.setitem(sys.modules, "onnx", None)
    _, _, err = shell("train", folder / "table.csv", "--out", tmp_path / "m.onnx")
    assert err.startswith("skser: error: --out *.onnx needs the library 'onnx': pip install")


@pytest.mark.filterwarnings("ignore:All 8 predictions", "ignore:In its last epoch")
def test_evaluate_writes_the_scores_and_the_report(shell, folder, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    code, out, err = shell(
        "evaluate", folder / "table.csv",
        "--system", "attention-fcn", "--max-epochs", 2, "--folds", 3, "--json",
        "--report", tmp_path / "report.html", "--memory", tmp_path / "memory", "--device", "cpu",
        "--results-dir", tmp_path / "folds",
    )  # fmt: skip
    assert code == 0, err
    # The finished folds are read from the folder, so nothing is trained again.
    monkeypatch.setattr(AttentionFCNClassifier, "fit", lambda *_: pytest.fail("trained again"))
    system = attention_fcn(
        max_epochs=2, memory=tmp_path / "memory", n_jobs=1, device="cpu", random_state=0
    )
    evaluation = cross_validate_speakers(
        system, load_table(folder / "table.csv"), cv=3, results_dir=tmp_path / "folds"
    )
    assert json.loads(out)["uar"]["pooled"] == evaluation.summary().loc["uar", "pooled"]
    assert "<html" in (tmp_path / "report.html").read_text()


def test_fetch_writes_a_table(shell, folder, tmp_path, monkeypatch):
    corpus = load_table(folder / "table.csv")
    monkeypatch.setattr(datasets, "fetch_ravdess", lambda home, **options: corpus)
    code, out, _ = shell("fetch", "ravdess", "--table", tmp_path / "ravdess.csv")
    assert code == 0
    assert "24 utterances" in out
    assert load_table(tmp_path / "ravdess.csv").data.tolist() == corpus.data.tolist()


def test_fetch_ignores_case_and_shows_its_progress(shell, folder, monkeypatch):
    corpus, calls = load_table(folder / "table.csv"), []

    def record(*given, **options):
        calls.append((*given, options["progressbar"]))
        return corpus

    for name in ("fetch_audb", "fetch_crema_d", "fetch_emodb", "fetch_ravdess"):
        monkeypatch.setattr(datasets, name, record)
    for command in (
        ["EmoDB"], ["vadtoolkit"], ["RAVDESS"], ["ravdess", "--version", "1.1.3"], ["crema-d"],
    ):  # fmt: skip
        assert shell("fetch", *command)[0] == 0
    assert calls == [
        (None, True),
        ("vadtoolkit", None, True),
        (None, True),
        ("ravdess", "1.1.3", True),
        (None, True),
    ]
    code, _, err = shell("fetch", "Iemocap")
    assert code == 1
    assert err == (
        "skser: error: IEMOCAP is distributed only by its publishers. Request it at "
        "https://sail.usc.edu/iemocap/\n"
    )
    assert len(calls) == 5


def test_corpora_lists_the_loaders(shell):
    _, out, _ = shell("corpora")
    assert {"emodb", "iemocap", "msp-podcast"} <= {line.split()[0] for line in out.splitlines()}
    _, out, _ = shell("corpora", "--json")
    assert json.loads(out)["ravdess"]["n_utterances"] == 1440


def test_a_narrow_terminal_shows_corpora_whole(monkeypatch, capsys):
    monkeypatch.setattr(_corpora, "output", Console(force_terminal=True, width=80, no_color=True))
    _corpora.corpora()
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    assert [line.split()[-1] for line in lines if line.startswith(("ravdess", "savee"))] == [
        "yes",
        "no",
    ]


def test_info_prints_labels_and_card(shell):
    code, out, _ = shell("info", "emodb-afcn")
    assert code == 0
    facts, card = out.split("\n\n", 1)
    assert "labels: anger, boredom, disgust, fear, happiness, neutral, sadness" in facts
    assert "    names: mel0, mel1, mel2" in facts
    assert "(192 in all)" in facts
    assert "of_test_signal" not in facts
    assert "EmoDB-LOSO" in card
    _, out, _ = shell("info", "emodb-afcn", "--json")
    found = json.loads(out)
    assert len(found["labels"]) == 7
    assert "of_test_signal" in out
    assert found["card"].strip() == card.strip()


def test_info_accepts_an_onnx_file(shell, folder, tmp_path):
    pytest.importorskip("onnx")
    model = skser.load(folder / "model.skser")
    skser.export_onnx(model, tmp_path / "model.onnx")
    _, out, _ = shell("info", tmp_path / "model.onnx", "--json")
    assert json.loads(out) == skser.load_onnx(tmp_path / "model.onnx").description
    code, out, _ = shell("info", tmp_path / "model.onnx")
    assert code == 0
    assert "  form: waveform" in out.splitlines()
    assert f"  values: {', '.join(model.classes_)}" in out.splitlines()


@pytest.mark.parametrize("compress", [0, 3])
def test_a_pickle_is_recognized(shell, folder, tmp_path, compress):
    joblib.dump({"any": "model"}, tmp_path / "model.joblib", compress=compress)
    for command in (["predict", "a.wav", "--model"], ["info"]):
        code, _, err = shell(*command, tmp_path / "model.joblib")
        assert code == 1
        assert "Pickles are read by joblib.load" in err
        assert "joblib.load" in err
        assert "skser.save" in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "a.wav", "--model", "no.skser"], "There is no file no.skser"),
        (["predict", "a.wav", "--model", "emodb_afcn"], "It includes: emodb-afcn"),
        (["info", "emodb_afcn"], "It includes: emodb-afcn"),
        (["train", "no.csv", "--out", "m.skser"], "The table no.csv does not exist"),
        (["train", "{folder}", "--out", "m.skser"], "Name the corpus in it with --corpus"),
        (["train", "{folder}", "--corpus", "emodb", "--out", "m.skser"], "has no EmoDB file"),
        (["evaluate", "{folder}/table.csv", "--folds", "4"], "4 folds (--folds) need at least 4"),
        (["compare", "{folder}/no.csv", "{folder}/table.csv"], "no.csv"),
        (["compare", "{folder}/table.csv", "{folder}/table2.csv"], "lacks the columns"),
        (["train", "{folder}/table.csv", "--out", "no/m.skser"], "There is no folder"),
        (["evaluate", "{folder}/table.csv", "--protocol", "ravdess-9"], "ravdess-9"),
        (["info", "{folder}/table.csv"], "table.csv"),
    ],
)
def test_errors_are_printed_on_one_line(shell, folder, arguments, message):
    code, _, err = shell(*(argument.format(folder=folder) for argument in arguments))
    assert code == 1
    assert len(err.splitlines()) == 1
    assert err.startswith("skser: error: ")
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "a", "--json", "--csv"],
        ["train", "t", "--out"],
        ["compare", "a.csv"],
        ["compare", "a.csv", "a.csv"],
        ["evaluate", "table.csv", "--protocol", "emobox", "--folds", "3"],
        ["x"],
    ],
)
def test_wrong_usage_exits_with_2(shell, arguments):
    assert shell(*arguments)[0] == 2


def test_the_command_is_installed():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"skser": "skser.cli:main"}
