"""Recurrent network with attention over audio, text, or both aligned (Boigne et al., 2020)."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skser.feature_extraction import SpeechEmbedding
from skser.neural_network._augmentation import SpecAugment
from skser.neural_network._base import NeuralEstimator
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._bimodal import Bimodal, embed, rows_with, utterance_table
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._fine_tuning import below, upper_layers
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network._training import torch_settings
from skser.neural_network.modules.attention_rnn import Alignment, AttentionRNN, RecurrentEncoder
from skser.neural_network.modules.normalization import time_mask


class _AttentionRNN(NeuralEstimator):
    """Input, architecture and alignment, for the classifier and the regressor."""

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
        "fine_tuning_rate": [Interval(Real, 0, None, closed="neither")],
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
        with torch_settings(self.n_threads), torch.inference_mode():
            for part, encoder in zip(parts, (module.audio, module.text), strict=False):
                if encoder.recurrent is None:
                    continue
                rows = np.flatnonzero(part.lengths)
                dataset = SequenceDataset(part[rows], np.zeros(len(rows)))
                batches = BatchIterator(dataset, self.batch_size, device=self.net_.device)
                encoder.eval().set_scale(*_moments(encoder, batches))
        return transferred

    def _rate_factors(self):
        return {"audio.encoder_layers.": self.fine_tuning_rate}

    def _auto_augment(self, layout):
        # Columns of hidden states are no scale of frequencies.
        return SpecAugment(time_stretch=0.0, frequency_warp=0.0, n_frequency_masks=0)

    def alignment(self, X):
        """Which frames belong to which word pieces, as the network sees it.

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


class AttentionRNNClassifier(SequenceClassifier, _AttentionRNN):
    """Recurrent network with attention over acoustic frames, word pieces, or both aligned.

    Takes an utterance table if `audio` or `text` is given, which embed its columns, and frame
    sequences else. A list of paths, or of texts, counts as a table of one column. Either
    modality may be missing in a row (None), and as a whole when predicting. A row of a 2-D
    array is an utterance of one frame.

    Parameters
    ----------
    audio : transformer or None, default=None
        Gives `Sequences` of the column ``audio`` of an utterance table, such as
        `SpeechEmbedding` without pooling. Without `audio` and `text` the network takes frame
        sequences.
    text : transformer or None, default=None
        Gives `Sequences` of the column ``transcript``, such as `TextEmbedding` without pooling.
    cell : {"gru", "lstm"} or None, default="gru"
        Of the recurrent layers, which run in both directions. None has none: the frames
        themselves are pooled, each head's mean normalised over the batch, which is what
        fine-tuned layers need.
    n_hidden : int, default=64
        Units of each direction; without a cell, half the hidden units of the attention.
    n_layers : int, default=1
        Recurrent layers.
    n_heads : int, default=2
        Heads of each attention pooling, which gives weighted means and deviations.
    layer_weights : bool or "auto", default="auto"
        Whether the channels of the input are averaged with learned weights, or concatenated;
        "auto" averages the layers of a pretrained encoder.
    fusion : {"words-to-frames", "frames-to-words", "late"}, default="words-to-frames"
        How audio and text meet: each word piece attends to the frames, each frame to the word
        pieces, or only the pooled vectors of either are put side by side.
    dropout : float, default=0.3
        On the input of the recurrent layers and on pooled vectors.
    modality_dropout : float, default=0.15
        Share of the training utterances that lose their audio, and as many their text, so that
        either may be missing later.
    n_fine_tuned_layers : int, default=0
        Highest layers of the encoder behind `audio`, a `SpeechEmbedding` of one layer without
        pooling, that are trained too. The layers below are computed once.
    adapter_rank : int or None, default=None
        Rank of adapters that are trained in the fine-tuned layers in place of their weights
        (Hu et al., 2022); needs the extra ``adapters``.
    fine_tuning_rate : float, default=0.2
        Factor of the learning rate in the fine-tuned layers.
    label_smoothing : float, default=0.1
        Share of each target spread over all classes.
    mixup : float, default=0.0
        Parameter α of Beta(α, α), from which the shares are drawn when each utterance of a
        training batch, and its target, is mixed with another one's; 0 mixes nothing. Not for
        text.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    max_epochs : int, default=30
        Epochs of `fit`.
    batch_size : int, default=16
        Utterances per update at most, and per batch in prediction.
    learning_rate : float, default=0.001
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out utterances in `fit`, stop when their loss no longer falls, and
        keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, whole speakers where `groups` are given.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : "auto", callable or None, default="auto"
        Applied to training batches, afresh each epoch; "auto" masks spans of time.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run the network through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        Weights, order of batches, dropout, augmentation and validation split.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
    transformers_ : dict
        Fitted transformers of the columns of the utterance table.
    layer_weights_ : ndarray of shape (n_channels,)
        Shares of the channels, where they are averaged.
    history_ : skorch.history.History
        Losses and times per epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns. Not set for utterance tables.

    References
    ----------
    Boigne, J., Liyanage, B. and Östrem, T. (2020). Recognizing More Emotions with Less Data
    Using Self-supervised Transfer Learning. doi:10.20944/preprints202008.0645.v1.

    Okabe, K., Koshinaka, T. and Shinoda, K. (2018). Attentive Statistics Pooling for Deep
    Speaker Embedding. Interspeech.

    Hu, E. J. et al. (2022). LoRA: Low-Rank Adaptation of Large Language Models. ICLR.

    Examples
    --------
    >>> from skser.feature_extraction import SpeechEmbedding, TextEmbedding
    >>> from skser.neural_network import AttentionRNNClassifier
    >>> model = AttentionRNNClassifier(
    ...     audio=SpeechEmbedding("openai/whisper-tiny", layers=2, pooling=None),
    ...     text=TextEmbedding(pooling=None),
    ... )
    >>> model.fit(corpus.frame, corpus.target).alignment(corpus.frame[:1])  # doctest: +SKIP

    On frame sequences:

    >>> import numpy as np
    >>> X = np.random.RandomState(0).randn(20, 30, 4)
    >>> y = np.repeat(["calm", "tense"], 10)
    >>> model = AttentionRNNClassifier(max_epochs=2, device="cpu", random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    _parameter_constraints = {
        **SequenceClassifier._parameter_constraints,
        **_AttentionRNN._parameter_constraints,
    }

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
        fine_tuning_rate=0.2,
        *,
        label_smoothing=0.1,
        mixup=0.0,
        class_weight=None,
        max_epochs=30,
        batch_size=16,
        learning_rate=0.001,
        learning_rate_schedule="one-cycle",
        weight_decay=0.01,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        augment="auto",
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
        warm_start=False,
        callbacks=(),
        checkpoint_dir=None,
        device="auto",
        n_threads=None,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=None,
    ):
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
        self.fine_tuning_rate = fine_tuning_rate
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state


class AttentionRNNRegressor(SequenceRegressor, _AttentionRNN):
    """Recurrent network with attention over audio, text, or both, for continuous targets.

    The network of `AttentionRNNClassifier` with linear outputs and squared error; targets are
    standardised for training. Valence, activation and dominance are a y of 3 columns.

    Parameters
    ----------
    audio : transformer or None, default=None
        Gives `Sequences` of the column ``audio`` of an utterance table, such as
        `SpeechEmbedding` without pooling. Without `audio` and `text` the network takes frame
        sequences.
    text : transformer or None, default=None
        Gives `Sequences` of the column ``transcript``, such as `TextEmbedding` without pooling.
    cell : {"gru", "lstm"} or None, default="gru"
        Of the recurrent layers, which run in both directions. None has none: the frames
        themselves are pooled, each head's mean normalised over the batch, which is what
        fine-tuned layers need.
    n_hidden : int, default=64
        Units of each direction; without a cell, half the hidden units of the attention.
    n_layers : int, default=1
        Recurrent layers.
    n_heads : int, default=2
        Heads of each attention pooling, which gives weighted means and deviations.
    layer_weights : bool or "auto", default="auto"
        Whether the channels of the input are averaged with learned weights, or concatenated;
        "auto" averages the layers of a pretrained encoder.
    fusion : {"words-to-frames", "frames-to-words", "late"}, default="words-to-frames"
        How audio and text meet: each word piece attends to the frames, each frame to the word
        pieces, or only the pooled vectors of either are put side by side.
    dropout : float, default=0.3
        On the input of the recurrent layers and on pooled vectors.
    modality_dropout : float, default=0.15
        Share of the training utterances that lose their audio, and as many their text, so that
        either may be missing later.
    n_fine_tuned_layers : int, default=0
        Highest layers of the encoder behind `audio`, a `SpeechEmbedding` of one layer without
        pooling, that are trained too. The layers below are computed once.
    adapter_rank : int or None, default=None
        Rank of adapters that are trained in the fine-tuned layers in place of their weights
        (Hu et al., 2022); needs the extra ``adapters``.
    fine_tuning_rate : float, default=0.2
        Factor of the learning rate in the fine-tuned layers.
    max_epochs : int, default=30
        Epochs of `fit`.
    batch_size : int, default=16
        Utterances per update at most, and per batch in prediction.
    learning_rate : float, default=0.01
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out utterances in `fit`, stop when their loss no longer falls, and
        keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, whole speakers where `groups` are given.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : "auto", callable or None, default="auto"
        Applied to training batches, afresh each epoch; "auto" masks spans of time.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run the network through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        Weights, order of batches, dropout, augmentation and validation split.

    Attributes
    ----------
    net_ : skorch.NeuralNet
    transformers_ : dict
        Fitted transformers of the columns of the utterance table.
    layer_weights_ : ndarray of shape (n_channels,)
        Shares of the channels, where they are averaged.
    history_ : skorch.history.History
        Losses and times per epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns. Not set for utterance tables.

    References
    ----------
    Boigne, J., Liyanage, B. and Östrem, T. (2020). Recognizing More Emotions with Less Data
    Using Self-supervised Transfer Learning. doi:10.20944/preprints202008.0645.v1.

    Okabe, K., Koshinaka, T. and Shinoda, K. (2018). Attentive Statistics Pooling for Deep
    Speaker Embedding. Interspeech.

    Hu, E. J. et al. (2022). LoRA: Low-Rank Adaptation of Large Language Models. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.neural_network import AttentionRNNRegressor
    >>> X = np.random.RandomState(0).randn(20, 30, 4)
    >>> y = X.mean(axis=(1, 2))
    >>> AttentionRNNRegressor(max_epochs=2, device="cpu").fit(X, y).predict(X).shape
    (20,)
    """

    _parameter_constraints = {
        **SequenceRegressor._parameter_constraints,
        **_AttentionRNN._parameter_constraints,
    }

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
        fine_tuning_rate=0.2,
        *,
        max_epochs=30,
        batch_size=16,
        learning_rate=0.01,
        learning_rate_schedule="one-cycle",
        weight_decay=0.01,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        augment="auto",
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
        warm_start=False,
        callbacks=(),
        checkpoint_dir=None,
        device="auto",
        n_threads=None,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=None,
    ):
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
        self.fine_tuning_rate = fine_tuning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state


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
