"""Priors of the adversarial autoencoder's emotion latent."""

import math

import torch
from torch import nn


class GaussianPrior(nn.Module):
    """Standard normal, whatever the class.

    Parameters
    ----------
    n_emotion : int
        Nodes of the emotion latent.
    """

    n_conditions = 0

    def __init__(self, n_emotion):
        super().__init__()
        self.n_emotion = n_emotion
        self.register_buffer("mean", torch.zeros(n_emotion))

    def code(self, values):
        """Emotion latent from what the encoder puts out: the same."""
        return values

    def sample(self, classes, generator):
        """One draw (n, n_emotion) for each of `classes` (n,)."""
        return normal_like(self.mean.expand(len(classes), -1), generator)

    def conditions(self, classes):
        """Return what a discriminator gets besides a code: nothing, (n, 0)."""
        return self.mean.new_empty((len(classes), 0))


class CategoricalPrior(nn.Module):
    """Corners of a simplex: all of a code's weight on one class.

    Parameters
    ----------
    shares : tensor of shape (n_classes,)
        Shares of the classes among labeled utterances.
    """

    n_conditions = 0

    def __init__(self, shares):
        super().__init__()
        self.n_emotion = len(shares)
        self.register_buffer("shares", shares)

    def code(self, values):
        """Emotion latent from what the encoder puts out: its softmax."""
        return torch.softmax(values, dim=1)

    def sample(self, classes, generator):
        """One draw (n, n_classes) for each of `classes` (n,), -1 meaning any."""
        classes = drawn(classes, self.shares, generator)
        return nn.functional.one_hot(classes, len(self.shares)).to(self.shares.dtype)

    def conditions(self, classes):
        """Return what a discriminator gets besides a code: nothing, (n, 0)."""
        return self.shares.new_empty((len(classes), 0))


class MixturePrior(nn.Module):
    """One Gaussian for each class; discriminators get the class where it is known.

    The centres stand as far apart as they can on the axes, and on a circle where there are
    more classes than nodes. (Makhzani et al. 2016, section 2.3.)

    Parameters
    ----------
    shares : tensor of shape (n_classes,)
        Shares of the classes among labeled utterances.
    n_emotion : int
        Nodes of the emotion latent.
    """

    radius = 3.0

    def __init__(self, shares, n_emotion):
        super().__init__()
        n_classes = len(shares)
        self.n_emotion = n_emotion
        self.n_conditions = n_classes + 1
        centres = torch.zeros(n_classes, n_emotion)
        if n_classes <= n_emotion:
            centres.fill_diagonal_(self.radius)
        elif n_emotion == 1:
            centres[:, 0] = self.radius * torch.arange(n_classes)
        else:
            angles = 2 * math.pi * torch.arange(n_classes) / n_classes
            radius = self.radius / (2 * math.sin(math.pi / n_classes))
            centres[:, 0], centres[:, 1] = radius * angles.cos(), radius * angles.sin()
        self.register_buffer("shares", shares)
        self.register_buffer("centres", centres)

    def code(self, values):
        """Emotion latent from what the encoder puts out: the same."""
        return values

    def sample(self, classes, generator):
        """One draw (n, n_emotion) for each of `classes` (n,), -1 meaning any."""
        centres = self.centres[drawn(classes, self.shares, generator)]
        return centres + normal_like(centres, generator)

    def conditions(self, classes):
        """Return what a discriminator gets besides a code: class or none, (n, n_classes + 1)."""
        known = torch.where(classes < 0, len(self.shares), classes)
        return nn.functional.one_hot(known, self.n_conditions).to(self.shares.dtype)


def drawn(classes, shares, generator):
    """Put a class drawn by `shares` in the place of each -1."""
    any_class = torch.multinomial(shares, len(classes), replacement=True, generator=generator)
    return torch.where(classes < 0, any_class, classes)


def normal_like(x, generator):
    """Standard normal numbers of the shape of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
