"""Sections of a report that say how an evaluation was made."""

import re

import numpy as np
import pandas as pd

from skser._wording import counted
from skser.evaluation._html_page import table
from skser.evaluation._targets import EMOTION, VOTES
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER

_HASH = 12  # characters of a hash that are shown
_OF_TORCH = re.compile(r"Attention\w+\(|Adversarial\w+\(|Embedding\(")


def corpora_of_folds(evaluation, corpus):
    """Return the corpora of the training and the test side of each fold.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
    corpus : SpeechCorpus

    Returns
    -------
    list of (list of str, list of str)
        Names by fold; empty unless `corpus` joins several corpora.
    """
    if "corpus" not in corpus.frame or corpus.frame["corpus"].nunique() < 2:
        return []
    names = corpus.frame["corpus"].astype(str).to_numpy()
    return [tuple(np.unique(names[side]).tolist() for side in fold) for fold in evaluation.folds]


def about_corpora(evaluation, corpus):
    """Return a sentence about the corpora of training and test, if there are several."""
    sides = {tuple(map(tuple, fold)) for fold in corpora_of_folds(evaluation, corpus)}
    if not sides:
        return []
    foreign = all(not set(train) & set(test) for train, test in sides)
    listed = "; ".join(
        f"trained on {' and '.join(train)}, tested on {' and '.join(test)}"
        for train, test in sorted(sides)
    )
    end = ", so every test is on a corpus that the model was not trained on" if foreign else ""
    return [f"Corpora: {listed}{end}."]


def methods(evaluation, corpus, score):
    """Return a paragraph that a paper may copy.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
    corpus : SpeechCorpus
    score : str
        Main score with its interval and the level of chance.

    Returns
    -------
    str
    """
    protocol, results = evaluation.protocol, evaluation.fold_results
    predictions = evaluation.predictions
    n_folds, seeds = results["fold"].nunique(), np.unique(results["seed"])
    n_tested = predictions["utterance"].nunique()
    known = predictions["speaker"][predictions["speaker"] != UNKNOWN_SPEAKER]
    apart = "speakers on both sides" if "shared_speakers" in protocol else "disjoint speakers"
    target = evaluation.target
    if target == EMOTION:
        of = f"{len(corpus.target_names)} emotions ({', '.join(corpus.target_names)})"
    elif target == VOTES:
        of = f"shares of the raters' votes for {len(corpus.target_names)} emotions"
    else:
        of = target if isinstance(target, str) else " and ".join(target)
    steps = dict.fromkeys(re.findall(r"\b([A-Z]\w+)\(", protocol["model"]))
    steps.pop("Pipeline", None)
    versions = protocol["versions"]
    unused = {"skser"} if _OF_TORCH.search(protocol["model"]) else {"skser", "torch"}
    listed = ", ".join(f"{name} {versions[name]}" for name in versions if name not in unused)
    environment = protocol.get("environment", {})
    python = f" under Python {environment['python']}" if environment else ""
    runs = "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds ({', '.join(map(str, seeds))})"
    sentences = [
        f"We evaluated {' + '.join(steps) or protocol['model']} on {corpus.name}, predicting {of}.",
        f"{counted(n_tested, 'utterance')} of {counted(known.nunique(), 'speaker')} were tested in "
        f"{counted(n_folds, 'fold')} with {apart} ({protocol['cv']}), trained with {runs} each.",
        *about_corpora(evaluation, corpus),
        score,
        f"We used skser {versions['skser']} with {listed}{python}.",
    ]
    return " ".join(sentences)


def protocol_section(evaluation, corpus, score, name_and_scores):
    """Make the section on the corpus, the model, the splits and the versions.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
    corpus : SpeechCorpus
    score : str
        Sentence for `methods`.
    name_and_scores : (str, Series)
        Heading and values of the main score of each fold, of the first seed.

    Returns
    -------
    dict
    """
    protocol, results = evaluation.protocol, evaluation.fold_results
    seconds = results["predict_seconds"].sum() / results["n_test"].sum()
    seeds = ", ".join(map(str, np.unique(results["seed"])))
    facts = {
        "corpus": protocol["corpus"],
        "license": corpus.license,
        "citation": corpus.citation,
        "target": evaluation.target if isinstance(evaluation.target, str)
        else ", ".join(evaluation.target),
        "splits": protocol["cv"],
        "seeds": seeds,
        "model": protocol["model"],
        **{
            "operating system" if name == "system" else name: value
            for name, value in protocol.get("environment", {}).items()
        },
        **protocol["versions"],
        **{
            f"hash of {name.removesuffix('_hash')}": value[:_HASH]
            for name, value in protocol.items()
            if name.endswith("_hash")
        },
        "fit": f"{results['fit_seconds'].mean():.1f} s per fold",
        "predict": f"{1000 * seconds:.1f} ms per utterance",
    }  # fmt: skip
    first = results[results["seed"] == results["seed"].min()]
    held_out = [", ".join(speakers) for speakers in first["held_out"]]
    folds = pd.DataFrame({"fold": first["fold"], "speakers held out": held_out})
    sides = corpora_of_folds(evaluation, corpus)
    if sides:
        of_fold = [sides[fold] for fold in first["fold"]]
        folds["trained on"] = [", ".join(train) for train, _ in of_fold]
        folds["tested on"] = [", ".join(test) for _, test in of_fold]
    heading, values = name_and_scores
    folds[heading] = values
    return {
        "title": "Protocol",
        "paragraphs": ["Methods, to copy: " + methods(evaluation, corpus, score)],
        "text": "\n".join(f"{name}: {value}" for name, value in facts.items() if value),
        "tables": [table(folds)],
    }
