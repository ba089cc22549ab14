"""All systems of the package and classical baselines, on the same folds.

    python benchmarks/leaderboard.py
    python benchmarks/leaderboard.py --systems egemaps-svm --tasks emodb-loso
    python benchmarks/leaderboard.py --systems zhang2018 --tasks emodb-loso --seeds 1 --folds 0 1

Needs SKSER_DATA, SKSER_MODELS for the systems with Whisper, and the extras "embeddings" and
"opensmile". The tasks are EmoDB-LOSO, RAVDESS-5, and the task of "Emotion in Motion" (mpg.py): four
emotions of RAVDESS, on its five folds of actors. Two further tasks have EmoDB for training: its
folds with half of the sentences held out too ("emodb-sentences"), and RAVDESS as a foreign corpus,
among the six emotions that both have ("emodb-to-ravdess").

All systems take files. Features of files are computed once per setting and cached. Penalties of
linear models, and the layers of the frozen encoder, are chosen within every training fold, on three
speaker-disjoint parts of it. All other settings are the defaults, or were chosen on inner folds by
the system's own benchmark. The recommended systems are trained in conditions as in conditions.py;
"attention-fcn" and "functionals" are the two parts of "fcn-and-functionals", from the same fits.
"staged-transfer" starts from the weights of an attention FCN trained on the emotions of the other
corpus.

The script also measures the CPU seconds of a fit on cached features, the CPU milliseconds to
predict one utterance from its file, including features (set OMP_NUM_THREADS=1), the number of
parameters and the pickled size of the fitted model, the recall of the worst speaker, the gap
between sexes and the gap expected by chance, and the UAR with white noise at 10 dB in the test
recordings. Finished folds are stored in the result file of each system and task, and a later run
resumes from there.
"""

import argparse
import functools
import json
import os
import pickle
import tempfile
import time
from pathlib import Path

import mpg
import numpy as np
import pandas as pd
import soundfile
from conditions import vote, with_sounds
from conditions import whisper as whisper_linear
from embeddings import checkpoint
from embeddings import system as embedding_system
from protocols import PROTOCOLS, load
from provenance import RESULTS, cache_folder, kept_result, versions, write_result
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.audio import load_audio
from skser.augmentation import default_distortions
from skser.compose import AugmentedClassifier, TransferClassifier
from skser.datasets import load_ravdess
from skser.evaluation import recall_gap
from skser.evaluation._intervals import jackknife, leave_one_out
from skser.feature_extraction import (
    FrameFeatures,
    Functionals,
    MelSpectrogram,
    OpenSmile,
    SpeechEmbedding,
)
from skser.metrics import unweighted_average_recall, worst_group
from skser.model_selection import StratifiedSpeakerKFold
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.pipelines import gans2020, zhang2018
from skser.preprocessing import SequenceScaler

SENTENCES, FOREIGN = "emodb-sentences", "emodb-to-ravdess"
TASKS = (*PROTOCOLS, "mpg-actors", SENTENCES, FOREIGN)
MEMORY = cache_folder(__file__)
SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}
ONE_THREAD = {"device": "cpu", "n_threads": 1}


def tuned(model, penalties):
    """Return a linear model whose penalty is chosen within the training fold."""
    name = model.__class__.__name__.lower()
    return GridSearchCV(
        make_pipeline(StandardScaler(), model),
        {f"{name}__C": penalties},
        scoring="balanced_accuracy",
        cv=StratifiedSpeakerKFold(3),
    )


def baseline(features, classifier, task, seed, memory):
    models = {
        "svm": lambda: tuned(SVC(kernel="linear"), np.logspace(-5, 0, 6)),
        "logreg": lambda: tuned(LogisticRegression(max_iter=2000), np.logspace(-5, 0, 6)),
        "forest": lambda: RandomForestClassifier(500, random_state=seed),
        "boosting": lambda: HistGradientBoostingClassifier(
            max_features=0.1, early_stopping=False, random_state=seed
        ),
    }
    return make_pipeline(OpenSmile(SETS[features], memory=memory), models[classifier]())


def in_conditions(build, task, seed, memory):
    return with_sounds(build(True, seed))


def network_on_mel(seed, memory):
    network = AttentionFCNClassifier(random_state=seed, **ONE_THREAD)
    return make_pipeline(MelSpectrogram(memory=memory), SequenceScaler(), network)


def adversarial(task, seed, memory):
    network = AdversarialAEClassifier(class_weight="balanced", random_state=seed, **ONE_THREAD)
    vectors = Functionals(FrameFeatures(memory=memory))
    return make_pipeline(vectors, StandardScaler(), network)


def attention_rnn(task, seed, memory):
    network = AttentionRNNClassifier(random_state=seed, **ONE_THREAD)
    frames = FrameFeatures(hop=0.02, memory=memory)  # recurrent networks are slow on 10-ms frames
    return make_pipeline(frames, SequenceScaler(), network)


@functools.cache
def of_other_corpus(task, seed, memory):
    """Return the attention FCN trained on the emotions of the corpus other than the task's."""
    corpus, _ = load("ravdess-5" if task.startswith("emodb") else "emodb-loso")
    return network_on_mel(seed, memory).fit(corpus.data, corpus.target.astype(str))[-1]


def staged_transfer(task, seed, memory):
    source = of_other_corpus(task, seed, memory)
    model = network_on_mel(seed, memory)
    model.steps[-1] = ("transferclassifier", TransferClassifier(model[-1], source))
    return model


def published(build, task, seed, memory):
    return build(memory=memory, random_state=seed, **ONE_THREAD)


def frozen_whisper(task, seed, memory):
    """Return a linear SVM on one or two layers of the encoder, chosen within the training fold."""
    vectors = SpeechEmbedding(checkpoint(), device="cpu", memory=memory)
    model = Pipeline(
        [("vectors", vectors), ("scaler", StandardScaler()), ("svm", SVC(kernel="linear"))]
    )
    settings = {
        "vectors__layers": [1, 2, 3, 4, (2, 3)],
        "svm__C": np.logspace(-4, -1, 4),
    }
    return GridSearchCV(model, settings, scoring="balanced_accuracy", cv=StratifiedSpeakerKFold(3))


def fine_tuned_whisper(task, seed, memory):
    protocol = "emodb-loso" if task.startswith("emodb") else "ravdess-5"
    return embedding_system("fine-tuned", protocol, seed)


VOTE = "fcn-and-functionals"
# Systems that are measured with the fits of the vote, and their names in it.
PARTS = {"attention-fcn": "network", "functionals": "functionals"}
SYSTEMS = {
    f"{features}-{classifier}": functools.partial(baseline, features, classifier)
    for features in SETS
    for classifier in ("svm", "logreg", "forest", "boosting")
} | {
    "whisper-linear": functools.partial(in_conditions, whisper_linear),
    VOTE: functools.partial(in_conditions, vote),
    "adversarial-ae": adversarial,
    "attention-rnn": attention_rnn,
    "staged-transfer": staged_transfer,
    "gans2020": functools.partial(published, gans2020),
    "zhang2018": functools.partial(published, zhang2018),
    "whisper-tiny-svm": frozen_whisper,
    "whisper-tiny-fine-tuned": fine_tuned_whisper,
}
SEEDLESS = {"egemaps-svm", "egemaps-logreg", "compare-svm", "compare-logreg", "whisper-tiny-svm"}
WITH_WEIGHTS = {"staged-transfer", "whisper-linear", "whisper-tiny-svm", "whisper-tiny-fine-tuned"}


def task_data(task):
    """Return the utterance table, and masks of the training and the test rows of each fold."""
    if task == "mpg-actors":
        paths, _, y, actors = mpg.load()
        corpus = load_ravdess(Path(os.environ["SKSER_DATA"]) / "ravdess")
        frame = corpus.frame[corpus.frame["audio"].isin(paths)].reset_index(drop=True)
        tests = [np.isin(np.arange(len(y)), test) for _, test in mpg.split("actors", y, actors)]
        return frame, [(~test, test) for test in tests]
    corpus, folds = load(task if task in PROTOCOLS else "emodb-loso")
    speakers = corpus.speakers.astype(str)
    tests = [np.isin(speakers, held_out) for held_out in folds]
    if task == SENTENCES:
        half = np.isin(corpus.sentences, np.unique(corpus.sentences)[::2])
        return corpus.frame, [
            (~test & (half != of), test & (half == of)) for test in tests for of in (False, True)
        ]
    if task == FOREIGN:
        other = load("ravdess-5")[0].frame
        other = other[other["emotion"].isin(corpus.frame["emotion"])]
        train = np.arange(len(corpus) + len(other)) < len(corpus)
        return pd.concat([corpus.frame, other], ignore_index=True), [(train, ~train)]
    return corpus.frame, [(~test, test) for test in tests]


def decided(model, classes, table, labels):
    """Return the decisions of a model with some classes among some of these labels.

    The parts of a vote have numbers in place of the names of the classes.
    """
    shared = np.isin(classes, labels)
    if shared.all() and np.array_equal(model.classes_, classes):
        return model.predict(table).tolist()
    has_proba = hasattr(model, "predict_proba")
    scores = (model.predict_proba if has_proba else model.decision_function)(table)
    return classes[shared][scores[:, shared].argmax(axis=1)].tolist()


def noisy_files(paths):
    """Write copies with white noise at 10 dB, the same in every run, and return their paths."""
    folder = MEMORY / "noise_at_10_dB"
    folder.mkdir(parents=True, exist_ok=True)
    distortion = default_distortions()["noise", "10 dB SNR"]
    copies = []
    for i, path in enumerate(paths):
        copy = folder / f"{i}_{Path(path).stem}.wav"
        if not copy.exists():
            samples, rate = load_audio(path)
            samples = distortion(samples, rate, np.random.RandomState(i))
            part = copy.with_suffix(".part")
            soundfile.write(part, samples, rate, format="WAV", subtype="FLOAT")
            part.replace(copy)
        copies.append(str(copy))
    return copies


class _Counter(pickle.Pickler):
    """Pickler that counts the floating-point numbers in arrays and tensors."""

    def __init__(self, file):
        super().__init__(file)
        self.n = 0

    def reducer_override(self, thing):
        if isinstance(thing, np.ndarray):
            fields = thing.dtype.fields or {None: (thing.dtype,)}  # nodes of trees have fields
            self.n += thing.size * sum(kind[0].kind == "f" for kind in fields.values())
        elif type(thing).__name__ == "Tensor":  # a Parameter pickles as a reference to its Tensor
            self.n += thing.numel()
        return NotImplemented


class _Length:
    n = 0

    def write(self, content):
        self.n += len(content)


def extent(model):
    """Return the number of parameters of a fitted model and its pickled size in bytes."""
    file = _Length()
    counter = _Counter(file)
    counter.dump(model)
    return counter.n, file.n


def run(task, name, seeds, only_folds):
    frame, folds = task_data(task)
    y, speakers = (frame[c].to_numpy(str) for c in ("emotion", "speaker"))
    noisy = None
    if task not in (SENTENCES, FOREIGN):
        noisy = frame.assign(audio=noisy_files(frame["audio"]))
    results = {name: started(task, name)}
    results |= {part: started(task, part) for part in PARTS if name == VOTE}
    # A part may lack what the vote has, after a kill or if it was listed later.
    done = {of: {(fit["seed"], fit["fold"]) for fit in results[of]["fits"]} for of in results}
    for seed in [0] if name in SEEDLESS else seeds:
        for fold, (train, test) in enumerate(folds):
            missing = [of_name for of_name in results if (seed, fold) not in done[of_name]]
            if not missing or fold not in (only_folds or range(len(folds))):
                continue
            model = clone(SYSTEMS[name](task, seed, MEMORY / "features"))
            seconds = fitted(model, frame[train], y[train], speakers[train])
            listed = {name: model}
            if name == VOTE:
                voters = model.estimator_.named_estimators_
                listed |= {listed_as: voters[part] for listed_as, part in PARTS.items()}
            for of_name in missing:
                of_model = listed[of_name]
                fit = {"seed": seed, "fold": fold}
                if of_name == name:
                    fit["fit_seconds"] = round(seconds, 2)
                fit["utterances"] = np.flatnonzero(test).tolist()
                labels = np.unique(y[test]) if task == FOREIGN else model.classes_
                fit["predicted"] = decided(of_model, model.classes_, frame[test], labels)
                fit["uar"] = float(unweighted_average_recall(y[test], fit["predicted"]))
                if noisy is not None:
                    given = model.classes_, noisy[test], labels
                    fit["predicted_in_noise"] = decided(of_model, *given)
                if not (seed or fold):
                    for setting in model.get_params():
                        if setting.endswith("__source"):  # prediction does not use the source
                            model.set_params(**{setting: None})
                    fit["numbers"], fit["bytes"] = extent(of_model)
                    fit["milliseconds_per_utterance"] = milliseconds(of_model, frame[test])
                results[of_name]["fits"].append(fit)
                write(results[of_name])
                shown = f"seed {seed} fold {fold} UAR {100 * fit['uar']:.1f}"
                print(task, of_name, shown, flush=True)
    for result in results.values():
        write(result)
        print(json.dumps(result["summary"], indent=1))


def started(task, name):
    """Return the stored result of a system, or an empty one if other code made it."""
    result = {
        "task": task,
        "system": name,
        "command": f"python benchmarks/leaderboard.py --systems {made_with(name)} --tasks {task}",
        "from_scratch": name not in WITH_WEIGHTS,
        "transductive": False,
        "versions": versions(
            "scikit-learn", "torch", "skorch", "numpy", "librosa", "opensmile", "transformers"
        ),
        "fits": [],
    }
    kept = kept_result(path_of(result))
    if kept and kept["versions"] == result["versions"]:
        result["fits"] = kept["fits"]
    return result


def made_with(name):
    """Return the system whose fits a system is measured with: its own, or those of a vote."""
    return VOTE if name in PARTS else name


def fitted(model, table, y, speakers):
    """Fit a model in place and return the CPU seconds, without those of features of files."""
    if isinstance(model, GridSearchCV | AugmentedClassifier):
        routed = {"groups": speakers}
    elif isinstance(model[-1], GridSearchCV):
        routed = {f"{model.steps[-1][0]}__groups": speakers}
    else:
        routed = {}
    for part in model.get_params().values():
        if getattr(part, "memory", None) and hasattr(part, "transform"):
            part.transform(table)  # cache the features before the fit is timed
    start = time.process_time()
    model.fit(table, y, **routed)
    return time.process_time() - start


def path_of(result):
    return RESULTS / f"leaderboard_{result['task']}_{result['system']}.json"


def write(result):
    result |= recomputed(result)
    write_result(path_of(result), result)


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    frame, folds = task_data(result["task"])
    y, speakers, sexes = (frame[c].to_numpy(str) for c in ("emotion", "speaker", "sex"))
    return {"summary": summary(result["fits"], y, speakers, sexes, len(folds))}


def milliseconds(model, frame):
    """Measure the median time to predict one file, on new copies so that no cache helps."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(min(20, len(frame))):
            row = frame.iloc[[i]]
            samples, rate = load_audio(row["audio"].item())
            path = Path(folder) / f"{i}.wav"
            level = np.random.default_rng().uniform(0.9, 1)  # samples differ in every run
            soundfile.write(path, level * samples, rate, subtype="FLOAT")
            row = row.assign(audio=str(path))
            start = time.process_time()
            model.predict(row)
            seconds.append(time.process_time() - start)
    return round(1000 * float(np.median(seconds)), 2)


def summary(fits, y, speakers, sexes, n_folds):
    """Return means and standard deviations over the seeds with all folds, and an interval.

    The interval is that of the UAR, averaged over seeds, and is over speakers.
    """
    rows, of_seeds = [], []
    for seed in sorted({fit["seed"] for fit in fits}):
        of_seed = [fit for fit in fits if fit["seed"] == seed]
        if len(of_seed) < n_folds:
            continue
        place = np.concatenate([fit["utterances"] for fit in of_seed])
        predicted = np.empty(len(y), dtype=y.dtype)
        predicted[place] = np.concatenate([fit["predicted"] for fit in of_seed])
        of_seeds.append((place, predicted))
        of_place = y[place], predicted[place]
        gap = recall_gap(*of_place, sexes[place], speakers[place])
        row = {
            "uar": unweighted_average_recall(*of_place),
            "accuracy": accuracy_score(*of_place),
            "worst_speaker": worst_group(*of_place, speakers[place])[1],
            "sex_gap": gap.gap,
            "sex_gap_by_chance": gap.threshold,
        }
        if all("predicted_in_noise" in fit for fit in of_seed):
            noisy = np.concatenate([fit["predicted_in_noise"] for fit in of_seed])
            row["uar_in_noise"] = unweighted_average_recall(y[place], noisy)
        rows.append(row)
    seconds = [fit["fit_seconds"] for fit in fits if "fit_seconds" in fit]
    found = {"n_seeds": len(rows), "fit_seconds": float(np.mean(seconds)) if seconds else None}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found[name] = {"mean": float(np.mean(values)), "sd": sd}
    if rows:
        found["uar"]["interval"] = interval(of_seeds, y, speakers)
    for fit in fits:
        found |= {k: fit[k] for k in ("numbers", "bytes", "milliseconds_per_utterance") if k in fit}
    return found


def interval(of_seeds, y, speakers):
    """Return the 95 % interval over speakers of the UAR, averaged over seeds."""
    tested = of_seeds[0][0]

    def uar(rows):
        rows = tested[rows]
        return np.mean(
            [unweighted_average_recall(y[rows], predicted[rows]) for _, predicted in of_seeds]
        )

    found = jackknife(*leave_one_out(uar, speakers[tested]), 0.95)
    return [found.low, found.high]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--folds", type=int, nargs="+")
    arguments = parser.parse_args()
    chosen_seeds = range(arguments.first_seed, arguments.seeds)
    for chosen in arguments.systems:
        for of_task in arguments.tasks:
            if chosen == "gans2020" and of_task != "mpg-actors":
                continue  # its contour was designed for that task
            if chosen == "zhang2018" and (of_task != "emodb-loso" or not arguments.folds):
                continue  # takes about an hour for each fold
            run(of_task, chosen, chosen_seeds, arguments.folds)
