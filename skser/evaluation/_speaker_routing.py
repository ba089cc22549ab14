"""Fits in which every part of a model gets the speakers and shares of votes that it needs."""

import re
import warnings

from sklearn import config_context, get_config
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skser.compose import consumed_metadata, group_keywords, soft_target_keywords

_UNGROUPED = "early_stopping without groups"
_SHARES_OUT_OF_REACH = (
    "A part of {} takes soft_targets but cannot be given the shares of votes. Put it where they "
    "reach it: at the end of a Pipeline, or in an estimator that supports scikit-learn's metadata "
    "routing. To train it on the emotions alone, enable metadata routing and call its "
    "set_fit_request(soft_targets=False). ({})"
)


def fit_with_speakers(model, X, y, groups, soft_targets=None):
    """Fit a model, and pass the speakers to its searches, splitters and early stopping.

    Pipelines, searches and the estimators of `skser.compose` pass groups on themselves. For votes,
    stacks and other estimators around estimators, scikit-learn's metadata routing is enabled
    during the fit. The same holds for soft targets.

    Parameters
    ----------
    model : estimator
        Unfitted model, which is fitted in place. Requests for metadata that are not set are set,
        and under metadata routing the default score of a search is set by name.
    X : array-like of n_utterances
        Utterances in a form that the model takes.
    y : ndarray of shape (n_utterances,)
        Targets.
    groups : ndarray of shape (n_utterances,) or (n_utterances, 2)
        Speakers, or speakers and sentences.
    soft_targets : ndarray of shape (n_utterances, n_classes) or None, default=None
        Shares of the classes, for every part of the model that takes them. Others are fitted to
        `y` alone.

    Returns
    -------
    estimator
        The same model.

    Raises
    ------
    ValueError
        If a part of the model stops early and cannot be given the speakers, or takes soft targets
        and cannot be given them.
    """
    routing = get_config()["enable_metadata_routing"] or _has_parts_out_of_reach(model)
    if soft_targets is not None:
        routing = routing or _learns_shares_out_of_reach(model)
    with config_context(enable_metadata_routing=routing), warnings.catch_warnings():
        # A validation set that shares speakers with the training set stops too late.
        warnings.filterwarnings("error", message=_UNGROUPED)
        # A search scored by recall averages over the classes in its inner fold, as it should.
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        keywords = _routed(model, groups) if routing else group_keywords(model, groups)
        if routing:
            _name_default_scores(model)
        if soft_targets is not None:
            keywords |= (_routed_shares if routing else soft_target_keywords)(model, soft_targets)
        try:
            return model.fit(X, y, **keywords)
        except (UserWarning, TypeError, ValueError) as error:
            # Some estimators, such as a stack with its final estimator, pass metadata on to parts
            # whose fit does not take them. A search reports that as a ValueError.
            if re.search(r"unexpected keyword argument 'soft_targets'", str(error)):
                raise ValueError(
                    _SHARES_OUT_OF_REACH.format(type(model).__name__, error)
                ) from error
            if not re.search(f"{_UNGROUPED}|argument '(groups|speakers)'", str(error)):
                raise
            raise ValueError(
                f"A part of {type(model).__name__} has early_stopping=True but cannot be given "
                "the speakers, so its validation set would share speakers with its training set. "
                "Set early_stopping=False, or put the part where groups reach it: at the end of a "
                "Pipeline, or in an estimator that supports scikit-learn's metadata routing. "
                f"({error})"
            ) from error


def _routed_shares(model, soft_targets):
    """Request soft targets for every `fit` that takes them; return the metadata to route.

    Raises
    ------
    ValueError
        If the request of a part does not reach the model, so that it would be trained without.
    """
    asking, names = [], ["soft_targets"]
    for part in [model, *model.get_params().values()]:
        request = getattr(part, "_get_metadata_request", None)
        if request is None or not hasattr(part, "set_fit_request"):
            continue
        requested = request().fit.requests.get("soft_targets", False)
        # Requests that the caller has set are left alone. Some are for another name.
        if isinstance(requested, str) and requested.isidentifier():
            names.append(requested)
        elif requested is None and not _is_fitted(part):
            asking.append(part)
    # Under a name of its own, it shows whether the request of each part arrives at the model.
    own = [f"soft_targets_{i}" for i in range(len(asking))]
    for part, name in zip(asking, own, strict=True):
        part.set_fit_request(soft_targets=name)
    arrived = consumed_metadata(model, own)
    for part, name in zip(asking, own, strict=True):
        if name not in arrived:
            raise ValueError(
                _SHARES_OUT_OF_REACH.format(
                    type(model).__name__, f"The part is {type(part).__name__}."
                )
            )
        part.set_fit_request(soft_targets=True)
    return dict.fromkeys(consumed_metadata(model, names), soft_targets)


def _learns_shares_out_of_reach(model):
    """Return True if a part takes soft targets where `soft_target_keywords` does not pass them."""
    end = model
    while True:
        if isinstance(end, Pipeline):
            end = end.steps[-1][1]
        elif getattr(end, "estimator", None) is not None and (
            isinstance(end, BaseSearchCV) or has_fit_parameter(end, "soft_targets")
        ):
            end = end.estimator
        else:
            break
    return any(
        part is not end
        and not isinstance(part, type)
        and hasattr(part, "fit")
        and has_fit_parameter(part, "soft_targets")
        and getattr(part, "estimator", None) is None
        and not _is_fitted(part)
        for part in model.get_params().values()
    )


def _is_fitted(part):
    """Return True for parts of an unfitted model that are fitted, such as a source of weights."""
    try:
        check_is_fitted(part)
    except NotFittedError:
        return False
    return True


def _name_default_scores(model):
    """Set the scoring of searches without one to what the `score` of their estimator computes.

    Under metadata routing, scikit-learn calls the `score` of a Pipeline that ends in a vote with
    sample weights, which it refuses, so that all scores would be NaN.
    """
    for part in [model, *model.get_params().values()]:
        if isinstance(part, BaseSearchCV) and part.scoring is None:
            last = part.estimator
            while isinstance(last, Pipeline):
                last = last.steps[-1][1]
            for mixin, name in ((ClassifierMixin, "accuracy"), (RegressorMixin, "r2")):
                if getattr(type(last), "score", None) is mixin.score:
                    part.set_params(scoring=name)


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
        needs_groups(part) and id(part) not in reached
        for part in model.get_params().values()
        if part is not None
    )


def needs_groups(part):
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
    consumed = consumed_metadata(model, ["groups", name])
    return {key: value for key, value in (("groups", groups), (name, speakers)) if key in consumed}
