"""Predictions of a model for windows: probabilities of classes, or numbers."""

import numpy as np

REASON = "reason"  # column of why a model refuses a window


class WindowOutputs:
    """Predictions of windows, with the names of their columns.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Classifier with `predict_proba`, or regressor.
    names : list of str or None
        Name of each number that a regressor predicts.

    Raises
    ------
    TypeError
        If the model is a classifier without `predict_proba`.
    """

    def __init__(self, model, names):
        self.model = model
        self.names = names
        self.is_proba = hasattr(model, "predict_proba")
        has_tags = hasattr(model, "__sklearn_tags__")  # an OnnxModel has none
        if (
            not self.is_proba
            and has_tags
            and model.__sklearn_tags__().estimator_type == "classifier"
        ):
            raise TypeError(
                f"{type(model).__name__} is not a model implementing 'predict_proba'. Calibrate it "
                "with sklearn.calibration.CalibratedClassifierCV, or enable its probabilities."
            )

    def rows(self, windows):
        """Return a dict for each window: what is predicted, and why it is refused, if it can be."""
        reasons = None
        if hasattr(self.model, "judge"):
            found = self.model.judge(windows)
            values, reasons = found["probabilities"], found["reasons"]
        elif self.is_proba:
            values = self.model.predict_proba(windows)
        else:
            values = np.asarray(self.model.predict(windows), np.float64).reshape(len(windows), -1)
        columns = self._columns(values.shape[1])
        rows = [dict(zip(columns, row, strict=True)) for row in values.tolist()]
        if reasons is not None:
            rows = [row | {REASON: str(why)} for row, why in zip(rows, reasons, strict=True)]
        return rows

    def _columns(self, n_columns):
        """Return the names of the columns: the classes, or `names`.

        Raises
        ------
        ValueError
            If the number of names is not that of the columns.
        """
        if self.is_proba:
            return self.model.classes_
        if self.names is None:
            return ["prediction"] if n_columns == 1 else [f"target{i}" for i in range(n_columns)]
        if len(self.names) != n_columns:
            raise ValueError(
                f"names={list(self.names)} are {len(self.names)}, but the model predicts "
                f"{n_columns} numbers. Give one name for each."
            )
        return list(self.names)
