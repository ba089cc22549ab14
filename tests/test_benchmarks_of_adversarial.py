"""Tests of the benchmarks of the adversarial autoencoder."""

import adversarial_gain
import adversarial_latent
import adversarial_speakers
import numpy as np
import pytest

from skser.datasets._registry import CORPORA

Y = np.repeat(["a", "b", "c"], [10, 40, 100])


@pytest.mark.parametrize(("labels", "counts"), [(0.1, [2, 4, 10]), (1.0, [10, 40, 100])])
def test_a_share_of_each_class_is_labeled(labels, counts):
    rows = adversarial_gain.labeled(Y, labels, seed=0)
    assert [int(rows[name == Y].sum()) for name in "abc"] == counts


@pytest.mark.parametrize(("labels", "counts"), [(4.0, [4, 4, 4]), (32.0, [10, 32, 32])])
def test_a_number_of_utterances_of_each_class_is_labeled(labels, counts):
    rows = adversarial_gain.labeled(Y, labels, seed=0)
    assert [int(rows[name == Y].sum()) for name in "abc"] == counts


def test_more_labels_include_fewer_labels():
    few, many = (adversarial_gain.labeled(Y, labels, seed=3) for labels in (4, 8))
    assert (many | ~few).all()


def test_every_system_tries_as_many_settings():
    drawn = {s: adversarial_speakers.drawn(s, "whisper") for s in adversarial_speakers.SYSTEMS}
    assert {len(trials) for trials in drawn.values()} == {8}
    for twin, speakers in zip(drawn["twin"], drawn["speakers"], strict=True):
        assert {k: v for k, v in speakers.items() if k != "objectives"} == twin


def test_gains_are_those_of_the_metric():
    codes, speakers = np.tile([0, 0, 0, 1], 10), np.repeat(np.arange(10), 4)
    twin, better = {0: np.zeros(40, int)}, {0: codes.copy()}
    gains = {
        metric: adversarial_gain.compare(better, twin, [0], codes, speakers, metric)["mean"]
        for metric in ("accuracy", "uar")
    }
    assert gains == {"accuracy": 0.25, "uar": 0.5}


def test_the_collapse_summary_has_no_gain_where_predictions_agree():
    y = np.tile(["fear", "joy"], 20)
    speakers = np.repeat([f"{i:02d}" for i in range(10)], 4)
    fits = [
        {
            "input": "whisper",
            "system": system,
            "seed": 0,
            "fold": fold,
            "ravdess_uar": 0.2 + 0.1 * fold,
            "ravdess_largest_class": 0.5,
            "predicted": [0, 1, 0, 0] * 2,
        }
        for system in ("twin", "paper")
        for fold in range(5)
    ]
    twin, paper = adversarial_speakers.collapse_summary(fits, y, speakers)
    assert twin["emodb_uar"] == paper["emodb_uar"] == 0.75
    assert paper["ravdess_uar"] == pytest.approx(0.4)
    assert paper["gain"]["mean"] == 0
    assert "gain" not in twin
    assert adversarial_speakers.collapse_summary(fits[:4], y, speakers) == []


def test_norms_cover_the_emotions_of_both_corpora():
    for name in ("emodb", "ravdess"):
        emotions = set(CORPORA[name].emotions)
        assert emotions <= set(adversarial_latent.NORMS)
    assert all(1 <= value <= 9 for norm in adversarial_latent.NORMS.values() for value in norm)


def test_scores_of_a_latent_equal_to_the_norms_are_1():
    y = np.repeat(["anger", "boredom", "happiness", "neutral"], 5)
    targets = np.array([adversarial_latent.NORMS[name] for name in y])
    exact = adversarial_latent.scores(targets[None], y, targets)
    assert exact["ccc"] == pytest.approx(dict.fromkeys(adversarial_latent.DIMENSIONS, 1.0))
    assert exact["means"]["anger"] == [2.5, 5.93, 5.14]
    opposite = adversarial_latent.scores(-targets[None], y, targets)
    assert set(opposite["rank_correlation"].values()) == {-1.0}
