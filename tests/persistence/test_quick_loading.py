"""A saved network loads and predicts without torch's compiler, in the time of its libraries."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from sklearn.base import clone

import skser
from skser.persistence import path_of
from tests.persistence.test_round_trips import NETWORKS, targets

LOADED = """
import json, sys, time
begin = time.process_time()
import skser
skser.load(sys.argv[1]).predict([sys.argv[2]])
print(json.dumps([time.process_time() - begin, sorted(sys.modules)]))
"""
ALL_LOADED = """
import json, pickle, sys
with open(sys.argv[1], "rb") as file:
    X = pickle.load(file)
import skser
compiling = []
for path in sys.argv[2:]:
    skser.load(path).predict(X)
    compiling.append("torch._dynamo" in sys.modules)
print(json.dumps([compiling, "torch" in sys.modules]))
"""
LIBRARIES = """
import time
begin = time.process_time()
import torch, sklearn, skorch
print(time.process_time() - begin)
"""


def run(code, *arguments):
    return json.loads(
        subprocess.check_output(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        )
    )


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_networks_are_loaded_without_a_compiler(mels, corpus, tmp_path):
    few = mels[:20], corpus.target[:20], corpus.frame[["valence", "activation"]][:20]
    paths = [tmp_path / f"{number}.skser" for number in range(len(NETWORKS))]
    for model, path in zip(NETWORKS, paths, strict=True):
        skser.save(clone(model).fit(mels[:20], targets(model, few)), path)
    (tmp_path / "X.pickle").write_bytes(pickle.dumps(mels[:2]))
    compiling, with_torch = run(ALL_LOADED, tmp_path / "X.pickle", *paths)
    assert compiling == [False] * len(NETWORKS)
    assert with_torch


def test_loading_and_predicting_takes_little_longer_than_the_imports(tmp_path):
    soundfile.write(tmp_path / "noise.wav", np.random.RandomState(0).randn(16000) / 10, 16000)
    files = path_of("emodb-afcn"), tmp_path / "noise.wav"
    _, modules = run(LOADED, *files)  # also fills the caches of the file system
    assert {"librosa", "numba"}.isdisjoint(modules)
    ratios = [run(LOADED, *files)[0] / run(LIBRARIES) for _ in range(5)]
    print(ratios)
    assert np.median(ratios) < 1.4
