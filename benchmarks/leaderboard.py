"""All systems of the package and classical baselines, on the same folds.

    python benchmarks/leaderboard.py
    python benchmarks/leaderboard.py --systems egemaps-svm --tasks emodb-loso

Needs SKSER_DATA, SKSER_MODELS for the systems with Whisper, and the extras "embeddings" and
"opensmile". The tasks are EmoDB-LOSO, RAVDESS-5, and the task of "Emotion in Motion" (mpg.py): four
emotions of RAVDESS, on its five folds of actors. All systems take files. Features are computed once
per setting and cached. Penalties of linear models are chosen within every training fold, on three
speaker-disjoint parts of it. All other settings are the defaults, or were chosen on inner folds by
the system's own benchmark. "staged-transfer" starts from the weights of the attention FCN trained
on the emotions of the other corpus.

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
import soundfile
from embeddings import system as embedding_system
from protocols import PROTOCOLS, load
from provenance import RESULTS, cache_folder, kept_result, versions, write_result
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.audio import load_audio
from skser.augmentation import default_distortions
from skser.compose import TransferClassifier
from skser.datasets import load_ravdess
from skser.evaluation import recall_gap
from skser.feature_extraction import (
    FrameFeatures,
    Functionals,
    MelSpectrogram,
    OpenSmile,
)
from skser.metrics import unweighted_average_recall, worst_group
from skser.model_selection import StratifiedSpeakerKFold
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.pipelines import fcn_and_functionals, gans2020
from skser.preprocessing import SequenceScaler

TASKS = (*PROTOCOLS, "mpg-actors")
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


def attention_fcn(task, seed, memory):
    network = AttentionFCNClassifier(random_state=seed, **ONE_THREAD)
    return make_pipeline(MelSpectrogram(memory=memory), SequenceScaler(), network)


def vote(task, seed, memory):
    return fcn_and_functionals(conditions=False, random_state=seed, memory=memory, **ONE_THREAD)


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
    corpus, _ = load("ravdess-5" if task == "emodb-loso" else "emodb-loso")
    return attention_fcn(task, seed, memory).fit(corpus.data, corpus.target.astype(str))[-1]


def staged_transfer(task, seed, memory):
    source = of_other_corpus(task, seed, memory)
    network = AttentionFCNClassifier(random_state=seed, **ONE_THREAD)
    model = TransferClassifier(network, source)
    return make_pipeline(MelSpectrogram(memory=memory), SequenceScaler(), model)


def emotion_in_motion(task, seed, memory):
    return gans2020(memory=memory, random_state=seed, **ONE_THREAD)


def whisper(name, task, seed, memory):
    protocol = task if task in PROTOCOLS else "ravdess-5"
    return embedding_system(name, protocol, seed)


SYSTEMS = {
    f"{features}-{classifier}": functools.partial(baseline, features, classifier)
    for features in SETS
    for classifier in ("svm", "logreg", "forest", "boosting")
} | {
    "attention-fcn": attention_fcn,
    "fcn-and-functionals": vote,
    "adversarial-ae": adversarial,
    "attention-rnn": attention_rnn,
    "staged-transfer": staged_transfer,
    "gans2020": emotion_in_motion,
    "whisper-tiny-svm": functools.partial(whisper, "plain"),
    "whisper-tiny-fine-tuned": functools.partial(whisper, "fine-tuned"),
}
SEEDLESS = {"egemaps-svm", "egemaps-logreg", "compare-svm", "compare-logreg", "whisper-tiny-svm"}
WITH_WEIGHTS = {"staged-transfer", "whisper-tiny-svm", "whisper-tiny-fine-tuned"}


def task_data(task):
    """Return the utterance table and a mask of the test rows of each fold."""
    if task in PROTOCOLS:
        corpus, folds = load(task)
        speakers = corpus.speakers.astype(str)
        return corpus.frame, [np.isin(speakers, held_out) for held_out in folds]
    paths, _, y, actors = mpg.load()
    corpus = load_ravdess(Path(os.environ["SKSER_DATA"]) / "ravdess")
    frame = corpus.frame[corpus.frame["audio"].isin(paths)].reset_index(drop=True)
    masks = []
    for _, test in mpg.split("actors", y, actors):
        masks.append(np.zeros(len(y), dtype=bool))
        masks[-1][test] = True
    return frame, masks


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


def run(task, name, n_seeds, only_folds):
    frame, folds = task_data(task)
    y, speakers, sexes = (frame[c].to_numpy(str) for c in ("emotion", "speaker", "sex"))
    noisy = frame.assign(audio=noisy_files(frame["audio"]))
    path = RESULTS / f"leaderboard_{task}_{name}.json"
    result = {
        "task": task,
        "system": name,
        "command": f"python benchmarks/leaderboard.py --systems {name} --tasks {task}",
        "from_scratch": name not in WITH_WEIGHTS,
        "transductive": False,
        "versions": versions(
            "scikit-learn", "torch", "skorch", "numpy", "librosa", "opensmile", "transformers"
        ),
        "fits": [],
    }
    if (kept := kept_result(path)) and kept["versions"] == result["versions"]:
        result["fits"] = kept["fits"]
    done = {(fit["seed"], fit["fold"]) for fit in result["fits"]}
    for seed in range(1 if name in SEEDLESS else n_seeds):
        for fold, test in enumerate(folds):
            if (seed, fold) in done or fold not in (only_folds or range(len(folds))):
                continue
            model = clone(SYSTEMS[name](task, seed, MEMORY / "features"))
            groups = {}
            if isinstance(getattr(model, "steps", [(None, None)])[-1][1], GridSearchCV):
                groups = {f"{model.steps[-1][0]}__groups": speakers[~test]}
            for part in model.get_params().values():
                if getattr(part, "memory", None) and hasattr(part, "transform"):
                    part.transform(frame[~test])  # cache the features before the fit is timed
            start = time.process_time()
            model.fit(frame[~test], y[~test], **groups)
            seconds = time.process_time() - start
            fit = {
                "seed": seed,
                "fold": fold,
                "fit_seconds": round(seconds, 2),
                "utterances": np.flatnonzero(test).tolist(),
                "predicted": model.predict(frame[test]).tolist(),
                "predicted_in_noise": model.predict(noisy[test]).tolist(),
            }
            if not (seed or fold):
                for setting in model.get_params():
                    if setting.endswith("__source"):  # prediction does not use the source
                        model.set_params(**{setting: None})
                fit["numbers"], fit["bytes"] = extent(model)
                fit["milliseconds_per_utterance"] = milliseconds(model, frame[test])
            result["fits"].append(fit)
            write(path, result, y, speakers, sexes, len(folds))
            uar = unweighted_average_recall(y[test], fit["predicted"])
            print(task, name, f"seed {seed} fold {fold} UAR {100 * uar:.1f}", flush=True)
    write(path, result, y, speakers, sexes, len(folds))
    print(json.dumps(result["summary"], indent=1))


def write(path, result, y, speakers, sexes, n_folds):
    result["summary"] = summary(result["fits"], y, speakers, sexes, n_folds)
    write_result(path, result)


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
    """Return means and standard deviations over the seeds with all folds."""
    rows = []
    for seed in sorted({fit["seed"] for fit in fits}):
        of_seed = [fit for fit in fits if fit["seed"] == seed]
        if len(of_seed) < n_folds:
            continue
        place = np.concatenate([fit["utterances"] for fit in of_seed])
        predicted, noisy = (
            np.concatenate([fit[key] for fit in of_seed])
            for key in ("predicted", "predicted_in_noise")
        )
        gap = recall_gap(y[place], predicted, sexes[place], speakers[place])
        rows.append(
            {
                "uar": unweighted_average_recall(y[place], predicted),
                "accuracy": accuracy_score(y[place], predicted),
                "worst_speaker": worst_group(y[place], predicted, speakers[place])[1],
                "sex_gap": gap.gap,
                "sex_gap_by_chance": gap.threshold,
                "uar_in_noise": unweighted_average_recall(y[place], noisy),
            }
        )
    found = {"n_seeds": len(rows), "fit_seconds": float(np.mean([f["fit_seconds"] for f in fits]))}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found[name] = {"mean": float(np.mean(values)), "sd": sd}
    for fit in fits:
        found |= {k: fit[k] for k in ("numbers", "bytes", "milliseconds_per_utterance") if k in fit}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, nargs="+")
    arguments = parser.parse_args()
    for chosen in arguments.systems:
        for of_task in arguments.tasks:
            if chosen == "gans2020" and of_task != "mpg-actors":
                continue  # its contour was designed for that task
            run(of_task, chosen, arguments.seeds, arguments.folds)
