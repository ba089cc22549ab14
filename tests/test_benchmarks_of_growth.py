"""Tests of the benchmarks of growing corpora and of earlier checkouts."""

import sys

import growth
import pytest
import training


def runs(seconds_of):
    return {
        str(n): {"seconds": seconds_of(n), "megabytes": 200 + n / 100, "disk_megabytes": n / 50}
        for n in (10_000, 1_000, 100_000)
    }


def test_the_largest_size_continues_the_measured_ones():
    fit = growth.fitted(runs(lambda n: 0.01 * n**1.1))
    assert fit["exponent"] == pytest.approx(1.1)
    assert fit["n_utterances"] == 1_000_000
    assert fit["seconds"] == pytest.approx(0.01 * 1e6**1.1)
    assert fit["megabytes"] == pytest.approx(10_200)
    assert fit["disk_megabytes"] == pytest.approx(20_000)


def test_noise_is_not_continued():
    measured = runs(lambda n: n / 100)
    for run in measured.values():
        run["megabytes"] = 300 - run["disk_megabytes"] / 1000
    fit = growth.fitted(measured)
    assert fit["megabytes"] == pytest.approx(300 - 37_000 / 50 / 1000)
    measured = {"1": runs(lambda n: n), "2": runs(lambda n: n / 4)}
    assert growth.more_workers(measured)["exponent"] == -1


def test_more_workers_continue_one_and_two():
    measured = {"0": runs(lambda n: n), "1": runs(lambda n: n / 100), "2": runs(lambda n: n / 160)}
    more = growth.more_workers(measured)
    assert more["n_utterances"] == 100_000
    assert more["exponent"] == pytest.approx(-0.678, abs=1e-3)
    rates = more["utterances_per_second"]
    assert list(rates) == ["4", "8", "16"]
    assert rates["4"] == pytest.approx(256)
    assert rates["16"] == pytest.approx(655.36)


@pytest.mark.real_data
def test_features_of_a_small_table_are_measured(emodb_path, tmp_path):
    measured = growth.measure(20, 0, tmp_path)
    assert measured["seconds"] > 0
    assert measured["megabytes"] > 50
    # Half a second has 51 frames of 16 bands of 4 bytes.
    assert measured["disk_megabytes"] == pytest.approx(20 * 51 * 16 * 4 / 1e6, rel=0.2)
    assert list(tmp_path.iterdir()) == []


def test_a_package_of_another_checkout_is_imported_beside_this_one(tmp_path):
    import skser

    (tmp_path / "skser").mkdir()
    late = "def late():\n    from skser import part\n\n    return part.X\n"
    (tmp_path / "skser/__init__.py").write_text(late)
    (tmp_path / "skser/part.py").write_text("X = 'other'\n")
    package = training.Package(tmp_path)
    with package.active():
        import skser as other

        assert other.late() == "other"
    assert sys.modules["skser"] is skser
    assert not hasattr(skser, "part")
    with package.active():
        assert sys.modules["skser"] is other
        assert other.late() == "other"
    assert str(tmp_path) not in sys.path
