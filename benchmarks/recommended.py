"""Cost of the recommended systems and of a classical baseline, and how they do on other recordings.

    python benchmarks/recommended.py
    python benchmarks/recommended.py --systems functionals

Needs SKSER_DATA, SKSER_MODELS, and the extras "embeddings", "opensmile" and "rooms". Each system is
trained on all of EmoDB, files to model, in conditions if it has them: CPU seconds, and the size of
the saved model without its encoder. The model then decides on RAVDESS among the six emotions that
both corpora have, as it is and adapted to all recordings without their labels. Seconds per file are
the median over 3-s WAV files, on one thread; the systems of one run predict each file in turn.

The baseline is a linear SVM on openSMILE's ComParE functionals, whose penalty is chosen within the
training data. It has no other conditions in training, so its UAR of EmoDB-LOSO, clean and in white
noise at 10 dB, is computed here; conditions.py has those of the other systems. Systems in the
result file are not measured again.
"""

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from altered_recordings import RATE, altered, read
from conditions import vectors, vote, whisper, with_sounds
from foreign import corpora, shared_labels, uar_of
from leaderboard import tuned
from protocols import load
from provenance import RESULTS, kept_result, write_result
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import skser
from skser.audio import Waveform
from skser.compose import adapt
from skser.feature_extraction import OpenSmile
from skser.metrics import unweighted_average_recall

RESULT = RESULTS / "recommended.json"
BUILD = {"whisper_linear": whisper, "fcn_and_functionals": vote, "functionals": vectors}
BASELINE = "ComParE and SVM"
PENALTIES = np.logspace(-5, 0, 6)  # of the baseline
N_TIMED, SECONDS = 20, 3


def built(name):
    """Return an untrained system."""
    if name == BASELINE:
        return make_pipeline(OpenSmile("ComParE_2016"), tuned(SVC(kernel="linear"), PENALTIES))
    return with_sounds(BUILD[name](True, 0))


def trained(name, table):
    """Train a system, and return the model that takes recordings at 16 kHz."""
    y, speakers = table["emotion"].to_numpy(str), table["speaker"].to_numpy(str)
    groups = "gridsearchcv__groups" if name == BASELINE else "groups"
    model = built(name).fit(table, y, **{groups: speakers})
    return getattr(model, "estimator_", model)


def megabytes(model):
    """Return the size of a model as a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skser"
        try:
            skser.save(model, path)
        except TypeError:  # a grid search is saved by pickle
            path.write_bytes(pickle.dumps(model))
        return path.stat().st_size / 1e6


def seconds_per_file(models, paths):
    """Return the median CPU seconds of each model, by name, for files of three seconds."""
    seconds = {name: [] for name in models}
    with tempfile.TemporaryDirectory() as folder:
        for i, source in enumerate(paths[: N_TIMED + 2]):
            path = Path(folder) / f"{i}.wav"
            soundfile.write(path, np.resize(read(source), SECONDS * RATE), RATE)
            for name, model in models.items():
                start = time.process_time()
                model.predict([str(path)])
                seconds[name].append(time.process_time() - start)
    return {name: float(np.median(of_model[2:])) for name, of_model in seconds.items()}


def held_out(name):
    """Return the UAR of EmoDB-LOSO of a system that is trained clean, clean and in noise."""
    corpus, folds = load("emodb-loso")
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    samples = [read(source) for source in corpus.data]
    model = built(name)
    clean = model[0].fit_transform([Waveform(x, RATE) for x in samples])
    noisy = model[0].transform([altered(x, "white 10 dB", []) for x in samples])
    predicted = np.empty((2, len(y)), dtype=y.dtype)
    for held in folds:
        test = np.isin(speakers, held)
        model[-1].fit(clean[~test], y[~test], groups=speakers[~test])
        predicted[:, test] = [model[-1].predict(X[test]) for X in (clean, noisy)]
    scores = [float(unweighted_average_recall(y, row)) for row in predicted]
    return dict(zip(("clean", "white 10 dB"), scores, strict=True))


def measure(name):
    """Return the figures of one system, and its model."""
    table, other = corpora("emodb"), corpora("ravdess")
    labels = shared_labels("emodb", "ravdess")
    start = time.process_time()
    model = trained(name, table)
    found = {"train_cpu_seconds": time.process_time() - start, "megabytes": megabytes(model)}
    found["foreign"] = {"n_labels": len(labels), "inductive": uar_of(model, other, labels)}
    if name == BASELINE:
        found["emodb-loso"] = held_out(name)
    else:
        moved = adapt(model, other["audio"].tolist())
        found["foreign"]["adapted"] = uar_of(moved, other, labels)
    return found, model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*BUILD, BASELINE]
    parser.add_argument("--systems", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = kept_result(RESULT) or {"protocol": "trained on EmoDB", "systems": {}}
    models = {}
    for name in arguments.systems:
        if name not in result["systems"]:
            result["systems"][name], models[name] = measure(name)
            print(name, result["systems"][name], flush=True)
    for name, seconds in seconds_per_file(models, corpora("emodb")["audio"].tolist()).items():
        result["systems"][name]["predict_cpu_seconds"] = seconds
        print(name, seconds)
    write_result(RESULT, result, seeds=[0])


if __name__ == "__main__":
    main()
