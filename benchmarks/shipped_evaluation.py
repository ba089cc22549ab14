"""Evaluate a model that is shipped with the package, for its card.

    python benchmarks/shipped_evaluation.py emodb-whisper

Needs SKSER_DATA, and the extras "rooms" and "containers". The model is tested on corpora that are
not in its training, before and after adaptation without labels, and on recordings without speech.
Nothing was chosen on these tests.
"""

import argparse

import conditions
import numpy as np
from altered_recordings import RATE, read
from foreign import N_DRAWS, corpora
from provenance import RESULTS, write_result
from rejection import no_speech
from vector_cache import CachedVectors

import skser
from skser.audio import Waveform
from skser.compose import adapt
from skser.metrics import unweighted_average_recall

NUMBERS = (20, "all")


def on_other_corpora(model):
    """Return the UAR on other corpora, as the model is and after adaptation."""
    features, rest = model.estimator_[:1], model.estimator_[1:]
    found = []
    for corpus in ("ravdess", "indowave"):
        table = corpora(corpus)
        waves = [read(path) for path in table["audio"]]
        vectors = vectors_of(features[0], waves)
        y = table["emotion"].to_numpy(str)
        shared = np.isin(model.classes_, y)
        asked = np.isin(y, model.classes_)

        def uar_of(rest, vectors=vectors, y=y, shared=shared, asked=asked):
            probabilities = rest.predict_proba(vectors[asked])[:, shared]
            predicted = model.classes_[shared][probabilities.argmax(axis=1)]
            return unweighted_average_recall(y[asked], predicted)

        entry = {"corpus": corpus, "n_labels": int(shared.sum()), "inductive": uar_of(rest)}
        for number in NUMBERS:
            values = []
            for draw in range(1 if number == "all" else N_DRAWS):
                size = len(y) if number == "all" else number
                rows = np.random.RandomState(draw).choice(len(y), size, replace=False)
                values.append(uar_of(adapt(rest, vectors[rows])))
            entry[f"adapted to {number}"] = float(np.mean(values))
        found.append(entry)
    return found


def vectors_of(features, waves):
    """Return the vectors of samples at 16 kHz, from the store of conditions.py if it has them."""
    if "device" in features.get_params():
        features.set_params(device="cpu")
    store = CachedVectors(features, conditions.MEMORY / "vectors.sqlite")
    waves = [Waveform(wave, RATE, max_amplitude=None) for wave in waves]
    return store.transform(waves)


def without_speech(model):
    """Return the share of recordings without speech that the model refuses as such, by kind."""
    return [
        {"kind": kind, "n": len(waves), "no speech": float(np.mean(reasons == "no speech"))}
        for kind, waves in no_speech().items()
        if len(reasons := model.reasons(waves))
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["emodb-functionals", "emodb-whisper"])
    arguments = parser.parse_args()
    name = arguments.name
    conditions.MEMORY.mkdir(exist_ok=True)
    model = skser.load_pretrained(name)
    result = {
        "model": name,
        "n_draws": N_DRAWS,
        "other_corpora": on_other_corpora(model),
        "without_speech": without_speech(model),
    }
    write_result(RESULTS / f"shipped_{name}.json", result, seeds=[0])
    print(result)


if __name__ == "__main__":
    main()
