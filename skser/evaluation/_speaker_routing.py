"""Fits in which every part of a model that needs the speakers gets them."""

import re
import warnings

from sklearn import config_context, get_config
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skser.compose import group_keywords, soft_target_keywords

_UNGROUPED = "early_stopping without groups"


def fit_with_speakers(model, X, y, groups, soft_targets=None):
    """Fit a model, and pass the speakers to its searches, splitters and early stopping.

    Pipelines, searches and the estimators of `skser.compose` pass groups on themselves. For votes,
    stacks and other estimators around estimators, scikit-learn's metadata routing is enabled
    during the fit.

    Parameters
    ----------
    model : estimator
        Unfitted model, which is fitted in place. Requests for metadata that are not set are set.
    X : array-like of n_utterances
        Utterances in a form that the model takes.
    y : ndarray of shape (n_utterances,)
        Targets.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speakers, or speakers and sentences.
    soft_targets : ndarray of shape (n_utterances, n_classes) or None, default=None
        Shares of the classes, for a model that takes them. Others are fitted to `y` alone.

    Returns
    -------
    estimator
        The same model.

    Raises
    ------
    ValueError
        If a part of the model stops early and cannot be given the speakers.
    """
    routing = get_config()["enable_metadata_routing"] or _has_parts_out_of_reach(model)
    with config_context(enable_metadata_routing=routing), warnings.catch_warnings():
        # A validation set that shares speakers with the training set stops too late.
        warnings.filterwarnings("error", message=_UNGROUPED)
        # A search scored by recall averages over the classes in its inner fold, as it should.
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        keywords = _routed(model, groups) if routing else group_keywords(model, groups)
        if soft_targets is not None:
            if routing:
                _request_soft_targets(model)
            keywords |= soft_target_keywords(model, soft_targets)
        try:
            return model.fit(X, y, **keywords)
        except (UserWarning, TypeError) as error:
            # Some estimators, such as a stack with its final estimator, pass groups on to parts
            # whose fit does not take them.
            if not re.search(f"{_UNGROUPED}|argument '(groups|speakers)'", str(error)):
                raise
            raise ValueError(
                f"A part of {type(model).__name__} has early_stopping=True but cannot be given "
                "the speakers, so its validation set would share speakers with its training set. "
                "Set early_stopping=False, or put the part where groups reach it: at the end of a "
                "Pipeline, or in an estimator that supports scikit-learn's metadata routing. "
                f"({error})"
            ) from error


def _request_soft_targets(model):
    """Request soft targets for every `fit` that takes them and has no request."""
    for part in [model, *model.get_params().values()]:
        request = getattr(part, "_get_metadata_request", None)
        if request is None or not hasattr(part, "set_fit_request"):
            continue
        if request().fit.requests.get("soft_targets", False) is None:
            part.set_fit_request(soft_targets=True)


def _has_parts_out_of_reach(model):
    """Return True if a part needs groups where `group_keywords` does not pass them."""
    reached, part = set(), model
    while part is not None:
        reached.add(id(part))
        if isinstance(part, Pipeline):
            part = part.steps[-1][1]
        elif isinstance(part, BaseSearchCV):
            reached.add(id(part.cv))
            part = part.estimator
        elif has_fit_parameter(part, "groups"):
            part = getattr(part, "estimator", None)
        else:
            break
    return any(
        _needs_groups(part) and id(part) not in reached
        for part in model.get_params().values()
        if part is not None
    )


def _needs_groups(part):
    """Return True for splitters of groups, and for estimators that stop early by groups."""
    if isinstance(part, type):
        return False
    if hasattr(part, "split") and hasattr(part, "get_metadata_routing"):
        return part.get_metadata_routing().consumes("split", ["groups"]) == {"groups"}
    stops_early = bool(getattr(part, "early_stopping", False))
    return stops_early and has_fit_parameter(part, "groups")


def _routed(model, groups):
    """Request the speakers for every `fit` that takes them; return the metadata to route."""
    speakers, name = groups, "groups"
    if groups.ndim == 2:
        # Splitters get both columns as groups, so fits need another name for the speakers.
        speakers, name = groups[:, 0], "speakers"
    for part in [model, *model.get_params().values()]:
        request = getattr(part, "_get_metadata_request", None)
        if request is None or not hasattr(part, "set_fit_request"):
            continue
        requested = request().fit.requests.get("groups", False)
        # Requests that the caller has set are left alone, unless they are for another array.
        if requested is None or (requested is True and name != "groups"):
            part.set_fit_request(groups=True if name == "groups" else name)
    try:
        consumed = get_routing_for_object(model).consumes("fit", ["groups", name])
    except NotImplementedError:  # an estimator around estimators that passes nothing on
        return {}
    return {key: value for key, value in (("groups", groups), (name, speakers)) if key in consumed}
