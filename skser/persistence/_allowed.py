"""The list of types that `load` builds without trust, and the shapes of their arrays.

A type is listed if nothing that runs while it is built or predicts imports, opens or calls what
the file names, and no compiled loop follows an index from the file. Its arrays enter NumPy's or
torch's arithmetic only, in the shapes given here. Decision trees, boosting, support vectors and
nearest neighbors are compiled loops over such indices. Embeddings read a checkpoint that the file
names, and searches hold functions: all of these need trust.
"""

import importlib
import inspect
from functools import cache
from numbers import Real

import numpy as np

from skser.persistence._errors import SavedModelError

_ALLOWED = {
    package: names.split()
    for package, names in {
        "skser.augmentation": "Conditions",
        "skser.compose": "AdaptedClassifier AdaptedRegressor AugmentedClassifier "
        "AugmentedRegressor FrameUnion GeometricVotingClassifier RejectingClassifier "
        "SegmentedClassifier SegmentedRegressor TransferClassifier TransferRegressor",
        "skser.discriminant_analysis": "WideDiscriminantAnalysis",
        "skser.feature_extraction": "FrameFeatures Functionals LevelContour MFCC MelSpectrogram "
        "OpenSmile Spectrogram SpeechProbability",
        "skser.neural_network": "AdversarialAEClassifier AdversarialAERegressor "
        "AttentionFCNClassifier AttentionFCNRegressor AttentionRNNClassifier "
        "AttentionRNNRegressor SpecAugment",
        "skser.preprocessing": "SequenceScaler SpeakerScaler VoiceActivityTrimmer",
        "skser.sequences": "Layout",
        "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier "
        "_SigmoidCalibration _TemperatureScaling",
        "sklearn.decomposition": "PCA",
        "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
        "sklearn.ensemble": "StackingClassifier StackingRegressor VotingClassifier VotingRegressor",
        "sklearn.frozen": "FrozenEstimator",
        "sklearn.isotonic": "IsotonicRegression",
        "sklearn.linear_model": "BayesianRidge ElasticNet HuberRegressor Lasso LinearRegression "
        "LogisticRegression LogisticRegressionCV Ridge RidgeCV RidgeClassifier RidgeClassifierCV",
        "sklearn.pipeline": "FeatureUnion Pipeline",
        "sklearn.preprocessing": "LabelBinarizer LabelEncoder MaxAbsScaler MinMaxScaler "
        "Normalizer PowerTransformer QuantileTransformer RobustScaler StandardScaler",
        "sklearn.svm": "LinearSVC LinearSVR",
    }.items()
}
# Shapes of arrays by the attribute that holds them. A letter is a length that is the same in all
# arrays of an object: f columns of X or of its frames, i columns of X, c classes, o outputs. "*"
# stands for any shape: no prediction reads these arrays, or `__setstate__` checks them.
_SHAPES = {
    name: shapes
    for shapes, names in {
        "c": "classes classes_ priors_",
        "f": "center_ data_max_ data_min_ data_range_ lambdas_ max_abs_ mean_ "
        "min_ n_samples_seen_ scale_ var_ xbar_ X_offset_ X_scale_",
        "o": "_target_mean _target_scale intercept_",
        "h": "conformity_scores_",
        "i": "feature_names_in_",
        "p": "explained_variance_ singular_values_",
        "q": "references_",
        "t": "X_thresholds_ y_thresholds_",
        "*": "C_ Cs_ _network coefs_paths_ cv_results_ dual_gap_ explained_variance_ratio_ "
        "l1_ratio_ l1_ratios_ n_iter_ outliers_ scores_ singular_ weights",
        "of f": "coef_",
        "pf": "components_",
        "d": "linear_means_",
        "dd": "linear_covariances_",
        "ff": "covariance_ sigma_",
        "cf": "means_",
        "qf": "quantiles_",
        "fr": "rotations_",
        "fr r": "scalings_",
    }.items()
    for name in names.split()
}
# Parameters that name places on a machine, or say how one machine works. They are never saved.
MACHINE_PARAMETERS = [
    "allow_pickle",
    "checkpoint_dir",
    "memory",
    "n_jobs",
    "n_threads",
    "source",
    "verbose",
]
# Parameters of Conditions that hold recordings, which only training needs, by their defaults.
RECORDINGS = {"babble": "training", "impulse_responses": None, "noise": None}
# Larger values could only serve to fill the memory of whoever loads a file.
_LARGEST = {
    "batch_size": 2**16,
    "n_fft": 2**16,
    "n_mels": 2**12,
    "n_mfcc": 2**12,
    "n_features_in_": 2**24,
    "sampling_rate": 2**20,
}
_LONGEST_WINDOW = 2**17  # samples
_LONGEST_PERIODS = 0.1  # seconds: three of the lowest pitch
_MOST_VALUES = 2**24  # of the transforms of one second


def is_listed(name):
    """Return whether a full name is that of a listed class, without importing the class.

    Parameters
    ----------
    name : str
        Module and class; private modules inside a listed package stand for the package.
    """
    package, short = ".".join(name.split(".")[:2]), name.rpartition(".")[2]
    return short in _ALLOWED.get(package, ())


@cache
def class_of(name):
    """Return the listed class of a full name, None if it is not listed.

    Parameters
    ----------
    name : str
        Module and class; private modules inside a listed package stand for the package.
    """
    if not is_listed(name):
        return None
    package, short = ".".join(name.split(".")[:2]), name.rpartition(".")[2]
    return getattr(importlib.import_module(package), short)


def check_attributes(cls, attributes):
    """Refuse attributes that are not those of a type, or arrays of other shapes.

    Parameters
    ----------
    cls : type
    attributes : dict

    Raises
    ------
    SavedModelError
        If an attribute is one of the class, a parameter is not valid or was never saved, or an
        array is unknown or does not fit the others.
    """
    name = cls.__name__
    parameters = inspect.signature(cls).parameters
    for attribute in attributes:
        if hasattr(cls, attribute) and attribute not in parameters:
            raise SavedModelError(f"It sets {name}.{attribute}, which is not an attribute.")
    for parameter in MACHINE_PARAMETERS:
        if parameter in parameters and attributes.get(parameter):
            raise SavedModelError(f"It sets {name}.{parameter}, which is never saved.")
    if cls.__name__ == "Conditions":
        for parameter, kept in RECORDINGS.items():
            value = attributes.get(parameter)
            if value is not None and not (isinstance(value, str) and value == kept):
                raise SavedModelError(f"It sets {name}.{parameter}, which is never saved.")
    lengths = {}
    for attribute in ("n_features_in_", "_n_columns"):
        if type(n_columns := attributes.get(attribute)) is int:
            lengths["f"] = n_columns
            lengths.setdefault("i", n_columns)
    for attribute, value in attributes.items():
        _check_shapes(name, attribute, value, lengths)
        if attribute.endswith("_frames_") and not (type(value) is int and value > 0):
            raise SavedModelError(f"It has {name}.{attribute}={value!r}, which is not a number.")
    if "c" in lengths and "o" in lengths and lengths["o"] not in (1, lengths["c"]):
        raise SavedModelError(
            f"It has {lengths['o']} rows of {name}.coef_ for {lengths['c']} classes."
        )
    if not cls.__module__.startswith("skser.") or not hasattr(cls, "_validate_params"):
        return
    architecture = attributes.get("_network", {}).get("architecture", {})
    for given in (attributes, attributes | architecture):
        probe = cls.__new__(cls)
        vars(probe).update({p.name: p.default for p in parameters.values()} | given)
        probe._validate_params()
        check_sizes(probe)


def _check_shapes(name, attribute, value, lengths):
    """Compare the arrays in an attribute with `_SHAPES`, and keep the lengths."""
    if attribute == "_network":
        return
    if isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            # Arrays in a list, such as one per class, share only the columns of X.
            own = {"f": lengths["f"]} if "f" in lengths else {}
            _check_shapes(name, attribute, part, own)
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return
    shapes = _SHAPES.get(attribute)
    if shapes is None:
        raise SavedModelError(f"It has an array as {name}.{attribute}, which is not known.")
    for letters in shapes.split():
        if letters == "*":
            return
        found = dict(zip(letters, value.shape, strict=False))
        if len(letters) == value.ndim and all(
            lengths.get(letter, found[letter]) == found[letter] == n
            for letter, n in zip(letters, value.shape, strict=True)
        ):
            lengths.update(found)
            return
    raise SavedModelError(
        f"It has {name}.{attribute} of shape {value.shape}, which does not fit its other arrays."
    )


def check_sizes(thing):
    """Raise `SavedModelError` for parameters that ask for more memory than any real ones.

    Parameters
    ----------
    thing : object
        Estimator whose parameters are attributes.
    """
    given = {
        name: value
        for name in (*_LARGEST, "window", "hop")
        if isinstance(value := vars(thing).get(name), Real)
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
