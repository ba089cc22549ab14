"""A random mixture of recording conditions: noise, rooms, microphones, channels and levels."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from skser.augmentation._channels import encode, limit_band, telephone, tilt_spectrum
from skser.augmentation._distortions import change_gain, change_speed, clip
from skser.augmentation._noise import add_noise, add_recording, add_voices
from skser.augmentation._recordings import Voices, listed, voices_of
from skser.augmentation._rooms import apply_room, reverberate

# Probability of each kind of condition in a copy. Of each group below, at most one is drawn.
_DEFAULT = {
    "speed": 0.1,
    "room": 0.2,
    "white": 0.25,
    "pink": 0.2,
    "brown": 0.05,
    "recordings": 0.25,
    "babble": 0.25,
    "microphone": 0.2,
    "clipping": 0.05,
    "telephone": 0.05,
    "band": 0.05,
    "codec": 0.1,
    "level": 0.2,
}
# Chosen on inner folds for vectors of an encoder; docs/robustness.rst compares the two.
_MILDER = {kind: p / 2 for kind, p in _DEFAULT.items()} | {"speed": 0.5}
_NOISES = ("white", "pink", "brown", "recordings", "babble")
_GROUPS = [
    ("speed",),
    ("room",),
    _NOISES,
    ("microphone",),
    ("clipping",),
    ("telephone", "band", "codec"),
    ("level",),
]
_CODECS = ("MP3", "OPUS", "ULAW", "ALAW")


class Conditions(BaseEstimator):
    """Random recording conditions, for training on copies of utterances that are altered by them.

    Each call draws which conditions an utterance is put in and how strong they are, and applies
    them in the order in which sound passes them: the speed of the speaker, the room, noise, the
    microphone, clipping, the telephone or codec, and the level. `AugmentedClassifier` calls it
    once for each copy, with a seed of the copy's own.

    Parameters
    ----------
    probabilities : dict of float, "milder" or None, default=None
        Probability that a condition is applied, by kind; kinds that are left out are never
        applied. The kinds are "speed", "room", "white", "pink", "brown", "recordings", "babble",
        "microphone", "clipping", "telephone", "band", "codec" and "level". At most one of the
        five kinds of noise is applied to a copy, and at most one of telephone, band and codec, so
        their probabilities must not add up to more than 1. Without recordings, or without
        voices for babble, the other kinds of noise take over their share; a dict that names
        recordings needs some. None means {default}. "milder" means half of that, but 0.5 for
        speed.
    snr : float or (float, float), default=(-5, 20)
        Signal-to-noise ratio in dB over the utterance, below 8 kHz; a pair is the range from
        which it is drawn uniformly, as in the following parameters.
    noise : path-like, list of audio or None, default=None
        Recordings of noise: a folder or a list, as in `add_recording`. None adds none.
    babble : "training", path-like, list of audio or None, default="training"
        Voices for babble. "training" means the other utterances that `AugmentedClassifier` or
        `AugmentedRegressor` is fitted on, those of other speakers first if speakers are known;
        used as a function on its own, the object then adds no babble. A folder or a list is used
        as in `add_babble`; None adds no babble.
    n_voices : int, default=6
        Number of voices in babble.
    impulse_responses : path-like, list of audio or None, default=None
        Impulse responses of rooms, as in `apply_room`; `simulate_rooms` makes some. With None,
        rooms are decaying noise, as in `reverberate`.
    reverberation : float or (float, float), default=(0.2, 0.8)
        Reverberation time in seconds of rooms that are decaying noise.
    tilt : float or (float, float), default=(-3, 3)
        Slope of the microphone's spectrum in dB per octave.
    gain : float or (float, float), default=(-20, 6)
        Change of the level in dB.
    speed : float or (float, float), default=(0.95, 1.05)
        Factor of the speed, which changes the pitch as well.

    See Also
    --------
    skser.compose.AugmentedClassifier : Classifier trained on altered copies.
    skser.evaluation.robustness_report : Scores of a model in given conditions.

    Notes
    -----
    If samples of the result exceed full scale (or the largest of the input, if that is larger),
    its level is lowered as far as needed. It is never clipped, except by the condition of that
    name.

    A saved model does not hold `noise`, `babble` and `impulse_responses`, which only training
    needs; the loaded one has their default values.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import Conditions
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> conditions = Conditions(snr=(5, 15))
    >>> altered = conditions(speech, 16000, np.random.RandomState(0))
    >>> altered.shape == speech.shape
    True

    Telephone calls in white noise only:

    >>> calls = Conditions({"white": 1.0, "telephone": 1.0})
    """

    _parameter_constraints = {
        "probabilities": [dict, StrOptions({"milder"}), None],
        "snr": [Real, tuple, list],
        "noise": "no_validation",
        "babble": "no_validation",
        "n_voices": [Interval(Integral, 1, None, closed="left")],
        "impulse_responses": "no_validation",
        "reverberation": [Interval(Real, 0, None, closed="neither"), tuple, list],
        "tilt": [Real, tuple, list],
        "gain": [Real, tuple, list],
        "speed": [Interval(Real, 0, None, closed="neither"), tuple, list],
    }
    _voices = None

    def __init__(
        self,
        probabilities=None,
        snr=(-5, 20),
        noise=None,
        babble="training",
        n_voices=6,
        impulse_responses=None,
        reverberation=(0.2, 0.8),
        tilt=(-3, 3),
        gain=(-20, 6),
        speed=(0.95, 1.05),
    ):
        self.probabilities = probabilities
        self.snr = snr
        self.noise = noise
        self.babble = babble
        self.n_voices = n_voices
        self.impulse_responses = impulse_responses
        self.reverberation = reverberation
        self.tilt = tilt
        self.gain = gain
        self.speed = speed

    def bind(self, utterances, speakers=None):
        """Return a copy that knows the utterances of training, and has listed its folders.

        `AugmentedClassifier` and `AugmentedRegressor` call this method in `fit`, with the
        training utterances only. Your own alterations may have it, too.

        Parameters
        ----------
        utterances : list of Waveform
            Utterances as they will be altered: mono, float32, all at one sampling rate.
        speakers : array-like of shape (n_utterances,) or None, default=None
            Speakers of the utterances.

        Returns
        -------
        Conditions
            A copy, whose babble consists of the utterances if `babble` is "training".

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            If a parameter is invalid, or a folder or list holds no audio.
        """
        self._checked()
        bound = copy.copy(self)
        for name in ("noise", "impulse_responses", "babble"):
            value = getattr(self, name)
            if value is not None and not (name == "babble" and _is_training(value)):
                setattr(bound, name, listed(value, name))
        if _is_training(self.babble):
            bound._voices = Voices(utterances, speakers)
        return bound

    def __call__(self, samples, sampling_rate, random_state):
        """Put an utterance in random conditions.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono samples whose full scale is 1.
        sampling_rate : float
            Sampling rate in Hz.
        random_state : numpy.random.RandomState
            Generator of the conditions.

        Returns
        -------
        ndarray of shape (n_altered_samples,), float32
            Altered samples. Only a changed speed changes their number.

        Raises
        ------
        AudioReadError
            If a drawn recording cannot be read, or is silent.
        ValueError
            If a parameter is invalid.
        """
        probabilities = self._checked()
        available = {"recordings": self.noise is not None, "babble": self._has_voices(samples)}
        # Everything that is drawn before the pool of voices is the same in each fold.
        kinds = [
            _drawn({kind: probabilities.get(kind, 0) for kind in group}, available, random_state)
            for group in _GROUPS
        ]
        seeds = random_state.randint(2**31 - 1, size=len(_GROUPS))
        result = samples
        for kind, seed in zip(kinds, seeds, strict=True):
            given = result, sampling_rate, np.random.RandomState(seed)
            if kind in _NOISES:
                # The voices must be those of others, and unaltered samples show which they are.
                result = self._noisy(kind, *given, samples)
            elif kind is not None:
                result = self._applied(kind, *given)
        largest = np.abs(result).max()
        allowed = max(1.0, np.abs(samples).max())
        if largest > allowed:
            result = result * (allowed / largest)
        return np.asarray(result, dtype=np.float32)

    def _has_voices(self, samples):
        """Return whether babble can be added to an utterance."""
        if _is_training(self.babble):
            return self._voices is not None and self._voices.has_others(samples)
        return self.babble is not None

    def _noisy(self, kind, samples, sampling_rate, random_state, original):
        """Add noise of the given kind; `original` are the samples before any condition."""
        given = samples, sampling_rate, random_state
        snr = _uniform(self.snr, random_state)
        if kind == "recordings":
            return add_recording(*given, recordings=self.noise, snr=snr)
        if kind != "babble":
            return add_noise(*given, snr=snr, color=kind)
        draw = random_state.randint(2**31 - 1), self.n_voices, sampling_rate
        if _is_training(self.babble):
            voices = self._voices.draw(original, *draw)
        else:
            voices = voices_of(self.babble, original, *draw)
        return add_voices(*given, voices, snr=snr)

    def _applied(self, kind, samples, sampling_rate, random_state):
        """Apply a condition other than noise, of random strength."""
        given = samples, sampling_rate, random_state
        if kind == "speed":
            return change_speed(*given, factor=_uniform(self.speed, random_state))
        if kind == "room" and self.impulse_responses is not None:
            return apply_room(*given, impulse_responses=self.impulse_responses)
        if kind == "room":
            seconds = _uniform(self.reverberation, random_state)
            return reverberate(*given, seconds=seconds, ratio=random_state.uniform(0, 10))
        if kind == "microphone":
            return tilt_spectrum(*given, slope=_uniform(self.tilt, random_state))
        if kind == "clipping":
            return clip(*given, share=10 ** random_state.uniform(-3, -1))
        if kind == "telephone":
            return telephone(*given)
        if kind == "band":
            low, high = random_state.uniform(50, 300), random_state.uniform(3000, 7000)
            return limit_band(*given, low=min(low, sampling_rate / 8), high=high)
        if kind == "codec":
            format = _CODECS[random_state.randint(len(_CODECS))]
            return encode(*given, format=format, compression=random_state.uniform(0.8, 1))
        return change_gain(*given, decibels=_uniform(self.gain, random_state))

    def _checked(self):
        """Check the parameters and return the probabilities."""
        self._validate_params()
        for name in ("snr", "reverberation", "tilt", "gain", "speed"):
            _check_range(name, getattr(self, name), name in ("reverberation", "speed"))
        if isinstance(self.babble, str) and not self.babble:
            raise ValueError(
                "babble='' is not a folder; pass 'training', a folder, a list or None."
            )
        own = isinstance(self.probabilities, dict)
        named = {None: _DEFAULT, "milder": _MILDER}
        probabilities = self.probabilities if own else named[self.probabilities]
        for kind, probability in probabilities.items():
            if kind not in _DEFAULT:
                raise ValueError(
                    f"probabilities has an unknown kind {kind!r}; the kinds are "
                    f"{', '.join(_DEFAULT)}."
                )
            if not (isinstance(probability, Real) and 0 <= probability <= 1):
                raise ValueError(
                    f"probabilities[{kind!r}]={probability!r} must be a number from 0 to 1."
                )
        for group in _GROUPS:
            total = sum(probabilities.get(kind, 0) for kind in group)
            if total > 1 + 1e-9:
                raise ValueError(
                    f"The probabilities of {', '.join(group)} add up to {total:g}, but at most "
                    "one of them is applied to a copy, so that their sum must be at most 1."
                )
        for kind, name in (("recordings", "noise"), ("babble", "babble")):
            if own and probabilities.get(kind) and getattr(self, name) is None:
                raise ValueError(
                    f"probabilities has {kind!r}, but {name} is None: pass a folder or a list of "
                    "audio."
                )
        return probabilities


def _is_training(babble):
    return isinstance(babble, str) and babble == "training"


def _drawn(probabilities, available, random_state):
    """Draw at most one kind; kinds that are available take over the share of those that are not."""
    number = random_state.uniform()
    total = sum(probabilities.values())
    left = {kind: p for kind, p in probabilities.items() if p and available.get(kind, True)}
    if not left or number >= total:
        return None
    edges = np.cumsum(list(left.values()))
    place = np.searchsorted(edges, number / total * edges[-1], side="right")
    return list(left)[min(place, len(left) - 1)]


def _uniform(value, random_state):
    """Return a number as given, or draw one from a range."""
    return value if isinstance(value, Real) else random_state.uniform(*value)


def _check_range(name, value, positive):
    if isinstance(value, Real):
        value = (value, value)
    valid = len(value) == 2 and all(isinstance(v, Real) and np.isfinite(v) for v in value)
    if not valid or value[0] > value[1] or (positive and value[0] <= 0):
        kind = "positive numbers" if positive else "numbers"
        raise ValueError(f"{name}={value!r} must be a number, or a pair of {kind} in order.")


Conditions.__doc__ = Conditions.__doc__ and Conditions.__doc__.replace(
    "{default}", ", ".join(f"{p:g} for {kind}" for kind, p in _DEFAULT.items())
)
