"""Indices that scikit-learn's compiled code follows without looking, looked at beforehand."""

import numpy as np

from skser.persistence._errors import SavedModelError
from skser.persistence._registry import RUNTIME_PARAMETERS

_HIST = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoosting"
_SUPPORT_VECTORS = tuple(
    f"sklearn.svm._classes.{name}" for name in ("NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR")
)


def check_part(name, attributes, plain):
    """Refuse an object whose arrays would lead compiled code out of bounds, or in circles.

    Parameters
    ----------
    name : str
        Its class.
    attributes : dict
        As they are in the file; objects among them are nodes of skops' schema.
    plain : callable
        What makes a value of a node.

    Raises
    ------
    SavedModelError
    """
    if attributes is None:  # of an object without state
        return
    if not isinstance(attributes, dict):
        raise SavedModelError(f"The attributes of {name} are no dict.")
    for parameter in RUNTIME_PARAMETERS:
        if attributes.get(parameter):
            raise SavedModelError(f"It sets {name}.{parameter}, which is never saved.")
    if name.startswith("sklearn.tree._classes.") and "tree_" in attributes:
        n_features, *_ = plain(attributes["tree_"]["__reduce__"]["args"])
        _require(attributes.get("n_features_in_") == n_features, name)
    elif "estimators_" in attributes:
        _check_ensemble(name, attributes, plain)
    elif name.startswith(_HIST) and "_predictors" in attributes:
        _check_histogram_trees(name, attributes, plain)
    elif name in _SUPPORT_VECTORS and "support_" in attributes:
        _check_support_vectors(name, attributes)
    elif name.startswith("sklearn.neighbors._") and "_fit_X" in attributes:
        _check_neighbours(name, attributes)


def check_generator(state):
    """Refuse a state of a Mersenne twister that points outside of itself.

    Parameters
    ----------
    state : dict
        As from ``RandomState.get_state(legacy=False)``.

    Raises
    ------
    SavedModelError
    """
    key, position = np.asarray(state["state"]["key"]), state["state"]["pos"]
    usable = state["bit_generator"] == "MT19937" and key.shape == (624,)
    if not usable or type(position) is not int or not 0 <= position <= 624:
        raise SavedModelError("The state of a random generator is not usable.")


def _require(condition, name):
    if not condition:
        raise SavedModelError(f"The fitted state of {name} contradicts itself.")


def check_tree(arguments, state):
    """Refuse a decision tree whose nodes lead out of it, or in circles.

    Parameters
    ----------
    arguments : list
        Those of the constructor.
    state : dict

    Raises
    ------
    SavedModelError
    """
    name = "a decision tree"
    n_features, n_classes, n_outputs = arguments
    nodes, values, n_classes = state["nodes"], state["values"], np.asarray(n_classes)
    _require(_is_count(n_features) and _is_count(n_outputs), name)
    _require(n_classes.shape == (n_outputs,) and n_classes.dtype.kind in "iu", name)
    _require((n_classes > 0).all(), name)
    _require(nodes.ndim == 1 and state["node_count"] == len(nodes) > 0, name)
    _require(values.shape == (len(nodes), n_outputs, n_classes.max()), name)
    _check_nodes(name, nodes["left_child"], nodes["right_child"], nodes["feature"], n_features)


def _check_nodes(name, left, right, features, n_features, leaves=None):
    """Children lie behind their parent and inside the tree, features inside of X."""
    leaves = left == -1 if leaves is None else leaves
    inner = np.flatnonzero(~leaves)
    for children in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        _require(((children > inner) & (children < len(left))).all(), name)
    _require(((features[inner] >= 0) & (features[inner] < n_features)).all(), name)


def _check_ensemble(name, attributes, plain):
    estimators = attributes["estimators_"]
    members = [plain(node["content"]) for node in np.ravel(estimators)]
    most = max((member.get("n_features_in_", 0) for member in members), default=0)
    n_features = attributes.get("n_features_in_")
    _require(_is_count(n_features) and most <= n_features, name)
    if not name.startswith("sklearn.ensemble._gb."):
        return
    n_classes = attributes.get("n_classes_", 1)
    n_trees = n_classes if n_classes > 2 else 1
    _require(attributes.get("n_trees_per_iteration_", n_trees) == n_trees, name)
    _require(estimators.ndim == 2 and estimators.shape[1] == n_trees, name)
    first = attributes["init_"]
    if isinstance(first, dict):
        if first["__module__"] != "sklearn.dummy":
            raise SavedModelError(f"{name} can be saved with its own init alone.")
        prior = plain(first["content"])
        _require(np.size(prior.get("class_prior_", 0)) in (1, n_classes), name)


def _check_histogram_trees(name, attributes, plain):
    n_features = attributes.get("n_features_in_")
    categorical = plain(attributes["_bin_mapper"]["content"])["is_categorical_"]
    n_trees = attributes.get("n_trees_per_iteration_")
    _require(_is_count(n_features) and _is_count(n_trees), name)
    for iteration in attributes["_predictors"]:
        _require(len(iteration) == n_trees, name)
        for predictor in iteration:
            state = plain(predictor["content"])
            nodes, bits = state["nodes"], state["raw_left_cat_bitsets"]
            _require(nodes.ndim == 1 and len(nodes) > 0, name)
            _check_nodes(
                name,
                nodes["left"],
                nodes["right"],
                nodes["feature_idx"],
                n_features,
                leaves=nodes["is_leaf"].astype(bool),
            )
            by_category = nodes[nodes["is_categorical"].astype(bool)]
            if len(by_category):
                _require(np.shape(categorical) == (n_features,), name)
                _require(categorical[by_category["feature_idx"]].all(), name)
                _require(bits.ndim == 2 and bits.shape[1] == 8, name)
                _require((by_category["bitset_idx"] < len(bits)).all(), name)


def _check_support_vectors(name, attributes):
    vectors, support = attributes["support_vectors_"], attributes["support_"]
    coefficients, intercepts = attributes["_dual_coef_"], attributes["_intercept_"]
    counts = np.asarray(attributes["_n_support"])
    shapes_fit = vectors.ndim == 2 and support.shape == vectors.shape[:1]
    _require(shapes_fit and vectors.shape[1] == attributes.get("n_features_in_"), name)
    rows = attributes["shape_fit_"][0]  # which a precomputed kernel is indexed by
    _require(((support >= 0) & (support < rows)).all(), name)
    _require((counts >= 0).all() and not attributes.get("_sparse", False), name)
    if name.endswith("SVC"):
        n_classes = len(attributes["classes_"])
        n_pairs = n_classes * (n_classes - 1) // 2
        _require(counts.shape == (n_classes,) and counts.sum() == len(vectors), name)
        _require(coefficients.shape == (n_classes - 1, len(vectors)), name)
    else:
        n_pairs = 1
        _require(counts.ndim == 1 and counts[:1].sum() == len(vectors), name)
        _require(coefficients.shape == (1, len(vectors)), name)
    _require(intercepts.shape == (n_pairs,), name)
    for letter in "AB":
        _require(np.size(attributes.get(f"_prob{letter}", ())) in (0, n_pairs), name)
    _require(np.size(attributes.get("_probA", ())) == np.size(attributes.get("_probB", ())), name)


def _check_neighbours(name, attributes):
    rows, tree = attributes["_fit_X"], attributes.get("_tree")
    _require(isinstance(rows, np.ndarray) and rows.ndim == 2 and tree is None, name)
    _require(rows.shape[1] == attributes.get("n_features_in_"), name)
    _require(attributes.get("n_samples_fit_") == len(rows), name)
    if name.endswith("Classifier"):
        labels, classes = np.asarray(attributes["_y"]), attributes["classes_"]
        _require(labels.shape == (len(rows),) and labels.dtype.kind in "iu", name)
        _require(((labels >= 0) & (labels < len(classes))).all(), name)


def _is_count(number):
    return type(number) is int and number > 0
