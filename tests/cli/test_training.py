"""Training: folders, utterances without speakers, and the lines of epochs."""

import re
import shutil
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import soundfile

import skser
from skser.cli._console import epochs_as_messages, messages
from skser.cli._systems import refusing
from skser.compose import RejectingClassifier
from skser.datasets import load_folder, load_table
from skser.pipelines import attention_fcn, functionals, whisper_linear

EPOCH = r"^ +(\d+) +(\d\.\d{4}) +\d+\.\d{4}$"


@pytest.fixture
def subfolders(folder, tmp_path):
    """Folder with one subfolder per emotion."""
    for row in load_table(folder / "table.csv").frame.itertuples():
        place = tmp_path / "recordings" / row.emotion
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.audio, place)
    return tmp_path / "recordings"


def test_train_prints_the_loss_of_each_epoch(shell, folder, tmp_path):
    code, out, err = shell(
        "train", folder / "table.csv", "--out", tmp_path / "m.skser",
        "--system", "attention-fcn", "--max-epochs", 6,
        "--device", "cpu",
    )  # fmt: skip
    assert (code, out) == (0, "")
    found = re.findall(EPOCH, err, re.M)
    corpus = load_table(folder / "table.csv")
    model = attention_fcn(max_epochs=6, device="cpu", random_state=0)
    model.fit(corpus.data, corpus.target.astype(str))
    assert [int(epoch) for epoch, _ in found] == [1, 2, 3, 4, 5, 6]
    losses = model[-1].history_[:, "train_loss"]
    assert [float(loss) for _, loss in found] == pytest.approx(losses, abs=2e-4)
    assert "\x1b" not in err


def test_the_included_encoder_is_trained_on(shell, folder, files, tmp_path):
    pytest.importorskip("transformers")
    out = tmp_path / "m.skser"
    code, _, err = shell(
        "train", folder / "table.csv", "--out", out, "--system", "whisper-linear", "--clean"
    )
    assert code == 0, err
    corpus = load_table(folder / "table.csv")
    expected = whisper_linear(conditions=False, random_state=0)
    expected.fit(corpus.data, corpus.target.astype(str))
    np.testing.assert_allclose(
        skser.load(out, trusted=True).predict_proba(files),
        expected.predict_proba(files),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "expected"),
    [(True, False, "\x1b[36m1\x1b[0m"), (True, True, "1"), (False, False, "1")],
)
def test_epochs_are_colored_only_where_wanted(is_terminal, no_color, expected, capsys, monkeypatch):
    monkeypatch.setattr(messages, "_force_terminal", is_terminal)
    monkeypatch.setattr(messages, "no_color", no_color)
    with epochs_as_messages():
        print("\x1b[36m1\x1b[0m")
    assert capsys.readouterr() == ("", f"{expected}\n")


def test_a_folder_with_a_subfolder_per_emotion_is_trained_on(shell, subfolders, files, tmp_path):
    code, _, err = shell(
        "train",
        subfolders,
        "--out",
        tmp_path / "m.skser",
        "--system",
        "attention-fcn",
        "--max-epochs",
        6,
        "--device",
        "cpu",
    )
    assert code == 0, err
    corpus = load_folder(subfolders)
    model = attention_fcn(max_epochs=6, device="cpu", random_state=0)
    model.fit(corpus.data, corpus.target.astype(str))
    loaded = skser.load(tmp_path / "m.skser")
    assert loaded.predict_proba(files) == pytest.approx(model.predict_proba(files), abs=1e-4)


def test_a_folder_without_speakers_is_not_evaluated(shell, subfolders):
    code, _, err = shell("evaluate", subfolders)
    assert code == 1
    assert err == (
        "skser: error: recordings has no speakers; give a table with a column speaker.\n"
    )


def test_a_folder_of_one_emotion_is_refused(shell, subfolders, tmp_path):
    for place in subfolders.iterdir():
        if place.name != "anger":
            shutil.rmtree(place)
    code, _, err = shell("train", subfolders, "--out", tmp_path / "m.skser")
    assert code == 1
    assert "has one subfolder with audio, anger. Name the corpus in it with --corpus" in err


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_table_of_one_emotion_is_refused_before_the_work(command, shell, folder, tmp_path):
    frame = load_table(folder / "table.csv").frame
    frame[frame["emotion"] == "anger"].to_csv(tmp_path / "one.csv", index=False)
    more = ["--out", tmp_path / "m.skser"] if command == "train" else []
    code, _, err = shell(command, tmp_path / "one.csv", *more)
    assert code == 1
    assert err == (
        f"skser: error: {tmp_path / 'one.csv'} has one emotion, anger. Give utterances of two or "
        "more.\n"
    )


def test_a_recording_is_no_table(shell, files, tmp_path):
    code, _, err = shell("train", files[0], "--out", tmp_path / "m.skser")
    assert code == 1
    assert err.startswith(f"skser: error: {files[0]} is a recording. Give a CSV file")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("train", ["--out", "m.skser", "--seed", -1], "'--seed'"),
        ("train", ["--out", "m.skser", "--jobs", 0], "'--jobs': 0 processes compute nothing"),
        ("evaluate", ["--jobs", 0], "'--jobs': 0 processes compute nothing"),
        ("train", ["--out", "m.skser", "--memory", "{table}"], "'--memory'"),
        ("evaluate", ["--results-dir", "{table}"], "'--results-dir'"),
        ("predict", ["--start", "nan"], "'--start': nan is not a finite number"),
        ("predict", ["--end", "inf"], "'--end': inf is not a finite number"),
        ("predict", ["--timeline", "--window", "inf"], "'--window': inf is not a finite number"),
        ("predict", ["--timeline", "--hop", "nan"], "'--hop'"),
        ("compare", ["{table}", "--level", "nan"], "'--level'"),
    ],
)
def test_values_that_cannot_be_used_are_refused_before_the_work(
    command, options, message, shell, folder
):
    table = folder / "table.csv"
    code, _, err = shell(command, table, *(str(part).format(table=table) for part in options))
    assert code == 2
    assert message in " ".join(re.sub("[│\n]", " ", err).split())


def test_the_card_of_a_table_without_speakers_says_so(shell, subfolders, tmp_path):
    options = "--clean", "--refuse", "--out"
    assert shell("train", subfolders, *options, tmp_path / "m.skser")[0] == 0
    _, text, _ = shell("info", tmp_path / "m.skser")
    assert "thresholds of refusal from held-out utterances, trained on 24" in text
    assert "utterances of unknown speakers in recordings, on " in text


def test_a_table_without_speakers_is_trained_on(shell, folder, tmp_path):
    table = pd.read_csv(folder / "table.csv").drop(columns="speaker")
    table["audio"] = [str(folder / path) for path in table["audio"]]
    table.to_csv(tmp_path / "table.csv", index=False)
    code, _, err = shell(
        "train", tmp_path / "table.csv", "--out", tmp_path / "m.skser",
        "--system", "attention-fcn", "--max-epochs", 1,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err


def test_the_card_says_what_a_model_was_trained_on(shell, folder, tmp_path):
    out = tmp_path / "m.skser"
    code, _, err = shell("train", folder / "table.csv", "--out", out, "--seed", 3)
    assert code == 0, err
    _, text, _ = shell("info", out)
    corpus = load_table(folder / "table.csv")
    n_copies = functionals().n_copies
    assert (
        f"The system functionals, seed 3, trained on 24 utterances of 3 speakers in table.csv "
        f"and {n_copies} altered copies of each" in text
    )
    for emotion, count in corpus.frame["emotion"].value_counts().items():
        assert f"| {emotion} | {count} |" in text


def test_a_model_may_refuse_audio(shell, folder, files, tmp_path):
    pytest.importorskip("onnxruntime")
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    named = ["train", folder / "table.csv", "--clean", "--refuse", "--out"]
    for name in ("m.skser", "m.onnx") if find_spec("onnx") else ("m.skser",):
        code, _, err = shell(*named, tmp_path / name)
        assert code == 0, err
        _, out, err = shell("predict", tmp_path / "silence.wav", "--model", tmp_path / name)
        assert out == f"{tmp_path / 'silence.wav'}: no speech\n", err
        _, out, _ = shell("predict", files[0], "--model", tmp_path / name)
        assert "%" in out
    _, text, _ = shell("info", tmp_path / "m.skser")
    assert "thresholds of refusal from held-out speakers" in text


def test_thresholds_of_refusal_hold_for_altered_copies():
    model = refusing(functionals(), None)
    assert isinstance(model.estimator, RejectingClassifier)
    assert model.n_copies == functionals().n_copies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "m.pkl"], "m.pkl ends in neither .skser nor .onnx"),
        (["--out", "m.skser", "--refuse", "--target", "valence"], "--refuse is for emotions"),
    ],
)
def test_what_train_cannot_do_is_said_first(options, message, shell, folder):
    code, _, err = shell("train", folder / "table.csv", *options)
    assert code == 1
    assert message in err
