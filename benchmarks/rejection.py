"""Rejection of recordings without speech, unlike training, or unsure, by the recommended system.

    python benchmarks/rejection.py

Needs SKSER_DATA, and the extras "embeddings", "rooms" and "containers". The system is Whisper tiny
with a linear head, trained on EmoDB in conditions (conditions.py), within a `RejectingClassifier`.
Each speaker of EmoDB is tested by a model that was trained on the others, on clean recordings and
in four conditions. A model of all of EmoDB is tested on RAVDESS, IndoWave, and recordings without
speech (silence, white noise, tones, and ESC-10's folds 4 and 5); on foreign corpora also after
adaptation to all of their recordings. Risks on foreign corpora are those of utterances whose
emotion EmoDB has. Nothing was chosen on these tests.

Areas under ROC separate clean speech of EmoDB's unheard speakers from everything else, by three
scores: the share of frames that are speech, the distance from training, and the confidence.
"""

import numpy as np
import pandas as pd
from altered_recordings import RATE, altered, everyday_sounds, read
from conditions import COPIES, MEMORY, OTHER, built
from foreign import corpora
from protocols import load
from provenance import RESULTS, write_result
from sklearn.metrics import roc_auc_score

from skser.audio import Waveform
from skser.compose import RejectingClassifier, adapt
from skser.metrics import expected_calibration_error

TASK = "emodb-loso"
NOISY = ("white 10 dB", "white 0 dB", "sounds 5 dB", "babble 5 dB")
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEED = 0


def no_speech():
    """Return recordings of 3 s without speech, by kind, at levels from -10 to -60 dBFS."""
    random = np.random.RandomState(0)
    times = np.arange(3 * RATE) / RATE
    levels = 10 ** (-np.linspace(10, 60, 20) / 20)
    tones = np.sin(2 * np.pi * np.geomspace(80, 6000, 20)[:, None] * times)
    faint = 1e-4 * random.standard_normal((19, len(times)))
    found = {
        "silence": [np.zeros(len(times)), *faint],
        "white noise": levels[:, None] * random.standard_normal((20, len(times))),
        "tone": random.permutation(levels)[:, None] * tones,
        "ESC-10": everyday_sounds(),
    }
    return {
        kind: [Waveform(np.asarray(x, np.float32), RATE) for x in of_kind]
        for kind, of_kind in found.items()
    }


def fitted(table):
    """Return the system, fitted on a table."""
    model = built("whisper-tiny", True, SEED)
    model.set_params(estimator=RejectingClassifier(model.estimator))
    groups = table["speaker"].to_numpy(str)
    model.fit(table, table["emotion"].to_numpy(str), groups=groups)
    COPIES.clear()
    return model.estimator_


def assessed(model, recordings, kind, y=None):
    """Return the model's assessment of recordings, with probabilities and true emotions."""
    found = model.assess(recordings)[["reason", "confidence", "speech", "distance"]]
    proba = model.predict_proba(recordings)
    named = {f"p {name}": proba[:, i] for i, name in enumerate(model.classes_)}
    return found.reset_index(drop=True).assign(kind=kind, emotion=y, **named)


def unheard_speakers():
    """Assess each speaker of EmoDB by a model of the others."""
    corpus, folds = load(TASK)
    table = corpus.frame[["audio", "emotion", "speaker"]].astype(str)
    voices = [read(source) for source in load(OTHER[TASK])[0].data]
    tables = []
    for held_out in folds:
        path = MEMORY / f"rejection_{'-'.join(held_out)}.pkl"
        if not path.exists():
            test = table["speaker"].isin(held_out)
            model, y = fitted(table[~test]), table.loc[test, "emotion"].to_numpy()
            samples = [read(source) for source in table.loc[test, "audio"]]
            of_fold = [
                assessed(model, [altered(x, name, voices) for x in samples], f"EmoDB, {name}", y)
                for name in ("clean", *NOISY)
            ]
            pd.concat(of_fold).to_pickle(path)
            print(path.name, of_fold[0]["reason"].value_counts().to_dict(), flush=True)
        tables.append(pd.read_pickle(path))
    return pd.concat(tables)


def everything_else():
    """Assess foreign corpora and recordings without speech by a model of all of EmoDB."""
    path = MEMORY / "rejection_everything_else.pkl"
    if path.exists():
        return pd.read_pickle(path)
    model = fitted(corpora("emodb"))
    tables = [assessed(model, recordings, kind) for kind, recordings in no_speech().items()]
    for name, title in (("ravdess", "RAVDESS"), ("indowave", "IndoWave")):
        table = corpora(name)
        paths, y = table["audio"].tolist(), table["emotion"].to_numpy(str)
        tables.append(assessed(model, paths, title, y))
        tables.append(assessed(adapt(model, paths), paths, f"{title}, adapted", y))
    pd.concat(tables).to_pickle(path)
    return pd.read_pickle(path)


def summary(assessments):
    """Return shares of reasons, calibration, risks and areas under ROC, by kind of recording."""
    like = assessments[assessments["kind"] == "EmoDB, clean"]
    classes = [name.removeprefix("p ") for name in like if name.startswith("p ")]
    rows = []
    for kind, table in assessments.groupby("kind", sort=False):
        row = {
            "kind": kind,
            "n": len(table),
            "accepted": float(np.mean(table["reason"] == "")),
            **{
                reason: float(np.mean(table["reason"] == reason))
                for reason in ("no speech", "unlike training", "unsure")
            },
        }
        if kind != "EmoDB, clean":
            other = np.repeat([0, 1], [len(like), len(table)])
            for name, sign in (("speech", -1), ("distance", 1), ("confidence", -1)):
                score = sign * np.concatenate([like[name], table[name]])
                row[f"area by {name}"] = float(roc_auc_score(other, np.nan_to_num(score)))
        if table["emotion"].notna().all():
            row |= of_labels(table[table["emotion"].isin(classes)], classes)
        rows.append(row)
    return rows


def of_labels(table, classes):
    """Return the calibration error, and the risk over coverage and among what was accepted."""
    proba = table[[f"p {name}" for name in classes]].to_numpy()
    proba = proba / proba.sum(axis=1, keepdims=True)
    y = table["emotion"].to_numpy(str)
    wrong = np.array(classes)[proba.argmax(axis=1)] != y
    order = np.argsort(-proba.max(axis=1), kind="stable")
    risks = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    accepted = (table["reason"] == "").to_numpy()
    return {
        "ece": expected_calibration_error(y, proba, labels=classes),
        "confidence": float(proba.max(axis=1).mean()),
        "risk": {str(c): float(risks[int(np.ceil(c * len(risks))) - 1]) for c in COVERAGES},
        "risk_of_accepted": float(wrong[accepted].mean()) if accepted.any() else None,
    }


def main():
    MEMORY.mkdir(exist_ok=True)
    assessments = pd.concat([unheard_speakers(), everything_else()])
    result = {"system": "whisper-tiny-in-conditions", "kinds": summary(assessments)}
    for row in result["kinds"]:
        print(row)
    write_result(RESULTS / "rejection.json", result, seeds=[SEED])


if __name__ == "__main__":
    main()
