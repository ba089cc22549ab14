"""Fingerprints of estimators that stay the same from one run of a script to the next."""

import hashlib
import os
import pickle
import re
import sys
import types
from functools import partial

import numpy as np

_PLAIN = str | bytes | int | float | complex | tuple
_CONTAINERS = list | dict | set | frozenset | np.ndarray | partial


def digest(thing):
    """Compute a hash of an object from its parameters, fitted state and the code of functions.

    Objects that differ in any of these have different hashes. The code of a user's function or
    class includes what it uses of its module, and of other modules of the user: functions, classes,
    plain values, arrays, containers and estimators. Two runs of the same script compute the same
    hash.
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
        read_as = [getattr(thing, of, None) for of in ("sampling_rate", "max_amplitude")]
        return (name, thing.shape, str(thing.dtype), hashlib.sha256(content).hexdigest(), *read_as)
    if isinstance(thing, dict):
        items = [(_described(k, around), _described(v, around)) for k, v in thing.items()]
        return (name, items)
    if isinstance(thing, list | tuple):
        return (name, [_described(item, around) for item in thing])
    if isinstance(thing, set | frozenset):
        return (name, sorted(repr(_described(item, around)) for item in thing))
    if isinstance(thing, type):
        return ("type", thing.__module__, thing.__qualname__, *_methods(thing, around[:-1]))
    if isinstance(thing, partial):
        return (name, _described((thing.func, thing.args, thing.keywords), around))
    if isinstance(thing, types.FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        parts = (_code(thing.__code__), thing.__defaults__, thing.__kwdefaults__, cells)
        used = _used_globals(thing, around)
        return (name, thing.__module__, thing.__qualname__, _described(parts, around), *used)
    if isinstance(thing, types.MethodType):
        return (name, thing.__name__, _described(thing.__self__, around))
    if hasattr(thing, "__dict__") and not isinstance(thing, types.ModuleType):
        return (name, _described(vars(thing), around), *_methods(type(thing), around))
    try:
        return (name, hashlib.sha256(pickle.dumps(thing)).hexdigest())
    except (TypeError, AttributeError, pickle.PicklingError):
        return (name, without_addresses(repr(thing)))


def _methods(cls, around):
    """Describe the code of a user's class, with that of its bases; nothing of a library's."""
    if any(cls is other for other in around):
        return []
    found = [
        (name, _described(_function(value), (*around, cls)))
        for base in cls.__mro__
        if _is_users(base.__module__)
        for name, value in sorted(vars(base).items())
        if isinstance(_function(value), types.FunctionType)
        or (isinstance(value, _PLAIN) and not name.startswith("__"))
    ]
    return [found] if found else []


def _function(value):
    """Return the function of a method or of a property's getter."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def _used_globals(function, around):
    """Describe what a user's function uses of its module; nothing of a library's."""
    if not _is_users(function.__module__):
        return []
    found = _used(function.__globals__, sorted(_names(function.__code__)), around)
    return [found] if found else []


def _used(namespace, names, around):
    """Describe the values of a module that have one of the names, in modules it imports too."""
    found = []
    for name in names:
        value = namespace.get(name)
        if isinstance(value, types.ModuleType):
            known = any(value is other for other in around)
            if not known and _is_users(value.__name__):
                found.append((name, _used(vars(value), names, (*around, value))))
        elif isinstance(value, types.FunctionType | type):
            if _is_users(value.__module__):
                found.append((name, _described(value, around)))
        elif isinstance(value, _PLAIN | _CONTAINERS) or hasattr(value, "get_params"):
            found.append((name, _described(value, around)))
    return found


def _names(code):
    """Return the names that a function uses, in functions inside it too."""
    inner = [_names(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*inner)


def _is_users(module):
    """Return whether a module is neither of this package nor installed nor part of Python."""
    top = (module or "").split(".")[0]
    if top == "skser" or top in sys.stdlib_module_names:
        return False
    path = getattr(sys.modules.get(top), "__file__", None) or ""
    return "site-packages" not in path and "dist-packages" not in path


def _code(code):
    constants = [_code(c) if isinstance(c, types.CodeType) else c for c in code.co_consts]
    return (code.co_code, code.co_names, constants)


def without_addresses(text):
    """Remove memory addresses, which differ from run to run, from the text of a repr."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
