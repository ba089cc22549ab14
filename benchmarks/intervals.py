"""Share of simulations in which a test finds a difference between two equally good systems.

    python benchmarks/intervals.py [--simulations 4000]

Two nearest-centroid classifiers are trained and tested on speaker-disjoint folds. Each sees its own
features, but both sets of features have the same distribution, so neither classifier is better.
Speakers differ by an offset of their features, an offset of each class, and the scale of their
noise. Corpora are like EmoDB (10 speakers, 7 classes, unequal counts) and RAVDESS (24 speakers, 8
classes). For power, the noise in the features of the second classifier is 12 % larger.

Results: results/intervals.json.
"""

import argparse

import numpy as np
import scipy.stats
from provenance import RESULTS, write_result

from skser.evaluation import (
    corrected_resampled_t_test,
    jackknife_by_speaker,
    recall_gap,
    wilcoxon_test,
)

DESIGNS = ((10, 10), (10, 5), (24, 24), (24, 5))  # speakers, folds
SHARES = np.array([127, 81, 46, 69, 71, 62, 79]) / 535  # of the classes in EmoDB
N_FEATURES = 4
MEANS = 1.1 * np.random.RandomState(0).randn(8, N_FEATURES)  # of the classes
WORSE = 1.12
LEVEL = 0.05
N_RESAMPLES = 1000


def corpus(n_speakers, random):
    """Return the number of utterances of each speaker and class."""
    if n_speakers == 24:
        return np.tile([4] + 7 * [8], (24, 1))
    totals = random.randint(35, 72, size=n_speakers)
    return np.array([random.multinomial(n, SHARES) for n in totals])


def evaluated(counts, folds, noise, random):
    """Return whether a classifier is right on each utterance, sorted by speaker and class."""
    n_speakers, n_classes = counts.shape
    speaker, label = rows_of(counts)
    scale = np.exp(0.25 * random.randn(n_speakers, 1))
    X = (
        MEANS[label]
        + 0.5 * random.randn(n_speakers, N_FEATURES)[speaker]
        + 0.3 * random.randn(n_speakers, n_classes, N_FEATURES)[speaker, label]
        + noise * scale[speaker] * random.randn(len(label), N_FEATURES)
    )
    sums = np.zeros((n_speakers, n_classes, N_FEATURES))
    np.add.at(sums, (speaker, label), X)
    right = np.empty(len(label), dtype=bool)
    for fold in np.unique(folds):
        train = folds != fold
        centroids = sums[train].sum(axis=0) / counts[train].sum(axis=0)[:, None]
        test = folds[speaker] == fold
        distances = ((X[test, None] - centroids) ** 2).sum(axis=2)
        right[test] = distances.argmin(axis=1) == label[test]
    return right


def rows_of(counts):
    """Return speaker and class of each utterance."""
    n_speakers, n_classes = counts.shape
    places = np.repeat(np.arange(n_speakers * n_classes), counts.ravel())
    return places // n_classes, places % n_classes


def uar(y_true, y_pred):
    """Compute the UAR of classes 0 to n - 1, which is faster without checks."""
    right, n = np.bincount(y_true, weights=y_true == y_pred), np.bincount(y_true)
    return np.mean(right[n > 0] / n[n > 0])


def significant(counts, folds, right_a, right_b, random):
    """Return whether each method finds a difference at the 5 % level."""
    speaker, label = rows_of(counts)
    n = len(counts)
    found = {}
    pair = jackknife_by_speaker(label, *predictions(label, right_a, right_b), speaker, metric=uar)
    found["jackknife, t quantile"] = not pair.low <= 0 <= pair.high
    difference = np.zeros(counts.shape)
    np.add.at(difference, (speaker, label), right_a.astype(float) - right_b)
    weights = random.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES)
    drawn = weights @ counts
    kept = (drawn > 0).all(axis=1)  # a resample may lack a class
    weights, drawn = weights[kept], drawn[kept]
    resampled = (weights @ difference / drawn).mean(axis=1)
    estimate = (difference.sum(axis=0) / counts.sum(axis=0)).mean()

    def excludes_0(low, high):
        bounds = np.quantile(resampled, [low, high])
        return not bounds[0] <= 0 <= bounds[1]

    t = scipy.stats.t.ppf(1 - LEVEL / 2, n - 1)
    outer = scipy.stats.norm.cdf(-np.sqrt(n / (n - 1)) * t)
    found["bootstrap, percentiles"] = excludes_0(LEVEL / 2, 1 - LEVEL / 2)
    found["bootstrap, expanded percentiles"] = excludes_0(outer, 1 - outer)
    deviation = resampled.std(ddof=1) * np.sqrt(n / (n - 1))
    found["bootstrap standard error, t quantile"] = abs(estimate) > t * deviation
    found["bootstrap, BCa"] = excludes_0(*bca(difference, counts, resampled, estimate))
    # Exchanging both systems for a speaker changes the sign of that speaker's part.
    parts = (difference / counts.sum(axis=0)).mean(axis=1)
    signs = random.choice([-1.0, 1.0], size=(2 * N_RESAMPLES, n))
    as_large = np.sum(np.abs(signs @ parts) >= abs(estimate) - 1e-12)
    found["permutation of signs over speakers"] = (1 + as_large) / (1 + len(signs)) <= LEVEL
    of_speakers = [
        [uar(label[speaker == s], p[speaker == s]) for s in range(n)]
        for p in predictions(label, right_a, right_b)
    ]
    found["Wilcoxon test of speakers"] = wilcoxon_test(*of_speakers).p_value <= LEVEL
    names, fold_of = np.unique(folds), folds[speaker]
    of_folds = [
        [uar(label[fold_of == f], p[fold_of == f]) for f in names]
        for p in predictions(label, right_a, right_b)
    ]
    k = len(names)
    corrected = corrected_resampled_t_test(*of_folds, n_train=k - 1, n_test=1)
    found["corrected t-test of folds"] = corrected.p_value <= LEVEL
    return found


def predictions(label, *rights):
    """Return predictions that are right where they should be."""
    return [np.where(right, label, (label + 1) % (label.max() + 1)) for right in rights]


def bca(difference, counts, resampled, estimate):
    """Return the quantiles of the bias-corrected and accelerated bootstrap."""
    left_out = (
        (difference.sum(axis=0) - difference) / (counts.sum(axis=0) - counts)
    ).mean(axis=1)  # fmt: skip
    bias = scipy.stats.norm.ppf(np.clip(np.mean(resampled < estimate), 1e-3, 1 - 1e-3))
    pulls = left_out.mean() - left_out
    acceleration = np.sum(pulls**3) / max(6 * np.sum(pulls**2) ** 1.5, 1e-12)
    z = bias + scipy.stats.norm.ppf([LEVEL / 2, 1 - LEVEL / 2])
    return scipy.stats.norm.cdf(bias + z / (1 - acceleration * z))


def design(n_speakers, n_folds, n_simulations):
    """Simulate one design: shares of false and of true findings, and coverage of the score."""
    random = np.random.RandomState(n_speakers * 100 + n_folds)
    folds = np.arange(n_speakers) % n_folds
    findings = {"type_1": [], "power": []}
    intervals, scores = [], []
    for _ in range(n_simulations):
        counts = corpus(n_speakers, random)
        speaker, label = rows_of(counts)
        first, second, worse = (evaluated(counts, folds, w, random) for w in (1, 1, WORSE))
        findings["type_1"].append(significant(counts, folds, first, second, random))
        findings["power"].append(significant(counts, folds, first, worse, random))
        # The difference from predictions that are all wrong is the score itself.
        given = predictions(label, first, np.zeros_like(first))
        found = jackknife_by_speaker(label, *given, speaker, metric=uar)
        scores.append(found.difference)
        intervals.append((found.low, found.high))
    low, high = np.transpose(intervals)
    truth = np.mean(scores)
    return {
        "n_speakers": n_speakers,
        "n_folds": n_folds,
        **{
            name: {method: float(np.mean([f[method] for f in of])) for method in of[0]}
            for name, of in findings.items()
        },
        "score": float(truth),
        "score_coverage": float(np.mean((low <= truth) & (truth <= high))),
    }


def fairness(n_simulations):
    """Return how often `recall_gap` calls a model unfair that treats both sexes alike."""
    random = np.random.RandomState(0)
    flagged = {"by speaker": 0, "by utterance": 0}
    for _ in range(n_simulations):
        counts = corpus(10, random)
        speaker, label = rows_of(counts)
        right = evaluated(counts, np.arange(10), 1, random)
        (predicted,) = predictions(label, right)
        sex = random.permutation(np.repeat(["female", "male"], 5))[speaker]
        for name, speakers in (("by speaker", speaker), ("by utterance", None)):
            gap = recall_gap(
                label, predicted, sex, speakers, n_simulations=200, random_state=random
            )
            flagged[name] += not gap.is_fair
    return {name: n / n_simulations for name, n in flagged.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=4000)
    n = parser.parse_args().simulations
    result = {"level": LEVEL, "n_simulations": n, "designs": []}
    for speakers, n_folds in DESIGNS:
        result["designs"].append(design(speakers, n_folds, n))
        print(result["designs"][-1], flush=True)
    result["n_fairness_simulations"] = n // 4
    result["fairness"] = fairness(n // 4)
    print(result["fairness"], flush=True)
    write_result(RESULTS / "intervals.json", result, seeds=[0])
