"""Fitted statistics of single scalers and networks: reading, measuring and setting them."""

import copy
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import _safe_indexing

from skser.preprocessing import SequenceScaler

_ATTRIBUTES = {
    StandardScaler: ("mean_", "var_"),
    MinMaxScaler: ("data_min_", "data_max_"),
    MaxAbsScaler: ("max_abs_",),
    RobustScaler: ("center_", "scale_"),
    QuantileTransformer: ("quantiles_",),
}


def statistics_of(part):
    """Return the fitted statistics of a scaler or network.

    Parameters
    ----------
    part : object
        Estimator, fitted or not.

    Returns
    -------
    dict of str to ndarray
        Arrays by name. Empty if the part has no such statistics or is not fitted.
    """
    if (inner := _inner_scaler(part)) is not None:
        return statistics_of(inner)
    if _is_network(part):
        from skser.neural_network import normalization_statistics

        return normalization_statistics(part)
    values = {name: getattr(part, name, None) for name in _attributes(part)}
    return {name: np.copy(value) for name, value in values.items() if value is not None}


def set_statistics(part, statistics):
    """Set the fitted statistics of a scaler or network, in place.

    Parameters
    ----------
    part : object
        Fitted estimator.
    statistics : dict of str to ndarray
        Arrays in the form of `statistics_of`.
    """
    if (inner := _inner_scaler(part)) is not None:
        set_statistics(inner, statistics)
        if isinstance(part, SequenceScaler):
            part.mean_, part.scale_ = inner.mean_, inner.scale_
        return
    if _is_network(part):
        from skser.neural_network import set_normalization_statistics

        set_normalization_statistics(part, statistics)
        return
    for name, value in statistics.items():
        setattr(part, name, value)
    # Attributes that scikit-learn's `fit` derives from the statistics.
    if isinstance(part, StandardScaler) and part.with_std:
        part.scale_ = _divisors(np.sqrt(part.var_))
    elif isinstance(part, MinMaxScaler):
        low, high = part.feature_range
        part.data_range_ = part.data_max_ - part.data_min_
        part.scale_ = (high - low) / _divisors(part.data_range_)
        part.min_ = low - part.data_min_ * part.scale_
    elif isinstance(part, MaxAbsScaler):
        part.scale_ = _divisors(part.max_abs_)


def replace_statistics(part, X):
    """Replace the fitted statistics of a scaler or network by those of X, in place.

    Columns that are constant in X keep the spread that they had.

    Parameters
    ----------
    part : object
        Fitted estimator.
    X : any input that `part` takes
        Rows to measure the statistics on.
    """
    if _is_network(part):
        from skser.neural_network import measure_normalization_statistics

        measure_normalization_statistics(part, X)
        return
    part.transform(_safe_indexing(X, [0]))  # raises if X is not as in `fit`
    if isinstance(part, PowerTransformer):
        unscaled = copy.copy(part)
        unscaled.standardize = False
        replace_statistics(part._scaler, unscaled.transform(X))
        return
    with warnings.catch_warnings():
        # There may be fewer rows than quantiles; `_measured` interpolates between them.
        warnings.filterwarnings("ignore", "n_quantiles .* is greater than", UserWarning)
        fresh = clone(part).fit(X)
    scaler, fresh = (_inner_scaler(each) or each for each in (part, fresh))
    set_statistics(part, _measured(scaler, fresh, X))


def _measured(scaler, fresh, X):
    """Return the statistics of `fresh`, but the spread of `scaler` where a column is constant."""
    old, new = statistics_of(scaler), statistics_of(fresh)
    if isinstance(scaler, StandardScaler):
        if "var_" in new:
            constant = _is_constant(np.sqrt(new["var_"]), new.get("mean_", 0.0))
            new["var_"] = np.where(constant, old["var_"], new["var_"])
    elif isinstance(scaler, MinMaxScaler):
        low, high = new["data_min_"], new["data_max_"]
        constant = _is_constant(high - low, high)
        half = np.where(constant, (old["data_max_"] - old["data_min_"]) / 2, 0.0)
        new = {"data_min_": low - half, "data_max_": high + half}
    elif isinstance(scaler, MaxAbsScaler):
        new["max_abs_"] = np.where(new["max_abs_"] == 0, old["max_abs_"], new["max_abs_"])
    elif isinstance(scaler, RobustScaler):
        if "scale_" in new:
            # Where there is no spread, scikit-learn sets the scale to another value.
            low, high = np.nanpercentile(np.asarray(X, np.float64), scaler.quantile_range, axis=0)
            new["scale_"] = np.where(_is_constant(high - low, high), old["scale_"], new["scale_"])
    else:
        places, fresh_places = scaler.references_, fresh.references_
        columns = [np.interp(places, fresh_places, column) for column in new["quantiles_"].T]
        quantiles = np.transpose(columns)
        constant = _is_constant(quantiles[-1] - quantiles[0], quantiles[0])
        shifted = old["quantiles_"] + quantiles[0] - np.median(old["quantiles_"], axis=0)
        new["quantiles_"] = np.where(constant, shifted, quantiles)
    return new


def _inner_scaler(part):
    """Return the fitted `StandardScaler` that holds the statistics of a part, or None."""
    if isinstance(part, SequenceScaler | PowerTransformer):
        return getattr(part, "_scaler", None)
    return None


def _attributes(part):
    return next((names for cls, names in _ATTRIBUTES.items() if isinstance(part, cls)), ())


def _is_network(part):
    """Return whether a part is a fitted network, without importing torch if it is not."""
    if not hasattr(part, "net_"):
        return False
    from skser.neural_network import NeuralEstimator

    return isinstance(part, NeuralEstimator)


def _divisors(spread):
    return np.where(spread == 0, 1.0, spread)


def _is_constant(spread, location):
    """Return where the spread of columns is no more than the rounding of float32 values."""
    return spread <= 10 * np.finfo(np.float32).eps * np.abs(location)
