"""Descriptions of the parameters and attributes that the networks share."""

# By name; `insert_descriptions` puts them into the docstrings of the classes.
SHARED = {
    "label_smoothing": """\
label_smoothing : float, default=0.1
    Share of each target that is spread over all classes.""",
    "class_weight": """\
class_weight : dict, "balanced" or None, default=None
    Weight of each class in the loss; "balanced" weights each by its inverse frequency.""",
    "batch_size": """\
batch_size : int, default=16
    Largest number of utterances per update, and per batch in prediction.""",
    "learning_rate_schedule": """\
learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
    Course of the learning rate over the updates of `fit`: one rise and fall, or constant.""",
    "weight_decay": """\
weight_decay : float, default=0.01
    Decoupled weight decay of AdamW; biases and normalisation are exempt.""",
    "early_stopping": """\
early_stopping : bool, default=False
    Whether to hold out utterances in `fit`, stop when their loss no longer falls, and
    keep the weights of the best epoch.""",
    "validation_fraction": """\
validation_fraction : float, default=0.1
    Share of the utterances that `early_stopping` holds out: whole speakers where `groups` are
    given, and stratified by class for a classifier.""",
    "n_iter_no_change": """\
n_iter_no_change : int, default=10
    Number of epochs without improvement after which `early_stopping` ends the training.""",
    "warm_start": """\
warm_start : bool, default=False
    Whether `fit` continues from the weights of the last fit.""",
    "callbacks": """\
callbacks : sequence of skorch callbacks, default=()
    Further callbacks of the training; each fit works on copies of them.""",
    "checkpoint_dir": """\
checkpoint_dir : path-like or None, default=None
    Folder that stores the state of the training after each epoch, under a name that covers all
    that the training depends on. After a kill, the same `fit` resumes from there and ends with
    the same weights. Needs an int as `random_state`. Nothing in the folder is deleted.""",
    "device": """\
device : str, default="auto"
    Torch device; "auto" takes cuda, mps or cpu, whichever is available first.""",
    "n_threads": """\
n_threads : int or None, default=None
    Number of threads that torch computes with; None leaves torch's setting as it is.""",
    "precision": """\
precision : {"float32", "bfloat16"}, default="float32"
    Precision of the forward pass; weights are always float32.""",
    "compile": """\
compile : bool, default=False
    Whether to run the network through ``torch.compile``, which needs a C compiler. A
    model that was pickled and loaded runs uncompiled.""",
    "verbose": """\
verbose : int, default=0
    Verbosity; above 0, each epoch is printed.""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Source of all random numbers: initial weights, order of batches, dropout, augmentation and
    validation split. An int makes each fit the same.""",
    "classes_": """\
classes_ : ndarray of shape (n_classes,)
    Class labels, sorted.""",
    "net_": """\
net_ : skorch.NeuralNet
    The trained net; the torch module is ``net_.module_``.""",
    "history_": """\
history_ : skorch.history.History
    Losses and durations per epoch.""",
    "n_iter_": """\
n_iter_ : int
    Number of epochs trained.""",
    "n_features_in_": """\
n_features_in_ : int
    Number of columns of X, only if X was a 2-D array.""",
}
