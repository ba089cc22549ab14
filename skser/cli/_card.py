"""The card that `skser train` writes into a model."""

import datetime

import numpy as np
import pandas as pd

import skser
from skser._wording import counted


def training_card(system, name, y, speakers, targets, n_copies, settings):
    """Describe in Markdown what a model was trained on.

    Parameters
    ----------
    system : str
        Name of the system.
    name : str
        Name of the table, folder or corpus.
    y : ndarray of shape (n_utterances,) or (n_utterances, n_targets)
        Emotions, or ratings of the targets.
    speakers : ndarray of shape (n_utterances,), object
        Speaker of each utterance, missing if unknown.
    targets : list of str or None
        Names of the targets; None means the emotion.
    n_copies : int
        Number of altered copies of each utterance that it was trained on, too.
    settings : dict of str to object
        Options of the command, by name. Those that are None are left out.

    Returns
    -------
    str
    """
    n_known = pd.Series(speakers, dtype=object).nunique()
    of_speakers = f"of {counted(n_known, 'speaker')}" if n_known else "of unknown speakers"
    copies = (
        f" and {counted(n_copies, 'altered copy', 'altered copies')} of each" if n_copies else ""
    )
    options = "".join(f", {key} {value}" for key, value in settings.items() if value is not None)
    lines = [
        "## Training",
        "",
        f"The system {system}{options}, trained on {counted(len(y), 'utterance')} "
        f"{of_speakers} in {name}{copies}, on {datetime.date.today()} with skser "
        f"{skser.__version__}.",
        "",
        *(_ratings(y, targets) if targets else _counts(y)),
        "",
        "No utterance was held out, so nothing is known about its accuracy on other speakers.",
        "`skser evaluate` measures that of the same system.",
    ]
    return "\n".join(lines)


def _counts(y):
    """Return the lines of a table of the utterances of each emotion."""
    labels, counts = np.unique(y, return_counts=True)
    rows = [f"| {label} | {count} |" for label, count in zip(labels, counts, strict=True)]
    return ["| emotion | utterances |", "|---|---|", *rows]


def _ratings(y, targets):
    """Return the lines of a table of the ratings of each target."""
    lines = ["| rating | mean | standard deviation | range |", "|---|---|---|---|"]
    for name, given in zip(targets, y.reshape(len(y), -1).T, strict=True):
        extent = f"{given.min():g} to {given.max():g}"
        lines.append(f"| {name} | {given.mean():.3g} | {given.std():.3g} | {extent} |")
    return lines
