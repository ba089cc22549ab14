"""Parts of the systems: descriptions of parameters, scaling, and training in conditions."""

from sklearn.pipeline import Pipeline

from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier
from skser.preprocessing import SequenceScaler

_CONDITIONS = """conditions : bool or callable, default={default}
    Training in recording conditions: True adds four copies of each training utterance, altered by
    `skser.augmentation.Conditions`, whose parameters are then ``augment__snr`` and so on. A
    callable, such as ``Conditions(noise="recordings/")``, replaces it. False trains on the
    utterances as they are."""
_N_COPIES = 4
# Chosen on inner folds of EmoDB. Copies below 0 dB cost networks and utterance vectors more than
# they gain. With two copies, 50 epochs of the network take longer and are worse in noise.
FROM_SCRATCH = {"snr": (0, 20)}
_EPOCHS, _EPOCHS_IN_CONDITIONS = 50, 20
DESCRIPTIONS = {
    "max_epochs": """max_epochs : int, default=50
    Number of epochs that train the network.""",
    "epochs": """max_epochs : int or None, default=None
    Number of epochs that train the network. None means 20 in conditions, as copies make five times
    as many utterances, and 50 otherwise.""",
    "conditions": _CONDITIONS.format(default=True),
    "clean_or_conditions": _CONDITIONS.format(default=False),
    "audio": """input_sampling_rate : float or None, default=None
    Sampling rate in Hz of arrays of samples; files state their own.
n_jobs : int or None, default=None
    Number of threads or processes, by transformer, that compute features, as in joblib; None means
    one.
memory : path-like or None, default=None
    Folder that caches the features of each utterance; None recomputes them in each call.""",
    "torch": """device : str, default="auto"
    Torch device of the network; "auto" selects the first one available of cuda, mps and cpu.
n_threads : int or None, default=None
    Number of torch threads that the network uses; None keeps torch's own setting.""",
}


def n_epochs(max_epochs, conditions):
    """Return the number of epochs of a network, which fits the number of copies by default."""
    if max_epochs is not None:
        return max_epochs
    return _EPOCHS if conditions is False else _EPOCHS_IN_CONDITIONS


def with_scaler(features, classifier, scaler=None):
    """Chain features, a scaler (by default a `SequenceScaler`) and a classifier."""
    scaler = SequenceScaler() if scaler is None else scaler
    return Pipeline([("features", features), ("scaler", scaler), ("classifier", classifier)])


def in_conditions(model, conditions, mixture, *, input_sampling_rate, n_jobs, random_state):
    """Wrap a model so that it is trained on altered copies too, unless `conditions` is False.

    `mixture` are parameters of `Conditions`, which is used if `conditions` is True.
    """
    if conditions is False:
        return model
    return AugmentedClassifier(
        model,
        Conditions(**mixture) if conditions is True else conditions,
        n_copies=_N_COPIES,
        input_sampling_rate=input_sampling_rate,
        n_jobs=n_jobs,
        random_state=random_state,
    )
