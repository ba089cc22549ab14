"""Metrics within groups of utterances, such as those of a speaker, a sex or an age."""

import pandas as pd

from skser.metrics._validation import check_attribute, check_labels


def group_recalls(y_true, y_pred, groups):
    """Compute the UAR and the recall of each class within each group of utterances.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.
    groups : array-like of shape (n_utterances,)
        Group of each utterance: sex, age group, speaker or another attribute.

    Returns
    -------
    DataFrame
        One row per group: ``n``, the number of utterances; ``uar`` over the classes that occur in
        the group; ``recall_anger`` and so on, which are NaN for classes that do not.

    Examples
    --------
    >>> from skser.metrics import group_recalls
    >>> y_true = ["anger", "fear", "anger", "fear"]
    >>> y_pred = ["anger", "fear", "anger", "anger"]
    >>> speakers = ["03", "03", "08", "08"]
    >>> group_recalls(y_true, y_pred, speakers)["uar"].to_dict()
    {'03': 1.0, '08': 0.5}
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    groups = check_attribute(groups, y_true, "groups")
    right = pd.Series((y_true == y_pred).astype(float))
    recalls = right.groupby([groups, y_true]).mean().unstack()
    recalls.index.name = recalls.columns.name = None
    counts = pd.Series(groups).value_counts().reindex(recalls.index)
    # The prefix keeps a class named "n" or "uar" apart from the columns of those names.
    summary = pd.DataFrame({"n": counts, "uar": recalls.mean(axis=1)})
    return summary.join(recalls.add_prefix("recall_"))


def worst_group(y_true, y_pred, groups):
    """Find the group, such as the speaker, with the lowest UAR.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.
    groups : array-like of shape (n_utterances,)
        Group of each utterance.

    Returns
    -------
    group : object
        Group with the lowest UAR, the first of several.
    uar : float
        Its UAR over the classes that occur in the group.

    Examples
    --------
    >>> from skser.metrics import worst_group
    >>> y_true = ["anger", "fear", "anger", "fear"]
    >>> y_pred = ["anger", "fear", "anger", "anger"]
    >>> speakers = ["03", "03", "08", "08"]
    >>> worst_group(y_true, y_pred, speakers)
    ('08', 0.5)
    """
    recalls = group_recalls(y_true, y_pred, groups)["uar"]
    worst = recalls.idxmin()
    return worst, float(recalls[worst])
