"""skops' description of a model: made reproducible when saved, searched for types when loaded."""

import importlib
import json
import os
from collections import deque

from skser.persistence._allowed import MACHINE_PARAMETERS, RECORDINGS, is_listed
from skser.persistence._archive import SCHEMA, parsed
from skser.persistence._errors import SavedModelError

_KNOWN = ("skser", "sklearn", "skorch", "imblearn")  # whose parameters of one machine are reset
DEEPEST = 100  # nodes inside one another: about 20 estimators
_JSON = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "is_json": True}
# Nodes without content of their own, for which no reference is worth it.
_LEAVES = ("JsonNode", "TypeNode", "FunctionNode")
# Nodes that the builder knows, and the types that each may have.
_KEYS = ("bool", "float", "int", "str")
_SCALARS = (
    *("bool", "bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("str_", "uint8", "uint16", "uint32", "uint64"),
)
_PLAIN = {
    "DictNode": {"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "NdArrayNode": {"numpy.ndarray", *(f"numpy.{name}" for name in _SCALARS)},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "SliceNode": {"builtins.slice"},
    "TupleNode": {"builtins.tuple"},
    "TypeNode": {f"builtins.{name}" for name in _KEYS} | {f"numpy.{name}" for name in _SCALARS},
}


def canonical(members):
    """Return the members of an archive without what belongs to one machine or one process.

    skops numbers objects by their addresses, and repeats an object that stands in two places.
    Here they are numbered from 1, and repeated ones are references.

    Parameters
    ----------
    members : dict of bytes
        Members that skops wrote.

    Returns
    -------
    dict of bytes

    Raises
    ------
    SavedModelError
        If an object could not be built from its name, or objects are nested too deeply.
    """
    numbers, files = {}, {}

    def visit(node, depth):
        if depth > DEEPEST:
            raise SavedModelError(f"It is more than {DEEPEST} objects deep, or contains itself.")
        if isinstance(node, list):
            return [visit(item, depth) for item in node]
        if not isinstance(node, dict):
            return node
        loader, address = node.get("__loader__"), node.pop("__id__", None)
        number = {}
        if loader is not None:
            node = _portable(node)
            if address in numbers and loader not in _LEAVES:
                return {
                    "__class__": None,
                    "__module__": None,
                    "__loader__": "CachedNode",
                    "__id__": numbers[address],
                }
            if loader not in _LEAVES:
                numbers[address] = len(numbers) + 1
                number = {"__id__": numbers[address]}
        if isinstance(node.get("file"), str):
            suffix = node["file"].rpartition(".")[2]
            node["file"] = files.setdefault(node["file"], f"{len(files)}.{suffix}")
        # In the order in which skops reads them, so that references point backwards.
        keys = sorted(node, key=lambda key: (key == "__reduce__", key != "key_types"))
        deeper = depth + (loader is not None)
        return number | {key: visit(node[key], deeper) for key in keys}

    schema = visit(json.loads(members[SCHEMA]), 0)
    return {SCHEMA: json.dumps(schema, separators=(",", ":")).encode()} | {
        number: members[name] for name, number in files.items()
    }


def _portable(node):
    """Reset the parameters of one machine, and write paths as text."""
    loader, content = node["__loader__"], node.get("content")
    # Another library's parameter of the same name may have another meaning.
    known = node["__module__"] is not None and node["__module__"].partition(".")[0] in _KNOWN
    is_object = loader == "ObjectNode" and content is not None
    if known and is_object and content["__loader__"] == "DictNode":
        attributes = content["content"]
        for name in attributes.keys() & set(MACHINE_PARAMETERS):
            # Silence is False for some estimators, and 0 for others.
            was_flag = attributes[name].get("content") in ("true", "false")
            silent = "false" if was_flag else "0"
            attributes[name] = {**_JSON, "content": silent if name == "verbose" else "null"}
            if name == "allow_pickle":
                attributes[name]["content"] = "false"
        if node["__class__"] == "Conditions":
            for name, default in RECORDINGS.items():
                if attributes[name].get("content") not in ("null", '"training"'):
                    attributes[name] = {**_JSON, "content": json.dumps(default)}
    elif loader == "ConstructorFromReduceNode" and node["__module__"].startswith("pathlib"):
        parts = [json.loads(part["content"]) for part in content["content"]]
        return {**_JSON, "content": json.dumps(os.path.join(*parts))}
    elif loader == "FunctionNode":
        module, name = node["__module__"], node["__class__"]
        if not hasattr(importlib.import_module(module), name):
            raise SavedModelError(
                f"It holds the function {module}.{name}, which cannot be found by its name. "
                "Define it at the top of a module, or save a copy of the model without it."
            )
    return node


def untrusted_types(schema):
    """Return the names of all types and functions in a schema that need trust.

    Parameters
    ----------
    schema : dict

    Returns
    -------
    list of str
        Outer ones first.
    """
    found = {}
    for node in _nodes(schema):
        loader = node.get("__loader__")
        if loader is not None and loader != "CachedNode":
            name = f"{node.get('__module__')}.{node.get('__class__')}"
            if loader == "MethodNode":
                name = f"{name}.{node['content']['func']}"
            is_listed_object = loader == "ObjectNode" and is_listed(name)
            if not is_listed_object and name not in _PLAIN.get(loader, ()):
                found[name] = None
    return list(found)


def _nodes(schema):
    """Yield all dicts in a schema, outer ones first."""
    waiting = deque([schema])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, dict):
            yield node
        if isinstance(node, dict | list):
            waiting.extend(node.values() if isinstance(node, dict) else node)


def with_device(members, device):
    """Return members in whose schema every parameter `device` has another value.

    Parameters
    ----------
    members : dict of bytes
    device : str or None
        None changes nothing.
    """
    if device is None:
        return members
    schema = parsed(members, SCHEMA)
    for node in _nodes(schema):
        if "device" in node and node.get("__loader__") is None:
            node["device"] = {**_JSON, "content": json.dumps(device)}
    return {**members, SCHEMA: json.dumps(schema).encode()}
