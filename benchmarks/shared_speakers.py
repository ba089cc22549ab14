"""UAR of one linear system on EmoBox's folds of EmoDB, which share speakers, and on LOSO folds.

    python benchmarks/shared_speakers.py FOLDS

FOLDS is the folder ``data/emodb`` of EmoBox's repository, or a CSV file with the columns corpus,
utterance and test_fold. The corpus is read from ``$SKSER_DATA/emodb``.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from provenance import RESULTS, write_result
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skser.datasets import load_emodb
from skser.evaluation import cross_validate_speakers, leakage_report
from skser.feature_extraction import FrameFeatures, Functionals
from skser.model_selection import GivenSplits, published_folds


def emobox_folds(corpus, path):
    """Return EmoBox's folds, from its own lists or from a table of test folds."""
    if path.is_dir():
        return published_folds(corpus, "emobox", folds_dir=path, allow_shared_speakers=True)
    listed = pd.read_csv(path, dtype=str).query("corpus == 'emodb'")
    fold_of = dict(zip(listed["utterance"], listed["test_fold"], strict=True))
    numbers = np.array([fold_of[Path(audio).stem] for audio in corpus.frame["audio"]])
    folds = [
        (np.flatnonzero(numbers != n), np.flatnonzero(numbers == n)) for n in np.unique(numbers)
    ]
    return GivenSplits(folds, "emobox", allow_shared_speakers=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folds", type=Path)
    corpus = load_emodb(Path(os.environ["SKSER_DATA"]) / "emodb")
    protocols = {
        "EmoBox": emobox_folds(corpus, parser.parse_args().folds),
        "leave one speaker out": published_folds(corpus, "emodb-loso"),
        "leave one speaker and one sentence out": published_folds(corpus, "emodb-loso-sentences"),
    }
    found = []
    # Vectors do not depend on the split, so each utterance is described once.
    vectors = Functionals(FrameFeatures()).fit_transform(list(corpus.data))
    of_source = dict(zip(corpus.data, np.asarray(vectors), strict=True))
    look_up = FunctionTransformer(lambda sources: np.stack([of_source[s] for s in sources]))
    model = make_pipeline(look_up, StandardScaler(), SVC(kernel="linear", C=0.01))
    for name, cv in protocols.items():
        evaluation = cross_validate_speakers(model, corpus, cv=cv)
        leaks = leakage_report(corpus.frame[["speaker", "sentence"]], evaluation.folds).leaks
        summary = evaluation.summary()["pooled"]
        found.append(
            {
                "protocol": name,
                "n_folds": len(evaluation.folds),
                "n_train": float(evaluation.fold_results["n_train"].mean()),
                **{
                    f"shared_{kind}s": int(leaks.loc[leaks["kind"] == kind, "what"].nunique())
                    for kind in ("speaker", "sentence")
                },
                "uar": float(summary["uar"]),
                "accuracy": float(summary["accuracy"]),
            }
        )
        print(evaluation, flush=True)
    result = {
        "corpus": f"{corpus.name}, {len(corpus)} utterances",
        "n_speakers": len(set(corpus.speakers)),
        "n_sentences": len(set(corpus.sentences)),
        "system": "Functionals(FrameFeatures()), StandardScaler, SVC(kernel='linear', C=0.01)",
        "report": str(leakage_report(corpus.frame[["speaker"]], protocols["EmoBox"])),
        "protocols": found,
    }
    write_result(RESULTS / "shared_speakers.json", result)


if __name__ == "__main__":
    main()
