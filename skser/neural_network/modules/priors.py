"""Priors of the adversarial autoencoder's emotion latent."""

import math

import torch
from torch import nn


class GaussianPrior(nn.Module):
    """Standard normal prior, independent of the class.

    Parameters
    ----------
    n_emotion : int
        Number of nodes of the emotion latent.
    """

    n_conditions = 0

    def __init__(self, n_emotion):
        super().__init__()
        self.n_emotion = n_emotion
        self.register_buffer("mean", torch.zeros(n_emotion))

    def code(self, values):
        """Return the emotion latent for outputs of the encoder: the same values."""
        return values

    def sample(self, classes, generator):
        """Draw a code for each of `classes` (n,), as a tensor (n, n_emotion)."""
        return normal_like(self.mean.expand(len(classes), -1), generator)

    def conditions(self, classes):
        """Return the additional inputs of the discriminator: none, as a tensor (n, 0)."""
        return self.mean.new_empty((len(classes), 0))


class CategoricalPrior(nn.Module):
    """Categorical prior: one-hot codes, the corners of a simplex.

    Parameters
    ----------
    shares : tensor of shape (n_classes,)
        Share of each class among the labeled utterances.
    """

    n_conditions = 0

    def __init__(self, shares):
        super().__init__()
        self.n_emotion = len(shares)
        self.register_buffer("shares", shares)

    def code(self, values):
        """Return the emotion latent for outputs of the encoder: their softmax."""
        return torch.softmax(values, dim=1)

    def sample(self, classes, generator):
        """Draw a code for each of `classes` (n,), as a tensor (n, n_classes); -1 means any."""
        classes = drawn(classes, self.shares, generator)
        return nn.functional.one_hot(classes, len(self.shares)).to(self.shares.dtype)

    def conditions(self, classes):
        """Return the additional inputs of the discriminator: none, as a tensor (n, 0)."""
        return self.shares.new_empty((len(classes), 0))


class MixturePrior(nn.Module):
    """Mixture prior with one Gaussian per class (Makhzani et al. 2016, section 2.3).

    Discriminators also receive the class where it is known. Each Gaussian has its center on an
    axis of its own. If there are more classes than nodes, the centers lie on a circle, or on a
    line for one node.

    Parameters
    ----------
    shares : tensor of shape (n_classes,)
        Share of each class among the labeled utterances.
    n_emotion : int
        Number of nodes of the emotion latent.
    """

    radius = 3.0

    def __init__(self, shares, n_emotion):
        super().__init__()
        n_classes = len(shares)
        self.n_emotion = n_emotion
        self.n_conditions = n_classes + 1
        centers = torch.zeros(n_classes, n_emotion)
        if n_classes <= n_emotion:
            centers.fill_diagonal_(self.radius)
        elif n_emotion == 1:
            centers[:, 0] = self.radius * torch.arange(n_classes)
        else:
            # Neighboring centers on the circle have the distance self.radius.
            angles = 2 * math.pi * torch.arange(n_classes) / n_classes
            radius = self.radius / (2 * math.sin(math.pi / n_classes))
            centers[:, 0], centers[:, 1] = radius * angles.cos(), radius * angles.sin()
        self.register_buffer("shares", shares)
        self.register_buffer("centers", centers)

    def code(self, values):
        """Return the emotion latent for outputs of the encoder: the same values."""
        return values

    def sample(self, classes, generator):
        """Draw a code for each of `classes` (n,), as a tensor (n, n_emotion); -1 means any."""
        centers = self.centers[drawn(classes, self.shares, generator)]
        return centers + normal_like(centers, generator)

    def conditions(self, classes):
        """Return the additional inputs of the discriminator: class or none, (n, n_classes + 1)."""
        known = torch.where(classes < 0, len(self.shares), classes)
        return nn.functional.one_hot(known, self.n_conditions).to(self.shares.dtype)


def drawn(classes, shares, generator):
    """Replace each class of -1 with a class drawn with probabilities `shares`."""
    any_class = torch.multinomial(shares, len(classes), replacement=True, generator=generator)
    return torch.where(classes < 0, any_class, classes)


def normal_like(x, generator):
    """Draw standard normal numbers of the shape, dtype and device of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
