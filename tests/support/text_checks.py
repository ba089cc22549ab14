"""Replacements on texts for the estimator checks of scikit-learn that need 2-D arrays."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

TEXTS = ["i am so happy", "sad today", "so", "am i happy today"]


def assert_same(a, b):
    np.testing.assert_allclose(a, b, atol=1e-5)


def _refuses(transformer, X, match="must be a list or 1-D array of texts"):
    with pytest.raises((TypeError, ValueError), match=match):
        transformer.transform(X)


def check_fit_score_takes_y(name, transformer):
    assert_same(transformer.fit_transform(TEXTS, np.arange(4)), transformer.fit_transform(TEXTS))


def check_estimators_overwrite_params(name, transformer):
    before = joblib.hash(transformer.get_params())
    transformer.fit(TEXTS).transform(TEXTS)
    assert joblib.hash(transformer.get_params()) == before


def check_dont_overwrite_parameters(name, transformer):
    before = set(vars(transformer))
    assert set(vars(transformer.fit(TEXTS))) == before


def check_estimators_fit_returns_self(name, transformer):
    assert transformer.fit(TEXTS) is transformer


def check_readonly_memmap_input(name, transformer):
    texts = np.array(TEXTS)
    texts.flags.writeable = False
    assert_same(transformer.transform(texts), transformer.transform(TEXTS))


def check_n_features_in_after_fitting(name, transformer):
    X = transformer.fit(TEXTS).transform(TEXTS)
    assert not hasattr(transformer, "n_features_in_")
    assert X.shape == (4, len(transformer.get_feature_names_out()))


def check_positive_only_tag_during_fit(name, transformer):
    assert np.isfinite(transformer.fit_transform(TEXTS)).all()


def check_estimators_dtypes(name, transformer):
    for dtype in (object, str):
        assert transformer.transform(np.array(TEXTS, dtype)).dtype == np.float32


def check_complex_data(name, transformer):
    _refuses(transformer, [1 + 1j], "Utterance 0 has no transcript")


def check_dtype_object(name, transformer):
    _refuses(transformer, np.array([{"foo": "bar"}], object), "Utterance 0 has no transcript")


def check_estimators_empty_data_messages(name, transformer):
    _refuses(transformer, [], "0 texts, at least 1 is required")


def check_pipeline_consistency(name, transformer):
    assert_same(
        make_pipeline(transformer).fit(TEXTS).transform(TEXTS), transformer.transform(TEXTS)
    )


def check_estimators_nan_inf(name, transformer):
    _refuses(transformer, ["so", np.nan], "Utterance 1 has no transcript")


def check_estimator_sparse_tag(name, transformer):
    assert not transformer.__sklearn_tags__().input_tags.sparse


def check_estimator_sparse_array(name, transformer):
    from scipy.sparse import csr_array

    _refuses(transformer, csr_array(np.eye(3)), "texts")


def check_estimator_sparse_matrix(name, transformer):
    from scipy.sparse import csr_matrix

    _refuses(transformer, csr_matrix(np.eye(3)), "texts")


def check_estimators_pickle(name, transformer):
    copy = pickle.loads(pickle.dumps(transformer.fit(TEXTS)))
    assert_same(copy.transform(TEXTS), transformer.transform(TEXTS))


def check_array_api_input(name, transformer):
    import torch

    _refuses(transformer, torch.eye(3))


def check_f_contiguous_array_estimator(name, transformer):
    strided = np.array([TEXTS, TEXTS], order="F")[0]
    assert not strided.flags.c_contiguous
    assert_same(transformer.transform(strided), transformer.transform(TEXTS))


def check_transformer_data_not_an_array(name, transformer):
    assert_same(transformer.transform(tuple(TEXTS)), transformer.transform(TEXTS))
    _refuses(transformer, 3)


def check_transformer_general(name, transformer):
    X = transformer.fit_transform(TEXTS)
    assert len(X) == 4
    assert_same(transformer.fit(TEXTS).transform(TEXTS), X)


def check_transformers_unfitted_stateless(name, transformer):
    assert not transformer.__sklearn_tags__().requires_fit
    assert_same(transformer.transform(TEXTS), transformer.fit_transform(TEXTS))


def check_transformer_n_iter(name, transformer):
    assert not hasattr(transformer, "max_iter")


def check_methods_sample_order_invariance(name, transformer):
    order = [2, 0, 3, 1]
    shuffled = transformer.transform([TEXTS[i] for i in order])
    assert_same(shuffled, transformer.transform(TEXTS)[order])


def check_methods_subset_invariance(name, transformer):
    X = transformer.transform(TEXTS)
    for i, text in enumerate(TEXTS):
        assert_same(transformer.transform([text]), X[[i]])


def check_fit2d_1sample(name, transformer):
    assert len(transformer.fit_transform(TEXTS[:1])) == 1


def check_fit2d_1feature(name, transformer):
    _refuses(transformer, np.ones((3, 1)))


def check_dict_unchanged(name, transformer):
    before = joblib.hash(vars(transformer.fit(TEXTS)))
    transformer.transform(TEXTS)
    assert joblib.hash(vars(transformer)) == before


def check_fit_idempotent(name, transformer):
    X = transformer.fit(TEXTS).transform(TEXTS)
    assert_same(transformer.fit(TEXTS).transform(TEXTS), X)


def check_fit_check_is_fitted(name, transformer):
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(transformer)


def check_n_features_in(name, transformer):
    # The length of texts may differ between fit and transform.
    assert transformer.fit(TEXTS[2:3]).transform(TEXTS[:1]).shape[0] == 1


def check_fit1d(name, transformer):
    _refuses(transformer, "so", "single text")


def check_fit2d_predict1d(name, transformer):
    _refuses(transformer.fit(np.array([TEXTS]).T), "so", "single text")
