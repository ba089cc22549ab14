"""A model from its tree of JSON, its arrays and scikit-learn's compiled parts."""

import inspect
import math

import numpy as np

from skser.persistence._compiled import check_generator
from skser.persistence._encoding import DEEPEST, special_float
from skser.persistence._errors import SavedModelError
from skser.persistence._registry import (
    check_sizes,
    class_of,
    defaults,
    distributions,
    functions,
    left_out,
)


class Decoder:
    """Build what an `Encoder` wrote, from classes on the list alone.

    Parameters
    ----------
    arrays : dict of ndarray
    parts : list
        scikit-learn's objects.
    device : str or None
        In the place of every parameter `device`, if given.

    Attributes
    ----------
    names : list of str
        Classes that were built.
    """

    def __init__(self, arrays, parts, device=None):
        self._arrays, self._parts, self._device = arrays, parts, device
        self._built = []
        self._depth = 0
        self.names = []
        self._kinds = {
            "float": special_float,
            "tuple": lambda items: tuple(self._list(items)),
            "slice": lambda ends: slice(*self._list(ends)),
            "dict": self._dict,
            "bunch": self._bunch,
            "masked": lambda parts: np.ma.MaskedArray(*(self.decode(part) for part in parts)),
            "scalar": lambda array: self.decode(array)[()],
            "array": self._array,
            "strings": self._strings,
            "objects": self._objects,
            "same": lambda number: self._built[_natural(number)],
        }
        self._shared = {
            "class": self._listed,
            "random_state": self._random_state,
            "scorer": self._scorer,
            "distribution": self._distribution,
            "sklearn": self._part,
            "function": lambda name: functions()[name],
        }

    def decode(self, node):
        """The value of a node.

        Raises
        ------
        SavedModelError
            If it asks for what is not on the list.
        """
        if not isinstance(node, dict | list):
            return node
        self._depth += 1
        if self._depth > DEEPEST:
            raise SavedModelError(f"The model is more than {DEEPEST} objects deep.")
        try:
            if isinstance(node, list):
                return self._list(node)
            kind, content = next(iter(node.items()))
            others = {name: node[name] for name in node if name != kind}
            if kind in self._kinds:
                return self._kinds[kind](content, **others)
            built = self._shared[kind](content, **others)
            self._built.append(built)
            return built
        finally:
            self._depth -= 1

    def _list(self, items):
        return [self.decode(item) for item in items]

    def _dict(self, items):
        return {self.decode(key): self.decode(value) for key, value in items}

    def _bunch(self, items):
        from sklearn.utils import Bunch

        return Bunch(**self._dict(items))

    def _array(self, key, order="C"):
        return np.array(self._arrays[key], order=order)

    def _strings(self, items, shape):
        if not all(isinstance(item, str) for item in items):
            raise SavedModelError("An array of strings holds something else.")
        longest = max((len(item) for item in items), default=1)
        if longest * len(items) > 2**24:
            raise SavedModelError("An array of strings is too large.")
        return np.array(items, dtype=np.str_).reshape(_shape(shape, len(items)))

    def _objects(self, items, shape):
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = self.decode(item)
        return array.reshape(_shape(shape, len(items)))

    def _listed(self, name, attributes, requests=None, network=None):
        cls = class_of(name)
        if cls is None:
            raise SavedModelError(f"It contains {name}, which is not on the list.")
        self.names.append(name)
        decoded = {attribute: self.decode(node) for attribute, node in attributes.items()}
        if name == "skser.sequences.Layout":
            return cls(**decoded)
        parameters = inspect.signature(cls.__init__).parameters
        for attribute in decoded:
            if hasattr(cls, attribute) and attribute not in parameters:
                raise SavedModelError(f"It sets {name}.{attribute}, which is no attribute.")
        for parameter, replacement in left_out(name).items():
            if decoded.get(parameter, replacement) is not replacement:
                raise SavedModelError(f"It sets {name}.{parameter}, which is never saved.")
        thing = cls.__new__(cls)
        vars(thing).update(decoded)
        for parameter, default in defaults(cls).items():  # newer than the file
            vars(thing).setdefault(parameter, default)
        if self._device is not None and "device" in decoded:
            thing.device = self._device
        if requests is not None:
            _set_requests(thing, requests)
        if name.startswith("skser.") and hasattr(thing, "_validate_params"):
            thing._validate_params()
        check_sizes(thing)
        if network is not None:
            self._restore_network(thing, name, network)
        return thing

    def _restore_network(self, thing, name, network):
        if not name.startswith("skser.neural_network."):
            raise SavedModelError(f"It gives {name} a network, which has none.")
        settings = self.decode(network["settings"])
        weights = {weight: self.decode(node) for weight, node in network["weights"].items()}
        try:
            thing.restore_network(settings, weights)
        except (ValueError, RuntimeError, OverflowError, ArithmeticError) as error:
            raise SavedModelError(f"{name}: {error}") from error

    def _random_state(self, state):
        state = self.decode(state)
        check_generator(state)
        random = np.random.RandomState(0)
        random.set_state(state)
        return random

    def _part(self, number, requests):
        part = self._parts[_natural(number)]
        if requests is not None:
            _set_requests(part, requests)
        return part

    def _scorer(self, content):
        from sklearn.metrics import make_scorer

        return make_scorer(
            self.decode(content["function"]),
            response_method=self.decode(content["response_method"]),
            greater_is_better=content["sign"] > 0,
            **self.decode(content["arguments"]),
        )

    def _distribution(self, content):
        arguments = self.decode(content["arguments"])
        return distributions()[content["name"]](*arguments["args"], **arguments["kwds"])


def _set_requests(thing, requests):
    from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest

    request = MetadataRequest(owner=thing)
    for method, asked in requests.items():
        if method not in SIMPLE_METHODS:
            raise SavedModelError(f"There is no method {method!r} to ask for metadata.")
        for name, alias in asked.items():
            getattr(request, method).add_request(param=name, alias=alias)
    thing._metadata_request = request


def _natural(number):
    if type(number) is not int or number < 0:
        raise SavedModelError(f"{number!r} is no number of a part.")
    return number


def _shape(shape, size):
    if math.prod(_natural(n) for n in shape) != size:
        raise SavedModelError(f"{size} values are no array of the shape {shape}.")
    return tuple(shape)
