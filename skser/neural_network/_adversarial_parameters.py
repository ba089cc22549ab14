"""Descriptions of the parameters of the adversarial autoencoders, and their objectives."""

from numbers import Integral, Real

import numpy as np

from skser.neural_network._parameters import SHARED

# Defaults: the phases of the paper, without additions.
OBJECTIVES = {
    "n_discriminator_updates": 1,
    "speaker_swap": 0.0,
    "centered_share": 0.0,
    "speaker_scaling": False,
    "consistency": 0.0,
    "pseudo_labels": 0.0,
    "threshold": 0.8,
    "view": "centered",
    "match_shares": True,
    "warm_up": 0.0,
    "gradient_penalty": 0.0,
    "match_statistics": "auto",
}
_OBJECTIVES_TEXT = """\
objectives : dict or None, default=None
    Changes to the four phases. None means the phases of the paper. The dict may hold:

    - "n_discriminator_updates", int, default 1: number of updates of the discriminators per
      batch, at `learning_rate`.
    - "speaker_swap", float, default 0: share of the utterances of a supervision batch whose
      column means are shifted by the difference between the means of another speaker and of their
      own. The means cover all training utterances, labeled or not. `fit` needs `groups`.
    - "centered_share", float, default 0: share of the utterances of a supervision batch whose
      speaker's mean is replaced by the mean over all speakers. `fit` needs `groups`.
    - "speaker_scaling", bool, default False: whether "speaker_swap", "centered_share" and the
      "centered" view also replace the standard deviations of the columns. Those of speakers with
      few utterances are shrunk towards the mean over speakers.
    - "consistency", float, default 0: weight of a term of the supervision phase that trains
      the outputs for noisy utterances, labeled or not, on those for a clean view of them.
    - "pseudo_labels", float, default 0: weight of the same term, but with the most probable class
      of the clean view as the label, where its probability is at least "threshold" (default 0.8).
    - "view", {"centered", "same"}, default "centered": clean view. "centered" replaces the mean of
      the speaker by that over all speakers, and needs `groups`; "same" is the input.
    - "match_shares", bool, default True: whether the classes that the clean view gives get the
      class shares of the labeled utterances, by factors found in each epoch.
    - "warm_up", float, default 0: share of the training over which the learning rate of the
      generator phase and the weights of "consistency" and "pseudo_labels" rise from 0.
    - "gradient_penalty", float, default 0: weight of the squared gradient of the discriminators
      (Mescheder et al. 2018), which steadies them where codes and prior hardly overlap.
    - "match_statistics", "auto" or bool, default "auto": whether training shifts and scales the
      columns of the unlabeled utterances to the mean and standard deviation of the labeled ones.
      "auto" does so, with a warning, if the means differ by more than 0.6 standard deviations, as
      they do for speech of another corpus."""
_VIEWS = ("centered", "same")
ADVERSARIAL = SHARED | {
    "hidden_units": """\
hidden_units : tuple of int, default=(256,)
    Number of units of each layer of the encoder, if X is a 2-D array.""",
    "filters": """\
filters : tuple of int, default=(64, 64, 64)
    Number of channels of each convolution of the encoder over time, if X holds frames. Kernels
    span five frames, the first convolution has stride two, and max pooling of size two follows
    each. Attention pools the output of the last layer.""",
    "n_heads": """\
n_heads : int, default=4
    Number of heads of the attention pooling, if X holds frames.""",
    "n_style": """\
n_style : int, default=32
    Number of nodes of the style latent.""",
    "decoder_units": """\
decoder_units : tuple of int, default=(64,)
    Number of units of each hidden layer of the decoder.""",
    "discriminator_units": """\
discriminator_units : int, default=64
    Number of units of each of the two hidden layers of the discriminators.""",
    "reconstruction_weight": """\
reconstruction_weight : float, default=0.1
    Learning rate of the reconstruction phase, as a multiple of `learning_rate`.""",
    "adversarial_weight": """\
adversarial_weight : float, default=0.1
    Learning rate of the generator phase, in which the encoder learns to fool the
    discriminators, as a multiple of `learning_rate`. If both this and `reconstruction_weight` are
    0, training is plain supervised training, bit for bit.""",
    "supervised_weight": """\
supervised_weight : float, default=1.0
    Learning rate of the supervision phase, as a multiple of `learning_rate`.""",
    "objectives": _OBJECTIVES_TEXT,
    "noise": """\
noise : float, default=0.5
    Standard deviation of the Gaussian noise added to the input in training, in the units of the
    input. Scale the input to unit variance first.""",
    "dropout": """\
dropout : float, default=0.5
    Dropout rate on the hidden values of the encoder.""",
    "latent": """\
latent : {"emotion", "style"}, default="emotion"
    Latent that `transform` returns.""",
    "max_epochs": """\
max_epochs : int, default=40
    Number of epochs that `fit` trains for. The number of batches per epoch counts all utterances,
    labeled or not.""",
    "batch_size": """\
batch_size : int, default=32
    Maximum number of labeled utterances per supervised update, and of utterances per batch in
    prediction. The other phases run at every second batch, on twice as many utterances.""",
    "learning_rate": """\
learning_rate : float, default=0.003
    Peak learning rate of AdamW.""",
    "early_stopping": """\
early_stopping : bool, default=False
    If True, `fit` holds out labeled utterances, stops when their supervised loss no longer falls,
    and keeps the weights of the best epoch.""",
    "validation_fraction": """\
validation_fraction : float, default=0.1
    Share of the labeled utterances that `early_stopping` holds out. If `fit` gets `groups`, whole
    groups are held out, and their unlabeled utterances are not used for training. A classifier
    stratifies the split by class.""",
    "augment": """\
augment : callable or None, default=None
    Augmentation of the training batches, drawn anew in each epoch. None trains without.""",
    "callbacks": """\
callbacks : sequence of skorch callbacks, default=()
    Additional callbacks of the training. They are used without copying, and clones share them. A
    learning rate scheduler changes the supervision phase only.""",
    "compile": """\
compile : bool, default=False
    If True, predictions run through ``torch.compile``, which needs a C compiler. A model that was
    pickled and loaded runs uncompiled.""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Seed or generator of all random numbers. Encoder and head, decoder, discriminators, order of
    batches and noise of each phase get separate seeds, so that turning a phase off does not
    change the random numbers of the others. Pass an int for reproducible fits.""",
    "history_": """\
history_ : skorch.history.History
    Statistics of each epoch: ``train_loss``, the supervised loss; ``reconstruction_loss``, the
    squared error as a multiple of that of predicting the mean of the training data;
    ``emotion_discriminator_loss``, ``emotion_discriminator_accuracy`` and
    ``emotion_generator_loss``, and the same for ``style``; ``style_deviation``, the standard
    deviation of the style latent over utterances.""",
    "reconstructed_features_": """\
reconstructed_features_ : ndarray of str
    Names of the columns that `reconstruct` and `sample` return.""",
    "X": """\
X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array
    Utterances: vectors or frames, as in `fit`.""",
}


def check_objectives(given):
    """Return the objectives with defaults for those that are not given.

    Raises
    ------
    ValueError
        If a name is unknown, or a value is out of range.
    """
    unknown = sorted(set(given or {}) - set(OBJECTIVES), key=str)
    if unknown:
        raise ValueError(
            f"objectives holds unknown names: {unknown}. The names are {sorted(OBJECTIVES)}."
        )
    chosen = OBJECTIVES | (given or {})
    valid = {
        "n_discriminator_updates": (_is_count, "an integer of at least 1"),
        "speaker_swap": (_is_share, "a number from 0 to 1"),
        "centered_share": (_is_share, "a number from 0 to 1"),
        "speaker_scaling": ((True, False).__contains__, "True or False"),
        "consistency": (_is_weight, "a nonnegative number"),
        "pseudo_labels": (_is_weight, "a nonnegative number"),
        "threshold": (_is_share, "a number from 0 to 1"),
        "view": (_VIEWS.__contains__, f"one of {_VIEWS}"),
        "match_shares": ((True, False).__contains__, "True or False"),
        "warm_up": (_is_share, "a number from 0 to 1"),
        "gradient_penalty": (_is_weight, "a nonnegative number"),
        "match_statistics": (("auto", True, False).__contains__, "'auto', True or False"),
    }
    for name, (check, wanted) in valid.items():
        if not check(chosen[name]):
            raise ValueError(f"objectives[{name!r}]={chosen[name]!r} must be {wanted}.")
    return chosen


def _is_count(value):
    return isinstance(value, Integral) and value >= 1


def _is_weight(value):
    return isinstance(value, Real) and 0 <= value < np.inf


def _is_share(value):
    return isinstance(value, Real) and 0 <= value <= 1


def needs_groups(objectives):
    """Return the name of an objective that needs the speakers, or None."""
    for name in ("speaker_swap", "centered_share"):
        if objectives[name]:
            return name
    if has_teacher(objectives) and objectives["view"] == "centered":
        return "view"
    return None


def has_teacher(objectives):
    """Return whether outputs for a clean view train those for another view."""
    return objectives["consistency"] > 0 or objectives["pseudo_labels"] > 0
