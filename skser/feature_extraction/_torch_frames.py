"""Torch backend: spectra of many utterances at a time, on a torch device."""

import numpy as np
import scipy.sparse

from skser._device import resolve_device
from skser.feature_extraction import _engine
from skser.feature_extraction._spectral import DELTA_REACH


class TorchFrames:
    """Frames of several utterances, one after the other, with the operations on them.

    The methods have the same names and meanings as those of `NumpyFrames`.

    The utterances form one signal with zeros between them, so none is padded to the length of
    another. No matrix products are used, since torch may be set to round them to TF32 or
    bfloat16. Therefore an utterance's values do not depend on the others.

    Parameters
    ----------
    utterances : list of ndarray of shape (n_samples,), float32
        Audio, at least one window each.
    prepared : PreparedSpectra

    Attributes
    ----------
    values : tensor of shape (n_frames, n_columns), float32
        Present values, at first band powers. Each method replaces them.
    lengths : ndarray of shape (n_utterances,), int64
        Number of frames of each utterance.
    """

    def __init__(self, utterances, prepared):
        import torch

        fourier, bands = prepared.fourier, prepared.bands
        device = resolve_device(prepared.device)
        project = band_powers if scipy.sparse.issparse(bands) else _bins
        n_window, hop = len(fourier.window), fourier.hop
        n_samples = np.array([len(samples) for samples in utterances])
        self.lengths = 1 + n_samples // hop
        self._starts = np.cumsum(self.lengths) - self.lengths
        # A place is a multiple of hop in the common signal. Not every place has a frame: those
        # between two utterances have none.
        n_places = 1 + (n_samples + n_window - 1) // hop
        first_places = np.cumsum(n_places) - n_places
        signal = np.zeros(fourier.before + n_places.sum() * hop + n_window, np.float32)
        for samples, place in zip(utterances, first_places, strict=True):
            start = fourier.before + place * hop
            signal[start : start + len(samples)] = samples
        n_frames = self.lengths.sum()
        places = np.arange(n_frames) + np.repeat(first_places - self._starts, self.lengths)

        window = torch.tensor(fourier.window, device=device)
        n_at_once = max(1, _engine.SAMPLES_AT_ONCE // fourier.n_fft)
        for first in range(0, n_frames, n_at_once):
            run = places[first : first + n_at_once]
            piece = torch.from_numpy(signal[run[0] * hop : run[-1] * hop + n_window]).to(device)
            frames = piece.unfold(0, n_window, hop)[torch.from_numpy(run - run[0]).to(device)]
            spectra = torch.fft.rfft(frames.mul_(window), n=fourier.n_fft)
            projected = project(spectra.real.square() + spectra.imag.square(), bands)
            if first == 0:
                self.values = projected.new_empty(n_frames, projected.shape[1])
            self.values[first : first + n_at_once] = projected

    def square_root(self):
        """Convert powers to magnitudes."""
        self.values.sqrt_()

    def multiply(self, factor):
        """Multiply all values by a number."""
        self.values *= factor

    def to_decibels(self, top_db):
        """Convert powers to decibels, at most `top_db` below each utterance's maximum."""
        self.values.clamp_(min=1e-10).log10_().mul_(10)
        if top_db is not None:
            highest = np.maximum.reduceat(self.values.amax(1).cpu().numpy(), self._starts)
            self.values.clamp_(min=self._per_frame(highest - np.float32(top_db)))

    def average_bands(self):
        """Replace the columns of each frame by their mean."""
        self.values = self.values.mean(dim=1, keepdim=True)

    def subtract_mean(self):
        """Subtract each utterance's mean over all its frames and columns."""
        sums = np.add.reduceat(self.values.mean(1).cpu().numpy(), self._starts, dtype=np.float64)
        self.values -= self._per_frame(sums / self.lengths)

    def cosine_transform(self, n_coefficients):
        """Replace the columns by the first coefficients of their orthonormal DCT-II."""
        import torch

        n_columns = self.values.shape[1]
        spectra = torch.fft.rfft(self.values, n=2 * n_columns)[:, :n_coefficients]
        scale = np.full(n_coefficients, np.sqrt(2 / n_columns))
        scale[0] = np.sqrt(1 / n_columns)
        angles = np.pi * np.arange(n_coefficients) / (2 * n_columns)
        self.values = spectra.real * self._row(scale * np.cos(angles))
        self.values += spectra.imag * self._row(scale * np.sin(angles))

    def append_deltas(self, n_deltas):
        """Append regression differences as further channels, utterance by utterance."""
        import torch

        if not n_deltas:
            return
        starts = np.repeat(self._starts, self.lengths)
        first = torch.from_numpy(starts).to(self.values.device)
        last = torch.from_numpy(starts + np.repeat(self.lengths - 1, self.lengths)).to(first.device)
        place = torch.arange(len(first), device=first.device)
        norm = 2 * sum(k * k for k in range(1, DELTA_REACH + 1))
        n_frames, n_columns = self.values.shape
        channels = self.values.new_zeros(n_frames, 1 + n_deltas, n_columns)
        channels[:, 0] = self.values
        for i in range(n_deltas):
            x, slope = channels[:, i], channels[:, i + 1]
            for k in range(1, DELTA_REACH + 1):
                later, earlier = torch.minimum(place + k, last), torch.maximum(place - k, first)
                slope += (x[later] - x[earlier]).mul_(k / norm)
        self.values = channels.flatten(1)

    def to_list(self):
        """Return one array per utterance, all views of one block."""
        return np.split(self.values.cpu().numpy(), self._starts[1:])

    def _row(self, values):
        return self.values.new_tensor(values.astype(np.float32))

    def _per_frame(self, values):
        return self._row(np.repeat(values, self.lengths))[:, None]


def _bins(power, bins):
    return power[:, bins]


def band_powers(power, filters):
    """Compute the power in bands of neighboring bins.

    Parameters
    ----------
    power : tensor of shape (n_frames, n_bins)
        Power spectra.
    filters : csr_array of shape (n_bands, n_bins)
        Weights of the bins in each band.

    Returns
    -------
    tensor of shape (n_frames, n_bands)
    """
    import torch

    # Adds one bin of every band at a time, which needs no matrix product.
    width = np.diff(filters.indptr).max()
    first = np.minimum(filters.indices[filters.indptr[:-1]], filters.shape[1] - width)
    bins = first + np.arange(width)[:, None]
    weights = np.take_along_axis(filters.toarray().T, bins, axis=0)[:, :, None]
    bins, weights = (torch.from_numpy(x).to(power.device) for x in (bins, weights))
    power = power.T.contiguous()
    bands = power[bins[0]] * weights[0]
    for more, weight in zip(bins[1:], weights[1:], strict=True):
        bands.addcmul_(power[more], weight)
    return bands.T
