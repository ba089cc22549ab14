"""scikit-learn's parts of a model: one skops archive, gone through before skops builds it."""

import io
import json
import math
import warnings
import zipfile

import numpy as np
from numpy.lib import format as npy

from skser.persistence._compiled import check_generator, check_part, check_tree
from skser.persistence._errors import SavedModelError
from skser.persistence._registry import RUNTIME_PARAMETERS
from skser.persistence._trusted import CONTAINERS, FUNCTIONS, LOSSES, RANDOM, TRUSTED, VALUES

_SCHEMA = "schema.json"
_JSON_NODE = {
    "__class__": "str",
    "__module__": "builtins",
    "__loader__": "JsonNode",
    "is_json": True,
}
# The date of every member: the same model gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def dump_parts(parts):
    """Bytes of a skops archive of a list of objects, the same for the same objects.

    Raises
    ------
    SavedModelError
        Naming a type that is not on the list of trusted ones.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        data = _canonical(skops.io.dumps(list(parts)))
    except (UnsupportedTypeException, RecursionError, TypeError, AttributeError) as error:
        names = ", ".join(sorted({type(part).__name__ for part in parts}))
        raise SavedModelError(
            f"One of {names} cannot be saved without pickle ({type(error).__name__}: {error})."
        ) from error
    _check(data)
    return data


def load_parts(data):
    """Build the objects of an archive, after every type and index in it was checked.

    Raises
    ------
    SavedModelError
        Naming a type that is not on the list of trusted ones.
    """
    import skops.io

    _check(data)
    with warnings.catch_warnings():
        # One warning of our own says so for all parts.
        from sklearn.exceptions import InconsistentVersionWarning

        warnings.simplefilter("ignore", InconsistentVersionWarning)
        parts = skops.io.loads(data, trusted=sorted(TRUSTED | LOSSES | FUNCTIONS | VALUES))
    if not isinstance(parts, list):
        raise SavedModelError("Its scikit-learn parts are no list.")
    return parts


def _canonical(data):
    """An archive without what belongs to one machine, and the addresses that skops numbers by."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(_SCHEMA))
    files = {}

    def renumber(node):
        if isinstance(node, list):
            for item in node:
                renumber(item)
        elif isinstance(node, dict):
            if isinstance(node.get("__loader__"), str):
                node.pop("__id__", None)
                _forget_machine(node)
                if isinstance(node.get("file"), str):
                    number = files.setdefault(node["file"], f"{len(files)}.npy")
                    node["file"] = number
            for item in node.values():
                renumber(item)

    renumber(schema)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, number in files.items():
            archive.writestr(zipfile.ZipInfo(number, _EPOCH), members[name])
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _EPOCH), json.dumps(schema))
    return buffer.getvalue()


def _forget_machine(node):
    """Set back how one machine works, of an object of skops' schema."""
    attributes = node.get("content")
    if node["__loader__"] != "ObjectNode" or attributes is None:
        return
    attributes = attributes["content"]
    for parameter in RUNTIME_PARAMETERS:
        if parameter in attributes:
            was = attributes[parameter].get("content")
            # Silent is False for some estimators, and 0 for others.
            silent = "false" if was in ("false", "true") else "0"
            content = silent if parameter == "verbose" else "null"
            attributes[parameter] = {**_JSON_NODE, "content": content}


def _check(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > len(data) or len(
            {info.filename for info in infos}
        ) < len(infos):
            raise SavedModelError("Its scikit-learn parts are larger than the file.")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise SavedModelError("Its scikit-learn parts are compressed, which no saved ones are.")
        schema = json.loads(archive.read(_SCHEMA))
        _Schema(archive).check(schema)


class _Schema:
    """Walks over skops' description of objects, and refuses what is not on the list."""

    def __init__(self, archive):
        self._archive = archive

    def check(self, node):
        loader = node["__loader__"]
        check = getattr(self, f"_check_{loader}", None)
        if check is None:
            raise SavedModelError(f"It contains {_name(node)}, which is not on the list.")
        check(node)

    def plain(self, node):
        """The value of a node of numbers, arrays and containers; None of any other."""
        loader = node["__loader__"]
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader in ("ListNode", "TupleNode"):
            return [self.plain(item) for item in node["content"]]
        if loader == "DictNode":
            return {key: self.plain(item) for key, item in node["content"].items()}
        if loader == "NdArrayNode":
            if node["type"] == "numpy":
                return np.load(io.BytesIO(self._archive.read(node["file"])), allow_pickle=False)
            return np.array([self.plain(item) for item in node["content"]], dtype=object)
        if loader in ("ObjectNode", "TreeNode"):
            return node  # whoever asks knows what to make of it
        return None

    def _check_DictNode(self, node):
        _on(CONTAINERS, node)
        self.check(node["key_types"])
        for item in node["content"].values():
            self.check(item)

    def _check_ListNode(self, node):
        _on(CONTAINERS, node)
        for item in node["content"]:
            self.check(item)

    _check_TupleNode = _check_SetNode = _check_ListNode

    def _check_JsonNode(self, node):
        json.loads(node["content"])

    def _check_TypeNode(self, node):
        _on(VALUES, node)

    def _check_FunctionNode(self, node):
        _on(FUNCTIONS, node)

    def _check_NdArrayNode(self, node):
        _on(VALUES | {"numpy.ndarray"}, node)
        if node["type"] == "numpy":
            shape, dtype = _check_array(self._archive.read(node["file"]))
            if node["__class__"] != "ndarray" and (
                shape != () or dtype != getattr(np, node["__class__"])
            ):
                raise SavedModelError(f"An array of {dtype} is no {_name(node)}.")
            return
        for item in node["content"]:
            self.check(item)
        self.check(node["shape"])

    def _check_DTypeNode(self, node):
        _on({"numpy.dtype"}, node)
        self.check(node["content"])

    def _check_RandomStateNode(self, node):
        _on(RANDOM, node)
        self.check(node["content"])
        check_generator(self.plain(node["content"]))

    def _check_RandomGeneratorNode(self, node):
        _on(RANDOM, node)
        parts = node["content"]
        for part in parts.values():
            self.check(part)
        name = self.plain(parts["bit_generator"])["bit_generator"]
        if name != "PCG64":  # what default_rng gives
            raise SavedModelError(f"It contains numpy.random.{name}, which is not on the list.")
        if self.plain(parts["seed_seq"]).get("pool_size", 4) > 64:
            raise SavedModelError("It contains a seed that asks for too much memory.")

    def _check_ObjectNode(self, node):
        _on(TRUSTED, node)
        if "content" in node:
            self.check(node["content"])
            check_part(_name(node), self.plain(node["content"]), self.plain)

    def _check_LossNode(self, node):
        _on(LOSSES, node)
        self.check(node["__reduce__"]["args"])
        self.check(node["content"])

    def _check_TreeNode(self, node):
        _on({"sklearn.tree._tree.Tree"}, node)
        arguments = node["__reduce__"]["args"]
        self.check(arguments)
        self.check(node["content"])
        check_tree(self.plain(arguments), self.plain(node["content"]))


def _name(node):
    return f"{node['__module__']}.{node['__class__']}"


def _on(names, node):
    if _name(node) not in names:
        remedy = ""
        if node["__class__"] in ("KDTree", "BallTree"):
            remedy = " (algorithm='brute' does without)"
        raise SavedModelError(f"It contains {_name(node)}, which is not on the list{remedy}.")


def _check_array(data):
    """Shape and dtype of an array, whose header must promise the size that there is."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
    shape, _, dtype = read_header(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise SavedModelError(f"An array of {dtype} and the shape {shape} does not fit its data.")
    return shape, dtype
