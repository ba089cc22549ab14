"""scikit-learn's parts of a saved model, forged with right digests."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from fuzz_models import forged, members_of, packed
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import skser
from skser.persistence import SavedModelError

PARTS = "sklearn.skops"
HISTOGRAM = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my model.skser"


@pytest.fixture
def refused(path):
    """Say why a file is refused; nothing is said that does not name it."""

    def why(content):
        path.write_bytes(content)
        with pytest.raises(SavedModelError) as caught:
            skser.load(path)
        assert os.fspath(path) in str(caught.value)
        return str(caught.value)

    return why


def parts_with(content, path, change):
    """The file's scikit-learn parts with skops' schema changed, under right digests."""
    members = members_of(content)
    parts = members_of(members[PARTS])
    schema = json.loads(parts["schema.json"])
    change(schema, parts)
    parts["schema.json"] = json.dumps(schema).encode()
    return forged({**members, PARTS: packed(parts)})


def numpy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@pytest.fixture
def linear(path):
    X = np.random.RandomState(0).randn(20, 3)
    skser.save(LogisticRegression().fit(X, np.arange(20) % 2), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("loader", "module", "name"),
    [
        ("ObjectNode", "subprocess", "Popen"),
        ("ObjectNode", "sklearn.utils.parallel", "Parallel"),
        ("FunctionNode", "os", "system"),
        ("TypeNode", "os", "system"),
        ("TypeNode", "builtins", "eval"),
        ("MethodNode", "sklearn.linear_model._logistic", "LogisticRegression"),
        ("PartialNode", "functools", "partial"),
        ("OperatorFuncNode", "operator", "methodcaller"),
        ("ConstructorFromReduceNode", "subprocess", "Popen"),
        ("LossNode", "sklearn.tree._tree", "Tree"),
        ("DictNode", "subprocess", "Popen"),
        ("ListNode", "os", "popen"),
        ("CachedNode", "builtins", "list"),
        ("BytesNode", "builtins", "bytes"),
        ("NdArrayNode", "os", "system"),
    ],
)
def test_types_and_nodes_are_those_of_the_list(linear, path, refused, loader, module, name):
    def change(schema, parts):
        node = {"__loader__": loader, "__module__": module, "__class__": name, "content": []}
        schema["content"][0]["content"]["content"]["coef_"] = node

    reason = refused(parts_with(linear, path, change))
    assert f"contains {module}.{name}, which is not on the list" in reason


def test_arrays_that_promise_more_than_there_is(linear, path, refused):
    def claim(schema, parts):
        name = next(name for name in parts if name.endswith(".npy"))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
        )
        parts[name] = header.getvalue() + b"x"

    def pickled(schema, parts):
        name = next(name for name in parts if name.endswith(".npy"))
        buffer = io.BytesIO()
        np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
        assert pickle.dumps(print)[:2] in buffer.getvalue()
        parts[name] = buffer.getvalue()

    for change in (claim, pickled):
        assert "does not fit its data" in refused(parts_with(linear, path, change))


def test_compressed_parts_are_refused(linear, refused):
    members = members_of(linear)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("schema.json", b" " * 2**20)
    assert "larger than the file" in refused(forged({**members, PARTS: buffer.getvalue()}))


@pytest.mark.parametrize(
    ("model", "field", "values"),
    [
        (RandomForestClassifier(2, random_state=0), "left_child", (10**6, 0, -5)),
        (RandomForestClassifier(2, random_state=0), "right_child", (10**6, 0, -5)),
        (RandomForestClassifier(2, random_state=0), "feature", (10**6, 3, -9)),
        (HISTOGRAM, "left", (10**6, 0)),
        (HISTOGRAM, "feature_idx", (99,)),
        (HISTOGRAM, "is_categorical", (1,)),
        (GradientBoostingClassifier(n_estimators=2), "left_child", (10**6,)),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_trees_that_lead_out_of_themselves_or_in_circles(model, field, values, path, refused):
    X, y = np.random.RandomState(0).randn(30, 3), np.arange(30) % 3
    skser.save(model.fit(X, y), path)
    content = path.read_bytes()
    for value in values:

        def change(schema, parts, value=value):
            for name in list(parts):
                if not name.endswith(".npy"):
                    continue
                array = np.load(io.BytesIO(parts[name]))
                if array.dtype.names and field in array.dtype.names:
                    array[field][0] = value
                    parts[name] = numpy_bytes(array)

        assert "contradicts itself" in refused(parts_with(content, path, change))


@pytest.mark.parametrize(
    ("model", "attribute", "array"),
    [
        (SVC(), "_n_support", np.array([1, 2**20, 1], np.int32)),
        (SVC(), "_dual_coef_", np.zeros((1, 2))),
        (SVC(), "support_", np.full(30, 30, np.int32)),
        (SVC(), "_intercept_", np.zeros(1)),
        (KNeighborsClassifier(algorithm="brute"), "_y", np.full(30, 2**20)),
        (KNeighborsClassifier(algorithm="brute"), "_y", np.zeros(3, np.int64)),
        (GradientBoostingClassifier(n_estimators=2), "class_prior_", np.ones(2) / 2),
    ],
    ids=["votes", "coefficients", "rows", "intercepts", "labels", "few labels", "prior"],
)
def test_arrays_that_compiled_code_would_read_beyond(model, attribute, array, path, refused):
    X, y = np.random.RandomState(0).randn(30, 3), np.arange(30) % 3
    skser.save(model.fit(X, y), path)

    def change(schema, parts):
        parts["forged.npy"] = numpy_bytes(array)
        found = []

        def visit(node):
            if isinstance(node, dict):
                if attribute in node:
                    found.append(node[attribute])
                    node[attribute]["file"] = "forged.npy"
                for value in node.values():
                    visit(value)
            elif isinstance(node, list):
                for value in node:
                    visit(value)

        visit(schema)
        assert found

    assert "contradicts itself" in refused(parts_with(path.read_bytes(), path, change))
