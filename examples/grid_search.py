"""Nested search over feature and network settings, speaker-disjoint at both levels.

Metadata routing passes the speakers to the inner splits, to the outer splits and to the network's
own validation split. The transformer's ``memory`` folder caches the features of each utterance, so
they are computed only once per setting, however many folds use them.

    python examples/grid_search.py            # synthetic corpus, some minutes
    SKSER_DATA=... python examples/grid_search.py    # EmoDB, some hours
"""

import os
import tempfile
from pathlib import Path

import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler


def nested_search(corpus, cache, max_epochs=40, n_splits=3):
    """Return the outer scores of a search that never sees the speakers of its test fold."""
    network = AttentionFCNClassifier(
        max_epochs=max_epochs, early_stopping=True, n_threads=1, random_state=0
    ).set_fit_request(groups=True)
    model = make_pipeline(
        MelSpectrogram(memory=cache, input_sampling_rate=corpus.sampling_rate),
        SequenceScaler(),
        network,
    )
    search = GridSearchCV(
        model,
        {
            "melspectrogram__deltas": [0, 2],
            "attentionfcnclassifier__n_heads": [1, 4],
        },
        scoring="balanced_accuracy",
        cv=GroupKFold(n_splits),
        n_jobs=2,
    )
    return cross_validate(
        search,
        corpus.data,
        corpus.target,
        cv=GroupKFold(n_splits),
        scoring="balanced_accuracy",
        params={"groups": corpus.speakers},
        return_estimator=True,
    )


def main():
    data = os.environ.get("SKSER_DATA")
    if data:
        corpus = load_emodb(Path(data) / "emodb")
    else:
        corpus = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=20, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True), tempfile.TemporaryDirectory() as d:
        results = nested_search(corpus, d, max_epochs=40 if data else 10)
    for fold, (score, search) in enumerate(
        zip(results["test_score"], results["estimator"], strict=True)
    ):
        print(f"outer fold {fold}: UAR {score:.3f} with {search.best_params_}")
    print(f"mean UAR {results['test_score'].mean():.3f}")


if __name__ == "__main__":
    main()
