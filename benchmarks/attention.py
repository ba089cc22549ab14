"""Test whether the default network attends to the emotional part of an utterance.

    python benchmarks/attention.py planted --seeds 5
    python benchmarks/attention.py deletion --seeds 5

``planted`` uses synthetic utterances that are neutral except for half a second of emotional speech
by the same speaker. The network is trained on sixteen speakers. On four others, the script measures
the share of attention, averaged over heads, within that half second, as a multiple of its share of
the time.

``deletion`` (needs SKSER_DATA) uses EmoDB-LOSO. It removes the most attended fifth of each test
utterance's frames, or a random fifth for comparison. Removed frames are cut out, which joins the
frames around them, or blanked, which sets them to 0, the training mean after scaling. If attention
matters, removing the attended frames lowers the UAR more than removing random ones.

Finished fits are stored in the result file. A later run with the same settings and versions resumes
from there. ``--models`` reads the fitted networks that ``attention_fcn.py emodb-loso --models``
stored, which are the same. ``--max-epochs`` and ``--speakers`` are for quick trials and write
nothing.
"""

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
import scipy.stats
from attention_fcn import model_path
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.datasets import make_emotional_speech
from skser.evaluation import jackknife_by_speaker
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RATE = 16000
SPAN = 0.5  # seconds
N_SPEAKERS, N_HELD_OUT, N_UTTERANCES = 20, 4, 40
EXPRESSIVENESS = 2.0
DELETED = 0.2
WAYS = ("cut", "blanked")


def network(seed, max_epochs):
    """Return the default network, limited to one thread."""
    settings = {} if max_epochs is None else {"max_epochs": max_epochs}
    return AttentionFCNClassifier(random_state=seed, n_threads=1, device="cpu", **settings)


def planted_speech(seed):
    """Return neutral utterances that each contain half a second of another utterance.

    Each utterance joins two neutral utterances of one speaker. A piece of it is replaced by the
    loudest half second of a third utterance, which determines the emotion. For the neutral class,
    the third utterance is neutral too, so that the seams do not reveal the class.

    Returns
    -------
    samples : list of ndarray
        Samples of the utterances.
    emotions, speakers : ndarray of str
        Emotion and speaker of each utterance.
    starts : ndarray of float
        Start of the half second in each utterance, in seconds.
    """
    corpus = make_emotional_speech(
        N_SPEAKERS,
        N_UTTERANCES,
        sampling_rate=RATE,
        expressiveness=EXPRESSIVENESS,
        random_state=seed,
    )
    random = np.random.RandomState(seed)
    n_span, n_fade = round(SPAN * RATE), round(0.01 * RATE)
    window = np.ones(n_span)
    window[:n_fade] = np.linspace(0, 1, n_fade)
    window[-n_fade:] = window[:n_fade][::-1]
    speech = [samples / np.sqrt(np.mean(samples**2)) for samples in corpus.data]
    samples, starts = [], []
    for i, speaker in enumerate(corpus.speakers):
        energy = np.cumsum(np.square(speech[i], dtype=float))
        loudest = int((energy[n_span:] - energy[:-n_span]).argmax()) + 1
        neutral = (corpus.speakers == speaker) & (corpus.target == "neutral")
        neutral[i] = False
        around = random.choice(np.flatnonzero(neutral), 2, replace=False)
        whole = np.concatenate([speech[k] for k in around])
        start = random.randint(len(whole) - n_span)
        whole[start : start + n_span] *= 1 - window
        whole[start : start + n_span] += window * speech[i][loudest : loudest + n_span]
        samples.append(whole.astype(np.float32) / np.abs(whole).max())
        starts.append(start / RATE)
    return samples, corpus.target.astype(str), corpus.speakers.astype(str), np.array(starts)


def frame_attention(attention, frame_times):
    """Return the attention to each frame, averaged over heads.

    The attention to a cell is divided evenly among its frames. A frame belongs to the cell with the
    nearest center.
    """
    over_time = attention.weights.mean(axis=0).sum(axis=1)
    borders = (attention.times[1:] + attention.times[:-1]) / 2
    cells = np.searchsorted(borders, frame_times)
    n_frames = np.bincount(cells, minlength=len(over_time))
    frames = (over_time / np.maximum(n_frames, 1))[cells]
    return frames / frames.sum()


def planted(seed, max_epochs):
    """Train on planted speech and measure attention to the half second, on held-out speakers."""
    samples, y, speakers, starts = planted_speech(seed)
    X = MelSpectrogram(input_sampling_rate=RATE).transform(samples)
    test = np.isin(speakers, np.unique(speakers)[-N_HELD_OUT:])
    model = make_pipeline(SequenceScaler(), network(seed, max_epochs))
    model.fit(X[~test], y[~test])
    ratios, shares = [], []
    scaled = model[0].transform(X[test])
    for start, frames, attention in zip(
        starts[test], scaled, model[-1].attention(scaled), strict=True
    ):
        times = np.arange(len(frames)) * X.layout.hop + X.layout.offset
        inside = (times >= start) & (times < start + SPAN)
        shares.append(inside.mean())
        ratios.append(frame_attention(attention, times)[inside].sum() / inside.mean())
    ratios, shares = np.array(ratios), np.array(shares)
    predicted = model[-1].predict(scaled)
    recalls = y[test] == predicted
    return {
        "seed": seed,
        "uar": balanced_accuracy_score(y[test], predicted),
        "share_of_time": float(shares.mean()),
        "times_share": {
            emotion: float(ratios[y[test] == emotion].mean()) for emotion in model.classes_
        },
        "recall": {
            emotion: float(recalls[y[test] == emotion].mean()) for emotion in model.classes_
        },
    }


def without(X, frames_to_delete, way):
    """Return scaled utterances with the given frames (bool arrays) cut out or blanked."""
    if way == "cut":
        arrays = [frames[~gone] for frames, gone in zip(X, frames_to_delete, strict=True)]
    else:
        arrays = [frames * ~gone[:, None] for frames, gone in zip(X, frames_to_delete, strict=True)]
    return Sequences.from_list(arrays, X.layout)


def top_fifth(scores):
    """Return a mask of the fifth with the highest scores."""
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind="stable")[: round(DELETED * len(scores))]] = True
    return chosen


def random_fifth(attended, random):
    """Return a random mask with the same number and lengths of runs as `attended`.

    Isolated frames would be easy to fill in from their neighbors, so the two masks must differ in
    place only, not in shape. The runs of attended frames are therefore shuffled, with gaps of
    random lengths between them.
    """
    edges = np.flatnonzero(np.diff(attended)) + 1
    runs = np.split(attended, edges)
    gone = [run for run in runs if run[0]]
    kept = int((~attended).sum())
    cuts = np.sort(random.randint(kept + 1, size=len(gone)))
    pieces = np.split(np.zeros(kept, bool), cuts)
    order = random.permutation(len(gone))
    parts = [pieces[0]]
    for piece, k in zip(pieces[1:], order, strict=True):
        parts += [gone[k], piece]
    return np.concatenate(parts)


def deletion(X, y, speakers, held_out, seed, max_epochs, models):
    """Predict one fold: whole, without the most attended fifth, and without a random fifth."""
    test = np.isin(speakers, held_out)
    if models is None:
        model = make_pipeline(SequenceScaler(), network(seed, max_epochs)).fit(X[~test], y[~test])
    else:
        model = joblib.load(model_path(models, held_out, seed))
    scaled, net = model[0].transform(X[test]), model[-1]
    times = [np.arange(n) * X.layout.hop + X.layout.offset for n in scaled.lengths]
    attended = [
        top_fifth(frame_attention(attention, of_one))
        for attention, of_one in zip(net.attention(scaled), times, strict=True)
    ]
    random = np.random.RandomState(seed)
    by_chance = [random_fifth(of_one, random) for of_one in attended]
    fit = {
        "seed": seed,
        "held_out": held_out,
        "true": " ".join(y[test]),
        "whole": " ".join(net.predict(scaled)),
    }
    for way in WAYS:
        fit[f"attended {way}"] = " ".join(net.predict(without(scaled, attended, way)))
        fit[f"random {way}"] = " ".join(net.predict(without(scaled, by_chance, way)))
    return fit


def uar_by_seed(fits, name):
    """Return the UAR over all folds of each seed."""
    pooled = []
    for seed in sorted({fit["seed"] for fit in fits}):
        of_seed = [fit for fit in fits if fit["seed"] == seed]
        true, predicted = (
            np.concatenate([fit[key].split() for fit in of_seed]) for key in ("true", name)
        )
        pooled.append(balanced_accuracy_score(true, predicted))
    return np.array(pooled)


def mean_and_interval(values):
    """Return mean, sd and 95 % confidence interval (Student's t) of one value per seed."""
    summary = {"mean": float(np.mean(values)), "n_seeds": len(values)}
    if len(values) > 1:
        sd = float(np.std(values, ddof=1))
        half = scipy.stats.t.ppf(0.975, len(values) - 1) * sd / np.sqrt(len(values))
        summary |= {"sd": sd, "interval": [summary["mean"] - half, summary["mean"] + half]}
    return summary


def summarize_planted(fits):
    """Summarize the planted fits over seeds, by emotion."""
    return {
        "uar": mean_and_interval([fit["uar"] for fit in fits]),
        "share_of_time": float(np.mean([fit["share_of_time"] for fit in fits])),
        "times_share": {
            emotion: mean_and_interval([fit["times_share"][emotion] for fit in fits])
            for emotion in fits[0]["times_share"]
        },
    }


def summarize_deletion(fits):
    """Summarize the UAR over seeds, and the paired difference of attended and random fifths."""
    names = ["whole", *(f"{what} {way}" for way in WAYS for what in ("attended", "random"))]
    uar = {name: uar_by_seed(fits, name) for name in names}
    return {
        "uar": {name: mean_and_interval(values) for name, values in uar.items()},
        "attended_costs_more": {
            way: mean_and_interval(uar[f"random {way}"] - uar[f"attended {way}"])
            | {"interval": interval_over_speakers(fits, way)}
            for way in WAYS
        },
    }


def interval_over_speakers(fits, way):
    """Return the interval of the difference between random and attended fifths."""
    true, random, attended = (
        np.concatenate([fit[name].split() for fit in fits])
        for name in ("true", f"random {way}", f"attended {way}")
    )
    speakers = np.concatenate([len(fit["true"].split()) * fit["held_out"] for fit in fits])
    found = jackknife_by_speaker(true, random, attended, speakers)
    return [found.low, found.high]


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    planted = "span_seconds" in result
    return {"summary": (summarize_planted if planted else summarize_deletion)(result["fits"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("planted", "deletion"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", type=Path, help="folder of fitted networks")
    parser.add_argument("--max-epochs", type=int)
    parser.add_argument("--speakers", nargs="+", help="EmoDB speakers to hold out (default: all)")
    arguments = parser.parse_args()
    quick = arguments.max_epochs is not None or arguments.speakers is not None

    path = RESULTS / f"attention_{arguments.what}.json"
    result = {
        "settings": repr(AttentionFCNClassifier().get_params()),
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
        "fits": [],
    }
    if arguments.what == "planted":
        result |= {"span_seconds": SPAN, "speakers": N_SPEAKERS, "held_out": N_HELD_OUT}
        result |= {"utterances": N_SPEAKERS * N_UTTERANCES, "expressiveness": EXPRESSIVENESS}
        tasks = [(seed, None) for seed in range(arguments.seeds)]
    else:
        result |= {"protocol": "emodb-loso", "deleted": DELETED}
        corpus, folds = load("emodb-loso")
        X = MelSpectrogram().transform(corpus.data)
        y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
        if arguments.speakers:
            folds = [[speaker] for speaker in arguments.speakers]
        tasks = [(seed, fold) for seed in range(arguments.seeds) for fold in folds]
    kept = None if quick else kept_result(path)
    if kept and all(kept[key] == result[key] for key in result if key != "fits"):
        result["fits"] = kept["fits"]
    done = [(fit["seed"], fit.get("held_out")) for fit in result["fits"]]
    for seed, fold in tasks:
        if (seed, fold) in done:
            continue
        if arguments.what == "planted":
            fit = planted(seed, arguments.max_epochs)
            print(json.dumps(fit), flush=True)
        else:
            fit = deletion(X, y, speakers, fold, seed, arguments.max_epochs, arguments.models)
            print(f"seed {seed} without {','.join(fold)}", flush=True)
        result["fits"].append(fit)
        summarize = summarize_planted if arguments.what == "planted" else summarize_deletion
        result["summary"] = summarize(result["fits"])
        if not quick:
            write_result(path, result)
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
