"""Clients of benchmarks/clients.py that need only scikit-learn and joblib."""

import json
import warnings
from pathlib import Path

import pytest
from clients import CLIENTS, Task, outcome

RESULTS = Path(__file__).parents[2] / "benchmarks/results/clients.json"
BROUGHT_ALONG = ("scikit-learn", "joblib")


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return Task(tmp_path_factory.mktemp("task"))


@pytest.mark.parametrize("name", [n for n, (_, lib, *_) in CLIENTS.items() if lib in BROUGHT_ALONG])
def test_client_or_its_alternative_works(name, task):
    function, _, _, instead = CLIENTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = outcome(function, instead, task)
    assert found["outcome"] == ("refuses" if instead else "works"), found["said"]


def test_results_cover_every_client():
    results = json.loads(RESULTS.read_text())["clients"]
    assert [result["client"] for result in results] == list(CLIENTS)
    assert len(results) >= 25
    assert all(("instead" in r) == (r["outcome"] == "refuses") for r in results)
    assert {result["outcome"] for result in results} == {"works", "refuses"}
