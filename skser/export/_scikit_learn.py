"""Transformers, linear models and calibrations of scikit-learn as ONNX operators."""

from dataclasses import replace

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
)
from sklearn.preprocessing import MaxAbsScaler, QuantileTransformer, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.validation import check_is_fitted

from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.export._features import Frames
from skser.preprocessing import SequenceScaler

# With more, ranks would take more values per column than `check_graph` allows.
_MOST_QUANTILES = 16
TRANSFORMERS = (
    MaxAbsScaler, PCA, QuantileTransformer, RobustScaler, SequenceScaler, StandardScaler,
)  # fmt: skip
PROBABILISTIC = (
    LinearDiscriminantAnalysis, LogisticRegression, LogisticRegressionCV, WideDiscriminantAnalysis,
)  # fmt: skip
DECIDING = (LinearSVC, RidgeClassifier, RidgeClassifierCV)
REGRESSORS = (
    BayesianRidge, ElasticNet, HuberRegressor, Lasso, LinearRegression, LinearSVR, Ridge, RidgeCV,
)  # fmt: skip


# Methods by which a subclass computes something else than its parent.
_COMPUTING = {"transform", "predict", "predict_proba", "predict_log_proba", "decision_function"}


def computes_as(model, kinds):
    """Return whether a model is of one of some classes, or of a subclass that computes the same."""
    for cls in type(model).__mro__:
        if cls in kinds:
            return True
        if not _COMPUTING.isdisjoint(vars(cls)):
            return False
    return False


def has_operators(step):
    """Return whether a fitted transformer of vectors or frames becomes part of the graph."""
    if computes_as(step, (QuantileTransformer,)):
        check_is_fitted(step)
        return step.output_distribution == "uniform" and step.n_quantiles_ <= _MOST_QUANTILES
    return computes_as(step, TRANSFORMERS)


def transformed(step, x):
    """Append a fitted transformer.

    Parameters
    ----------
    step : one of `TRANSFORMERS`
    x : Frames, or Value of shape (batch, n_columns)

    Returns
    -------
    Frames or Value
    """
    check_is_fitted(step)
    if isinstance(step, QuantileTransformer):
        return _ranks(step, x)
    if isinstance(step, PCA):
        x = (x - step.mean_) @ step.components_.T
        least = np.finfo(step.explained_variance_.dtype).eps
        return x / np.maximum(np.sqrt(step.explained_variance_), least) if step.whiten else x
    step = getattr(step, "_scaler", step)  # has a mean even if it is not subtracted
    means = {"with_mean": "mean_", "with_centering": "center_"}
    mean = [getattr(step, name) for flag, name in means.items() if getattr(step, flag, False)]
    scaled = getattr(step, "with_std", True) and getattr(step, "with_scaling", True)
    if not isinstance(x, Frames):
        for values in mean:
            x = x - values
        x = x / step.scale_ if scaled else x
        clips = getattr(step, "clip", False)  # of a MaxAbsScaler
        return x.then("Max", -1.0).then("Min", 1.0) if clips else x
    shape, inner = (x.n_channels, 1, x.n_bands), x.x
    for values in mean:
        inner = inner - np.reshape(values, shape)
    inner = inner / np.reshape(step.scale_, shape) if scaled else inner
    return replace(x, x=inner)


def _ranks(step, x):
    """Append the interpolation between the quantiles of each column."""
    quantiles = step.quantiles_.astype(np.float32)
    first, last = quantiles[0], quantiles[-1]
    rise = np.diff(step.references_)[:, None]
    width = np.diff(quantiles.astype(np.float64), axis=0)
    # Where quantiles are equal, a value is below, at, or above all of them. At an inner tie it
    # has the mean of their ranks, at the lowest quantile rank 0, and at the highest rank 1.
    tied = width == 0
    at = np.where(quantiles[1:] == last, 1.0, 0.5) * (quantiles[1:] != first) * tied * rise
    lowest = quantiles[:-1]
    places = x.unsqueeze(1)
    part = (places - lowest) / np.where(tied, 1, width)
    part = part.then("Max", 0.0).then("Min", 1.0) * np.where(tied, 0, rise)
    if tied.any():
        above = x.graph.add("Less", lowest, places).as_float()
        equal = places.then("Equal", lowest).as_float()
        part = part + above * np.where(tied, rise, 0) + equal * at
    return part.sum(1, keepdims=0)


def decision(model, x):
    """Append a linear model: its decisions or predictions (batch, 1), or one per class."""
    return x @ np.atleast_2d(model.coef_).T + np.atleast_1d(model.intercept_)


def probabilities(model, x):
    """Append a linear classifier, and what turns its decisions into probabilities."""
    scores = decision(model, x)
    if len(model.classes_) == 2:
        return two_sided(scores.then("Sigmoid"))
    # Versions before 1.8 allow one model per class.
    if getattr(model, "solver", "") == "liblinear" or getattr(model, "multi_class", "") == "ovr":
        return _shares_of_sigmoids(scores)
    return scores.then("Softmax", axis=1)


def two_sided(positive):
    """Return the probabilities of both classes from that of the second, (batch, 1)."""
    return (1.0 - positive).then("Concat", positive, axis=1)


def _shares_of_sigmoids(x):
    """Divide the sigmoid of each column by the sum over columns."""
    # In logarithms, which do not vanish where all sigmoids do.
    logarithms = x.then("Min", 0.0) - ((x.then("Abs") * -1.0).then("Exp") + 1.0).then("Log")
    return logarithms.then("Softmax", axis=1)


def calibrated(part, response, is_decision):
    """Append the calibration of one part of a `CalibratedClassifierCV`.

    Parameters
    ----------
    part : element of ``calibrated_classifiers_``
    response : Value
        Decisions or probabilities (batch, n_classes), or (batch, 1) for two classes.
    is_decision : bool
        Whether they are decisions.

    Returns
    -------
    Value
        Probabilities (batch, n_classes).
    """
    n_classes = len(part.classes)
    if part.method == "temperature":
        logits = response
        if is_decision and n_classes == 2:
            logits = (response * -1.0).then("Concat", response, axis=1)
        elif not is_decision:
            both = two_sided(response) if n_classes == 2 else response
            logits = (both + 1e-12).then("Log")
        return (logits * float(part.calibrators[0].beta_)).then("Softmax", axis=1)
    slopes = np.array([calibrator.a_ for calibrator in part.calibrators])
    logits = response * -slopes - np.array([calibrator.b_ for calibrator in part.calibrators])
    if n_classes == 2:
        return two_sided(logits.then("Sigmoid"))
    return _shares_of_sigmoids(logits)


def is_calibration(model):
    """Return whether a fitted classifier is a calibration with operators here."""
    return isinstance(model, CalibratedClassifierCV) and model.method in ("sigmoid", "temperature")
