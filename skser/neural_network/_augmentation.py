"""Augmentation of training batches in the time-frequency plane."""

from numbers import Integral, Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch.nn import functional

from skser.neural_network._batching import rounded_up


class SpecAugment(BaseEstimator):
    """Stretch, warp, level and mask the utterances of a training batch, each differently.

    Parameters
    ----------
    time_stretch : float, default=0.15
        The speed of an utterance is drawn from 1 +- this.
    frequency_warp : float, default=0.1
        The scale of its frequency axis is drawn from 1 +- this, as if vocal tracts differed
        in length.
    level : float, default=0.0
        Standard deviation of an offset to all static bands, in units of the input.
    n_time_masks : int, default=2
        Spans of time set to zero.
    time_mask : float, default=0.15
        Longest span, as a share of the utterance.
    n_frequency_masks : int, default=2
        Runs of bands set to zero; inputs of one band have none.
    frequency_mask : float, default=0.125
        Longest run, as a share of the bands.

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
        "level": [Interval(Real, 0, None, closed="left")],
        "n_time_masks": [Interval(Integral, 0, None, closed="left")],
        "time_mask": [Interval(Real, 0, 1, closed="both")],
        "n_frequency_masks": [Interval(Integral, 0, None, closed="left")],
        "frequency_mask": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        time_stretch=0.15,
        frequency_warp=0.1,
        level=0.0,
        n_time_masks=2,
        time_mask=0.15,
        n_frequency_masks=2,
        frequency_mask=0.125,
    ):
        self.time_stretch = time_stretch
        self.frequency_warp = frequency_warp
        self.level = level
        self.n_time_masks = n_time_masks
        self.time_mask = time_mask
        self.n_frequency_masks = n_frequency_masks
        self.frequency_mask = frequency_mask

    def __call__(self, x, lengths, generator):
        """Augment a padded batch.

        Parameters
        ----------
        x : tensor of shape (batch, channels, time, bands), float32
        lengths : tensor of shape (batch,), int64
        generator : torch.Generator

        Returns
        -------
        x : tensor of shape (batch, channels, new_time, bands), float32
            Zero beyond each utterance.
        lengths : tensor of shape (batch,), int64
        """
        self._validate_params()
        n_bands = x.shape[3]

        def uniform():
            return torch.rand(len(x), generator=generator)[:, None]

        speed = 1 + self.time_stretch * (2 * uniform() - 1)
        warp = 1 + self.frequency_warp * (2 * uniform() - 1)
        x, lengths = _resample(x, lengths, speed, warp if n_bands > 1 else torch.ones_like(warp))
        if self.level:
            offset = self.level * torch.randn(len(x), generator=generator)
            x[:, 0] += offset[:, None, None]
        times = torch.arange(x.shape[2])
        keep_times = times < lengths[:, None]
        for _ in range(self.n_time_masks):
            width = self.time_mask * uniform() * lengths[:, None]
            start = uniform() * (lengths[:, None] - width)
            keep_times &= (times < start) | (times >= start + width)
        x *= keep_times[:, None, :, None]
        if n_bands > 1 and self.n_frequency_masks:
            bands = torch.arange(n_bands)
            keep_bands = torch.ones(len(x), n_bands, dtype=torch.bool)
            for _ in range(self.n_frequency_masks):
                width = self.frequency_mask * uniform() * n_bands
                start = uniform() * (n_bands - width)
                keep_bands &= (bands < start) | (bands >= start + width)
            x *= keep_bands[:, None, None, :]
        return x, lengths


def _resample(x, lengths, speed, warp):
    """Bilinear look-up of time at `speed` and of bands at `warp`, both (batch, 1)."""
    n_times, n_bands = x.shape[2:]
    new_lengths = (lengths / speed[:, 0]).round().clamp(min=1).to(torch.int64)
    times = torch.arange(rounded_up(int(new_lengths.max()))) * speed
    times = torch.minimum(times, lengths[:, None] - 1.0)
    bands = (torch.arange(n_bands) * warp).clamp(max=n_bands - 1)
    # grid_sample counts the axis from -1 to 1, edge to edge.
    times = (2 * times + 1) / n_times - 1
    bands = (2 * bands + 1) / n_bands - 1
    shape = (len(x), times.shape[1], n_bands)
    grid = torch.stack([bands[:, None, :].expand(shape), times[:, :, None].expand(shape)], dim=-1)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False), new_lengths
