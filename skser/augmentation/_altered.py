"""Application of an alteration to an utterance, with checks of its result."""

import contextlib
import random
import threading

import numpy as np

_GLOBAL_GENERATORS = threading.Lock()


def altered(samples, sampling_rate, alteration, seed, name, what="The alteration"):
    """Apply an alteration to the samples of an utterance.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Samples whose full scale is 1. They are not modified.
    sampling_rate : float
        Sampling rate of the samples in Hz.
    alteration : callable
        Function ``(samples, sampling_rate, random_state)`` -> samples, such as `add_noise`, or a
        transform of the library audiomentations.
    seed : int
        Seed of the `numpy.random.RandomState` that the alteration draws from.
    name : str
        Name of the utterance in error messages.
    what : str, default="The alteration"
        Name of the alteration in error messages.

    Returns
    -------
    ndarray of shape (n_altered_samples,), float32

    Raises
    ------
    ValueError
        If the alteration fails, or returns anything but a finite 1-D array of floats with at
        least one sample.
    """
    try:
        if _is_audiomentations(alteration):
            with _global_seed(int(seed)):
                result = alteration(samples=samples.copy(), sample_rate=round(sampling_rate))
        else:
            result = alteration(samples.copy(), sampling_rate, np.random.RandomState(seed))
    except Exception as error:  # a user's function can raise anything
        raise ValueError(f"{what} failed on {name}: {type(error).__name__}: {error}") from error
    result = np.asarray(result)
    if result.ndim != 1 or result.dtype.kind != "f":
        reason = f"{result.dtype} of shape {result.shape}, not a 1-D array of floats"
    elif result.size == 0:
        reason = "no samples"
    elif not np.isfinite(result).all():
        reason = "samples that are NaN or infinite"
    else:
        return result.astype(np.float32, copy=False)
    raise ValueError(f"{what} returned {reason} for {name}.")


def _is_audiomentations(alteration):
    classes = type(alteration).__mro__
    return any(cls.__module__.split(".")[0] == "audiomentations" for cls in classes)


@contextlib.contextmanager
def _global_seed(seed):
    # audiomentations draws from the global generators, which only one thread at a time may seed.
    with _GLOBAL_GENERATORS:
        states = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
