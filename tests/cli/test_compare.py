"""``evaluate --predictions`` and ``compare``."""

import json
import os

import numpy as np
import pytest

from skser.datasets import load_table
from skser.evaluation import compare, cross_validate_speakers, read_predictions, write_predictions
from skser.pipelines import attention_fcn


@pytest.fixture(scope="module")
def evaluations(folder):
    """Evaluations of two systems by the name of their files."""
    corpus = load_table(folder / "table.csv")
    found = {
        f"{n} epochs": cross_validate_speakers(
            attention_fcn(max_epochs=n, device="cpu", n_threads=1, random_state=0), corpus, cv=3
        )
        for n in (1, 6)
    }
    for name, evaluation in found.items():
        write_predictions(evaluation, folder / f"{name}.csv")
    return found


@pytest.mark.filterwarnings("ignore:All .* predictions", "ignore:In its last epoch")
def test_evaluate_writes_predictions(shell, folder, tmp_path):
    code, _, err = shell(
        "evaluate", folder / "table.csv",
        "--system", "attention-fcn", "--max-epochs", 1, "--folds", 3, "--device", "cpu",
        "--predictions", tmp_path / "p.csv",
    )  # fmt: skip
    assert code == 0, err
    assert f"predictions: {tmp_path / 'p.csv'}" in err
    found = read_predictions(tmp_path / "p.csv")
    assert found.predictions["utterance"].tolist() == list(range(24))
    corpus = load_table(folder / "table.csv")
    assert found.y_true.tolist() == corpus.target.astype(str).tolist()


@pytest.mark.filterwarnings("ignore:All .* predictions", "ignore:In its last epoch")
def test_test_speakers_that_are_unknown_leave_out_the_interval(shell, folder, tmp_path):
    frame = load_table(folder / "table.csv").frame
    is_test = frame["speaker"] == frame["speaker"].iloc[0]
    frame["split"] = np.where(is_test, "Test1", "Train")
    frame.loc[is_test, "speaker"] = None
    frame.to_csv(folder / "splits.csv", index=False)
    code, out, err = shell(
        "evaluate", folder / "splits.csv", "--protocol", "msp-podcast", "--json",
        "--system", "attention-fcn", "--max-epochs", 1, "--device", "cpu",
        "--predictions", tmp_path / "p.csv",
    )  # fmt: skip
    assert code == 0, err
    scores = json.loads(out)["uar"]
    assert 0 <= scores["pooled"] <= 1
    assert not {"low", "high"} & set(scores)
    assert len(read_predictions(tmp_path / "p.csv").predictions) == is_test.sum()


@pytest.mark.filterwarnings("ignore:All .* predictions", "ignore:In its last epoch")
def test_compare_prints_what_python_finds(shell, folder, evaluations):
    expected = compare(evaluations)
    paths = [folder / f"{name}.csv" for name in evaluations]
    code, out, err = shell("compare", *paths)
    assert (code, err) == (0, "")
    assert out == f"{expected}\n"
    code, out, _ = shell("compare", *paths, "--json")
    found = json.loads(out)
    (pair,) = found["pairs"]
    assert pair == pytest.approx(expected.pairs.iloc[0].to_dict())
    assert found["confidence_level"] == 0.95
    assert found["p_value"] is None or found["p_value"] == pytest.approx(expected.p_value)
    assert found["systems"] == expected.systems.to_dict("index")
    assert found["speakers"] == expected.speaker_scores.to_dict("index")
    _, out, _ = shell("compare", *paths, "--level", 0.5, "--json")
    assert json.loads(out)["pairs"][0]["low"] == pytest.approx(
        compare(evaluations, confidence_level=0.5).pairs["low"][0]
    )


@pytest.mark.filterwarnings("ignore:All .* predictions", "ignore:In its last epoch")
def test_a_full_disk_does_not_lose_the_scores(shell, folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = shell(
        "evaluate", folder / "table.csv", "--folds", 3, "--json", "--clean",
        "--predictions", tmp_path / "p.csv",
    )  # fmt: skip
    assert code == 1
    assert 0 <= json.loads(out)["uar"]["pooled"] <= 1
    assert f"{tmp_path / 'p.csv'} cannot be written (No space left on device)." in err
    assert list(tmp_path.iterdir()) == []


def test_files_of_different_utterances_are_refused(shell, folder, evaluations, tmp_path):
    path = folder / "1 epochs.csv"
    lines = path.read_text().splitlines()
    (tmp_path / "fewer.csv").write_text("\n".join(lines[:-1]) + "\n")
    code, _, err = shell("compare", path, tmp_path / "fewer.csv")
    assert code == 1
    assert "'1 epochs' and 'fewer' were evaluated on different utterances" in err


def test_files_of_the_same_name_are_told_apart_by_their_folders(
    shell, folder, evaluations, tmp_path
):
    path = folder / "1 epochs.csv"
    (tmp_path / path.name).write_text(path.read_text())
    code, out, _ = shell("compare", path, tmp_path / path.name, "--json")
    assert code == 0
    assert set(json.loads(out)["systems"]) == {str(path), str(tmp_path / path.name)}
    assert json.loads(out)["pairs"][0]["difference"] == 0
