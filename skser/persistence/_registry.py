"""What a saved model may consist of, by name: nothing else is ever imported for a file."""

import importlib
import inspect
from functools import cache
from numbers import Real

from skser.persistence._errors import SavedModelError

# Every public estimator, and what may be a parameter of one.
_OURS = {
    "skser.feature_extraction": (
        "FrameFeatures",
        "Functionals",
        "LevelContour",
        "MFCC",
        "MelSpectrogram",
        "OpenSmile",
        "Spectrogram",
        "SpeechEmbedding",
        "TextEmbedding",
    ),
    "skser.preprocessing": ("SequenceScaler", "SpeakerScaler", "VoiceActivityTrimmer"),
    "skser.neural_network": (
        "AdversarialAEClassifier",
        "AdversarialAERegressor",
        "AttentionFCNClassifier",
        "AttentionFCNRegressor",
        "AttentionRNNClassifier",
        "AttentionRNNRegressor",
        "SpecAugment",
    ),
    "skser.compose": (
        "AugmentedClassifier",
        "AugmentedRegressor",
        "FrameUnion",
        "SegmentedClassifier",
        "SegmentedRegressor",
        "TransferClassifier",
        "TransferRegressor",
    ),
    "skser.model_selection": (
        "SemiSupervisedSplit",
        "SpeakerFolds",
        "StratifiedSpeakerKFold",
    ),
    "skser.sequences": ("Layout",),
}
# Of scikit-learn, what may hold an estimator of this package, and the scaler inside of one.
# They are plain Python objects of parameters, arrays and estimators, written as ours are.
_HOLDERS = {
    "sklearn.calibration": ("CalibratedClassifierCV", "_CalibratedClassifier"),
    "sklearn.compose": ("ColumnTransformer", "TransformedTargetRegressor"),
    "sklearn.ensemble": (
        "BaggingClassifier",
        "BaggingRegressor",
        "StackingClassifier",
        "StackingRegressor",
        "VotingClassifier",
        "VotingRegressor",
    ),
    "sklearn.frozen": ("FrozenEstimator",),
    "sklearn.metrics._scorer": ("_PassthroughScorer",),
    "sklearn.model_selection": (
        "FixedThresholdClassifier",
        "GridSearchCV",
        "HalvingGridSearchCV",
        "HalvingRandomSearchCV",
        "RandomizedSearchCV",
    ),
    "sklearn.multiclass": ("OneVsOneClassifier", "OneVsRestClassifier"),
    "sklearn.multioutput": ("MultiOutputClassifier", "MultiOutputRegressor"),
    "sklearn.pipeline": ("FeatureUnion", "Pipeline"),
    "sklearn.preprocessing": ("StandardScaler",),
    "sklearn.semi_supervised": ("SelfTrainingClassifier",),
}
# Of skser.metrics, what is a single score of predictions, which a scorer may compute.
_SCORES = (
    "area_under_risk_coverage",
    "class_distribution_distance",
    "concordance_correlation_coefficient",
    "expected_calibration_error",
    "pearson_correlation",
    "unweighted_average_recall",
    "vote_cross_entropy",
    "vote_divergence",
)
# Parameters that name places of one machine, or would make a loaded model read what can run code.
_LEFT_OUT = {"memory": None, "checkpoint_dir": None, "source": None, "allow_pickle": False}
# Set back to their defaults: how one machine works, and not what is computed.
RUNTIME_PARAMETERS = ("n_jobs", "n_threads", "verbose")
# Larger ones could only serve to fill the memory of whoever loads a file.
_LARGEST = {
    "batch_size": 2**16,
    "n_fft": 2**16,
    "n_mels": 2**12,
    "n_mfcc": 2**12,
    "sampling_rate": 2**20,
}
_LONGEST_WINDOW = 2**17  # samples
_LONGEST_PERIODS = 0.1  # seconds: three of the lowest pitch
_MOST_VALUES = 2**24  # of the transforms of one second


@cache
def class_of(name):
    """The class of a name that is on the list, None for any other."""
    module, _, short = name.rpartition(".")
    if short not in (_OURS | _HOLDERS).get(module, ()):
        return None
    if short.startswith("Halving"):
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    return getattr(importlib.import_module(module), short, None)


def name_of(thing):
    """The name under which an object's class is on the list, None if it is not."""
    cls = type(thing)
    for module, names in (_OURS | _HOLDERS).items():
        if cls.__name__ in names and class_of(f"{module}.{cls.__name__}") is cls:
            return f"{module}.{cls.__name__}"
    return None


@cache
def left_out(name):
    """Parameters of a class that are not saved, and what stands in their place."""
    cls = class_of(name)
    own = {} if cls is None else defaults(cls)
    usual = {parameter: own[parameter] for parameter in RUNTIME_PARAMETERS if parameter in own}
    return _LEFT_OUT | usual


def defaults(cls):
    """Default values of the parameters of a class."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def check_sizes(thing):
    """Raise `SavedModelError` for parameters that ask for more memory than any real ones."""
    given = {
        name: value
        for name in (*_LARGEST, "window", "hop")
        if isinstance(value := getattr(thing, name, None), Real)
    }
    for name, largest in _LARGEST.items():
        if name in given and not given[name] <= largest:
            raise SavedModelError(f"{name}={given[name]} is more than {largest}.")
    if given.keys() >= {"window", "hop", "sampling_rate"}:
        window, hop = given["window"], given["hop"]
        n_window = window * given["sampling_rate"]
        if not n_window <= _LONGEST_WINDOW:
            raise SavedModelError(f"window={window} is more than {_LONGEST_WINDOW} samples.")
        if hasattr(thing, "pitch_range"):
            n_window = max(n_window, _LONGEST_PERIODS * given["sampling_rate"])
        n_values = max(n_window, given.get("n_fft", 0), given.get("n_mels", 0))
        if not n_values <= _MOST_VALUES * hop:
            raise SavedModelError(
                f"hop={hop} asks for more than {_MOST_VALUES} values of transforms of "
                f"{n_values:.0f} in every second."
            )


@cache
def functions():
    """Functions that a scorer may have: scores of `skser.metrics` and of scikit-learn."""
    import sklearn.metrics

    import skser.metrics

    found = {f"skser.metrics.{name}": getattr(skser.metrics, name) for name in _SCORES}
    for name in sklearn.metrics.get_scorer_names():
        function = sklearn.metrics.get_scorer(name)._score_func
        found[f"sklearn.metrics.{function.__name__}"] = function
    return found


@cache
def distributions():
    """Continuous and discrete distributions of scipy.stats, by name, for random searches."""
    import scipy.stats

    kinds = (scipy.stats.rv_continuous, scipy.stats.rv_discrete)
    return {name: d for name, d in vars(scipy.stats).items() if isinstance(d, kinds)}
