"""Recurrent network with attention over audio, text, or both aligned (Boigne et al., 2020)."""

from skser._docstrings import insert_descriptions
from skser.neural_network._bimodal_network import BimodalNetwork
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._parameters import SHARED
from skser.neural_network._regression import SequenceRegressor

_DESCRIPTIONS = SHARED | {
    "audio": """\
audio : transformer or None, default=None
    Transformer of the column ``audio`` of an utterance table into `Sequences`, such as
    `SpeechEmbedding` without pooling. If `audio` and `text` are both None, the network takes
    frame sequences.""",
    "text": """\
text : transformer or None, default=None
    Transformer of the column ``transcript`` into `Sequences`, such as `TextEmbedding` without
    pooling.""",
    "cell": """\
cell : {"gru", "lstm"} or None, default="gru"
    Cell of the recurrent layers, which run in both directions. None means no recurrent layer:
    the frames themselves are pooled, and each head's mean is normalised over the batch, which
    is what fine-tuned layers need.""",
    "n_hidden": """\
n_hidden : int, default=64
    Number of units of each direction; without a cell, half the hidden units of the attention.""",
    "n_layers": """\
n_layers : int, default=1
    Number of recurrent layers.""",
    "n_heads": """\
n_heads : int, default=2
    Number of heads of each attention pooling, which gives weighted means and deviations.""",
    "layer_weights": """\
layer_weights : bool or "auto", default="auto"
    Whether the channels of the input are averaged with learned weights instead of
    concatenated; "auto" averages the layers of a pretrained encoder.""",
    "fusion": """\
fusion : {"words-to-frames", "frames-to-words", "late"}, default="words-to-frames"
    Place where audio and text meet: each word piece attends to the frames, each frame to the
    word pieces, or the pooled vectors of both are concatenated.""",
    "dropout": """\
dropout : float, default=0.3
    Dropout on the input of the recurrent layers and on pooled vectors.""",
    "modality_dropout": """\
modality_dropout : float, default=0.15
    Share of the training utterances that lose their audio, and equally their text, so that
    either may be missing later.""",
    "n_fine_tuned_layers": """\
n_fine_tuned_layers : int, default=0
    Number of the encoder's highest layers that are trained too. The encoder is that of `audio`,
    a `SpeechEmbedding` of one layer without pooling; the layers below are computed once.""",
    "adapter_rank": """\
adapter_rank : int or None, default=None
    Rank of adapters that are trained in the fine-tuned layers in place of their weights
    (Hu et al., 2022); needs the extra ``adapters``.""",
    "fine_tuning_lr_multiplier": """\
fine_tuning_lr_multiplier : float, default=0.2
    Factor of the learning rate in the fine-tuned layers.""",
    "max_epochs": """\
max_epochs : int, default=30
    Number of epochs that `fit` trains for.""",
    "augment": """\
augment : "auto", callable or None, default="auto"
    Augmentation of the training batches, drawn afresh each epoch; "auto" masks spans of time.""",
    "transformers_": """\
transformers_ : dict
    Fitted transformers of the columns of the utterance table.""",
    "layer_weights_": """\
layer_weights_ : ndarray of shape (n_channels,)
    Learned shares of the channels, where they are averaged.""",
}


@insert_descriptions(_DESCRIPTIONS)
class AttentionRNNClassifier(SequenceClassifier, BimodalNetwork):
    """Recurrent network with attention over acoustic frames, word pieces, or both aligned.

    Takes an utterance table if `audio` or `text` is given, which embed its columns, and frame
    sequences else. A list of paths, or of texts, counts as a table of one column. Either
    modality may be missing in a row (None), and as a whole when predicting. A row of a 2-D
    array is an utterance of one frame.

    Parameters
    ----------
    {audio}
    {text}
    {cell}
    {n_hidden}
    {n_layers}
    {n_heads}
    {layer_weights}
    {fusion}
    {dropout}
    {modality_dropout}
    {n_fine_tuned_layers}
    {adapter_rank}
    {fine_tuning_lr_multiplier}
    {label_smoothing}
    mixup : float, default=0.0
        Parameter α of Beta(α, α), the distribution of the shares in which each utterance of a
        training batch, and its target, is mixed with another one; 0 means no mixing. Needs `text`
        to be None.
    {class_weight}
    {max_epochs}
    {batch_size}
    learning_rate : float, default=0.001
        Peak learning rate of AdamW.
    {learning_rate_schedule}
    {weight_decay}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {augment}
    {warm_start}
    {callbacks}
    {checkpoint_dir}
    {device}
    {n_threads}
    {precision}
    {compile}
    {verbose}
    {random_state}

    Attributes
    ----------
    {classes_}
    {net_}
    {transformers_}
    {layer_weights_}
    {history_}
    {n_iter_}
    {n_features_in_}

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
        **BimodalNetwork._parameter_constraints,
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
        fine_tuning_lr_multiplier=0.2,
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
        self.fine_tuning_lr_multiplier = fine_tuning_lr_multiplier
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
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state


@insert_descriptions(_DESCRIPTIONS)
class AttentionRNNRegressor(SequenceRegressor, BimodalNetwork):
    """Recurrent network with attention over audio, text, or both, for continuous targets.

    The network of `AttentionRNNClassifier` with linear outputs and squared error; targets are
    standardised for training. Valence, activation and dominance are a y of 3 columns.

    Parameters
    ----------
    {audio}
    {text}
    {cell}
    {n_hidden}
    {n_layers}
    {n_heads}
    {layer_weights}
    {fusion}
    {dropout}
    {modality_dropout}
    {n_fine_tuned_layers}
    {adapter_rank}
    {fine_tuning_lr_multiplier}
    {max_epochs}
    {batch_size}
    learning_rate : float, default=0.01
        Peak learning rate of AdamW.
    {learning_rate_schedule}
    {weight_decay}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {augment}
    {warm_start}
    {callbacks}
    {checkpoint_dir}
    {device}
    {n_threads}
    {precision}
    {compile}
    {verbose}
    {random_state}

    Attributes
    ----------
    {net_}
    {transformers_}
    {layer_weights_}
    {history_}
    {n_iter_}
    {n_features_in_}

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
        **BimodalNetwork._parameter_constraints,
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
        fine_tuning_lr_multiplier=0.2,
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
        self.fine_tuning_lr_multiplier = fine_tuning_lr_multiplier
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state
