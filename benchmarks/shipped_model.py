"""Train the model that is shipped with the package, and write its card from measured figures.

    python benchmarks/leaderboard.py --systems attention-fcn --tasks emodb-loso
    python benchmarks/shipped_model.py

Needs SKSER_DATA. The model is `skser.pipelines.attention_fcn`, fitted on all of EmoDB. The figures
are those of the same pipeline with leave-one-speaker-out, from the leaderboard's result file. EmoDB
is in the public domain (CC0), so the weights may be distributed with the package.
"""

import json
import os
from pathlib import Path

import numpy as np
from provenance import RESULTS
from sklearn.metrics import accuracy_score

import skser
from skser.datasets import load_emodb
from skser.metrics import group_recalls, recall_per_class, unweighted_average_recall
from skser.pipelines import attention_fcn

TARGET = Path(skser.__file__).parent / "persistence/models/emodb-afcn.skser"

CARD = """# emodb-afcn

Recognizes which of seven emotions an actor portrays in a German utterance.

- **Model**: `skser.pipelines.attention_fcn` with {numbers:,} parameters: standardized mel
  spectrogram, convolutions, attention pooling; trained from random weights (seed 0) for {epochs}
  epochs.
- **Input**: audio files of any format, sampling rate and number of channels, at least 25 ms long,
  that contain only speech.
- **Output**: probabilities of {classes}.
- **Data**: EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al., 2005), CC0-1.0: all
  {n} utterances, ten sentences by five women and five men, recorded in a quiet room.
- **License**: BSD-3-Clause, like the package.

## Performance on new speakers

EmoDB-LOSO: the same pipeline was trained ten times, each time without the speaker it was tested on;
{seeds}. The model in this file was trained on all ten speakers, so it cannot be evaluated on EmoDB
itself.

| recall of each emotion, and other scores | in % |
|---|---|
| UAR (balanced accuracy) | {uar} |
| accuracy | {accuracy} |
{by_class}| women, UAR | {women} |
| men, UAR | {men} |
| worst speaker, UAR | {worst} |
| all, with white noise at 10 dB, UAR | {noise} |

Chance is 14.3 % UAR.

## Limitations

- The model recognizes how German actors portray emotions in ten sentences. It does not recognize
  what a person feels. It was not tested on spontaneous speech, other languages, children or old
  people.
- White noise at 10 dB makes it nearly useless, as the last line of the table shows. It was not
  tested on telephone speech or in reverberant rooms.
- It assigns one of seven emotions to any input, including music and silence. Its probabilities are
  based on acted, prototypical speech and are overconfident on other speech.
- Do not base decisions about people on it. Inferring emotions of people at work or in education is
  prohibited in the European Union, except for medical and safety reasons (Regulation 2024/1689,
  Article 5(1)(f)), and restricted in other ways elsewhere.
"""


def in_percent(values):
    """Format the mean over seeds in percent, with the standard deviation if there are several."""
    text = f"{100 * np.mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ± {100 * np.std(values, ddof=1):.1f}"


def figures(corpus, result):
    """Return the figures of the card, as lists with one value per complete seed."""
    y, speakers, sexes = (
        corpus.frame[name].to_numpy(str) for name in ("emotion", "speaker", "sex")
    )
    found = {name: [] for name in ("uar", "accuracy", "women", "men", "worst", "noise", "classes")}
    for seed in sorted({fit["seed"] for fit in result["fits"]}):
        fits = [fit for fit in result["fits"] if fit["seed"] == seed]
        rows = np.concatenate([fit["utterances"] for fit in fits])
        if len(rows) != len(y):
            continue  # some folds of this seed are missing
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
