"""Adaptation of fitted models to recordings without labels."""

import copy
from functools import partial
from numbers import Real

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, SelectFromModel, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import _num_samples, check_is_fitted

from skser._base import validate_sequences
from skser.compose._adapted_statistics import replace_statistics, set_statistics, statistics_of
from skser.compose._augmented_base import BaseAugmented
from skser.compose._segmented_base import BaseSegmented
from skser.preprocessing import SpeakerScaler

# Ensembles whose members all receive the X of the ensemble.
_SAME_X = (
    AdaBoostClassifier,
    AdaBoostRegressor,
    MultiOutputClassifier,
    MultiOutputRegressor,
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
# Attribute of the only inner estimator, which receives the X of the outer one.
_INNER = {
    BaseSearchCV: "best_estimator_",
    FrozenEstimator: "estimator",
    SpeakerScaler: "transformer_",
    TransformedTargetRegressor: "regressor_",
}


@validate_params(
    {
        "model": [HasMethods(["fit"])],
        "recordings": "no_validation",
        "prior_weight": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def adapt(model, recordings, *, prior_weight=4.0):
    """Return a copy of a fitted model, adapted to recordings of a new setting without labels.

    Models fail in a new setting, such as another microphone or language, mostly because the
    features have other means and spreads there. In the copy, the fitted statistics of all scalers
    and of the normalization layers of networks are moved towards those of the recordings. All
    other weights stay the same.

    Parameters
    ----------
    model : fitted estimator
        Classifier, regressor or transformer: a Pipeline, or any nesting of pipelines, unions,
        votes, stacks, searches, calibrated classifiers and the meta-estimators of this package.
    recordings : any input that `model` takes
        Utterances of the new setting. They should be about as varied in emotion as those of the
        training set; see Notes.
    prior_weight : float, default=4.0
        Weight of the training set's statistics, as a number of recordings. Those of n recordings
        have the share (n − 1) / (n − 1 + `prior_weight`). With 0, they replace the training
        set's as soon as there are two recordings.

    Returns
    -------
    estimator
        Adapted copy. Adapting it again moves it further, from where it is.

    Raises
    ------
    NotFittedError
        If `model` is not fitted.
    TypeError
        If a meta-estimator of an unknown type contains statistics.
    ValueError
        If the model has no statistics to adapt, or there are no recordings.

    See Also
    --------
    AdaptedClassifier : Adaptation to each speaker or setting of a table while predicting.

    Notes
    -----
    The statistics are those of `StandardScaler`, `SequenceScaler`, `MinMaxScaler`, `MaxAbsScaler`,
    `RobustScaler`, `PowerTransformer` (without the exponents), `QuantileTransformer` and batch
    normalization. Each statistic of the copy lies between that of the training set and that of a
    model that has only the recordings' statistics; quantiles are interpolated in the same way.
    Columns that are constant among the recordings keep their spread.

    The share counts recordings rather than frames, because frames of one recording have the same
    speaker and emotion. A single recording changes nothing: its difference from the training set
    may be its setting or its emotion. The default of `prior_weight` is the smallest power of two
    that lowered the score on unheard speakers of EmoDB by no more than a tenth of a point, whatever
    the number of recordings.

    Statistics of recordings of a single emotion make that emotion the average, so that other
    emotions take its place. :doc:`/adaptation` shows how much this costs.

    References
    ----------
    Li, Y., Wang, N., Shi, J., Liu, J. and Hou, X. (2017). Revisiting Batch Normalization for
    Practical Domain Adaptation. ICLR workshop.

    Schneider, S. et al. (2020). Improving Robustness against Common Corruptions by Covariate Shift
    Adaptation. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.compose import adapt
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["calm", "angry"], 50)
    >>> X = rng.standard_normal((100, 3)) + 2 * (y == "angry")[:, None]
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> elsewhere = 5 + 2 * X
    >>> model.score(elsewhere, y)
    0.5
    >>> adapt(model, elsewhere[:20]).score(elsewhere, y)
    0.89
    """
    check_is_fitted(model)
    n_recordings = _num_samples(recordings)
    if n_recordings == 0:
        raise ValueError("recordings is empty: give at least 2 recordings of the new setting.")
    if not contains(model, statistics_of):
        raise ValueError(
            f"{type(model).__name__} has nothing to adapt: it contains no fitted scaler and no "
            "batch normalization. Train a Pipeline with a scaler, such as StandardScaler for "
            "vectors or SequenceScaler for frame sequences, before its last step."
        )
    adapted = copy.deepcopy(model)
    if n_recordings == 1:
        return adapted
    share = (n_recordings - 1) / (n_recordings - 1 + prior_weight)
    replaced = []

    def replace(part, X):
        if any(part is other for other, _ in replaced):  # a scaler that two models share
            return
        replaced.append((part, statistics_of(part)))
        replace_statistics(part, X)

    visit(adapted, recordings, statistics_of, replace)
    for part, before in replaced:
        now = statistics_of(part)
        mixed = {name: before[name] + share * (now[name] - before[name]) for name in before}
        set_statistics(part, mixed)
    return adapted


def first_with_statistics(pipeline):
    """Return the number of steps before the first one with statistics.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted pipeline.

    Returns
    -------
    int
        Number of steps that adaptation does not change.
    """
    found = [contains(step, statistics_of) for _, step in pipeline.steps]
    return found.index(True) if True in found else len(found)


def visit(part, X, is_wanted, act):
    """Call a function on every wanted estimator in a fitted model, with the input it receives.

    Inputs are computed while the model is visited, so they follow changes that `act` makes.

    Parameters
    ----------
    part : estimator
        Fitted model.
    X : any input that `part` takes
        Input of the model.
    is_wanted : callable
        Function of an estimator; what is inside a wanted one is not visited.
    act : callable
        Function of a wanted estimator and its input.
    """
    if is_wanted(part):
        act(part, X)
    elif isinstance(part, Pipeline):
        steps = [step for _, step in part.steps if step not in (None, "passthrough")]
        wanted = [contains(step, is_wanted) for step in steps]
        n_visited = max((i + 1 for i, found in enumerate(wanted) if found), default=0)
        for i, step in enumerate(steps[:n_visited]):
            visit(step, X, is_wanted, act)
            if i + 1 < n_visited:
                X = step.transform(X)
    else:
        for inner, rows_of in _inner(part):
            if contains(inner, is_wanted):
                visit(inner, rows_of(X), is_wanted, act)


def contains(part, is_wanted):
    """Return whether a part is wanted, or anything inside it.

    Parameters
    ----------
    part : object
        Estimator, fitted or not, or a placeholder of one.
    is_wanted : callable
        Function of an estimator.

    Returns
    -------
    bool
    """
    return bool(is_wanted(part)) or any(contains(inner, is_wanted) for inner, _ in _inner(part))


def _inner(part):
    """Return the fitted estimators inside a part, each with a function of X to its own input."""
    if isinstance(part, Pipeline):
        return [(step, _same) for _, step in part.steps if not isinstance(step, str)]
    if isinstance(part, FeatureUnion):
        return [(inner, _same) for _, inner in part.transformer_list if not isinstance(inner, str)]
    if isinstance(part, ColumnTransformer):
        places = getattr(part, "_transformer_to_input_indices", {})
        return [
            (inner, partial(_columns, places[name], isinstance(given, str | int)))
            for name, inner, given in getattr(part, "transformers_", ())
            if not isinstance(inner, str)
        ]
    if isinstance(part, BaggingClassifier | BaggingRegressor):
        members = zip(
            getattr(part, "estimators_", ()), getattr(part, "estimators_features_", ()), strict=True
        )
        return [(inner, partial(_columns, columns, False)) for inner, columns in members]
    if isinstance(part, CalibratedClassifierCV):
        return [(each.estimator, _same) for each in getattr(part, "calibrated_classifiers_", ())]
    if isinstance(part, _SAME_X):
        inner = [(each, _same) for each in getattr(part, "estimators_", ())]
        if hasattr(part, "final_estimator_"):
            inner.append((part.final_estimator_, part.transform))
        return inner
    if isinstance(part, SelectFromModel | SequentialFeatureSelector):
        return []  # they transform by a mask, and do not use their estimator
    if hasattr(part, "adapted_"):  # of an AdaptedClassifier, which predicts with it
        return [(part.adapted_, _same)]
    attribute = next((name for cls, name in _INNER.items() if isinstance(part, cls)), "estimator_")
    inner = getattr(part, attribute, None)
    if inner is None:
        _refuse_unknown(part)
        return []
    if isinstance(part, BaseAugmented):
        return [(inner, part._plain)]
    if isinstance(part, BaseSegmented):
        return [(inner, partial(_windows, part))]
    return [(inner, part.transform if isinstance(part, RFE) else _same)]


def _refuse_unknown(part):
    """Raise if a part of an unknown type keeps fitted estimators with statistics."""
    if not isinstance(part, BaseEstimator):
        return
    parameters = part.get_params(deep=False)
    for name, value in vars(part).items():
        values = value if isinstance(value, list | tuple) else [value]
        for inner in values:
            if (
                name not in parameters
                and isinstance(inner, BaseEstimator)
                and contains(inner, statistics_of)
            ):
                raise TypeError(
                    f"{type(part).__name__} contains a fitted {type(inner).__name__} in {name}, "
                    "and adapt does not know which input it receives. Move the scaler into a "
                    f"Pipeline before the {type(part).__name__}."
                )


def _same(X):
    return X


def _windows(segmented, X):
    windows, _ = segmented._windows(validate_sequences(segmented, X, reset=False))
    return segmented._as_given(windows)


def _columns(columns, is_one, X):
    """Return columns of X; one that was given by its name alone is one-dimensional."""
    table = _safe_indexing(X, columns, axis=1)
    if not is_one:
        return table
    return table.iloc[:, 0] if hasattr(table, "iloc") else table[:, 0]
