"""Training: folders, utterances without speakers, and the lines of epochs."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

import skser
from skser.cli._console import epochs_as_messages, messages
from skser.datasets import load_folder, load_table
from skser.pipelines import attention_fcn, whisper_linear

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
    assert err == ("skser: error: recordings has no speakers; add a column speaker to the table.\n")


def test_a_folder_of_one_emotion_is_refused(shell, subfolders, tmp_path):
    for place in subfolders.iterdir():
        if place.name != "anger":
            shutil.rmtree(place)
    code, _, err = shell("train", subfolders, "--out", tmp_path / "m.skser")
    assert code == 1
    assert "has one subfolder with audio, anger. Name the corpus in it with --corpus" in err


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
