"""Networks of audio, text, or both: their input, architecture and alignment."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skser._device import torch_threads
from skser.feature_extraction import SpeechEmbedding
from skser.neural_network._augmentation import SpecAugment
from skser.neural_network._base import NeuralEstimator
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._bimodal import Bimodal, embed, rows_with, utterance_table
from skser.neural_network._fine_tuning import below, upper_layers
from skser.neural_network.modules.attention_rnn import Alignment, AttentionRNN, RecurrentEncoder
from skser.neural_network.modules.layers import time_mask


class BimodalNetwork(NeuralEstimator):
    """Input, architecture and alignment of the classifier and the regressor."""

    _takes_vectors = True

    _parameter_constraints = {
        "audio": [HasMethods("transform"), None],
        "text": [HasMethods("transform"), None],
        "cell": [StrOptions({"gru", "lstm"}), None],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "layer_weights": ["boolean", StrOptions({"auto"})],
        "fusion": [StrOptions({"words-to-frames", "frames-to-words", "late"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "modality_dropout": [Interval(Real, 0, 0.5, closed="both")],
        "n_fine_tuned_layers": [Interval(Integral, 0, None, closed="left")],
        "adapter_rank": [Interval(Integral, 1, None, closed="left"), None],
        "fine_tuning_lr_multiplier": [Interval(Real, 0, None, closed="neither")],
    }

    @property
    def _columns(self):
        """Columns of the utterance table, and their transformers."""
        given = {"audio": self.audio, "transcript": self.text}
        return {column: t for column, t in given.items() if t is not None}

    def _check_input(self, X, *, reset):
        columns = list(self._columns if reset else self.transformers_)
        if reset:
            self._check_combinations()
            self.transformers_ = {}
        if not columns:
            return super()._check_input(X, reset=reset)
        X = utterance_table(X, columns[0])
        rows = {column: rows_with(X, column) for column in columns}
        if reset:
            self._fitted_on_flat = False
            self._layouts = {}
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
            for column, transformer in self._columns.items():
                if not len(rows[column]):
                    raise ValueError(
                        f"No utterance has anything in the column {column!r}: leave its "
                        "transformer out."
                    )
                transformer = clone(below(transformer, self.n_fine_tuned_layers))
                self.transformers_[column] = transformer.fit(X.iloc[rows[column]])
        parts = {
            column: embed(X, rows[column], transformer, self._layouts.get(column))
            for column, transformer in self.transformers_.items()
        }
        empty = ~np.any([part.lengths > 0 for part in parts.values()], axis=0)
        if empty.any():
            raise ValueError(
                f"Utterance {int(empty.argmax())} has nothing in "
                f"{' and '.join(map(repr, parts))}; leave it out."
            )
        if reset:
            self._layouts = {column: part.layout for column, part in parts.items()}
        parts = list(parts.values())
        return Bimodal(*parts) if len(parts) == 2 else parts[0]

    def _check_combinations(self):
        """Refuse parameters that do not go together, before anything is computed."""
        if self.n_fine_tuned_layers and not isinstance(self.audio, SpeechEmbedding):
            raise ValueError("n_fine_tuned_layers needs a SpeechEmbedding as audio.")
        if self.adapter_rank is not None and not self.n_fine_tuned_layers:
            raise ValueError("adapter_rank needs n_fine_tuned_layers, which it is for.")
        if getattr(self, "mixup", 0) and self.text is not None:
            raise ValueError("mixup cannot mix texts: set mixup=0.")

    def _make_module(self, layout, n_outputs):
        pretrained = None
        if self.n_fine_tuned_layers:
            pretrained = upper_layers(self.audio, self.n_fine_tuned_layers, self.adapter_rank)
        first = self._recurrent_encoder(layout, pretrained)
        if len(self.transformers_) < 2:
            return AttentionRNN(first, None, None, True, n_outputs, self.dropout, 0.0)
        second = self._recurrent_encoder(self._layouts["transcript"], None)
        words_look, alignment = self.fusion == "words-to-frames", None
        if self.fusion != "late":
            sides = (second, first) if words_look else (first, second)
            alignment = Alignment(*sides, self.n_hidden, self.n_heads)
        return AttentionRNN(
            first,
            second,
            alignment,
            words_look,
            n_outputs,
            self.dropout,
            self.modality_dropout,
        )

    def _recurrent_encoder(self, layout, pretrained):
        mix = self.layer_weights
        if mix == "auto":
            mix = layout.n_channels > 1 and layout.feature_names[0].startswith("layer")
        return RecurrentEncoder(
            layout.n_channels,
            layout.n_bands,
            bool(mix),
            self.cell,
            self.n_hidden,
            self.n_layers,
            self.n_heads,
            self.dropout,
            pretrained,
        )

    def _initialize(self, sequences, targets):
        transferred = super()._initialize(sequences, targets)
        module = self.net_.module_
        parts = [sequences]
        if isinstance(sequences, Bimodal):
            parts = [sequences.frames, sequences.words]
        with torch_threads(self.n_threads), torch.inference_mode():
            for part, encoder in zip(parts, (module.audio, module.text), strict=False):
                if encoder.recurrent is None:
                    continue
                rows = np.flatnonzero(part.lengths)
                dataset = SequenceDataset(part[rows], np.zeros(len(rows)))
                batches = BatchIterator(dataset, self.batch_size, device=self.net_.device)
                encoder.eval().set_scale(*_moments(encoder, batches))
        return transferred

    def _rate_factors(self):
        return {"audio.encoder_layers.": self.fine_tuning_lr_multiplier}

    def _auto_augment(self, layout):
        # Columns of hidden states are no scale of frequencies.
        return SpecAugment(time_stretch=0.0, frequency_warp=0.0, n_frequency_masks=0)

    def alignment(self, X):
        """Return which frames belong to which word pieces, as the network sees it.

        Parameters
        ----------
        X : DataFrame
            Utterance table; both modalities in every row.

        Returns
        -------
        list of DataFrame of shape (n_word_pieces, n_frames), float64
            One per utterance; columns are the centres of frames in seconds, rows the word
            pieces, by name where `text` knows them. Each row sums to 1, or each column if frames
            look at words.
        """
        check_is_fitted(self)
        module = self.net_.module_
        if module.alignment is None:
            raise ValueError(
                "Only a network of audio and text that are not fused late aligns them."
            )
        pairs = self._check_input(X, reset=False)
        one_missing = np.minimum(pairs.frames.lengths, pairs.words.lengths) == 0
        if one_missing.any():
            raise ValueError(
                f"Utterance {int(one_missing.argmax())} has no audio or no transcript to align."
            )
        text, layout = self.transformers_["transcript"], pairs.layout
        names = text.word_pieces(X) if hasattr(text, "word_pieces") else None
        maps = [None] * len(pairs)
        for indices, batch in self._batches(pairs):
            weights = module.align(**batch).float().cpu().numpy().astype(np.float64)
            if not module.words_look:
                weights = weights.transpose(0, 2, 1)
            for i, w in zip(indices, weights, strict=True):
                n_words, n_frames = pairs.words.lengths[i], pairs.frames.lengths[i]
                times = np.arange(n_frames) * (layout.hop or 1) + layout.offset
                maps[i] = pd.DataFrame(
                    w[:n_words, :n_frames], index=names and names[i], columns=times
                )
        return maps

    @property
    def layer_weights_(self):
        """Learned shares of the channels of the audio, (n_channels,), such as encoder layers."""
        check_is_fitted(self)
        audio = self.net_.module_.audio
        if audio.layer_scores is None:
            raise AttributeError("The channels of this network's input are not averaged.")
        with torch.inference_mode():
            return audio.layer_weights().cpu().numpy().astype(np.float64)


def _moments(encoder, batches):
    """Mean and deviation (channels, columns) over all frames of what is to be standardised."""
    mean = 0.0
    for _ in range(2):  # twice, so that what nobody scaled keeps its digits
        count, total, squares = 0, 0.0, 0.0
        for inputs, _targets in batches:
            x, lengths = inputs["x"], inputs["lengths"]
            inside = time_mask(lengths, x.shape[2])
            frames = encoder.states(x, lengths).transpose(1, 2)[inside].double() - mean
            count += len(frames)
            total = total + frames.sum(dim=0)
            squares = squares + frames.square().sum(dim=0)
        mean = mean + total / count
    return mean.float(), (squares / count).sqrt().float()
