"""Dimensions in place of emotions: ``--target``."""

import json
import re

import numpy as np
import pytest
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import RidgeCV

import skser
from skser.cli._systems import as_regressor
from skser.compose import AugmentedRegressor
from skser.datasets import load_table
from skser.evaluation import cross_validate_speakers
from skser.neural_network import AttentionFCNRegressor
from skser.pipelines import attention_fcn, fcn_and_functionals, functionals, whisper_linear


@pytest.fixture(scope="module")
def rated(folder):
    """Table in which one utterance has no rating of valence."""
    frame = load_table(folder / "table.csv").frame
    frame.loc[frame.index[0], "valence"] = np.nan
    frame.to_csv(folder / "rated.csv", index=False)
    return folder / "rated.csv"


def test_a_regressor_of_one_dimension_is_trained_and_named(shell, rated, files, tmp_path):
    code, _, err = shell(
        "train", rated, "--target", "valence", "--out", tmp_path / "v.skser",
        "--system", "attention-fcn", "--max-epochs", 2,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "on 23 utterances of 24, those with ratings" in err
    expected = as_regressor(attention_fcn(max_epochs=2, device="cpu", random_state=0))
    frame = load_table(rated).frame[1:]
    expected.fit(frame["audio"].tolist(), frame["valence"].to_numpy(float))
    code, out, _ = shell(
        "predict", *files, "--model", tmp_path / "v.skser", "--target", "valence", "--json"
    )
    assert code == 0
    found = [row["valence"] for row in json.loads(out)]
    np.testing.assert_allclose(found, expected.predict(files), atol=1e-4)
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "v.skser", "--target", "valence")
    assert out == f"{files[0]}: valence {found[0]:.3f}\n"
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "v.skser", "--timeline", "--json")
    assert list(json.loads(out)[0]) == ["file", "start", "end", "valence"]
    code, out, err = shell(
        "predict", files[0], "--model", tmp_path / "v.skser", "--target", "valence",
        "--target", "activation",
    )  # fmt: skip
    assert (code, out) == (1, "")
    assert "The model predicts valence, but --target names valence, activation" in err
    _, text, _ = shell("info", tmp_path / "v.skser")
    assert "seed 0, epochs 2, trained on 23 utterances of 3 speakers in rated.csv, on " in text
    valence = frame["valence"]
    figures = f"{valence.mean():.3g} | {valence.std(ddof=0):.3g}"
    assert f"| valence | {figures} | {valence.min():g} to {valence.max():g} |" in text


@pytest.mark.parametrize(
    "system", [["functionals"], ["attention-fcn", "--max-epochs", 1, "--device", "cpu"]]
)
def test_an_onnx_model_keeps_the_names_of_its_targets(system, shell, rated, files, tmp_path):
    pytest.importorskip("onnx")
    code, _, err = shell(
        "train", rated, "--target", "valence", "--out", tmp_path / "v.onnx", "--clean",
        "--system", *system,
    )  # fmt: skip
    assert code == 0, err
    code, out, err = shell("predict", files[0], "--model", tmp_path / "v.onnx", "--json")
    assert code == 0, err
    assert list(json.loads(out)[0]) == ["file", "valence"]
    code, _, err = shell(
        "predict", files[0], "--model", tmp_path / "v.onnx", "--target", "activation"
    )
    assert code == 1
    assert "The model predicts valence, but --target names activation" in err


def test_names_are_required_to_fit_a_model_that_has_none(shell, rated, files, tmp_path):
    frame = load_table(rated).frame[1:]
    model = as_regressor(attention_fcn(max_epochs=1, device="cpu", random_state=0))
    model.fit(frame["audio"].tolist(), frame["valence"].to_numpy(float))
    skser.save(model, tmp_path / "unnamed.skser")
    given = "predict", files[0], "--model", tmp_path / "unnamed.skser"
    code, out, _ = shell(*given, "--json")
    assert code == 0
    assert list(json.loads(out)[0]) == ["file", "output 0"]
    code, _, err = shell(*given, "--target", "valence", "--target", "activation")
    assert code == 1
    assert "predicts 1 numbers, but --target names 2: valence, activation" in err


def test_targets_do_not_fit_a_classifier(shell, files):
    code, _, err = shell("predict", files[0], "--target", "valence")
    assert code == 1
    assert "--target names the numbers of a regressor" in err


def test_a_dimension_is_evaluated_as_in_python(shell, rated):
    code, out, err = shell(
        "evaluate", rated, "--target", "valence",
        "--system", "attention-fcn", "--max-epochs", 2, "--folds", 3, "--device",
        "cpu", "--json",
    )  # fmt: skip
    assert code == 0, err
    model = as_regressor(attention_fcn(max_epochs=2, device="cpu", n_jobs=1, random_state=0))
    evaluation = cross_validate_speakers(model, load_table(rated), target="valence", cv=3)
    expected = evaluation.summary()["pooled"]
    found = {name: row["pooled"] for name, row in json.loads(out).items()}
    assert "ccc" in found
    assert found == pytest.approx(expected.to_dict(), nan_ok=True, abs=1e-6)


def test_a_dimension_without_ratings_is_named(shell, folder, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--target", "pleasure", "--out", tmp_path / "m.skser"
    )
    assert code == 1
    assert "no ratings of pleasure; its columns are audio, " in err


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("valence", "a target is given twice"),
        ("emotion", "the emotion and dimensions are trained apart"),
    ],
)
def test_targets_differ_and_are_all_dimensions(command, second, message, shell, rated):
    more = ["--out", "m.skser"] if command == "train" else []
    code, _, err = shell(command, rated, *more, "--target", "valence", "--target", second)
    assert code == 2
    assert message in " ".join(re.sub("[│\n]", " ", err).split())


def test_the_emotion_may_be_named_as_the_target(shell, folder, tmp_path):
    options = "--target", "emotion", "--clean", "--out", tmp_path / "m.skser"
    code, _, err = shell("train", folder / "table.csv", *options)
    assert code == 0, err
    _, text, _ = shell("info", tmp_path / "m.skser")
    assert "| emotion | utterances |" in text


def test_a_column_of_text_is_no_target(shell, folder, tmp_path):
    code, _, err = shell(
        "train", folder / "table.csv", "--target", "speaker", "--out", tmp_path / "m.skser"
    )
    assert code == 1
    assert "The column speaker holds text, such as '01'. Give a --target with numbers." in err


def test_every_part_of_a_vote_becomes_a_regressor():
    system = as_regressor(
        fcn_and_functionals(max_epochs=7, conditions=False, n_threads=1, random_state=3)
    )
    assert isinstance(system, VotingRegressor)
    network, functionals = (part for _, part in system.estimators)
    assert isinstance(network[-1], AttentionFCNRegressor)
    assert isinstance(functionals[-1], RidgeCV)
    assert network[-1].get_params()["max_epochs"] == 7
    assert network[-1].n_threads == 1
    assert system.weights == [1, 2]


def test_altered_copies_stay_in_a_regressor():
    system = as_regressor(functionals(random_state=5))
    assert isinstance(system, AugmentedRegressor)
    assert isinstance(system.estimator[-1], RidgeCV)
    assert (system.n_copies, system.random_state) == (4, 5)
    lower = as_regressor(whisper_linear(random_state=5))
    assert isinstance(lower.estimator[-1], RidgeCV)
    assert (lower.n_copies, lower.augment.probabilities) == (4, "milder")


def test_a_saved_vote_of_regressors_predicts_the_same(folder, files, tmp_path):
    frame = load_table(folder / "table.csv").frame
    system = as_regressor(
        fcn_and_functionals(max_epochs=1, conditions=False, device="cpu", random_state=0)
    )
    system.fit(frame["audio"].tolist(), frame["activation"].to_numpy(float))
    skser.save(system, tmp_path / "vote.skser")
    loaded = skser.load(tmp_path / "vote.skser")
    np.testing.assert_array_equal(loaded.predict(files), system.predict(files))
