"""Adversarial autoencoder: encoder to an emotion and a style latent, decoder, discriminators."""

from itertools import chain, pairwise, repeat

import torch
from torch import nn

from skser.neural_network.modules.attention import AttentionPooling
from skser.neural_network.modules.fcn import ConvolutionBlock
from skser.neural_network.modules.layers import time_mask
from skser.neural_network.modules.priors import normal_like


class GeneratorDropout(nn.Module):
    """Dropout whose mask comes from a generator, so that each phase draws its own numbers.

    Parameters
    ----------
    share : float
        Share of the values that are set to zero in training. The others are scaled up.
    """

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x, generator):
        """Return ``x`` with values dropped, or unchanged if `generator` is None."""
        if generator is None or self.share == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.share, generator=generator)
        return x * keep / (1 - self.share)


class VectorEncoder(nn.Module):
    """Fully connected layers over one vector per utterance.

    Parameters
    ----------
    n_features : int
        Number of features of a vector.
    hidden_units : sequence of int
        Number of units of each layer.
    dropout : float
        Dropout rate after each layer.
    """

    def __init__(self, n_features, hidden_units, dropout):
        super().__init__()
        widths = [n_features, *hidden_units]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(*pair), nn.LayerNorm(pair[1]), nn.ReLU())
            for pair in pairwise(widths)
        )
        self.dropout = GeneratorDropout(dropout)
        self.n_outputs = widths[-1]
        self.n_reconstructed = n_features

    @staticmethod
    def reconstructed(x, lengths):
        """Return the targets of the decoder: the vectors themselves."""
        return x.flatten(1)

    def forward(self, x, lengths, generator=None):
        """Compute hidden vectors (batch, n_outputs) of ``x`` (batch, 1, 1, n_features)."""
        hidden = x.flatten(1)
        for layer in self.layers:
            hidden = self.dropout(layer(hidden), generator)
        return hidden


class FrameEncoder(nn.Module):
    """Convolutions over time and attention pooling, for sequences of frames.

    Parameters
    ----------
    n_columns : int
        Number of columns of a frame. Each is an input channel of the first convolution.
    filters : sequence of int
        Number of output channels of each convolution. Batch normalization, a ReLU and max pooling
        of size two follow each. The first convolution has stride two.
    kernel_size : int
        Kernel size of each convolution, in frames.
    n_heads : int
        Number of heads of the attention pooling.
    dropout : float
        Dropout rate on the pooled vectors.
    """

    def __init__(self, n_columns, filters, kernel_size, n_heads, dropout):
        super().__init__()
        widths = [n_columns, *filters]
        self.blocks = nn.ModuleList(
            ConvolutionBlock(*pair, (kernel_size, 1), (stride, 1), (2, 1), (2, 1), "batch")
            for pair, stride in zip(pairwise(widths), chain([2], repeat(1)), strict=False)
        )
        self.pooling = AttentionPooling(widths[-1], n_heads)
        self.dropout = GeneratorDropout(dropout)
        self.n_outputs = widths[-1] * n_heads
        self.n_reconstructed = 2 * n_columns

    @staticmethod
    def reconstructed(x, lengths):
        """Return the targets of the decoder: mean and standard deviation of columns over time."""
        frames = x.transpose(1, 2).flatten(2)
        mask = time_mask(lengths, frames.shape[1])[:, :, None]
        n_frames = lengths[:, None].to(frames.dtype)
        mean = frames.sum(dim=1) / n_frames  # the padding is zero
        squares = ((frames - mean[:, None]) * mask).square().sum(dim=1)
        return torch.cat([mean, torch.sqrt(squares / n_frames)], dim=1)

    def forward(self, x, lengths, generator=None):
        """Compute pooled vectors (batch, n_outputs) of ``x`` (batch, channels, time, bands)."""
        x = x.transpose(1, 2).flatten(2).transpose(1, 2).unsqueeze(-1)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        annotations = x.squeeze(-1).transpose(1, 2)
        mask = time_mask(lengths, annotations.shape[1])
        return self.dropout(self.pooling(annotations, mask), generator)


class Discriminator(nn.Module):
    """Discriminator between samples of a prior and codes of the encoder.

    Its output is a logit, which is high for samples of the prior.

    Parameters
    ----------
    n_inputs : int
        Number of inputs.
    units : int
        Number of units of each of the two hidden layers.
    noise : float, default=0.0
        Standard deviation of the noise added to samples and codes in training. A categorical
        prior needs it: its samples are exact corners of a simplex, and without noise the
        discriminator would recognize any code by a tiny distance from a corner.
    """

    def __init__(self, n_inputs, units, noise=0.0):
        super().__init__()
        self.noise = noise
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, units),
            nn.LeakyReLU(0.2),
            nn.Linear(units, units),
            nn.LeakyReLU(0.2),
            nn.Linear(units, 1),
        )

    def forward(self, codes, generator=None):
        """Compute logits (batch,) of ``codes`` (batch, n_inputs)."""
        if generator is not None and self.noise:
            codes = codes + self.noise * normal_like(codes, generator)
        return self.layers(codes).squeeze(1)


class AdversarialAE(nn.Module):
    """Encoder with two latents, head on the emotion latent, decoder and two discriminators.

    Parameters
    ----------
    encoder : VectorEncoder or FrameEncoder
        Encoder of the input.
    emotion : nn.Module
        Layer that computes the emotion latent from the encoder's vectors, or the logits of that
        latent if `prior` is a `CategoricalPrior`.
    head : nn.Module
        Layer that computes the outputs from the result of `emotion`.
    style : nn.Module
        Layer that computes the style latent from the encoder's vectors.
    decoder : nn.Module
        Layers that compute the encoder's `reconstructed` from both latents.
    discriminators : dict of nn.Module
        Discriminators of the latents "emotion" and "style".
    prior : GaussianPrior, CategoricalPrior or MixturePrior
        Prior of the emotion latent, which is a softmax if the prior is categorical. The prior
        of the style latent is standard normal.
    noise : float
        Standard deviation of the noise added to the input in training.

    References
    ----------
    Parthasarathy, S., Rozgic, V., Sun, M. and Wang, C. (2019). Improving Emotion
    Classification through Variational Inference of Latent Variables. ICASSP.

    Makhzani, A., Shlens, J., Jaitly, N., Goodfellow, I. and Frey, B. (2016). Adversarial
    Autoencoders. arXiv:1511.05644.
    """

    # Prefixes of the layers whose shape depends on the number of classes, or on the prior.
    class_layers = ("emotion.", "decoder.0.", "discriminators.emotion.", "prior.")

    def __init__(self, encoder, emotion, head, style, decoder, discriminators, prior, noise):
        super().__init__()
        self.encoder = encoder
        self.emotion = emotion
        self.output = head
        self.style = style
        self.decoder = decoder
        self.discriminators = nn.ModuleDict(discriminators)
        self.prior = prior
        self.noise = noise
        self.register_buffer("center", torch.zeros(encoder.n_reconstructed))
        self.register_buffer("spread", torch.ones(()))

    def set_scale(self, wanted):
        """Set the mean and spread of reconstructions from their targets (n, n_reconstructed).

        All columns share one spread, so that each contributes to the error by its variance.
        """
        self.center.copy_(wanted.mean(dim=0))
        spread = wanted.var(dim=0, correction=0).mean().sqrt()
        self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def hidden(self, x, lengths, generator=None):
        """Compute the encoder's vectors; a generator adds noise to the input, and dropout."""
        if generator is not None and self.noise:
            noise = self.noise * normal_like(x, generator)
            if x.shape[2] > 1:  # vectors have no padding
                noise = noise * time_mask(lengths, x.shape[2])[:, None, :, None]
            x = x + noise
        return self.encoder(x, lengths, generator)

    def forward(self, x, lengths, generator=None):
        """Compute outputs (batch, n_outputs) of a padded batch (batch, channels, time, bands)."""
        return self.output(self.emotion(self.hidden(x, lengths, generator)))

    def encode(self, x, lengths, generator=None):
        """Compute the emotion latent (batch, n_emotion) and the style latent (batch, n_style)."""
        hidden = self.hidden(x, lengths, generator)
        emotion = self.emotion(hidden)
        return self.prior.code(emotion), self.style(hidden)

    def decode(self, emotion, style):
        """Compute the reconstruction (batch, n_reconstructed) from both latents."""
        codes = torch.cat([emotion, style], dim=1)
        return self.center + self.spread * self.decoder(codes).float()

    def reconstruction_errors(self, x, lengths):
        """Compute mean squared errors (batch,), scaled so that predicting the mean costs 1."""
        given, wanted = self.scaled_pair(*self.encode(x, lengths), x, lengths)
        return (given - wanted).square().mean(dim=1)

    def scaled_pair(self, emotion, style, x, lengths):
        """Compute the reconstruction from given latents and its target, both scaled."""
        given = self.decoder(torch.cat([emotion, style], dim=1)).float()
        return given, (self.encoder.reconstructed(x, lengths) - self.center) / self.spread
