"""Augmentation of training batches in the time-frequency plane."""

from numbers import Integral, Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skser.neural_network._batching import rounded_up


class SpecAugment(BaseEstimator):
    """Augmentation that stretches, warps, amplifies and masks each utterance of a batch.

    Parameters
    ----------
    time_stretch : float, default=0.15
        Largest change of an utterance's speed: factors are drawn uniformly from
        ``1 - time_stretch`` to ``1 + time_stretch``.
    frequency_warp : float, default=0.1
        Largest change of the scale of an utterance's frequency axis, as if vocal tracts differed
        in length. Factors are drawn like those of `time_stretch`.
    gain_db : float, default=0.0
        Standard deviation of the gain added to all static bands of an utterance, in the units of
        the input: dB for a spectrogram in dB.
    n_time_masks : int, default=2
        Number of time spans set to zero.
    time_mask : float, default=0.15
        Largest length of a time span, as a share of the utterance.
    n_frequency_masks : int, default=2
        Number of runs of bands set to zero. Input of one band is not masked.
    frequency_mask : float, default=0.125
        Largest length of a run of bands, as a share of all bands.

    References
    ----------
    Park, D. S. et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic
    Speech Recognition. Interspeech.

    Jaitly, N. and Hinton, G. (2013). Vocal Tract Length Perturbation (VTLP) improves speech
    recognition. ICML workshop.

    Examples
    --------
    >>> import torch
    >>> from skser.neural_network import SpecAugment
    >>> x, lengths = torch.ones(2, 3, 100, 64), torch.tensor([100, 80])
    >>> generator = torch.Generator().manual_seed(0)
    >>> y, new_lengths = SpecAugment()(x, lengths, generator)
    >>> y.shape[:2], y.shape[2] >= new_lengths.max(), bool((y[1, :, new_lengths[1]:] == 0).all())
    (torch.Size([2, 3]), tensor(True), True)
    """

    _parameter_constraints = {
        "time_stretch": [Interval(Real, 0, 1, closed="left")],
        "frequency_warp": [Interval(Real, 0, 1, closed="left")],
        "gain_db": [Interval(Real, 0, None, closed="left")],
        "n_time_masks": [Interval(Integral, 0, None, closed="left")],
        "time_mask": [Interval(Real, 0, 1, closed="both")],
        "n_frequency_masks": [Interval(Integral, 0, None, closed="left")],
        "frequency_mask": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        time_stretch=0.15,
        frequency_warp=0.1,
        gain_db=0.0,
        n_time_masks=2,
        time_mask=0.15,
        n_frequency_masks=2,
        frequency_mask=0.125,
    ):
        self.time_stretch = time_stretch
        self.frequency_warp = frequency_warp
        self.gain_db = gain_db
        self.n_time_masks = n_time_masks
        self.time_mask = time_mask
        self.n_frequency_masks = n_frequency_masks
        self.frequency_mask = frequency_mask

    def __call__(self, x, lengths, generator):
        """Augment a padded batch.

        Parameters
        ----------
        x : tensor of shape (batch, channels, time, bands), float32
            Padded batch, on any device.
        lengths : tensor of shape (batch,), int64
            Number of frames of each utterance, on the CPU.
        generator : torch.Generator
            Random generator, on the CPU. All devices thus get the same random numbers, and none
            waits for them.

        Returns
        -------
        x : tensor of shape (batch, channels, new_time, bands), float32
            Augmented batch, zero beyond each utterance.
        lengths : tensor of shape (batch,), int64
            New number of frames of each utterance.
        """
        self._validate_params()
        n_bands = x.shape[3]
        n_time_masks = self.n_time_masks
        n_frequency_masks = self.n_frequency_masks if n_bands > 1 else 0
        uniform = torch.rand(
            2 * (1 + n_time_masks + n_frequency_masks), len(x), 1, generator=generator
        )
        speed = 1 + self.time_stretch * (2 * uniform[0] - 1)
        warp = 1 + self.frequency_warp * (2 * uniform[1] - 1)
        shortest = lengths.clamp(max=1)  # an utterance keeps 1 frame, a missing modality 0
        new_lengths = (lengths / speed[:, 0]).round().to(torch.int64).maximum(shortest)
        new_time = rounded_up(max(1, int(new_lengths.max())))
        of_time, of_frequency = uniform[2:].split([2 * n_time_masks, 2 * n_frequency_masks])
        keep_times = _unmasked(of_time, self.time_mask, new_lengths[:, None], new_time)
        keep_times &= torch.arange(new_time) < new_lengths[:, None]
        keep_bands = _unmasked(of_frequency, self.frequency_mask, n_bands, n_bands)

        x = _stretch(x, lengths, speed, new_time)
        if self.gain_db:
            # A gain does not change the other channels, which are differences over time.
            x[:, 0] += self.gain_db * torch.randn(len(x), 1, 1, generator=generator).to(
                x.device, non_blocking=True
            )
        x *= keep_times[:, None, :, None].float().to(x.device, non_blocking=True)
        if n_bands > 1:
            x = _warp(x, warp, keep_bands)
        return x, new_lengths


def _unmasked(uniform, largest, extents, n_positions):
    """Return a mask (batch, n_positions), False in spans of up to `largest` times each extent."""
    widths = largest * uniform[0::2] * extents
    starts = uniform[1::2] * (extents - widths)
    positions = torch.arange(n_positions)
    return ((positions < starts) | (positions >= starts + widths)).all(dim=0)


def _stretch(x, lengths, speed, new_time):
    """Interpolate frames linearly at `speed` (batch, 1)."""
    n, n_channels, n_times, n_bands = x.shape
    last = (lengths[:, None] - 1).clamp(min=0)
    times = torch.minimum(torch.arange(new_time) * speed, last.float())
    before = times.to(torch.int64)
    after = torch.minimum(before + 1, last)
    first = torch.arange(n)[:, None] * n_times
    frames = x.transpose(1, 2).reshape(-1, n_channels * n_bands)
    look_up = [
        frames.index_select(0, (first + t).flatten().to(x.device, non_blocking=True))
        for t in (before, after)
    ]
    stretched = torch.lerp(*look_up, (times - before).view(-1, 1).to(x.device, non_blocking=True))
    return stretched.view(n, new_time, n_channels, n_bands).transpose(1, 2)


def _warp(x, warp, keep):
    """Interpolate bands linearly at `warp` (batch, 1), and set those not in `keep` to zero.

    Each utterance takes one matrix product with triangular interpolation weights.
    """
    n, n_channels, n_times, n_bands = x.shape
    bands = torch.arange(n_bands)
    places = (bands * warp).clamp(max=n_bands - 1)
    weights = (1 - (places[:, None, :] - bands[:, None]).abs_()).clamp_(min=0)
    weights *= keep[:, None, :]
    rows = x.transpose(1, 2).reshape(n, -1, n_bands) @ weights.to(x.device, non_blocking=True)
    return rows.view(n, n_times, n_channels, n_bands).transpose(1, 2)
