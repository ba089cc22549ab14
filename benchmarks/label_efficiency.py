"""Number of labels that a pretrained encoder saves, on EmoDB and RAVDESS.

    python benchmarks/label_efficiency.py
    python benchmarks/label_efficiency.py --protocols ravdess-5

Needs SKSER_DATA and SKSER_MODELS, and the extra "embeddings". Two linear models are trained on 4,
8, 16, 32 and more labels per class, from speakers outside the test fold. One uses frozen
Whisper-tiny, the other the best hand-crafted vectors of the package, the ranks of
``Functionals(FrameFeatures())``. There are five draws of the labels, on the folds of EmoDB-LOSO and
RAVDESS-5. Layers and models were chosen for either side, between logistic regression and linear
discriminant analysis, with 8 to 64 labels per class on inner folds of the first outer training
fold.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.evaluation import label_efficiency_curve
from skser.feature_extraction import FrameFeatures, Functionals, SpeechEmbedding

N_LABELS = {
    "emodb-loso": (4, 8, 16, 32, "all"),
    "ravdess-5": (4, 8, 16, 32, 64, 128, "all"),
}
# Chosen on inner folds.
LAYERS = (2, 3)
PRETRAINED = WideDiscriminantAnalysis(0.9)
HAND_MADE = {
    "emodb-loso": LogisticRegression(max_iter=500),
    "ravdess-5": WideDiscriminantAnalysis(0.9),
}


def linear(columns, scaler, model):
    """Return a model of some of the columns, which are scaled first."""
    return make_pipeline(ColumnTransformer([("columns", scaler, columns)]), model)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--n-jobs", type=int)
    arguments = parser.parse_args()
    checkpoint = Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder"
    result = {
        "metric": "UAR over all folds",
        "n_repeats": arguments.repeats,
        "transductive": False,
        "versions": versions("scikit-learn", "torch", "transformers", "numpy"),
        "protocols": {},
    }
    path = RESULTS / "label_efficiency.json"
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("n_repeats", "versions")):
        result["protocols"] = kept["protocols"]
    for protocol in arguments.protocols:
        corpus, folds = load(protocol)
        y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
        fold = np.full(len(y), -1)
        for i, held_out in enumerate(folds):
            fold[np.isin(speakers, held_out)] = i
        embedding = SpeechEmbedding(checkpoint, LAYERS, "mean+std", device="cpu")
        X = [
            embedding.transform(corpus.data),
            Functionals(FrameFeatures()).fit_transform(corpus.data),
        ]
        n = X[0].shape[1]
        columns = slice(0, n), slice(n, n + X[1].shape[1])
        estimators = {
            "pretrained": linear(columns[0], StandardScaler(), PRETRAINED),
            "hand-made": linear(
                columns[1], QuantileTransformer(n_quantiles=10), HAND_MADE[protocol]
            ),
        }
        curve = label_efficiency_curve(
            estimators,
            np.hstack(X),
            y,
            groups=speakers,
            cv=PredefinedSplit(fold),
            n_labels=N_LABELS[protocol],
            n_repeats=arguments.repeats,
            n_jobs=arguments.n_jobs,
            random_state=0,
        )
        scores = curve.scores().groupby(["estimator", "n_labels"])["score"].agg(["mean", "std"])
        multiples = curve.multiples("pretrained", "hand-made").reset_index()
        result["protocols"][protocol] = {
            "scores": scores.reset_index().to_dict("records"),
            "multiples": [
                {k: None if np.isinf(v) else v for k, v in row.items()}
                for row in multiples.to_dict("records")
            ],
        }
        print(protocol, scores, multiples, sep="\n", flush=True)
        write_result(path, result)


if __name__ == "__main__":
    main()
