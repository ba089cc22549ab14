"""Parameters that all networks share: their constructor, and their descriptions."""

import inspect

from sklearn.base import BaseEstimator


class TrainingParameters(BaseEstimator):
    """Constructor that stores the parameters of the training."""

    def __init__(
        self,
        *,
        max_epochs=50,
        batch_size=16,
        learning_rate=0.003,
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


def extend_signature(base):
    """Decorate an ``__init__`` that passes ``*args`` and ``**kwargs`` to an inherited one.

    The decorated signature lists every parameter by name, because scikit-learn reads an
    estimator's parameters from there. Defaults of the decorated ``__init__`` take precedence.

    Parameters
    ----------
    base : callable
        Inherited ``__init__``.

    Returns
    -------
    callable
        Decorator that sets ``__signature__``.

    Examples
    --------
    >>> import inspect
    >>> from skser.neural_network._parameters import extend_signature
    >>> class Base:
    ...     def __init__(self, width=1, *, rate=0.1, seed=None):
    ...         self.width, self.rate, self.seed = width, rate, seed
    >>> class Child(Base):
    ...     @extend_signature(Base.__init__)
    ...     def __init__(self, *args, loss="squared", rate=0.2, **kwargs):
    ...         super().__init__(*args, rate=rate, **kwargs)
    ...         self.loss = loss
    >>> inspect.signature(Child)
    <Signature (width=1, *, loss='squared', rate=0.2, seed=None)>
    """

    def decorate(init):
        own = inspect.signature(init).parameters.values()
        inherited = inspect.signature(base).parameters.values()
        takes_args = any(p.kind is p.VAR_POSITIONAL for p in own)
        positional = inherited if takes_args else own
        keywords = {p.name: p for p in own if p.kind is p.KEYWORD_ONLY}
        base_keywords = {p.name: p for p in inherited if p.kind is p.KEYWORD_ONLY}
        init.__signature__ = inspect.Signature(
            [
                *(p for p in positional if p.kind is p.POSITIONAL_OR_KEYWORD),
                *(p for name, p in keywords.items() if name not in base_keywords),
                *(keywords.get(name, p) for name, p in base_keywords.items()),
            ]
        )
        return init

    return decorate


# Entries for `insert_descriptions`; a class with another default overrides one in its own table.
SHARED = {
    "label_smoothing": """\
label_smoothing : float, default=0.1
    Share of each target that is spread evenly over all classes. 0 leaves targets unchanged.""",
    "mixup": """\
mixup : float, default=0.0
    Parameter α of Beta(α, α), which draws the proportions for mixing each utterance of a
    training batch, and its target, with another one (Zhang, Cisse et al., 2018); 0 turns mixing
    off.""",
    "class_weight": """\
class_weight : dict, "balanced" or None, default=None
    Weight of each class in the loss. "balanced" weights each class by its inverse frequency;
    None weights all classes equally.""",
    "max_epochs": """\
max_epochs : int, default=50
    Number of epochs that `fit` trains for.""",
    "batch_size": """\
batch_size : int, default=16
    Maximum number of utterances per update, and per batch in prediction.""",
    "learning_rate_schedule": """\
learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
    Schedule of the learning rate over the updates of `fit`. "one-cycle" raises it to the peak
    once and lets it fall again; "constant" keeps it at `learning_rate`.""",
    "weight_decay": """\
weight_decay : float, default=0.01
    Decoupled weight decay of AdamW. Biases and normalization layers are exempt.""",
    "early_stopping": """\
early_stopping : bool, default=False
    If True, `fit` holds out utterances, stops when their loss no longer falls, and keeps the
    weights of the best epoch.""",
    "validation_fraction": """\
validation_fraction : float, default=0.1
    Share of the utterances that `early_stopping` holds out. If `fit` gets `groups`, whole
    speakers are held out. A classifier stratifies the split by class.""",
    "n_iter_no_change": """\
n_iter_no_change : int, default=10
    Number of epochs without improvement after which `early_stopping` ends the training.""",
    "warm_start": """\
warm_start : bool, default=False
    If True, `fit` continues from the weights of the previous fit.""",
    "callbacks": """\
callbacks : sequence of skorch callbacks, default=()
    Additional callbacks of the training. They are used without copying, and clones share them.""",
    "checkpoint_dir": """\
checkpoint_dir : path-like or None, default=None
    Folder that stores the state of the training after each epoch, under a name derived from
    everything that the training depends on. After an interruption, the same `fit` resumes from
    there and ends with the same weights. Requires an int as `random_state`. Nothing in the
    folder is deleted. None stores nothing.""",
    "device": """\
device : str, default="auto"
    Torch device. "auto" takes the first available one of cuda, mps and cpu.""",
    "n_threads": """\
n_threads : int or None, default=None
    Number of threads that torch computes with. None leaves torch's setting unchanged.""",
    "precision": """\
precision : {"float32", "bfloat16"}, default="float32"
    Precision of the forward pass. Weights are always float32. CPUs without instructions for
    bfloat16 (AMX, or AVX-512 on x86) are many times slower with it, with a warning.""",
    "compile": """\
compile : bool, default=False
    If True, the network runs through ``torch.compile``, which needs a C compiler. A model that
    was pickled and loaded runs uncompiled.""",
    "verbose": """\
verbose : int, default=0
    Verbosity level. Any value above 0 prints a line per epoch.""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Seed or generator of all random numbers: initial weights, order of batches, dropout,
    augmentation and validation split. Pass an int for reproducible fits.""",
    "classes_": """\
classes_ : ndarray of shape (n_classes,)
    Class labels, sorted.""",
    "net_": """\
net_ : skorch.NeuralNet
    Trained net. Its torch module is ``net_.module_``.""",
    "history_": """\
history_ : skorch.history.History
    Losses and duration of each epoch.""",
    "n_iter_": """\
n_iter_ : int
    Number of epochs trained.""",
    "n_features_in_": """\
n_features_in_ : int
    Number of columns of X. Defined only if X was a 2-D array.""",
    "X": """\
X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
    Utterances. An estimator that embeds audio or text itself takes an utterance table instead.""",
    "groups": """\
groups : array-like of shape (n_utterances,) or None, default=None
    Speaker of each utterance. The validation split of `early_stopping` keeps each speaker on
    one side.""",
}
