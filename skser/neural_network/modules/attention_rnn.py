"""Recurrent encoders of acoustic frames and word pieces, aligned by attention."""

import math

import torch
from torch import nn
from torch.nn.functional import layer_norm

from skser.neural_network.modules.attention import AttentionPooling
from skser.neural_network.modules.layers import Dropout, as_global, time_mask

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(nn.Module):
    """Recurrent encoder of the frames of one modality, with attention pooling.

    Frames are standardized, their channels are averaged or concatenated, and recurrent layers
    follow. Without a cell, the pooled vectors are normalized over the batch instead of the frames.

    Parameters
    ----------
    n_channels, n_columns : int
        Number of channels of the input, and of columns of each channel.
    mix_channels : bool
        If True, channels are averaged with learned weights; if False, they are concatenated.
    cell : {"gru", "lstm"} or None
        Cell of the recurrent layers. None pools the frames without recurrent layers.
    n_hidden : int
        Number of recurrent units per direction. Without a cell, half the number of hidden units
        of the attention.
    n_layers : int
        Number of recurrent layers.
    n_heads : int
        Number of heads of the attention pooling.
    dropout : float
        Dropout rate on the input of the recurrent layers, and between them.
    encoder_layers : nn.Module or None, default=None
        Layers of a pretrained encoder that come first and are trained as well.
    """

    generator = None  # for the dropout between recurrent layers, see `drawing_from`

    def __init__(
        self,
        n_channels,
        n_columns,
        mix_channels,
        cell,
        n_hidden,
        n_layers,
        n_heads,
        dropout,
        encoder_layers=None,
    ):
        super().__init__()
        self.encoder_layers = encoder_layers
        self.register_buffer("center", torch.zeros(n_channels, 1, n_columns))
        self.register_buffer("scale", torch.ones(n_channels, 1, n_columns))
        self.layer_scores = nn.Parameter(torch.zeros(n_channels)) if mix_channels else None
        self.dropout = Dropout(dropout)
        self.n_inputs = n_inputs = n_columns if mix_channels else n_channels * n_columns
        if cell is None:
            self.recurrent = None
            self.n_outputs = n_inputs
            self.n_pooled = n_heads * n_inputs
            self.norm = PresentBatchNorm(self.n_pooled)
        else:
            self.recurrent = _CELLS[cell](
                n_inputs,
                n_hidden,
                n_layers,
                batch_first=True,
                bidirectional=True,
                dropout=dropout if n_layers > 1 else 0.0,
            )
            self.n_outputs = 2 * n_hidden
            self.n_pooled = 2 * n_heads * self.n_outputs
        self.pooling = AttentionPooling(self.n_outputs, n_heads, n_hidden=2 * n_hidden)

    def states(self, x, lengths):
        """Return the frames to standardize: the input, or the output of the pretrained layers."""
        return x if self.encoder_layers is None else self.encoder_layers(x, lengths)

    def set_scale(self, mean, deviation):
        """Set mean and standard deviation of the columns, both (channels, columns)."""
        self.center.copy_(mean[:, None])
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0)[:, None])

    def layer_weights(self):
        """Return the weights (n_channels,) of the channels, which sum to 1."""
        return torch.softmax(self.layer_scores, dim=0)

    def forward(self, x, lengths):
        """Compute input and output of the recurrent layers.

        Parameters
        ----------
        x : tensor of shape (batch, channels, time, columns)
            Padded batch.
        lengths : int64 tensor of shape (batch,)
            Number of frames of each utterance. Length 0 counts as one frame of zeros.

        Returns
        -------
        inputs : tensor of shape (batch, time, n_inputs)
            Input of the recurrent layers.
        outputs : tensor of shape (batch, time, n_outputs)
            Output of the recurrent layers.
        """
        lengths = lengths.clamp(min=1)
        x = self.states(x, lengths)
        if self.recurrent is not None:
            x = (x - self.center) / self.scale
        if self.layer_scores is not None:
            x = torch.einsum("nctk,c->ntk", x, self.layer_weights())
        else:
            x = x.transpose(1, 2).flatten(2)
        if self.recurrent is None:
            return x, x
        x = self.dropout(x)
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        draws = self.training and self.recurrent.dropout > 0
        with as_global(self.generator if draws else None):  # torch's RNNs take no generator
            outputs, _ = self.recurrent(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(
            outputs, batch_first=True, total_length=x.shape[1]
        )
        return x, outputs

    def pool(self, frames, lengths):
        """Pool frames into vectors (batch, n_pooled): means and, with a cell, deviations."""
        if self.recurrent is None:
            mask = time_mask(lengths.clamp(min=1), frames.shape[1])
            weights = self.pooling.weights(layer_norm(frames, frames.shape[2:]), mask)
            mean = torch.einsum("nth,ntc->nhc", weights, frames).flatten(1)
            return self.norm(mean.float(), lengths > 0)
        return attentive_statistics(self.pooling, frames, lengths)


class PresentBatchNorm(nn.BatchNorm1d):
    """Batch normalization that ignores utterances without frames.

    As in `MaskedBatchNormReLU`, the running statistics are the plain average over the last epoch.
    """

    def __init__(self, n_features):
        super().__init__(n_features, momentum=None)

    def forward(self, x, present):
        """Normalize x (batch, features) by the statistics of the rows that are present."""
        if not self.training:
            return super().forward(x)
        if present.sum() < 2:  # batch statistics need two rows
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            return (x - self.running_mean) * scale + self.bias
        normalized = torch.zeros_like(x)
        normalized[present] = super().forward(x[present])
        return normalized


def attentive_statistics(pooling, frames, lengths):
    """Compute weighted means and deviations of frames (batch, time, features) for each head."""
    weights = pooling.weights(frames, time_mask(lengths.clamp(min=1), frames.shape[1]))
    # A difference of squares needs more digits than autocast's bfloat16 has.
    with torch.autocast(frames.device.type, enabled=False):
        weights, frames = weights.float(), frames.float()
        mean = torch.einsum("nth,ntc->nhc", weights, frames)
        square = torch.einsum("nth,ntc->nhc", weights, frames.square())
        deviation = torch.sqrt((square - mean.square()).clamp(min=1e-6))
    return torch.cat([mean, deviation], dim=1).flatten(1)


class Alignment(nn.Module):
    """Scaled dot-product attention from each position of one modality to those of the other.

    The attention compares the inputs of the recurrent layers instead of their outputs. An output
    summarizes the whole utterance at each position, so it could attend to any position.

    Parameters
    ----------
    queries, keys : RecurrentEncoder
        Encoder of the attending modality, and encoder of the other one.
    n_hidden : int
        Number of dimensions of the space in which they are compared.
    n_heads : int
        Number of heads of the attention pooling over aligned pairs.
    """

    def __init__(self, queries, keys, n_hidden, n_heads):
        super().__init__()
        self.query = nn.Linear(queries.n_inputs, n_hidden)
        self.key = nn.Linear(keys.n_inputs, n_hidden)
        self.pair = nn.Linear(queries.n_outputs + keys.n_outputs, n_hidden)
        self.pooling = AttentionPooling(n_hidden, n_heads)
        self.n_pooled = 2 * n_heads * n_hidden

    def weights(self, queries, keys, key_lengths):
        """Compute weights (batch, n_queries, n_keys), which sum to 1 over the keys."""
        scores = self.query(queries) @ self.key(keys).transpose(1, 2)
        scores = scores.float() / math.sqrt(self.key.out_features)
        inside = time_mask(key_lengths.clamp(min=1), keys.shape[1])[:, None]
        return torch.softmax(scores.masked_fill(~inside, float("-inf")), dim=2)

    def forward(self, queries, keys, query_lengths, key_lengths):
        """Compute pooled pairs (batch, n_pooled) from (inputs, outputs) of both encoders."""
        weights = self.weights(queries[0], keys[0], key_lengths)
        pairs = torch.cat([queries[1], weights @ keys[1]], dim=2)
        return attentive_statistics(self.pooling, torch.relu(self.pair(pairs)), query_lengths)


class AttentionRNN(nn.Module):
    """Recurrent network for acoustic frames, for word pieces, or for both.

    Parameters
    ----------
    audio : RecurrentEncoder
        Encoder of the frames, or of the only modality.
    text : RecurrentEncoder or None
        Encoder of the word pieces. None means a single modality.
    alignment : Alignment or None
        Alignment of both encoders. None means late fusion.
    words_look : bool
        If True, words are the queries of the alignment; if False, frames are.
    n_outputs : int
        Number of classes or targets.
    dropout : float
        Dropout rate on the pooled vectors.
    modality_dropout : float
        Share of the training utterances with both modalities that lose their audio; an equal
        share loses its text.

    References
    ----------
    Boigne, J., Liyanage, B. and Östrem, T. (2020). Recognizing More Emotions with Less Data
    Using Self-supervised Transfer Learning. doi:10.20944/preprints202008.0645.v1.
    """

    generator = None  # for the modality dropout, see `drawing_from`

    def __init__(self, audio, text, alignment, words_look, n_outputs, dropout, modality_dropout):
        super().__init__()
        self.audio, self.text, self.alignment = audio, text, alignment
        self.words_look = words_look
        self.modality_dropout = modality_dropout
        self.dropout = Dropout(dropout)
        n_pooled = sum(part.n_pooled for part in (audio, text, alignment) if part is not None)
        self.output = nn.Linear(n_pooled, n_outputs)

    def forward(self, x, lengths, words=None, word_lengths=None):
        """Compute outputs (batch, n_outputs) of x (batch, channels, time, columns) and words."""
        if self.text is None:
            pooled = self.audio.pool(self.audio(x, lengths)[1], lengths)
        else:
            pooled = self._fused(x, lengths, words, word_lengths)
        return self.output(self.dropout(pooled))

    def align(self, x, lengths, words, word_lengths):
        """Compute weights (batch, n_words, n_frames), or transposed if frames are the queries."""
        frames, pieces = self.audio(x, lengths), self.text(words, word_lengths)
        if self.words_look:
            return self.alignment.weights(pieces[0], frames[0], lengths)
        return self.alignment.weights(frames[0], pieces[0], word_lengths)

    def _fused(self, x, lengths, words, word_lengths):
        has_audio, has_text = self._present(lengths, word_lengths)
        frames, pieces = self.audio(x, lengths), self.text(words, word_lengths)
        parts = [
            self.audio.pool(frames[1], lengths) * has_audio,
            self.text.pool(pieces[1], word_lengths) * has_text,
        ]
        if self.alignment is not None:
            sides = (pieces, frames, word_lengths, lengths)
            if not self.words_look:
                sides = (frames, pieces, lengths, word_lengths)
            parts.append(self.alignment(*sides) * has_audio * has_text)
        return torch.cat(parts, dim=1)

    def _present(self, lengths, word_lengths):
        """Return masks (batch, 1) of the utterances with audio and text, after modality dropout."""
        has_audio, has_text = ((n > 0)[:, None] for n in (lengths, word_lengths))
        if self.training and self.modality_dropout:
            # One draw decides for both: an utterance never loses audio and text together.
            draw = torch.rand(has_audio.shape, device=has_audio.device, generator=self.generator)
            both = has_audio & has_text
            has_audio = has_audio & ~(both & (draw < self.modality_dropout))
            has_text = has_text & ~(both & (draw > 1 - self.modality_dropout))
        return has_audio.float(), has_text.float()
