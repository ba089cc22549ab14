"""Scores within groups of utterances: of a speaker, a sex, an age."""

import pandas as pd

from skser.metrics._validation import check_attribute, check_labels


def group_recalls(y_true, y_pred, groups):
    """UAR and the recall of each class, within each group of utterances.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)
        Sex, age group, speaker, or another attribute.

    Returns
    -------
    DataFrame
        A row per group: ``n``, ``uar`` over the classes that the group has, and
        ``recall_anger`` and so on, NaN where the group has no utterance of the class.
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    groups = check_attribute(groups, y_true, "groups")
    right = pd.Series((y_true == y_pred).astype(float))
    recalls = right.groupby([groups, y_true]).mean().unstack()
    recalls.index.name = recalls.columns.name = None
    counts = pd.Series(groups).value_counts().reindex(recalls.index)
    summary = pd.DataFrame({"n": counts, "uar": recalls.mean(axis=1)})
    return summary.join(recalls.add_prefix("recall_"))


def worst_group(y_true, y_pred, groups):
    """The group, such as the speaker, for whom a model works worst.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    groups : array-like of shape (n_utterances,)

    Returns
    -------
    group : object
    uar : float
        Over the classes that the group has.
    """
    recalls = group_recalls(y_true, y_pred, groups)["uar"]
    worst = recalls.idxmin()
    return worst, float(recalls[worst])
