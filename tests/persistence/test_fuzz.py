"""Mutated and forged files are refused or read, without crashes, hangs or large memory."""

import fuzz_models
import pytest


def test_60_mutated_files_are_refused_or_read(tmp_path):
    pytest.importorskip("onnx")
    result = fuzz_models.run(range(60), tmp_path)
    assert result["failures"] == []
    assert sum(result["outcomes"].values()) == 60
    refused = {kind for kind in result["outcomes"] if kind.endswith(": refused")}
    assert {"bytes: refused", "onnx bytes: refused"} <= refused
    assert len(refused) > 5
    assert result["slowest_seconds"] < 10
