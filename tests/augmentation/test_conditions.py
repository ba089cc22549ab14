"""The random mixture of conditions."""

import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone

from skser import augmentation
from skser.audio import AudioReadError, Waveform
from skser.augmentation import Conditions, altered
from skser.datasets import make_emotional_speech

RATE = 16000
RANDOM = np.random.RandomState


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(4, 5, random_state=0)


@pytest.fixture(scope="module")
def waves(corpus):
    return [Waveform(samples, RATE) for samples in corpus.data]


def hum(frequency, seconds=4.0):
    return Waveform(np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE), RATE)


def frequency_of(samples):
    """Return the frequency in Hz that has most power."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**16))
    return spectrum.argmax() * RATE / 2**16


def decibels(signal, noise):
    return 10 * np.log10(np.mean(np.square(signal, dtype=float)) / np.mean(np.square(noise)))


def test_one_seed_gives_one_copy_and_another_seed_another(corpus):
    conditions, samples = Conditions(), corpus.data[0]
    first = conditions(samples, RATE, RANDOM(3))
    assert first.dtype == np.float32
    for same in (conditions, clone(conditions), pickle.loads(pickle.dumps(conditions))):
        np.testing.assert_array_equal(same(samples, RATE, RANDOM(3)), first)
    other = conditions(samples, RATE, RANDOM(4))
    assert other.shape != first.shape or np.abs(other - first).max() > 1e-3


def test_ratios_cover_the_range_below_8_khz(corpus):
    samples = corpus.data[0] / 20  # far enough below full scale for noise at -5 dB
    conditions = Conditions({"white": 0.5, "pink": 0.5})
    noises = [conditions(samples, RATE, RANDOM(seed)) - samples for seed in range(300)]
    ratios = [decibels(samples, noise) for noise in noises]
    assert min(ratios) == pytest.approx(-5, abs=0.3)
    assert max(ratios) == pytest.approx(20, abs=0.3)
    assert np.mean(ratios) == pytest.approx(7.5, abs=1.5)
    fixed = Conditions({"white": 1.0}, snr=7)(samples, RATE, RANDOM(0))
    assert decibels(samples, fixed - samples) == pytest.approx(7, abs=0.01)


def test_each_kind_occurs_as_often_as_asked_for(corpus, monkeypatch):
    drawn = []
    for name in ("_noisy", "_applied"):
        monkeypatch.setattr(
            Conditions, name, lambda self, kind, samples, *rest: drawn.append(kind) or samples
        )
    conditions = Conditions({"room": 0.3, "white": 0.4, "pink": 0.2, "codec": 0.1, "band": 0.05})
    for seed in range(2000):
        conditions(corpus.data[0], RATE, RANDOM(seed))
    shares = {kind: drawn.count(kind) / 2000 for kind in set(drawn)}
    expected = {"room": 0.3, "white": 0.4, "pink": 0.2, "codec": 0.1, "band": 0.05}
    assert shares == pytest.approx(expected, abs=0.035)


def test_kinds_that_are_missing_are_replaced_by_other_noise(corpus, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Conditions, "_noisy", lambda self, kind, samples, *rest: drawn.append(kind) or samples
    )
    conditions = Conditions({"white": 0.3, "recordings": 0, "babble": 0.6})
    for seed in range(500):
        conditions(corpus.data[0], RATE, RANDOM(seed))
    assert set(drawn) == {"white"}
    assert len(drawn) / 500 == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("speed", {"speed": 1.05}),
        ("room", {}),
        ("room", {"impulse_responses": [Waveform([1.0, 0.7, 0.5], RATE)]}),
        ("recordings", {"noise": [hum(500)]}),
        ("babble", {"babble": [hum(500)]}),
        ("brown", {}),
        ("microphone", {"tilt": 3}),
        ("clipping", {}),
        ("telephone", {}),
        ("band", {}),
        ("codec", {}),
        ("level", {"gain": -20}),
    ],
)
@pytest.mark.parametrize("rate", [8000, RATE, 48000])
def test_each_kind_works_at_any_rate_and_for_any_input(corpus, kind, settings, rate):
    conditions = Conditions({kind: 1.0}, **settings)
    for samples in (corpus.data[0], np.zeros(800, np.float32), np.full(1, 0.1, np.float32)):
        for seed in range(3):
            result = altered(samples, rate, conditions, seed, "it")
            assert 0.9 < len(result) / len(samples) < 1.1
            # A-law has no code of 0: its smallest value is 2.4e-4.
            assert (np.abs(result).max() > 3e-4) == samples.any() or len(samples) == 1
    assert np.abs(conditions(corpus.data[0], rate, RANDOM(0))[:9000] - corpus.data[0][:9000]).any()


def test_the_result_is_scaled_rather_than_clipped(corpus):
    samples = corpus.data[0] / np.abs(corpus.data[0]).max()
    loud = Conditions({"level": 1.0}, gain=20)(samples, RATE, RANDOM(0))
    np.testing.assert_allclose(loud, samples, atol=1e-6)
    noisy = Conditions({"white": 1.0}, snr=0)(samples, RATE, RANDOM(0))
    assert np.abs(noisy).max() == pytest.approx(1)
    plain = augmentation.add_noise(samples, RATE, RANDOM(0), snr=0)
    assert np.corrcoef(noisy, samples)[0, 1] == pytest.approx(np.corrcoef(plain, samples)[0, 1],
                                                              abs=0.05)  # fmt: skip


def test_bound_voices_are_those_of_others_and_of_other_speakers_first():
    waves = [hum(200 * (i + 1)) for i in range(4)]
    given = Conditions({"babble": 1.0}, snr=-40, n_voices=1)
    bound = given.bind(waves)
    heard = {frequency_of(bound(waves[0], RATE, RANDOM(seed))) for seed in range(40)}
    assert sorted(round(f, -1) for f in heard) == [400, 600, 800]
    bound = given.bind(waves, speakers=["a", "a", "b", "b"])
    heard = {frequency_of(bound(waves[0], RATE, RANDOM(seed))) for seed in range(40)}
    assert sorted(round(f, -1) for f in heard) == [600, 800]
    bound = given.bind(waves, speakers=["a"] * 4)  # no other speaker: others of the same
    heard = {frequency_of(bound(waves[0], RATE, RANDOM(seed))) for seed in range(40)}
    assert sorted(round(f, -1) for f in heard) == [400, 600, 800]


def test_voices_do_not_depend_on_the_order_of_utterances(waves, corpus):
    conditions = Conditions({"babble": 1.0})
    forwards = conditions.bind(waves)(corpus.data[0], RATE, RANDOM(0))
    backwards = conditions.bind(waves[::-1])(corpus.data[0], RATE, RANDOM(0))
    np.testing.assert_array_equal(forwards, backwards)


def test_a_lone_or_silent_corpus_gives_other_noise(waves, corpus):
    silence = Waveform(np.zeros(100, np.float32), RATE)
    for voices in (waves[:1], [silence], [silence, waves[0]]):
        bound = Conditions({"babble": 0.5, "white": 0.5}, snr=10).bind(voices)
        noise = bound(corpus.data[0], RATE, RANDOM(0)) - corpus.data[0]
        assert decibels(corpus.data[0], noise) == pytest.approx(10, abs=0.01)


def test_binding_changes_neither_the_object_nor_its_parameters(waves, tmp_path):
    conditions = Conditions(noise=[hum(100)])
    bound = conditions.bind(waves)
    assert conditions._voices is None
    assert repr(bound) == repr(conditions)
    assert clone(bound)._voices is None


def test_bound_conditions_give_the_same_in_processes(waves, corpus):
    bound = Conditions().bind(waves, corpus.speakers)
    tasks = [(samples, RATE, bound, seed, "it") for seed, samples in enumerate(corpus.data[:6])]
    here = [altered(*task) for task in tasks]
    there = Parallel(n_jobs=2)(delayed(altered)(*task) for task in tasks)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parameters_can_be_searched():
    conditions = Conditions().set_params(snr=(5, 10), probabilities={"white": 1})
    assert conditions.get_params()["snr"] == (5, 10)
    assert clone(conditions).probabilities == {"white": 1}


def test_milder_is_half_of_the_default_with_other_speeds(waves):
    spelled_out = {
        "speed": 0.5, "room": 0.1, "white": 0.125, "pink": 0.1, "brown": 0.025, "recordings": 0.125,
        "babble": 0.125, "microphone": 0.1, "clipping": 0.025, "telephone": 0.025, "band": 0.025,
        "codec": 0.05, "level": 0.1,
    }  # fmt: skip
    clips = [RANDOM(1).standard_normal(RATE)]
    named, own = (
        Conditions(probabilities, noise=[Waveform(clip, RATE) for clip in clips]).bind(waves)
        for probabilities in ("milder", spelled_out)
    )
    altered = 0
    for seed in range(30):
        copy = named(waves[0], RATE, RANDOM(seed))
        np.testing.assert_array_equal(copy, own(waves[0], RATE, RANDOM(seed)))
        altered += not np.array_equal(copy, waves[0])
    assert 10 < altered < 30


def test_milder_needs_no_recordings(waves):
    bound = Conditions("milder").bind(waves)
    assert all(np.isfinite(bound(waves[0], RATE, RANDOM(seed))).all() for seed in range(10))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probabilities": {"whale": 1}}, "unknown kind 'whale'; the kinds are speed, room"),
        ({"probabilities": {"white": 2}}, r"probabilities\['white'\]=2 must be a number from 0 to"),
        ({"probabilities": {"white": 0.6, "pink": 0.6}}, "add up to 1.2, but at most one"),
        ({"probabilities": {"recordings": 1}}, "has 'recordings', but noise is None"),
        ({"probabilities": {"white": 0.5, "recordings": 0.5}}, "but noise is None: pass a folder"),
        ({"probabilities": "mild"}, "'probabilities' parameter"),
        ({"probabilities": {"babble": 1}, "babble": None}, "has 'babble', but babble is None"),
        ({"snr": (20, 0)}, "snr=.* must be a number, or a pair of numbers in order"),
        ({"snr": "loud"}, "'snr' parameter"),
        ({"speed": (0, 1)}, "speed=.* pair of positive numbers in order"),
        ({"babble": ""}, "babble='' is not a folder"),
        ({"n_voices": 0}, "'n_voices' parameter"),
    ],
)
def test_bad_parameters_are_named(waves, settings, message):
    with pytest.raises(ValueError, match=message):
        Conditions(**settings)(waves[0], RATE, RANDOM(0))
    with pytest.raises(ValueError, match=message):
        Conditions(**settings).bind(waves)


def test_bad_recordings_are_named_when_they_are_bound_or_read(waves, wav):
    with pytest.raises(FileNotFoundError, match="noise='/no/such' does not exist"):
        Conditions(noise="/no/such").bind(waves)
    silent = wav(np.zeros(10), name="silent.wav")
    with pytest.raises(AudioReadError, match=r"silent\.wav: is silent"):
        Conditions({"recordings": 1.0}, noise=[silent])(waves[0], RATE, RANDOM(0))


def test_a_large_corpus_is_represented_by_some_of_its_voices(monkeypatch):
    monkeypatch.setattr("skser.augmentation._recordings._ENOUGH", 4 * RATE)
    waves = [hum(150 * (i + 1), seconds=1.0) for i in range(20)]
    bound = Conditions({"babble": 1.0}, snr=-40, n_voices=1).bind(waves, np.arange(20) // 2)
    voices = {round(frequency_of(bound(waves[0], RATE, RANDOM(seed))), -1) for seed in range(60)}
    assert len(voices) in (3, 4)
    assert len(bound._voices.block) == 4 * RATE
