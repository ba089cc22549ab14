"""Linear SVM on sentence-level vectors, on EmoDB-LOSO and RAVDESS-5.

    python benchmarks/functionals.py
    python benchmarks/functionals.py --ablation

Needs SKSER_DATA, and the extra "opensmile" for the other feature sets. Every system is
``features -> StandardScaler() -> SVC(kernel="linear", C=1e-3)``. Nothing was tuned on these folds;
C is the value of the published figures for ComParE_2016. The systems are deterministic and need no
seeds.

The statistics were chosen from the ablation. It uses inner, speaker-disjoint folds of the first
outer training fold of each corpus, and no test fold.
"""

import argparse

import numpy as np
from protocols import PROTOCOLS, load
from provenance import RESULTS, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import GroupKFold, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.feature_extraction import FrameFeatures, Functionals, OpenSmile
from skser.feature_extraction._functionals import STATISTICS

SYSTEMS = {
    "functionals": Functionals(FrameFeatures()),
    "ComParE_2016": OpenSmile("ComParE_2016"),
    "eGeMAPSv02": OpenSmile("eGeMAPSv02"),
}
C = 1e-3


def ablation():
    result = {
        "protocol": "five speaker-disjoint inner folds of the first outer training fold",
        "classifier": f'StandardScaler() -> SVC(kernel="linear", C={C})',
        "versions": versions("scikit-learn", "numpy", "scipy", "numba", "soxr"),
        "uar": {},
    }
    for protocol in PROTOCOLS:
        corpus, folds = load(protocol)
        outer = ~np.isin(corpus.speakers.astype(str), folds[0])
        y, speakers = corpus.target.astype(str)[outer], corpus.speakers.astype(str)[outer]
        frames = FrameFeatures().transform(np.asarray(corpus.data)[outer])
        settings = {
            "all": {},
            "moments and percentiles alone": {"statistics": ("moments", "percentiles")},
            **{
                f"without {name}": {"statistics": tuple(s for s in STATISTICS if s != name)}
                for name in STATISTICS
            },
            "with silence at both ends": {"active_only": False},
        }
        for name, setting in settings.items():
            X = Functionals(**setting).fit_transform(frames)
            model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=C))
            predicted = cross_val_predict(model, X, y, groups=speakers, cv=GroupKFold(5))
            uar = balanced_accuracy_score(y, predicted)
            result["uar"].setdefault(name, {})[protocol] = uar
            print(f"{protocol} {name}: {100 * uar:.1f}", flush=True)
    write_result(RESULTS / "functionals_ablation.json", result)


def systems():
    result = {
        "protocols": list(PROTOCOLS),
        "from_scratch": True,
        "transductive": False,
        "classifier": f'StandardScaler() -> SVC(kernel="linear", C={C})',
        "versions": versions("scikit-learn", "numpy", "scipy", "numba", "soxr", "opensmile"),
        "systems": {},
    }
    for protocol in PROTOCOLS:
        corpus, folds = load(protocol)
        y = corpus.target.astype(str)
        fold = np.full(len(y), -1)
        for i, speakers in enumerate(folds):
            fold[np.isin(corpus.speakers.astype(str), speakers)] = i
        for name, features in SYSTEMS.items():
            X = features.fit_transform(corpus.data)
            model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=C))
            predicted = cross_val_predict(model, X, y, cv=PredefinedSplit(fold))
            over_folds = [
                balanced_accuracy_score(y[fold == i], predicted[fold == i])
                for i in range(len(folds))
            ]
            entry = {
                "features": repr(features),
                "n_features": X.shape[1],
                "uar": balanced_accuracy_score(y, predicted),
                "accuracy": accuracy_score(y, predicted),
                "fold_uar": over_folds,
            }
            result["systems"].setdefault(name, {})[protocol] = entry
            print(
                f"{protocol} {name}: UAR {100 * entry['uar']:.1f}, accuracy "
                f"{100 * entry['accuracy']:.1f}, folds {100 * np.mean(over_folds):.1f} "
                f"± {100 * np.std(over_folds, ddof=1):.1f}",
                flush=True,
            )
    write_result(RESULTS / "functionals.json", result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ablation", action="store_true")
    if parser.parse_args().ablation:
        ablation()
    else:
        systems()
