"""Recurrent network with attention over audio, text, or both aligned (Boigne et al., 2020)."""

from skser._docstrings import insert_descriptions
from skser.neural_network._bimodal_network import BimodalNetwork
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._parameters import SHARED, extend_signature
from skser.neural_network._regression import SequenceRegressor

_DESCRIPTIONS = SHARED | {
    "audio": """\
audio : transformer or None, default=None
    Transformer that turns the column ``audio`` of an utterance table into `Sequences`, such as
    `SpeechEmbedding` with ``pooling=None``. If `audio` and `text` are both None, the network
    takes frame sequences instead of a table.""",
    "text": """\
text : transformer or None, default=None
    Transformer that turns the column ``transcript`` of an utterance table into `Sequences`, such
    as `TextEmbedding` with ``pooling=None``. None ignores the transcripts.""",
    "cell": """\
cell : {"gru", "lstm"} or None, default="gru"
    Cell of the recurrent layers, which run in both directions. None removes the recurrent
    layers: attention pools the frames directly, and each head's mean is normalized over the
    batch. Use None for fine-tuning.""",
    "n_hidden": """\
n_hidden : int, default=64
    Number of recurrent units per direction. If `cell` is None, half the number of hidden units
    of the attention.""",
    "n_layers": """\
n_layers : int, default=1
    Number of recurrent layers.""",
    "n_heads": """\
n_heads : int, default=2
    Number of heads of each attention pooling, which returns weighted means and standard
    deviations.""",
    "layer_weights": """\
layer_weights : bool or "auto", default="auto"
    If True, the channels of the input are averaged with learned weights; if False, they are
    concatenated. "auto" averages them if they are layers of a pretrained encoder.""",
    "fusion": """\
fusion : {"words-to-frames", "frames-to-words", "late"}, default="words-to-frames"
    Fusion of audio and text. "words-to-frames": each word piece attends to the frames.
    "frames-to-words": each frame attends to the word pieces. "late": the pooled vectors of both
    modalities are concatenated, without alignment.""",
    "dropout": """\
dropout : float, default=0.3
    Dropout rate on the input of the recurrent layers and on the pooled vectors.""",
    "modality_dropout": """\
modality_dropout : float, default=0.15
    Share of the training utterances that lose their audio; an equal share loses its text. The
    network thus learns to predict when either is missing.""",
    "n_fine_tuned_layers": """\
n_fine_tuned_layers : int, default=0
    Number of upper layers of the pretrained speech encoder that are trained as well. `audio` must
    be a `SpeechEmbedding` of one layer with ``pooling=None``; the layers below the fine-tuned
    ones are computed once.""",
    "adapter_rank": """\
adapter_rank : int or None, default=None
    Rank of the low-rank adapters that are trained instead of the weights of the fine-tuned layers
    (Hu et al., 2022). Requires the extra ``adapters``. None trains the weights themselves.""",
    "fine_tuning_lr_multiplier": """\
fine_tuning_lr_multiplier : float, default=0.2
    Learning rate of the fine-tuned layers, as a multiple of `learning_rate`.""",
    "max_epochs": """\
max_epochs : int, default=30
    Number of epochs that `fit` trains for.""",
    "augment": """\
augment : "auto", callable or None, default="auto"
    Augmentation of the training batches, drawn anew in each epoch. "auto" masks spans of
    time.""",
    "transformers_": """\
transformers_ : dict
    Fitted transformer of each column of the utterance table, by the column's name. Empty if the
    network takes frame sequences.""",
    "layer_weights_": """\
layer_weights_ : ndarray of shape (n_channels,)
    Learned weights of the channels, which sum to 1. Defined only if channels are averaged.""",
}


@insert_descriptions(_DESCRIPTIONS)
class AttentionRNNClassifier(SequenceClassifier, BimodalNetwork):
    """Recurrent network with attention over acoustic frames, word pieces, or both aligned.

    If `audio` or `text` is given, X is an utterance table whose columns they embed. A list of
    paths, or of texts, counts as a table with one column. Either modality may be missing from a
    row (None), and a whole column may be missing when predicting. Otherwise X holds frame
    sequences; each row of a 2-D array is then an utterance of one frame.

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
        Parameter α of Beta(α, α), which draws the proportions for mixing each utterance of a
        training batch, and its target, with another one; 0 turns mixing off. Texts cannot be
        mixed: any other value requires ``text=None``.
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

    @extend_signature(BimodalNetwork.__init__)
    def __init__(
        self,
        *args,
        label_smoothing=0.1,
        mixup=0.0,
        class_weight=None,
        learning_rate=0.001,
        **kwargs,
    ):
        super().__init__(*args, learning_rate=learning_rate, **kwargs)
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.class_weight = class_weight


@insert_descriptions(_DESCRIPTIONS)
class AttentionRNNRegressor(SequenceRegressor, BimodalNetwork):
    """Recurrent network with attention over audio, text, or both, for continuous targets.

    The architecture is that of `AttentionRNNClassifier`; the loss is the squared error. Targets
    are standardized for training. To predict valence, activation and dominance, pass them as the
    three columns of y.

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
