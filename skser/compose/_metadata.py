"""Metadata passed to an inner estimator, for utterances or for several rows per utterance."""

import warnings

import numpy as np
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter


def metadata_of_rows(owner, rows, groups, soft_targets):
    """Return the keyword arguments that pass metadata of the rows to the inner `fit`.

    Parameters
    ----------
    owner : estimator
        Meta-estimator that holds the inner estimator as ``owner.estimator``.
    rows : ndarray of shape (n_rows,), int
        Position of each row's utterance.
    groups : array-like of shape (n_utterances,) or None
        Group of each utterance. With None, every utterance is its own group, so that an inner
        split never separates the rows of an utterance. The keyword is left out if the inner
        `fit` takes no groups.
    soft_targets : array-like of shape (n_utterances, n_classes) or None
        Shares of the classes in each utterance.

    Returns
    -------
    dict
        Keyword arguments of the inner `fit`.

    Raises
    ------
    TypeError
        If `soft_targets` are given but the inner `fit` does not take them.
    """
    metadata = {"groups": rows if groups is None else column_or_1d(groups)[rows]}
    if soft_targets is not None:
        metadata["soft_targets"] = _safe_indexing(soft_targets, rows)
    if (
        # Under routing, scikit-learn raises for metadata that the inner `fit` does not request.
        groups is None
        and get_config()["enable_metadata_routing"]
        and not get_routing_for_object(owner.estimator).consumes("fit", ["groups"])
    ):
        del metadata["groups"]
    keywords = inner_keywords(owner, metadata)
    if groups is None and "groups" in metadata:
        _warn_of_early_stopping(owner)
    if len(np.unique(rows)) < len(rows):
        _warn_of_splits(owner, keywords)
    return keywords


def _warn_of_early_stopping(owner):
    """Warn, in place of the parts that stop early, that the groups are utterances, not speakers."""
    for part in (owner.estimator, *owner.estimator.get_params().values()):
        if isinstance(part, FrozenEstimator | type) or not getattr(part, "early_stopping", False):
            continue
        if has_fit_parameter(part, "groups"):
            warnings.warn(
                "early_stopping without groups may put utterances of one speaker into both "
                f"training and validation; pass the speakers to fit of {type(owner).__name__} as "
                "groups.",
                stacklevel=4,
            )
            return


def _warn_of_splits(owner, keywords):
    """Warn if a part of the inner estimator splits its rows but receives no groups."""
    if get_config()["enable_metadata_routing"] and "groups" in keywords:
        return
    parts = {"": owner.estimator} | owner.estimator.get_params()
    frozen = [part for part in parts.values() if isinstance(part, FrozenEstimator)]
    fixed = {id(part) for part in [*frozen, *(part.estimator for part in frozen)]}
    for name, part in parts.items():
        keyword = f"{name}__groups" if name else "groups"
        if id(part) in fixed:
            continue
        if _ignores_groups(part) if keyword in keywords else _splits_without_groups(part):
            kind = type(part).__name__
            warnings.warn(
                f"{kind} splits its training rows without regard to groups, so that rows of one "
                f"utterance may be on both sides of its split. Put {type(owner).__name__} into "
                f"{kind} instead of the reverse.",
                stacklevel=4,
            )


def _splits_without_groups(part):
    """Return whether the `fit` of a parameter's value splits its rows and takes no groups."""
    if isinstance(part, type) or not hasattr(part, "fit") or not hasattr(part, "get_params"):
        return False
    if has_fit_parameter(part, "groups"):  # such estimators warn of missing groups themselves
        return False
    given = part.get_params(deep=False)
    if isinstance(given.get("estimator"), FrozenEstimator):  # nothing is trained in the split
        return False
    if isinstance(part, ClassifierChain | RegressorChain) and given["cv"] is None:
        return False
    stops_early = given.get("early_stopping") is True or (
        # Gradient boosting has no other switch.
        "early_stopping" not in given
        and "validation_fraction" in given
        and given.get("n_iter_no_change") is not None
    )
    estimates = given.get("oob_score") or given.get("probability") is True
    return given.get("cv", "prefit") != "prefit" or stops_early or bool(estimates)


def _ignores_groups(part):
    """Return whether a parameter's value is a search whose splits do not depend on the groups."""
    if not isinstance(part, BaseSearchCV) or isinstance(part.cv, list | tuple):
        return False
    split = get_routing_for_object(check_cv(part.cv)).consumes("split", ["groups"])
    return "groups" not in split


def inner_keywords(owner, metadata):
    """Return the keyword arguments that pass metadata to the inner `fit`.

    Parameters
    ----------
    owner : estimator
        Meta-estimator that holds the inner estimator as ``owner.estimator``.
    metadata : dict
        Values by name: "groups", "soft_targets", both or neither. Groups are left out if the
        inner `fit` does not take them.

    Returns
    -------
    dict
        Keyword arguments of the inner `fit`.

    Raises
    ------
    TypeError
        If soft targets are given but the inner `fit` does not take them.
    """
    inner = owner.estimator
    if get_config()["enable_metadata_routing"]:
        return process_routing(owner, "fit", **metadata).estimator.fit
    keywords = {fit_keyword(inner, name): value for name, value in metadata.items()}
    if "soft_targets" in metadata and fit_keyword(inner, "soft_targets") is None:
        raise TypeError(
            f"soft_targets were given, but fit of {type(inner).__name__} takes no soft_targets. "
            "Use a classifier that accepts them, such as AttentionFCNClassifier."
        )
    keywords.pop(None, None)
    return keywords


def fit_keyword(estimator, name):
    """Return the keyword of `fit` that takes the metadata `name`, or None if there is none."""
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        keyword = fit_keyword(last, name)
        return keyword and f"{step}__{keyword}"
    if isinstance(estimator, BaseSearchCV):
        # A search needs groups for its own splits; it passes other metadata to its estimator.
        return name if name == "groups" else fit_keyword(estimator.estimator, name)
    return name if has_fit_parameter(estimator, name) else None


def group_keywords(estimator, groups):
    """Return the keyword arguments that pass groups to `fit`, and to a search's inner `fit`.

    Parameters
    ----------
    estimator : estimator
        Estimator, Pipeline or search.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speakers, or speakers and sentences. Splits receive all columns; the `fit` of an
        estimator receives only the speakers.

    Returns
    -------
    dict
        Keyword arguments of ``estimator.fit``. Empty if nothing takes groups.
    """
    if get_config()["enable_metadata_routing"]:
        takes = get_routing_for_object(estimator).consumes("fit", ["groups"])
        return {"groups": groups} if takes else {}
    keyword = fit_keyword(estimator, "groups")
    if keyword is None:
        return {}
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(last, BaseSearchCV):
        return {keyword: groups if groups.ndim == 1 else groups[:, 0]}
    inner = fit_keyword(last.estimator, "groups")
    keywords = {keyword: groups}
    if inner not in (None, "groups"):
        prefix = keyword.removesuffix("groups")
        keywords[prefix + inner] = groups if groups.ndim == 1 else groups[:, 0]
    return keywords


def soft_target_keywords(estimator, soft_targets):
    """Return the keyword argument that passes shares of the classes to `fit`.

    Parameters
    ----------
    estimator : estimator
        Estimator, Pipeline or search.
    soft_targets : ndarray of shape (n_utterances, n_classes)
        Shares of the classes.

    Returns
    -------
    dict
        Keyword arguments of ``estimator.fit``. Empty if it takes no soft targets, or, under
        scikit-learn's metadata routing, does not request them.
    """
    if get_config()["enable_metadata_routing"]:
        return dict.fromkeys(consumed_metadata(estimator, ["soft_targets"]), soft_targets)
    part = estimator
    while part is not None:
        if isinstance(part, Pipeline):
            part = part.steps[-1][1]
            continue
        if not isinstance(part, BaseSearchCV) and not has_fit_parameter(part, "soft_targets"):
            return {}
        # Wrappers take soft targets, but raise if their inner estimator does not.
        part = getattr(part, "estimator", None)
    keyword = fit_keyword(estimator, "soft_targets")
    return {} if keyword is None else {keyword: soft_targets}


def consumed_metadata(estimator, names):
    """Return which metadata an estimator passes on from its `fit`, or takes.

    Parameters
    ----------
    estimator : estimator
    names : list of str
        Names of metadata.

    Returns
    -------
    set of str
        Empty for estimators around estimators that do not support metadata routing.
    """
    try:
        return set(get_routing_for_object(estimator).consumes("fit", names))
    except NotImplementedError:  # scikit-learn's answer for such estimators
        return set()


def routing_to_inner(owner):
    """Return a router that passes all metadata of `fit` to the inner `fit`."""
    return MetadataRouter(owner=owner).add(
        estimator=owner.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit")
    )
