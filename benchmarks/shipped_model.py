"""Train the model that comes with the package, and write its card from measured figures.

    python benchmarks/leaderboard.py --systems attention-fcn --tasks emodb-loso
    python benchmarks/shipped_model.py

Needs SKSER_DATA. The model is `skser.pipelines.attention_fcn` fitted on all of EmoDB; figures are
those of the same pipeline, by leave-one-speaker-out, from the leaderboard's result file. EmoDB is
CC0, so that the weights may go with the package.
"""

import json
import os
from pathlib import Path

import numpy as np
from protocols import RESULTS
from sklearn.metrics import accuracy_score

import skser
from skser.datasets import load_emodb
from skser.metrics import group_recalls, recall_per_class, unweighted_average_recall
from skser.pipelines import attention_fcn

TARGET = Path(skser.__file__).parent / "persistence/models/emodb-afcn.skser"

CARD = """# emodb-afcn

Which of seven emotions an actor portrays in a German utterance.

- **Model**: `skser.pipelines.attention_fcn`, {numbers:,} numbers: mel spectrogram, standardised;
  convolutions; attention pooling; trained from random weights, seed 0, for {epochs} epochs.
- **Input**: audio files of any format, rate and number of channels, from 25 ms on; speech alone.
- **Output**: probabilities of {classes}.
- **Data**: EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al., 2005), CC0-1.0: all
  {n} utterances, ten sentences by five women and five men, recorded in a quiet room.
- **Licence**: BSD-3-Clause, as the package.

## How good it is on speakers that it was not trained on

EmoDB-LOSO: the same pipeline trained ten times, each time without the speaker that it is tested
on; {seeds}. The model in this file is trained on all ten, so no figure can be had of it itself.

| recall of each emotion, and what is named | in % |
|---|---|
| UAR (balanced accuracy) | {uar} |
| accuracy | {accuracy} |
{by_class}| women, UAR | {women} |
| men, UAR | {men} |
| worst speaker, UAR | {worst} |
| all, with white noise at 10 dB, UAR | {noise} |

Chance is 14.3 % UAR.

## What it is not for

- It tells how German actors portray emotions in ten sentences. It does not tell what a person
  feels, and it was tested on no spontaneous speech, no other language, no children and no old
  people.
- White noise at 10 dB makes it nearly useless, as the last line of the table says. Telephones
  and echoing rooms were not tried.
- It must choose one of seven emotions for anything, music and silence included. Probabilities
  come from acted, prototypical speech and are too sure of themselves elsewhere.
- Decisions about people must not rest on it. Inferring emotions of people at work or in
  education is prohibited in the European Union but for medical and safety reasons (Regulation
  2024/1689, Article 5(1)(f)), and restricted in other ways elsewhere.
"""


def in_percent(values):
    """Mean over seeds and, of several, the deviation."""
    text = f"{100 * np.mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ± {100 * np.std(values, ddof=1):.1f}"


def figures(corpus, result):
    """The card's figures, by seed where there are several."""
    y, speakers, sexes = (
        corpus.frame[name].to_numpy(str) for name in ("emotion", "speaker", "sex")
    )
    found = {name: [] for name in ("uar", "accuracy", "women", "men", "worst", "noise", "classes")}
    for seed in sorted({fit["seed"] for fit in result["fits"]}):
        fits = [fit for fit in result["fits"] if fit["seed"] == seed]
        rows = np.concatenate([fit["utterances"] for fit in fits])
        if len(rows) != len(y):
            continue  # a seed of which some folds are missing
        predicted, noisy = (
            np.concatenate([fit[name] for fit in fits])
            for name in ("predicted", "predicted_in_noise")
        )
        true = y[rows]
        by_sex = group_recalls(true, predicted, sexes[rows])["uar"]
        found["uar"].append(unweighted_average_recall(true, predicted))
        found["accuracy"].append(accuracy_score(true, predicted))
        found["women"].append(by_sex["female"])
        found["men"].append(by_sex["male"])
        found["worst"].append(group_recalls(true, predicted, speakers[rows])["uar"].min())
        found["noise"].append(unweighted_average_recall(true, noisy))
        found["classes"].append(recall_per_class(true, predicted))
    return found


def main():
    corpus = load_emodb(Path(os.environ["SKSER_DATA"]) / "emodb")
    result = json.loads((RESULTS / "leaderboard_emodb-loso_attention-fcn.json").read_text())
    model = attention_fcn(n_threads=1, random_state=0, device="cpu")
    model.fit(corpus.data, corpus.target.astype(str))
    model.set_params(classifier__n_threads=None, classifier__device="auto")
    found = figures(corpus, result)
    by_class = found.pop("classes")
    n_seeds = len(by_class)
    card = CARD.format(
        numbers=result["summary"]["numbers"],
        epochs=model["classifier"].n_iter_,
        classes=", ".join(model.classes_),
        n=len(corpus.target),
        seeds="one seed" if n_seeds == 1 else f"mean ± standard deviation over {n_seeds} seeds",
        by_class="".join(
            f"| {name} | {in_percent([recalls[name] for recalls in by_class])} |\n"
            for name in model.classes_.tolist()
        ),
        **{name: in_percent(values) for name, values in found.items()},
    )
    TARGET.parent.mkdir(exist_ok=True)
    skser.save(model, TARGET, card=card)
    print(card, f"\n{TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
