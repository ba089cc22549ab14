import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences


def test_columns_have_mean_zero_and_deviation_one(sequences):
    scaled = SequenceScaler().fit_transform(sequences)
    np.testing.assert_allclose(scaled.values.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.values.std(axis=0), 1, atol=1e-5)
    assert scaled.layout == sequences.layout


def test_only_the_frames_of_a_view_count(sequences):
    view = sequences[[1, 3]]
    scaler = SequenceScaler().fit(view)
    assert scaler.n_frames_seen_ == 10
    np.testing.assert_allclose(scaler.mean_, view.frames().mean(axis=0), atol=1e-6)


def test_partial_fit_adds_up(sequences):
    whole = SequenceScaler().fit(sequences)
    parts = SequenceScaler()
    for i in range(6):
        parts.partial_fit(sequences[[i]])
    np.testing.assert_allclose(parts.mean_, whole.mean_, atol=1e-6)
    np.testing.assert_allclose(parts.scale_, whole.scale_, atol=1e-6)
    assert parts.fit(sequences[:2]).n_frames_seen_ == 15


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("with_std", [True, False])
def test_inverse_transform_undoes_transform(sequences, with_mean, with_std):
    scaler = SequenceScaler(with_mean=with_mean, with_std=with_std).fit(sequences)
    back = scaler.inverse_transform(scaler.transform(sequences))
    np.testing.assert_allclose(back.values, sequences.values, atol=1e-5)


def test_constant_columns_stay_finite():
    X = Sequences.from_list([np.full((5, 2), 3.0)])
    assert (SequenceScaler().fit_transform(X).values == 0).all()


def test_a_2d_array_shares_one_scale():
    X = np.random.RandomState(0).randn(20, 30) * np.linspace(1, 5, 30)
    scaled = SequenceScaler().fit_transform(X)
    np.testing.assert_allclose(scaled, (X - X.mean()) / X.std(), atol=1e-5)


def test_the_input_is_not_modified(sequences):
    before = sequences.values.copy()
    SequenceScaler().fit_transform(sequences)
    np.testing.assert_array_equal(sequences.values, before)


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("with_std", [True, False])
def test_values_equal_those_of_standard_scaler(sequences, with_mean, with_std):
    scaler = SequenceScaler(with_mean=with_mean, with_std=with_std).fit(sequences)
    reference = StandardScaler(with_mean=with_mean, with_std=with_std).fit(sequences.frames())
    before = sequences.values.copy()
    scaled = scaler.transform(sequences)
    expected = reference.transform(sequences.frames())
    np.testing.assert_allclose(scaled.values, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(scaler.inverse_transform(scaled).values, before, atol=1e-6)
    np.testing.assert_array_equal(sequences.values, before)
