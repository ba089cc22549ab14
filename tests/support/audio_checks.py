"""Replacements on audio for the estimator checks of scikit-learn that need 2-D arrays.

Each function has the name and the arguments of the check that it replaces.
"""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skser.audio import AudioReadError
from skser.feature_extraction import SpeechProbability
from skser.preprocessing import VoiceActivityTrimmer
from skser.sequences import Sequences

RATE = 16000


def speech(n=4, dtype=np.float32):
    random = np.random.RandomState(0)
    return [(random.randn(4000 + 500 * i) / 5).astype(dtype) for i in range(n)]


def ready(transformer):
    rates = [p for p in transformer.get_params() if p.endswith("input_sampling_rate")]
    transformer = clone(transformer).set_params(**dict.fromkeys(rates, RATE))
    return transformer.fit(speech()) if transformer.__sklearn_tags__().requires_fit else transformer


def assert_equal(a, b):
    assert type(a) is type(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def all_values(X):
    """Concatenate all values of Sequences, of vectors or of an object array of 1-D arrays."""
    return np.concatenate([np.ravel(x) for x in X])


def n_columns(X):
    if isinstance(X, Sequences):
        return X.n_columns
    return X.shape[1] if X.ndim == 2 else 1


def check_fit_score_takes_y(name, transformer):
    X = ready(transformer).fit_transform(speech(), np.arange(4))
    assert_equal(X, ready(transformer).fit_transform(speech()))


def check_estimators_overwrite_params(name, transformer):
    transformer = ready(transformer)
    before = joblib.hash(transformer.get_params())
    transformer.fit(speech()).transform(speech())
    assert joblib.hash(transformer.get_params()) == before


def check_dont_overwrite_parameters(name, transformer):
    transformer = ready(transformer)
    before = set(vars(transformer))
    transformer.fit(speech())
    assert {a for a in set(vars(transformer)) - before if not a.endswith("_")} == set()


def check_estimators_fit_returns_self(name, transformer):
    transformer = ready(transformer)
    assert transformer.fit(speech()) is transformer


def check_readonly_memmap_input(name, transformer, tmp_path):
    joblib.dump(speech(), tmp_path / "audio")
    mapped = joblib.load(tmp_path / "audio", mmap_mode="r")
    assert isinstance(mapped[0], np.memmap)
    assert_equal(ready(transformer).fit_transform(mapped), ready(transformer).transform(speech()))


def check_n_features_in_after_fitting(name, transformer):
    # Audio has no features to count, so the columns of the output are counted instead.
    transformer = ready(transformer).fit(speech())
    assert not hasattr(transformer, "n_features_in_")
    X = transformer.transform(speech())
    assert n_columns(X) == len(transformer.get_feature_names_out())


def check_positive_only_tag_during_fit(name, transformer):
    X = [-np.abs(x) for x in speech()]
    assert np.isfinite(all_values(ready(transformer).fit_transform(X))).all()


def check_estimators_dtypes(name, transformer):
    for dtype in (np.float32, np.float64, np.float16):
        X = ready(transformer).transform(speech(dtype=dtype))
        assert all_values(X).dtype == np.float32
    integers = [(x * 32767 / 5).astype(np.int16) for x in speech()]
    floats = [x / 32768 for x in integers]
    a, b = ready(transformer).transform(integers), ready(transformer).transform(floats)
    np.testing.assert_allclose(all_values(a), all_values(b), atol=1e-4)


def check_complex_data(name, transformer):
    with pytest.raises(AudioReadError, match="utterance 0: must be a 1-D array of numbers"):
        ready(transformer).transform([x + 1j for x in speech()])


def check_dtype_object(name, transformer):
    X = np.empty(4, dtype=object)
    X[:] = speech()
    assert_equal(ready(transformer).transform(X), ready(transformer).transform(speech()))
    with pytest.raises(AudioReadError, match="utterance 0"):
        ready(transformer).transform([np.array([{"foo": "bar"}], dtype=object)])


def check_estimators_empty_data_messages(name, transformer):
    with pytest.raises(ValueError, match="0 utterances, at least 1 is required"):
        ready(transformer).transform([])
    with pytest.raises(AudioReadError, match="utterance 1: holds no samples"):
        ready(transformer).transform([speech()[0], np.empty(0)])


def check_pipeline_consistency(name, transformer):
    assert_equal(
        make_pipeline(ready(transformer)).fit(speech()).transform(speech()),
        ready(transformer).fit(speech()).transform(speech()),
    )


def check_estimators_nan_inf(name, transformer):
    for bad in (np.nan, np.inf):
        X = speech()
        X[2][5] = bad
        with pytest.raises(AudioReadError, match="utterance 2: holds samples that are NaN"):
            ready(transformer).transform(X)


def check_estimator_sparse_tag(name, transformer):
    assert not transformer.__sklearn_tags__().input_tags.sparse


def _check_sparse(transformer, container):
    with pytest.raises(TypeError, match="list of paths or 1-D arrays"):
        ready(transformer).transform(container(np.eye(3)))


def check_estimator_sparse_array(name, transformer):
    from scipy.sparse import csr_array

    _check_sparse(transformer, csr_array)


def check_estimator_sparse_matrix(name, transformer):
    from scipy.sparse import csr_matrix

    _check_sparse(transformer, csr_matrix)


def check_estimators_pickle(name, transformer):
    transformer = ready(transformer).fit(speech())
    assert_equal(
        pickle.loads(pickle.dumps(transformer)).transform(speech()), transformer.transform(speech())
    )


def check_array_api_input(name, transformer):
    # Each utterance is a 1-D tensor, since utterances differ in length.
    import torch

    tensors = [torch.from_numpy(x) for x in speech()]
    assert_equal(ready(transformer).transform(tensors), ready(transformer).transform(speech()))


def check_f_contiguous_array_estimator(name, transformer):
    strided = [np.stack([x, x])[:, ::2][0] for x in speech()]
    assert not strided[0].flags.c_contiguous
    dense = [np.ascontiguousarray(x) for x in strided]
    assert_equal(ready(transformer).transform(strided), ready(transformer).transform(dense))


def check_transformer_data_not_an_array(name, transformer):
    lists = [x.astype(float).tolist() for x in speech()]
    assert_equal(ready(transformer).transform(lists), ready(transformer).transform(speech()))
    with pytest.raises(TypeError, match="list of paths or 1-D arrays"):
        ready(transformer).transform(3)


def check_transformer_general(name, transformer):
    X = ready(transformer).fit_transform(speech())
    assert isinstance(X, Sequences | np.ndarray)
    assert len(X) == 4
    assert_equal(ready(transformer).fit(speech()).transform(speech()), X)


def check_transformers_unfitted_stateless(name, transformer):
    assert not transformer.__sklearn_tags__().requires_fit
    assert_equal(ready(transformer).transform(speech()), ready(transformer).fit_transform(speech()))


def check_transformer_n_iter(name, transformer):
    assert not hasattr(transformer, "max_iter")


def check_methods_sample_order_invariance(name, transformer):
    order = [2, 0, 3, 1]
    X = ready(transformer).transform(speech())
    shuffled = ready(transformer).transform([speech()[i] for i in order])
    assert_equal(shuffled, X[order])


def check_methods_subset_invariance(name, transformer):
    X = ready(transformer).transform(speech())
    for i, x in enumerate(speech()):
        assert_equal(ready(transformer).transform([x]), X[[i]])


def check_fit2d_1sample(name, transformer):
    assert len(ready(transformer).fit_transform(np.stack([speech()[0]]))) == 1


def check_fit2d_1feature(name, transformer):
    # A single sample is too short for a frame. Trimming keeps it and warns.
    if isinstance(transformer, VoiceActivityTrimmer):
        with pytest.warns(UserWarning, match="No speech was found in 3 of 3 utterances"):
            trimmed = ready(transformer).fit(speech()).transform(np.ones((3, 1)))
        assert [len(x) for x in trimmed] == [1, 1, 1]
        return
    # Its frames are stretches of 32 ms, the last of which is filled up.
    if isinstance(transformer, SpeechProbability):
        frames = ready(transformer).fit(speech()).transform(np.ones((3, 1)))
        assert frames.lengths.tolist() == [1, 1, 1]
        return
    with pytest.raises(AudioReadError, match="less than one (window|frame)"):
        ready(transformer).fit(speech()).transform(np.ones((3, 1)))


def check_dict_unchanged(name, transformer):
    transformer = ready(transformer).fit(speech())
    before = joblib.hash(vars(transformer))
    transformer.transform(speech())
    assert joblib.hash(vars(transformer)) == before


def check_fit_idempotent(name, transformer):
    transformer = ready(transformer).fit(speech())
    X = transformer.transform(speech())
    assert_equal(transformer.fit(speech()).transform(speech()), X)


def check_fit_check_is_fitted(name, transformer):
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(ready(transformer))


def check_n_features_in(name, transformer):
    # The length of utterances may differ between fit and transform.
    transformer = ready(transformer).fit(speech())
    assert len(transformer.transform([speech()[0][:2000]])[0]) > 0


def check_fit1d(name, transformer):
    with pytest.raises(TypeError, match="single 1-D array of samples"):
        ready(transformer).transform(speech()[0])


def check_fit2d_predict1d(name, transformer):
    transformer = ready(transformer).fit(np.stack([speech()[0]] * 2))
    with pytest.raises(TypeError, match="single 1-D array of samples"):
        transformer.transform(speech()[0])
