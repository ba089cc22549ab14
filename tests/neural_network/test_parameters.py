"""Parameters that networks share: one constructor, and descriptions that are written once."""

import inspect
import re

import pytest
from sklearn.base import clone

from skser.neural_network import (
    AdversarialAEClassifier,
    AdversarialAERegressor,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
)

NETWORKS = [
    AdversarialAEClassifier,
    AdversarialAERegressor,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
]


@pytest.mark.parametrize("cls", NETWORKS)
def test_the_signature_and_the_docstring_list_all_parameters_in_the_same_order(cls):
    section = cls.__doc__.split("Parameters\n")[1].split("Attributes\n")[0]
    documented = dict(re.findall(r"^    (\w+) : (.*)$", section, re.MULTILINE))
    signature = inspect.signature(cls).parameters
    assert list(documented) == list(signature)
    assert sorted(signature) == sorted(cls().get_params(deep=False))
    for name, parameter in signature.items():
        shown = str(parameter.default).replace("'", '"')
        assert documented[name].replace('"', "").endswith(f"default={shown}".replace('"', ""))


@pytest.mark.parametrize("cls", NETWORKS)
def test_docstrings_hold_no_placeholders(cls):
    methods = [method for _, method in inspect.getmembers(cls, inspect.isfunction)]
    for documented in (cls, *methods):
        text = inspect.getdoc(documented) or ""
        assert not re.search(r"^ *\{\w+\}$", text, re.MULTILINE), documented.__name__


@pytest.mark.parametrize("cls", NETWORKS)
def test_a_clone_keeps_changed_parameters(cls):
    changed = {"learning_rate": 0.5, "dropout": 0.1, "random_state": 3, "device": "cpu"}
    params = clone(cls(**changed)).get_params(deep=False)
    assert params == cls().get_params(deep=False) | changed


def test_positional_arguments_follow_the_signature():
    assert AttentionFCNRegressor((4,), 5).get_params()["kernel_sizes"] == 5
    assert AttentionRNNClassifier(None, None, "lstm").cell == "lstm"
    model = AdversarialAEClassifier((8,), (9,), 2, 3, 4, (5,), 6, "mixture")
    assert (model.n_heads, model.n_emotion, model.n_style, model.prior) == (2, 3, 4, "mixture")
    assert AdversarialAERegressor((8,), (9,), 2, 4).n_style == 4


@pytest.mark.parametrize("cls", NETWORKS)
def test_unknown_parameters_are_rejected(cls):
    with pytest.raises(TypeError, match="unexpected keyword argument 'learning_rat'"):
        cls(learning_rat=0.1)
