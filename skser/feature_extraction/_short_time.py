"""Short-time spectra of one utterance, and what is done to their decibels."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal

from skser.feature_extraction._base import UtteranceTooShort

_FRAMES_AT_ONCE = 1024

# glibc returns freed memory to the system beyond twice the largest block that was ever freed,
# and fetching it again, page by page for every utterance, would take twice as long as the
# transform itself. A large block, freed untouched, ends that.
np.empty(2**25 - 2**13, np.uint8)
DELTA_REACH = 4


@dataclass(frozen=True)
class ShortTimeFourier:
    """Settings of a short-time Fourier transform, in samples.

    Frames are centred on multiples of `hop`; the signal continues as zeros on both sides.

    Parameters
    ----------
    window : ndarray of shape (n_window,), float32
    hop : int
    n_fft : int
    """

    window: np.ndarray
    hop: int
    n_fft: int

    @classmethod
    def from_seconds(cls, sampling_rate, window, hop, n_fft, window_type):
        """Check the settings and convert them; `n_fft` None takes the next power of two."""
        n_window = round(window * sampling_rate)
        n_hop = round(hop * sampling_rate)
        if n_window < 2 or n_hop < 1:
            raise ValueError(
                f"window={window} s and hop={hop} s are {n_window} and {n_hop} samples at "
                f"{sampling_rate} Hz; at least 2 and 1 are needed."
            )
        n_fft = n_fft or 1 << (n_window - 1).bit_length()
        if n_fft < n_window:
            raise ValueError(f"n_fft={n_fft} is shorter than the window of {n_window} samples.")
        return cls(_taper(_hashable(window_type), n_window), n_hop, n_fft)

    @property
    def before(self):
        """Samples of the first frame that lie before the signal."""
        # librosa centres a window shorter than n_fft inside it, which moves it by half the
        # difference; the power spectrum does not see where in the frame the window lies.
        return self.n_fft // 2 - (self.n_fft - len(self.window)) // 2

    def magnitude_squared(self, samples, project=None):
        """Power spectrum of every frame.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
        project : callable or None
            Applied to each run of frames (n, n_fft // 2 + 1), to keep less than all bins.

        Returns
        -------
        ndarray of shape (1 + n_samples // hop, n_bins), float32
        """
        self.check_length(samples)
        frames = self.frames(samples)
        parts = []
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            power = self.power(frames[first : first + _FRAMES_AT_ONCE])
            parts.append(power if project is None else project(power))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def check_length(self, samples):
        """Raise `UtteranceTooShort` if `samples` do not fill one window."""
        if len(samples) < len(self.window):
            raise UtteranceTooShort(
                f"has {len(samples)} samples, less than one window of {len(self.window)}: "
                "leave it out or take a shorter window="
            )

    def frames(self, samples):
        """View of the frames, (1 + n_samples // hop, n_window), without the taper."""
        n_window = len(self.window)
        padded = np.zeros(len(samples) + self.before + n_window, np.float32)
        padded[self.before : self.before + len(samples)] = samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_window)[:: self.hop]
        return frames[: 1 + len(samples) // self.hop]

    def power(self, frames):
        """Power spectra (n_frames, n_fft // 2 + 1) of what `frames` gave."""
        # In place wherever it can be: at this size, passes over memory cost as much as the FFT.
        windowed = np.empty((len(frames), self.n_fft), np.float32)
        np.multiply(frames, self.window, out=windowed[:, : len(self.window)])
        windowed[:, len(self.window) :] = 0
        parts = scipy.fft.rfft(windowed, axis=1, overwrite_x=True).view(np.float32)
        np.square(parts, out=parts)
        return parts[:, 0::2] + parts[:, 1::2]


@functools.lru_cache(maxsize=32)
def _taper(window_type, n_window):
    taper = scipy.signal.get_window(window_type, n_window).astype(np.float32)
    taper.flags.writeable = False  # it is everyone's
    return taper


def _hashable(value):
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_hashable(part) for part in value)
    return value


def to_decibels(power, top_db):
    """``10 log10(power)``, no lower than `top_db` below its maximum (None: no floor)."""
    decibels = np.empty(power.shape, np.float32)  # C-contiguous, whatever `power` is
    np.maximum(power, np.float32(1e-10), out=decibels)
    np.log10(decibels, out=decibels)
    decibels *= 10
    if top_db is not None:
        np.maximum(decibels, decibels.max() - np.float32(top_db), out=decibels)
    return decibels


def with_deltas(static, n_deltas):
    """Append regression differences over +-4 frames, `n_deltas` times, channel-major.

    Edges repeat the outermost frame.
    """
    if not n_deltas:
        return static
    n_frames, n_columns = static.shape
    channels = np.empty((n_frames, 1 + n_deltas, n_columns), np.float32)
    channels[:, 0] = static
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
            ahead, behind = DELTA_REACH + k, DELTA_REACH - k
            np.subtract(
                padded[ahead : ahead + n_frames], padded[behind : behind + n_frames], out=scratch
            )
            scratch *= np.float32(k) / norm
            slope += scratch
    return channels.reshape(n_frames, -1)


def delta_names(names, n_deltas):
    """Column names of `with_deltas`, as a tuple."""
    return tuple(prefix + name for prefix in ("", "Δ", "ΔΔ")[: n_deltas + 1] for name in names)
