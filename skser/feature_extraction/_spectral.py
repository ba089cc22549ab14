"""Short-time spectra: the Fourier transform, the base of spectral transformers, NumPy backend."""

import functools
from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import scipy.fft
import scipy.signal
from sklearn.utils._param_validation import Interval

from skser.feature_extraction._base import AudioTransformer, UtteranceTooShort

_FRAMES_AT_ONCE = 1024
DELTA_REACH = 4  # frames to either side of a regression difference


@dataclass(frozen=True)
class ShortTimeFourier:
    """Settings of a short-time Fourier transform, in samples.

    Frames are centered on multiples of `hop`; the signal continues as zeros on both sides.

    Parameters
    ----------
    window : ndarray of shape (n_window,), float32
        Values of the taper.
    hop : int
        Number of samples between successive frames.
    n_fft : int
        Length of the transform, in samples.
    """

    window: np.ndarray
    hop: int
    n_fft: int

    @classmethod
    @functools.lru_cache(maxsize=32)
    def from_seconds(cls, sampling_rate, window, hop, n_fft, window_type):
        """Check settings in seconds and convert them; an `n_fft` of None is the next power of 2."""
        _keep_freed_memory()
        n_window = round(window * sampling_rate)
        n_hop = round(hop * sampling_rate)
        if n_window < 2 or n_hop < 1:
            raise ValueError(
                f"window={window} s and hop={hop} s are {n_window} and {n_hop} samples at "
                f"{sampling_rate} Hz, but at least 2 and 1 are needed."
            )
        n_fft = n_fft or 1 << (n_window - 1).bit_length()
        if n_fft < n_window:
            raise ValueError(
                f"n_fft={n_fft} is shorter than the window of {n_window} samples: use a longer "
                "n_fft= or a shorter window=."
            )
        taper = scipy.signal.get_window(window_type, n_window).astype(np.float32)
        taper.flags.writeable = False  # the cache shares it between all callers
        return cls(taper, n_hop, n_fft)

    @property
    def before(self):
        """Number of samples of the first frame that lie before the signal."""
        # librosa centers a window shorter than n_fft in the frame, which shifts it by half the
        # difference. Here the window comes first: its place does not change the power spectrum.
        return self.n_fft // 2 - (self.n_fft - len(self.window)) // 2

    def magnitude_squared(self, samples, project=None):
        """Compute the power spectrum of every frame.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
        project : callable or None
            Function that reduces each run of spectra, (n, n_fft // 2 + 1), to fewer columns.
            None keeps all bins.

        Returns
        -------
        ndarray of shape (1 + n_samples // hop, n_bins), float32

        Raises
        ------
        UtteranceTooShort
            If `samples` are shorter than one window.
        """
        frames = self.frames(samples)
        parts = []
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            power = self.power(frames[first : first + _FRAMES_AT_ONCE])
            parts.append(power if project is None else project(power))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def too_short(self, samples):
        """Return the error to raise for `samples` shorter than one window."""
        return UtteranceTooShort(
            f"has {len(samples)} samples, less than one window of {len(self.window)}: "
            "leave the utterance out or use a shorter window="
        )

    def frames(self, samples):
        """Return a view of the frames, (1 + n_samples // hop, n_window), before tapering."""
        if len(samples) < len(self.window):
            raise self.too_short(samples)
        n_window, before, n_samples = len(self.window), self.before, len(samples)
        padded = np.empty(n_samples + before + n_window, np.float32)
        padded[:before] = 0
        padded[before : before + n_samples] = samples
        padded[before + n_samples :] = 0
        # Equals NumPy's sliding_window_view, which takes longer than the rest of this function.
        shape, strides = (1 + n_samples // self.hop, n_window), (4 * self.hop, 4)
        return np.ndarray(shape, np.float32, padded, 0, strides)

    def power(self, frames):
        """Compute the power spectra, (n_frames, n_fft // 2 + 1), of frames from `frames`."""
        # Work in place where possible: at this size, passes over memory cost as much as the FFT.
        windowed = np.empty((len(frames), self.n_fft), np.float32)
        np.multiply(frames, self.window, out=windowed[:, : len(self.window)])
        windowed[:, len(self.window) :] = 0
        parts = scipy.fft.rfft(windowed, axis=1, overwrite_x=True).view(np.float32)
        np.square(parts, out=parts)
        return parts[:, 0::2] + parts[:, 1::2]


@functools.cache
def _keep_freed_memory():
    # glibc returns freed memory to the system beyond twice the largest block ever freed. Fetching
    # it again for every utterance, page by page, would take twice as long as the transform itself.
    # Freeing one large, untouched block raises that threshold.
    np.empty(2**25 - 2**13, np.uint8)


def hashable(window_type):
    """Convert the lists and arrays in a window of `scipy.signal.get_window` to tuples."""
    if isinstance(window_type, list | tuple | np.ndarray):
        return tuple(hashable(part) for part in window_type)
    return window_type


def delta_names(names, n_deltas):
    """Return the column names followed by those of `n_deltas` differences, as a tuple."""
    return tuple(prefix + name for prefix in ("", "Δ", "ΔΔ")[: n_deltas + 1] for name in names)


@dataclass(frozen=True)
class PreparedSpectra:
    """Values that a spectral transformer computes once for all utterances.

    Parameters
    ----------
    fourier : ShortTimeFourier
    bands : csr_array of shape (n_bands, n_bins) or slice
        Weights of the frequency bins in each band. A slice selects bins, each a band of its own.
    frequencies : tuple of float
        Center of each band, in Hz.
    device : str or None
        Torch device. None is NumPy.
    """

    fourier: ShortTimeFourier
    bands: object
    frequencies: tuple
    device: str | None


class NumpyFrames:
    """Frames of one utterance, with the operations on them: the NumPy backend.

    Parameters
    ----------
    values : ndarray of shape (n_frames, n_columns), float32
        Initial values, such as band powers.

    Attributes
    ----------
    values : ndarray of shape (n_frames, n_columns), float32
        Present values. Each method replaces them.
    """

    def __init__(self, values):
        self.values = values

    def square_root(self):
        """Convert powers to magnitudes."""
        self.values = np.sqrt(self.values)

    def to_decibels(self, top_db):
        """Convert powers to decibels, at most `top_db` below the maximum (None: no floor)."""
        decibels = np.empty(self.values.shape, np.float32)  # C-contiguous, unlike some inputs
        np.maximum(self.values, np.float32(1e-10), out=decibels)
        np.log10(decibels, out=decibels)
        decibels *= 10
        if top_db is not None:
            np.maximum(decibels, decibels.max() - np.float32(top_db), out=decibels)
        self.values = decibels

    def multiply(self, factor):
        """Multiply all values by a number."""
        self.values *= np.float32(factor)

    def subtract_mean(self):
        """Subtract the mean over all frames and columns of the utterance."""
        self.values -= self.values.mean()

    def average_bands(self):
        """Replace the columns of each frame by their mean."""
        self.values = self.values.mean(axis=1, keepdims=True)

    def cosine_transform(self, n_coefficients):
        """Replace the columns by the first coefficients of their orthonormal DCT-II."""
        self.values = scipy.fft.dct(self.values, axis=1, norm="ortho")[:, :n_coefficients]

    def append_deltas(self, n_deltas):
        """Append regression differences over +-4 frames, `n_deltas` times, channel-major.

        The outermost frames are repeated beyond the edges.
        """
        if not n_deltas:
            return
        n_frames, n_columns = self.values.shape
        channels = np.empty((n_frames, 1 + n_deltas, n_columns), np.float32)
        channels[:, 0] = self.values
        padded = np.empty((n_frames + 2 * DELTA_REACH, n_columns), np.float32)
        scratch = np.empty((n_frames, n_columns), np.float32)
        norm = np.float32(2 * sum(k * k for k in range(1, DELTA_REACH + 1)))
        for i in range(n_deltas):
            padded[DELTA_REACH:-DELTA_REACH] = channels[:, i]
            padded[:DELTA_REACH] = channels[0, i]
            padded[-DELTA_REACH:] = channels[-1, i]
            slope = channels[:, i + 1]
            slope[:] = 0
            for k in range(1, DELTA_REACH + 1):
                later, earlier = DELTA_REACH + k, DELTA_REACH - k
                np.subtract(
                    padded[later : later + n_frames],
                    padded[earlier : earlier + n_frames],
                    out=scratch,
                )
                scratch *= np.float32(k) / norm
                slope += scratch
        self.values = channels.reshape(n_frames, -1)


class SpectralTransformer(AudioTransformer):
    """Base of transformers of short-time spectra.

    There are two backends: `NumpyFrames` handles one utterance at a time, and `TorchFrames`, used
    if `device` is given, many. A subclass implements `_prepare`, which returns
    `PreparedSpectra`, and `_steps`, which calls methods that both backends have.
    """

    _parameter_constraints = {
        **AudioTransformer._parameter_constraints,
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "window_type": [str, tuple],
        "n_fft": [Interval(Integral, 2, None, closed="left"), None],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str, None],
    }

    # Frames are larger than the audio. Processes would take long to pass them on; threads share
    # them, and decoding, transforms and array functions release the interpreter's lock.
    _prefer = "threads"

    def __init__(
        self, window, hop, window_type, n_fft, fmin, fmax, top_db,
        sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory, device,
    ):  # fmt: skip
        super().__init__(sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory)
        self.window = window
        self.hop = hop
        self.window_type = window_type
        self.n_fft = n_fft
        self.fmin = fmin
        self.fmax = fmax
        self.top_db = top_db
        self.device = device

    @abstractmethod
    def _steps(self, frames):
        """Turn the band powers of `NumpyFrames` or `TorchFrames` into features."""

    @property
    def _in_batches(self):
        return self.device is not None

    def _check_length(self, samples, prepared):
        if len(samples) < len(prepared.fourier.window):
            raise prepared.fourier.too_short(samples)

    def _extract(self, samples, prepared):
        bands = prepared.bands
        project = (
            (lambda power: power[:, bands])
            if isinstance(bands, slice)
            else (lambda power: (bands @ power.T).T)
        )
        frames = NumpyFrames(prepared.fourier.magnitude_squared(samples, project))
        self._steps(frames)
        return np.ascontiguousarray(frames.values)

    def _extract_batch(self, utterances, prepared):
        from skser.feature_extraction._torch_frames import TorchFrames

        frames = TorchFrames(utterances, prepared)
        self._steps(frames)
        return frames.to_list()
