"""Train a model that is shipped with the package, and write its card from measured figures.

    python benchmarks/shipped_model.py emodb-whisper --train
    python benchmarks/shipped_evaluation.py emodb-whisper
    python benchmarks/shipped_model.py emodb-whisper

Needs SKSER_DATA and the extra "onnx", and for `emodb-whisper` the extra "embeddings". Models are
trained on all of EmoDB, and on copies of each utterance in other conditions, whose noise is
ESC-10's folds 1 to 3 among others. EmoDB is in the public domain (CC0), the clips of ESC-10 are CC0
or CC BY (a file beside the models credits their authors), and Whisper has the MIT license, so the
models may be distributed with the package. No other corpus is in their training.

The figures on the card are those of shipped_evaluation.py and of conditions.py. Without --train,
only the card is written anew.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from conditions import with_sounds
from protocols import load
from provenance import cache_folder
from shipped_card import TASK, card

import skser
from skser.compose import RejectingClassifier
from skser.export import export_onnx
from skser.pipelines import attention_fcn, functionals, whisper_linear

FOLDER = Path(skser.__file__).parent / "persistence/models"
# Files of weights that the ONNX file of a model refers to.
WEIGHTS = {
    "emodb-whisper": [
        FOLDER / "whisper-tiny-lower/model.safetensors",
        FOLDER / "silero-vad/model.safetensors",
    ],
    "emodb-afcn": [],
}
NAMES = ("emodb-whisper", "emodb-functionals", "emodb-afcn")
# Parameters that training sets for itself; audio of predictions must state its sampling rate.
OF_TRAINING = {"input_sampling_rate": None, "memory": None, "n_threads": None, "device": "auto"}


def system(name):
    """Return the untrained system of a model."""
    given = {"conditions": True, "memory": cache_folder(__file__), "random_state": 0}
    if name == "emodb-functionals":
        return with_sounds(functionals(**given))
    if name == "emodb-whisper":
        return with_sounds(whisper_linear(device="cpu", **given))
    return with_sounds(attention_fcn(device="cpu", n_threads=1, **given))


def trained(name):
    """Train a model on all of EmoDB."""
    corpus, _ = load(TASK)
    model, groups = system(name), None
    if name != "emodb-afcn":  # thresholds of a network would cost five more trainings
        model.set_params(estimator=RejectingClassifier(model.estimator))
        groups = corpus.speakers.astype(str)
    model = model.fit(corpus.frame, corpus.target.astype(str), groups=groups).estimator_
    # A meta-estimator's parameters are those of the estimator that it was made of.
    for part in (model, getattr(model, "estimator_", model)):
        for parameter in part.get_params():
            short = parameter.rpartition("__")[2]
            if short in OF_TRAINING:
                part.set_params(**{parameter: OF_TRAINING[short]})
    shorten(name, model)
    return model


def shorten(name, model):
    """Store a model in less than 1 MB. Its probabilities change by less than 0.001."""
    if name == "emodb-afcn":
        for epoch in model["classifier"].history_:
            del epoch["batches"]  # their losses would take more room than the weights
        return
    classifier = model.estimator_["classifier"]
    classifier.coef_ = classifier.coef_.astype(np.float32)
    model.components_ = model.components_.astype(np.float16)  # of distances, rounded to 0.1 %
    if name == "emodb-functionals":
        ranks = model.estimator_["ranks"]
        ranks.quantiles_ = ranks.quantiles_.astype(np.float32)


def write_credits():
    """Write the authors and licenses of the sounds that the models were trained with."""
    clips = pd.read_csv(Path(os.environ["SKSER_DATA"]) / "esc10/clips.csv")
    columns = ["file", "sound", "author", "licence", "source"]
    clips.loc[clips["fold"] <= 3, columns].to_csv(FOLDER / "ESC-10-CREDITS.csv", index=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--keep-card", action="store_true", help="only export to ONNX anew")
    arguments = parser.parse_args()
    path = FOLDER / f"{arguments.name}.skser"
    model = trained(arguments.name) if arguments.train else skser.load_pretrained(arguments.name)
    if not arguments.keep_card:
        text = card(arguments.name, model)
        skser.save(model, path, card=text)
        print(text, f"\n{path.stat().st_size / 1000:.0f} kB")
    if arguments.name != "emodb-functionals":
        # The command line predicts with the ONNX file, which loads faster.
        export_onnx(model, path.with_suffix(".onnx"), weights=WEIGHTS[arguments.name])
    write_credits()


if __name__ == "__main__":
    main()
