"""Metadata that an inner estimator is given, of utterances or of several rows for each."""

from sklearn import get_config
from sklearn.model_selection._search import BaseSearchCV
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
    """Keywords that hand the metadata of the rows to the inner `fit`.

    Parameters
    ----------
    owner : estimator
        Has the inner one as ``owner.estimator``.
    rows : ndarray of shape (n_rows,), int
        Utterance of each row.
    groups : array-like of shape (n_utterances,) or None
        None makes every utterance a group of its own, so that an inner split of the rows
        has an utterance on one side. An inner `fit` that takes no groups is given none.
    soft_targets : array-like of shape (n_utterances, n_classes) or None

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If there are `soft_targets` and the inner `fit` takes none.
    """
    metadata = {"groups": rows if groups is None else column_or_1d(groups)[rows]}
    if soft_targets is not None:
        metadata["soft_targets"] = _safe_indexing(soft_targets, rows)
    if (
        groups is None
        and get_config()["enable_metadata_routing"]
        and not get_routing_for_object(owner.estimator).consumes("fit", ["groups"])
    ):
        del metadata["groups"]
    return inner_keywords(owner, metadata)


def inner_keywords(owner, metadata):
    """Keywords that hand metadata to the inner `fit`.

    Parameters
    ----------
    owner : estimator
        Has the inner one as ``owner.estimator``.
    metadata : dict
        "groups" and "soft_targets", as far as given. An inner `fit` that takes no groups is
        given none.

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If there are soft targets and the inner `fit` takes none.
    """
    inner = owner.estimator
    if get_config()["enable_metadata_routing"]:
        return process_routing(owner, "fit", **metadata).estimator.fit
    keywords = {fit_keyword(inner, name): value for name, value in metadata.items()}
    if "soft_targets" in metadata and fit_keyword(inner, "soft_targets") is None:
        raise TypeError(f"fit of {type(inner).__name__} takes no soft_targets.")
    keywords.pop(None, None)
    return keywords


def fit_keyword(estimator, name):
    """Return the name that `fit` has for the metadata `name`; None if it takes none."""
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        keyword = fit_keyword(last, name)
        return keyword and f"{step}__{keyword}"
    if isinstance(estimator, BaseSearchCV):
        # Groups are for a search's own splits; all else goes to the estimator searched over.
        return name if name == "groups" else fit_keyword(estimator.estimator, name)
    return name if has_fit_parameter(estimator, name) else None


def group_keywords(estimator, groups):
    """Keywords that hand groups to an estimator's `fit`, and to that of what it searches over.

    Parameters
    ----------
    estimator : estimator
        Or a Pipeline or search.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speakers, or speakers and sentences. Splits are given all, a `fit` the speakers.

    Returns
    -------
    dict
        Empty if nothing takes groups.
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


def routing_to_inner(owner):
    """Return a router that hands all metadata of `fit` to the inner `fit`."""
    return MetadataRouter(owner=owner).add(
        estimator=owner.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit")
    )
