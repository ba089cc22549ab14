"""Utterance tables whose columns have other names."""

import numpy as np
import pandas as pd
import pytest

from skser.audio import Utterance, audio_inputs
from skser.datasets import load_table
from skser.feature_extraction import MelSpectrogram


@pytest.mark.parametrize(
    ("times", "named"),
    [
        ({"onset": [0.0, 1.0], "offset": [1.0, 2.0]}, "'onset', 'offset'"),
        ({"Start": [0.0, 1.0], "End": [1.0, 2.0]}, "'Start', 'End'"),
        ({"begin": [0.0, 1.0]}, "'begin'"),
        ({"from": [0.0, 1.0], "to": [1.0, 2.0]}, "'from', 'to'"),
        ({"start": [0.0, 1.0], "duration": [1.0, 1.0]}, "'duration'"),
        ({"start": [0.0, 1.0], "length": [1.0, 1.0]}, "'length'"),
        ({"start": [0.0, 1.0], "stop_time": [1.0, 2.0]}, "'stop_time'"),
        ({"offset": [0.0, 1.0], "duration": [1.0, 1.0]}, "'offset'"),
        ({"start_ms": [0, 1000], "end_ms": [1000, 2000]}, "'start_ms', 'end_ms'"),
        ({"audio_channel": [0, 1]}, "'audio_channel'"),
    ],
)
def test_parts_in_columns_of_other_names_are_not_ignored(wav, times, named):
    path = wav(np.random.RandomState(0).randn(32000, 2) / 10)
    table = pd.DataFrame({"audio": [path] * 2, **times})
    with pytest.raises(ValueError, match=rf"columns \[{named}\].*Rename .*load_table\(table\)"):
        MelSpectrogram().transform(table)


def test_load_table_renames_what_a_transformer_rejects(wav):
    path = wav(np.random.RandomState(0).randn(32000) / 10)
    table = pd.DataFrame({"audio": [path], "onset": 0.5, "duration": 1.0, "emotion": "joy"})
    with pytest.warns(UserWarning, match="'onset' as 'start'"):
        frame = load_table(table).frame
    assert audio_inputs(frame) == [Utterance(path, 0.5, 1.5)]


@pytest.mark.parametrize(
    "columns",
    [
        {"duration": [2.0]},  # of the whole file
        {"to": ["mother"]},
        {"start": [0.0], "end": [1.0], "onset": [0.3], "duration": [1.0]},
        {"speaker": ["a"], "gender": ["f"]},
    ],
)
def test_other_columns_are_ignored(wav, columns):
    path = wav(np.random.RandomState(0).randn(32000) / 10)
    (item,) = audio_inputs(pd.DataFrame({"audio": [path], **columns}))
    assert item == (Utterance(path, 0.0, 1.0) if "end" in columns else path)
