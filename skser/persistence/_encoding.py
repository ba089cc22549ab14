"""A model as a tree of JSON, with its arrays and scikit-learn's compiled parts beside it."""

import copy
import math
import os

import numpy as np

from skser.persistence._errors import SavedModelError
from skser.persistence._registry import (
    check_sizes,
    distributions,
    functions,
    left_out,
    name_of,
)

# Objects inside of one another; what a file holds beyond them is refused.
DEEPEST = 60
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Encoder:
    """Turn a model into JSON, arrays and parts for skops.

    Attributes
    ----------
    arrays : dict of ndarray
        Everything numerical, by the names that the tree uses.
    parts : list
        scikit-learn's objects, in the order of the numbers that the tree uses.
    """

    def __init__(self):
        self.arrays, self.parts = {}, []
        self._numbers = {}  # of objects that may stand in two places, by id
        self._kept = []  # so that no id is given twice
        self._depth = 0

    def encode(self, value, where):
        """JSON of a value.

        Parameters
        ----------
        value : object
        where : str
            Its place in the model, for messages.

        Raises
        ------
        SavedModelError
            Naming the place of what cannot be saved.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        self._depth += 1
        if self._depth > DEEPEST:
            raise SavedModelError(
                f"{where} is more than {DEEPEST} objects deep, or holds itself: it cannot be saved."
            )
        try:
            return self._encode_object(value, where)
        finally:
            self._depth -= 1

    def _encode_object(self, value, where):
        if type(value) is list:
            return [self.encode(v, f"{where}[{i}]") for i, v in enumerate(value)]
        if type(value) is tuple:
            return {"tuple": [self.encode(v, f"{where}[{i}]") for i, v in enumerate(value)]}
        if type(value) is slice:
            return {"slice": [self.encode(v, where) for v in (value.start, value.stop, value.step)]}
        if isinstance(value, dict) and type(value).__name__ in ("dict", "Bunch"):
            return {
                type(value).__name__.lower(): [
                    [self.encode(k, where), self.encode(v, f"{where}[{k!r}]")]
                    for k, v in value.items()
                ]
            }
        if isinstance(value, np.ma.MaskedArray):
            parts = (np.asarray(value.data), np.ma.getmaskarray(value))
            return {"masked": [self._array(part, where) for part in parts]}
        if type(value) is np.ndarray:
            return self._array(value, where)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), where)}
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if id(value) in self._numbers:
            return {"same": self._numbers[id(value)]}
        encoded = self._encode_shared(value, where)
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)
        return encoded

    def _encode_shared(self, value, where):
        name = name_of(value)
        if name is not None:
            return self._encode_listed(value, name, where)
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.encode(value.get_state(legacy=False), where)}
        kind = type(value)
        if kind.__name__ == "_Scorer" and kind.__module__.startswith("sklearn."):
            return {"scorer": self._scorer(value, where)}
        if hasattr(value, "dist") and hasattr(value, "kwds"):
            return {"distribution": self._distribution(value, where)}
        if kind.__module__.startswith("sklearn."):
            part = value
            requests = _requests(value)
            if requests is not None:  # they refer back to the object, which skops cannot follow
                part = copy.copy(value)
                del part._metadata_request
            self.parts.append(part)
            return {"sklearn": len(self.parts) - 1, "requests": requests}
        for function_name, function in functions().items():
            if value is function:
                return {"function": function_name}
        remedy = ""
        if callable(value) or isinstance(value, type):
            remedy = (
                " If it only serves training, save a copy without it; of an AugmentedClassifier, "
                "save its estimator_."
            )
        raise SavedModelError(
            f"{where} is {_described(value)}, which cannot be saved without pickle.{remedy}"
        )

    def _encode_listed(self, value, name, where):
        check_sizes(value)
        attributes = dict(vars(value))
        encoded = {"class": name}
        for parameter, replacement in left_out(name).items():
            if parameter in attributes:
                attributes[parameter] = replacement
        if len(attributes.get("callbacks", ())):
            raise SavedModelError(
                f"{where}.callbacks holds {_described(attributes['callbacks'][0])}, which cannot "
                "be saved without pickle. Callbacks only serve training: "
                "set_params(callbacks=()) on a copy."
            )
        if "_metadata_request" in attributes:
            del attributes["_metadata_request"]
            encoded["requests"] = _requests(value)
        fitted_network = attributes.pop("net_", None) is not None
        if fitted_network:
            del attributes["history_"]
        encoded["attributes"] = {
            attribute: self.encode(v, f"{where}.{attribute}") for attribute, v in attributes.items()
        }
        if fitted_network:
            settings, weights = value.network_state()
            encoded["network"] = {
                "settings": self.encode(settings, f"{where}.net_"),
                "weights": {
                    weight: self._array(array, f"{where}.net_.{weight}")
                    for weight, array in weights.items()
                },
            }
        return encoded

    def _array(self, array, where):
        if array.dtype.kind == "U":
            return {"strings": array.ravel().tolist(), "shape": list(array.shape)}
        if array.dtype == object:
            items = [self.encode(v, f"{where}[{i}]") for i, v in enumerate(array.ravel())]
            return {"objects": items, "shape": list(array.shape)}
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise SavedModelError(
                f"{where} is an array of dtype {array.dtype}, which cannot be saved."
            )
        key = f"array{len(self.arrays)}"
        in_order = array.dtype.newbyteorder("=")
        self.arrays[key] = np.ascontiguousarray(array, in_order).reshape(array.shape)
        column_wise = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
        return {"array": key, "order": "F"} if column_wise else {"array": key}

    def _scorer(self, scorer, where):
        response = scorer._response_method
        return {
            "function": self.encode(scorer._score_func, f"{where} (its function)"),
            "sign": int(scorer._sign),
            "response_method": self.encode(response, where),
            "arguments": self.encode(dict(scorer._kwargs), where),
        }

    def _distribution(self, frozen, where):
        name = frozen.dist.name
        if name not in distributions():
            raise SavedModelError(f"{where} is {_described(frozen)}, which cannot be saved.")
        arguments = {"args": tuple(frozen.args), "kwds": dict(frozen.kwds)}
        return {"name": name, "arguments": self.encode(arguments, where)}


def _requests(value):
    """Metadata that an object asks for, by method; None if nobody set any."""
    request = vars(value).get("_metadata_request")
    return None if request is None else _plain_requests(request)


def _plain_requests(request):
    from sklearn.utils._metadata_requests import SIMPLE_METHODS

    return {m: dict(getattr(request, m).requests) for m in SIMPLE_METHODS if hasattr(request, m)}


def _described(value):
    cls = value if isinstance(value, type) else type(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"the function {value.__module__}.{value.__qualname__}"
    return f"of the type {cls.__module__}.{cls.__qualname__}"


def special_float(name):
    """The float that JSON has no word for."""
    return _FLOATS[name]
