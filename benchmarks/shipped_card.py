"""Cards of the models that are shipped with the package, from the results of two scripts.

Leave-one-speaker-out is by conditions.py, the rest by shipped_evaluation.py.
No figure is typed here.
"""

import json

import numpy as np
from conditions import tested
from protocols import load
from provenance import RESULTS
from sklearn.metrics import accuracy_score

from skser.metrics import group_recalls, recall_per_class, unweighted_average_recall

TASK = "emodb-loso"
# Systems in the results of conditions.py that are the models' own.
SYSTEMS = {
    "emodb-whisper": "whisper-tiny",
    "emodb-functionals": "functionals",
    "emodb-afcn": "attention-fcn",
}
CORPORA = {"ravdess": "RAVDESS (English, acted)", "indowave": "IndoWave (Indonesian, acted)"}
# What sets the models apart. Everything else is the same in all cards.
DESCRIPTIONS = {
    "emodb-whisper": """- **Model**: `skser.pipelines.whisper_linear`: mean and standard deviation
  of the second and third layer of OpenAI's Whisper tiny, standardized, and a linear classifier,
  whose probabilities are calibrated on speakers that were held out. The encoder is frozen, and lies
  once in the package, for this file and for the ONNX file of the same name, which needs neither
  torch nor transformers.
- **Refuses** to answer (`unknown`) if a recording holds no speech, or is unlike the training
  recordings. `skser.compose.adapt` adapts it to recordings of another setting, without labels.""",
    "emodb-functionals": """- **Model**: `skser.pipelines.functionals`: 5191 statistics of pitch,
  voice quality, formants and spectrum, replaced by their ranks, and a linear classifier, whose
  probabilities are calibrated on speakers that were held out. It holds no pretrained weights.
- **Refuses** to answer (`unknown`) if a recording holds no speech, or is unlike the training
  recordings. `skser.compose.adapt` adapts it to recordings of another setting, without labels.""",
    "emodb-afcn": """- **Model**: `skser.pipelines.attention_fcn`: standardized mel spectrogram,
  convolutions, attention pooling, trained from random weights (seed 0). It is an example of a
  network; `emodb-whisper` is more accurate.
- **Answers always**: it assigns an emotion to any input, including music and silence, and its
  probabilities are not calibrated.""",
}
CARD = """# {name}

Recognizes which of seven emotions an actor portrays in a German utterance.

{description}
- **Input**: audio files of any format, sampling rate and number of channels, at least 25 ms long.
- **Output**: probabilities of {classes}.
- **Data**: EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al., 2005), CC0-1.0: all
  {n} utterances, ten sentences by five women and five men, recorded in a quiet room; and four
  copies of each in other conditions by `skser.augmentation.Conditions`, with the sounds of
  ESC-10's folds 1 to 3 (CC0 and CC BY, see the file `ESC-10-CREDITS.csv` in the folder of the
  models) among its noise.
- **License**: {license}

{performance}{foreign}{rejection}## Limitations

- The model recognizes how German actors portray emotions in ten sentences. It does not recognize
  what a person feels. It was not tested on spontaneous speech, children or old people.
- Accuracy on other languages and corpora is usually much lower, and adaptation may raise or lower
  it. Recordings for adaptation must hold a mixture of emotions.
- Do not base decisions about people on it. Inferring emotions of people at work or in education is
  prohibited in the European Union, except for medical and safety reasons (Regulation 2024/1689,
  Article 5(1)(f)), and restricted in other ways elsewhere.
"""
PERFORMANCE = """## Performance on new speakers

EmoDB-LOSO: the same system was trained ten times, each time without the speaker it was tested on;
{seeds}. The model in this file was trained on all ten speakers, so it cannot be evaluated on EmoDB
itself. Settings were chosen on inner folds of training speakers, who are tested in other folds,
and some of them again after scores of this protocol had been seen. Chance is 14.3 % UAR (balanced
accuracy).

| clean recordings | in % |
|---|---|
| UAR | {uar} |
| accuracy | {accuracy} |
{by_class}| women, UAR | {women} |
| men, UAR | {men} |
| worst speaker, UAR | {worst} |

Conditions that were not in training: white and pink noise, the sounds of ESC-10's folds 4 and 5 and
babble of speakers of another corpus at four ratios, simulated rooms, a GSM telephone, and AAC at
16 kbit/s.

| UAR in % | 20 dB | 10 dB | 5 dB | 0 dB |
|---|---|---|---|---|
{by_noise}
| UAR in % | |
|---|---|
{by_channel}

"""
LICENSES = {
    "emodb-whisper": "BSD-3-Clause, like the package; the encoder is OpenAI's, MIT.",
    "emodb-functionals": "BSD-3-Clause, like the package.",
    "emodb-afcn": "BSD-3-Clause, like the package.",
}


def card(name, model):
    """Return the card of a model in Markdown.

    Parameters
    ----------
    name : str
        Name of the model.
    model : estimator
        The fitted model.

    Returns
    -------
    str
    """
    return CARD.format(
        name=name,
        description=DESCRIPTIONS[name],
        license=LICENSES[name],
        classes=", ".join(model.classes_),
        n=len(load(TASK)[0].target),
        performance=on_new_speakers(name, model.classes_.tolist()),
        foreign=on_other_corpora(name),
        rejection=on_rejection(name),
    )


def on_new_speakers(name, classes):
    """Return the section on leave-one-speaker-out, which says so if it was not measured."""
    path = RESULTS / f"conditions_{TASK}_{SYSTEMS[name]}-in-conditions.json"
    if not path.exists():
        return "## Performance on new speakers\n\nIt was not measured for this version.\n\n"
    found = figures(json.loads(path.read_text()))
    n_seeds = len(found["uar"])
    shown = {key: in_percent(found[key]) for key in ("uar", "accuracy", "women", "men", "worst")}
    by_condition = {key: in_percent(values) for key, values in found["conditions"].items()}
    noises = dict.fromkeys(key.split()[0] for key in by_condition if key.endswith(" dB"))
    return PERFORMANCE.format(
        seeds="one seed" if n_seeds == 1 else f"mean ± standard deviation over {n_seeds} seeds",
        by_class="".join(
            f"| {label} | {in_percent([recalls[label] for recalls in found['classes']])} |\n"
            for label in classes
        ),
        by_noise="".join(
            f"| {noise} | {' | '.join(by_condition[f'{noise} {r} dB'] for r in (20, 10, 5, 0))} |\n"
            for noise in noises
        ),
        by_channel="".join(
            f"| {key} | {by_condition[key]} |\n" for key in ("room", "telephone", "codec")
        ),
        **shown,
    )


def in_percent(values):
    """Format the mean over seeds in percent, with the standard deviation if there are several."""
    text = f"{100 * np.mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ± {100 * np.std(values, ddof=1):.1f}"


def figures(result):
    """Return the figures in a result of conditions.py, as lists with one value per seed."""
    corpus, folds = load(TASK)
    true = tested(corpus, folds)
    speakers = corpus.speakers.astype(str)
    rows = np.concatenate([np.flatnonzero(np.isin(speakers, held_out)) for held_out in folds])
    speakers, sexes = speakers[rows], corpus.frame["sex"].to_numpy(str)[rows]
    found = {name: [] for name in ("uar", "accuracy", "women", "men", "worst", "classes")}
    conditions = {name: [] for name in result["conditions"]}
    for seed in sorted({fit["seed"] for fit in result["fits"]}):
        fits = [fit["predicted"] for fit in result["fits"] if fit["seed"] == seed]
        for condition, values in conditions.items():
            digits = "".join(predicted[condition] for predicted in fits)
            predicted = np.array(result["classes"])[np.array(list(digits), int)]
            values.append(unweighted_average_recall(true, predicted))
            if condition != "clean":
                continue
            by_sex = group_recalls(true, predicted, sexes)["uar"]
            found["uar"].append(values[-1])
            found["accuracy"].append(accuracy_score(true, predicted))
            found["women"].append(by_sex["female"])
            found["men"].append(by_sex["male"])
            found["worst"].append(group_recalls(true, predicted, speakers)["uar"].min())
            found["classes"].append(recall_per_class(true, predicted))
    return found | {"conditions": conditions}


def on_other_corpora(name):
    """Return the section on corpora that are not in training; none if it was not measured."""
    lines = [
        f"| {CORPORA[entry['corpus']]}, {entry['n_labels']} labels | {100 / entry['n_labels']:.1f} "
        f"| {100 * entry['inductive']:.1f} | {100 * entry['adapted to 20']:.1f} "
        f"| {100 * entry['adapted to all']:.1f} |\n"
        for entry in evaluation(name).get("other_corpora", ())
    ]
    if not lines:
        return ""
    return (
        "## Performance on other corpora\n\n"
        "UAR among the labels that EmoDB and the other corpus have, as the model is, and adapted\n"
        "without labels to 20 recordings of the other corpus or to all of them. Recordings that\n"
        "the model would refuse count too.\n\n"
        "| UAR in % | chance | as it is | 20 recordings | all recordings |\n"
        "|---|---|---|---|---|\n" + "".join(lines) + "\n"
    )


def on_rejection(name):
    """Return the section on recordings without speech; none if it was not measured."""
    lines = [
        f"| {entry['kind']} | {entry['n']} | {100 * entry['no speech']:.1f} |\n"
        for entry in evaluation(name).get("without_speech", ())
    ]
    if not lines:
        return ""
    return (
        "## Recordings without speech\n\n"
        "ESC-10 are everyday sounds, of folds that were not in training.\n\n"
        "| recordings | number | refused as no speech, in % |\n|---|---|---|\n"
        + "".join(lines)
        + "\n"
    )


def evaluation(name):
    """Return the results of shipped_evaluation.py; empty if there are none."""
    path = RESULTS / f"shipped_{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}
