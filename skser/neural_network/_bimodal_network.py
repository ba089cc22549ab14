"""Base of the networks of audio, text, or both: input, architecture and alignment."""

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
from skser.neural_network._parameters import extend_signature
from skser.neural_network.modules.attention_rnn import Alignment, AttentionRNN, RecurrentEncoder
from skser.neural_network.modules.layers import time_mask


class BimodalNetwork(NeuralEstimator):
    """Constructor, input, architecture and alignment of the classifier and the regressor."""

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

    @extend_signature(NeuralEstimator.__init__)
    def __init__(
        self,
        audio=None,
        text=None,
        cell="gru",
        n_hidden=64,
        n_layers=1,
        n_heads=2,
        layer_weights="auto",
        fusion="words-to-frames",
        dropout=0.3,
        modality_dropout=0.15,
        n_fine_tuned_layers=0,
        adapter_rank=None,
        fine_tuning_lr_multiplier=0.2,
        *,
        max_epochs=30,
        learning_rate=0.01,
        **kwargs,
    ):
        super().__init__(max_epochs=max_epochs, learning_rate=learning_rate, **kwargs)
        self.audio = audio
        self.text = text
        self.cell = cell
        self.n_hidden = n_hidden
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.layer_weights = layer_weights
        self.fusion = fusion
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.n_fine_tuned_layers = n_fine_tuned_layers
        self.adapter_rank = adapter_rank
        self.fine_tuning_lr_multiplier = fine_tuning_lr_multiplier

    @property
    def _columns(self):
        """Transformer of each column of the utterance table."""
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
            # A previous fit may have been on a 2-D array.
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
            for column, transformer in self._columns.items():
                if not len(rows[column]):
                    raise ValueError(
                        f"The column {column!r} of X is missing or empty in all {len(X)} rows: "
                        f"set {'text' if column == 'transcript' else column}=None to train "
                        "without it."
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
                f"Utterance {int(empty.argmax())} has no value, or 0 frames, in "
                f"{' and '.join(map(repr, parts))}; remove it from X."
            )
        if reset:
            self._layouts = {column: part.layout for column, part in parts.items()}
        parts = list(parts.values())
        return Bimodal(*parts) if len(parts) == 2 else parts[0]

    def _check_combinations(self):
        """Raise if parameters do not go together, before anything is computed."""
        if self.n_fine_tuned_layers and not isinstance(self.audio, SpeechEmbedding):
            raise ValueError(
                f"n_fine_tuned_layers={self.n_fine_tuned_layers} needs a SpeechEmbedding as audio, "
                f"not {type(self.audio).__name__}."
            )
        if self.adapter_rank is not None and not self.n_fine_tuned_layers:
            raise ValueError(
                f"adapter_rank={self.adapter_rank} adapts fine-tuned layers, but "
                "n_fine_tuned_layers is 0: raise it, or set adapter_rank=None."
            )
        if getattr(self, "mixup", 0) and self.text is not None:
            raise ValueError(f"mixup={self.mixup} cannot mix texts: set mixup=0 or text=None.")

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
                if encoder.recurrent is None:  # frames are not standardized
                    continue
                rows = np.flatnonzero(part.lengths)
                dataset = SequenceDataset(part[rows], np.zeros(len(rows)))
                batches = BatchIterator(dataset, self.batch_size, device=self.net_.device)
                encoder.eval().set_scale(*_moments(encoder, batches))
        return transferred

    def _rate_factors(self):
        return {"audio.encoder_layers.": self.fine_tuning_lr_multiplier}

    def _auto_augment(self, layout):
        # Neighboring columns of hidden states are unrelated, unlike neighboring frequencies.
        return SpecAugment(time_stretch=0.0, frequency_warp=0.0, n_frequency_masks=0)

    def alignment(self, X):
        """Compute the attention weights between word pieces and frames.

        Parameters
        ----------
        X : DataFrame
            Utterance table with both modalities in each row.

        Returns
        -------
        list of DataFrame of shape (n_word_pieces, n_frames), float64
            Weights of each utterance. Columns are the centers of the frames in seconds. Rows are
            the word pieces, by name if `text` has a method ``word_pieces``. Each row sums to 1;
            with ``fusion="frames-to-words"``, each column does.

        Raises
        ------
        ValueError
            If the network was not fitted on audio and text, was fitted with ``fusion="late"``, or
            an utterance lacks a modality.
        """
        check_is_fitted(self)
        module = self.net_.module_
        if module.alignment is None:
            raise ValueError(
                f"This {type(self).__name__} computes no alignment: fit it with both audio and "
                "text, and with another fusion than 'late'."
            )
        pairs = self._check_input(X, reset=False)
        one_missing = np.minimum(pairs.frames.lengths, pairs.words.lengths) == 0
        if one_missing.any():
            raise ValueError(
                f"Utterance {int(one_missing.argmax())} lacks its audio or its transcript; "
                "alignment needs both. Remove the row from X."
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
        """Learned weights (n_channels,) of the audio's channels, such as encoder layers."""
        check_is_fitted(self)
        audio = self.net_.module_.audio
        if audio.layer_scores is None:
            raise AttributeError(
                f"This {type(self).__name__} concatenates the channels of its input and has no "
                "layer_weights_: fit it with layer_weights=True."
            )
        with torch.inference_mode():
            return audio.layer_weights().cpu().numpy().astype(np.float64)


def _moments(encoder, batches):
    """Return mean and standard deviation (channels, columns) over all frames of the encoder."""
    mean = 0.0
    # The second pass subtracts the mean of the first, which keeps precision on unscaled features.
    for _ in range(2):
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
