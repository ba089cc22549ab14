"""Rooms: impulse responses that are given, simulated, or made of decaying noise."""

import numpy as np
import scipy.signal
from sklearn.utils import check_random_state

from skser._optional import import_optional
from skser.audio import Waveform
from skser.augmentation._recordings import listed, read

# Smallest and largest length, width and height of simulated rooms, in meters.
_SMALLEST, _LARGEST = (2.5, 2.5, 2.4), (10.0, 8.0, 4.0)
_SPEED_OF_SOUND = 343.0  # meters per second
_DULLEST = 0.9  # largest share of energy that walls absorb
_MOST_REFLECTIONS = 40  # the time of a simulation grows with their third power


def reverberate(samples, sampling_rate, random_state, *, seconds=0.5, ratio=0.0):
    """Convolve with a direct sound followed by noise that decays by 60 dB in `seconds`.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Mono samples.
    sampling_rate : float
        Sampling rate in Hz.
    random_state : numpy.random.RandomState
        Generator of the noise.
    seconds : float, default=0.5
        Reverberation time.
    ratio : float, default=0.0
        Ratio of direct sound to reverberation in dB. By default both have the same energy.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        As long as the input: the end of the reverberation is cut.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import reverberate
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> heard = reverberate(speech, 16000, np.random.RandomState(0), seconds=0.8, ratio=3)
    >>> heard.shape == speech.shape
    True
    """
    times = np.arange(1, round(seconds * sampling_rate)) / sampling_rate
    tail = random_state.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    tail *= 10 ** (-ratio / 20) / np.sqrt(np.sum(tail**2))
    return scipy.signal.fftconvolve(samples, np.concatenate([[1.0], tail]))[: len(samples)]


def apply_room(samples, sampling_rate, random_state, *, impulse_responses):
    """Convolve with the impulse response of a room, at an unchanged mean level.

    One of the responses is chosen at random. What it holds before the direct sound, which is its
    largest sample, is cut, so that the utterance is not delayed.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Mono samples.
    sampling_rate : float
        Sampling rate in Hz.
    random_state : numpy.random.RandomState
        Generator that chooses the response.
    impulse_responses : path-like, or list of audio
        Folder, searched at any depth, or list of paths, waveforms or other forms of audio.
        `simulate_rooms` returns such a list.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        As long as the input: the end of the reverberation is cut.

    Raises
    ------
    AudioReadError
        If the chosen response cannot be read, or is silent.
    ValueError
        If `impulse_responses` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Waveform
    >>> from skser.augmentation import apply_room
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> response = np.zeros(1600, dtype=np.float32)
    >>> response[[0, 800]] = 1, 0.5  # the direct sound and an echo after 50 ms
    >>> rooms = [Waveform(response, 16000)]
    >>> heard = apply_room(speech, 16000, np.random.RandomState(0), impulse_responses=rooms)
    >>> heard.shape == speech.shape
    True
    """
    responses = listed(impulse_responses, "impulse_responses")
    i = random_state.randint(len(responses))
    response = read(responses, i, sampling_rate, offset=True)
    response = response[np.abs(response).argmax() :].astype(np.float64)
    heard = scipy.signal.fftconvolve(samples, response)[: len(samples)]
    power = np.sum(heard**2)
    return heard * np.sqrt(np.sum(samples.astype(np.float64) ** 2) / power) if power else heard


def simulate_rooms(n_rooms, *, seconds=(0.2, 0.8), sampling_rate=16000, random_state=None):
    """Simulate impulse responses of rectangular rooms by the image source method.

    Each room has other dimensions (2.5 × 2.5 × 2.4 m to 10 × 8 × 4 m), absorption, and places of
    the speaker and of the microphone, which are at least 0.5 m apart. This needs the library
    pyroomacoustics: ``pip install 'skser[rooms]'``.

    Parameters
    ----------
    n_rooms : int
        Number of rooms.
    seconds : (float, float), default=(0.2, 0.8)
        Smallest and largest reverberation time: after it, sound has decayed by 60 dB. Large rooms
        whose walls would have to absorb more than 90 % of the energy have a longer one.
    sampling_rate : float, default=16000
        Sampling rate in Hz of the responses.
    random_state : int, RandomState instance or None, default=None
        Seed of the rooms and places.

    Returns
    -------
    list of Waveform
        Impulse responses, whose names state dimensions and reverberation time.

    Raises
    ------
    ImportError
        If pyroomacoustics is not installed.

    References
    ----------
    Allen, J. B. and Berkley, D. A. (1979). Image method for efficiently simulating small-room
    acoustics. Journal of the Acoustical Society of America 65(4).

    Scheibler, R., Bezzam, E. and Dokmanić, I. (2018). Pyroomacoustics: A Python package for audio
    room simulation and array processing algorithms. ICASSP.

    Examples
    --------
    >>> from skser.augmentation import Conditions, simulate_rooms
    >>> rooms = simulate_rooms(2, random_state=0)
    >>> [room.name for room in rooms]
    ['room of 6.6 x 6.4 x 3.4 m, 0.53 s', 'room of 8.4 x 5.4 x 3.3 m, 0.76 s']
    >>> conditions = Conditions(impulse_responses=rooms)
    """
    library = import_optional("pyroomacoustics", extra="rooms", purpose="simulate_rooms")
    random_state = check_random_state(random_state)
    rooms = []
    for _ in range(n_rooms):
        size = random_state.uniform(_SMALLEST, _LARGEST)
        walls = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
        # Sabine's formula: the time is inversely proportional to the absorption.
        product = 24 * np.log(10) * size.prod() / (_SPEED_OF_SOUND * walls)
        time = max(random_state.uniform(*seconds), product / _DULLEST)
        # A sound that is reflected once more has traveled the mean free path, 4 V / S.
        n_reflections = round(time * _SPEED_OF_SOUND * walls / (4 * size.prod()))
        room = library.ShoeBox(
            size,
            fs=sampling_rate,
            materials=library.Material(product / time),
            max_order=min(n_reflections, _MOST_REFLECTIONS),
        )
        source, microphone = _places(size, random_state)
        room.add_source(source)
        room.add_microphone(microphone)
        room.compute_rir()
        name = f"room of {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m, {time:.2f} s"
        rooms.append(Waveform(room.rir[0][0].astype(np.float32), sampling_rate, name))
    return rooms


def _places(size, random_state):
    """Draw places of a speaker and a microphone, 0.5 m or more from the walls and each other."""
    while True:
        source, microphone = random_state.uniform(0.5, size - 0.5, (2, 3))
        if np.linalg.norm(source - microphone) >= 0.5:
            return source, microphone
