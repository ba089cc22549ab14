"""Fingerprints of estimators that stay the same from one run of a script to the next."""

import hashlib
import os
import pickle
import re
import types
from functools import partial

import numpy as np


def digest(thing):
    """Compute a hash of an object from its parameters, fitted state and the code of functions.

    Objects that differ in any of these have different hashes. Two runs of the same script compute
    the same hash.
    """
    return hashlib.sha256(repr(_described(thing, ())).encode()).hexdigest()


def _described(thing, around):
    if isinstance(thing, str | bytes | int | float | complex | None | np.generic):
        return (type(thing).__name__, repr(thing))
    if any(thing is other for other in around):
        return "itself"
    around = (*around, thing)
    name = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if isinstance(thing, os.PathLike):
        return (name, os.fspath(thing))
    if hasattr(thing, "detach"):  # a tensor
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        if thing.dtype == object:
            return (name, thing.shape, [_described(item, around) for item in thing.ravel()])
        # A view of the bytes, because `tobytes` would copy a large block.
        content = np.ascontiguousarray(thing).reshape(-1).view(np.uint8)
        return (name, thing.shape, str(thing.dtype), hashlib.sha256(content).hexdigest())
    if isinstance(thing, dict):
        items = [(_described(k, around), _described(v, around)) for k, v in thing.items()]
        return (name, items)
    if isinstance(thing, list | tuple):
        return (name, [_described(item, around) for item in thing])
    if isinstance(thing, set | frozenset):
        return (name, sorted(repr(_described(item, around)) for item in thing))
    if isinstance(thing, type):
        return ("type", thing.__module__, thing.__qualname__)
    if isinstance(thing, partial):
        return (name, _described((thing.func, thing.args, thing.keywords), around))
    if isinstance(thing, types.FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        parts = (_code(thing.__code__), thing.__defaults__, thing.__kwdefaults__, cells)
        return (name, thing.__module__, thing.__qualname__, _described(parts, around))
    if isinstance(thing, types.MethodType):
        return (name, thing.__name__, _described(thing.__self__, around))
    if hasattr(thing, "__dict__") and not isinstance(thing, types.ModuleType):
        return (name, _described(vars(thing), around))
    try:
        return (name, hashlib.sha256(pickle.dumps(thing)).hexdigest())
    except (TypeError, AttributeError, pickle.PicklingError):
        return (name, without_addresses(repr(thing)))


def _code(code):
    constants = [_code(c) if isinstance(c, types.CodeType) else c for c in code.co_consts]
    return (code.co_code, code.co_names, constants)


def without_addresses(text):
    """Remove memory addresses, which differ from run to run, from the text of a repr."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
