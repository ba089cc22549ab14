"""Cross-validation on speaker-disjoint folds."""

import copy
import datetime
import hashlib
import inspect
import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import version
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import BaseCrossValidator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from skser._delegation import HasMethodsOnceFitted
from skser._fingerprint import digest, without_addresses
from skser.audio import AudioReadError, audio_inputs, identity
from skser.datasets import SpeechCorpus
from skser.evaluation._finished_folds import FinishedFolds
from skser.evaluation._seeds import set_seed
from skser.evaluation._speaker_evaluation import SpeakerEvaluation, joined
from skser.evaluation._speaker_routing import fit_with_speakers
from skser.evaluation._targets import EMOTION, check_predictions, rated_folds, target_of
from skser.evaluation._unknown_speakers import (
    UNKNOWN_SPEAKER,
    folds_of_known,
    speaker_facts,
    speakers_or_unknown,
)
from skser.model_selection import StratifiedSpeakerKFold, speaker_disjoint_splits

# Parameters that say where and how a result is computed.
_MEANS = ("memory", "n_jobs", "verbose")


@validate_params(
    {
        "model": [HasMethodsOnceFitted(["fit", "predict"])],
        "corpus": [SpeechCorpus],
        "target": [str, list],
        "unrated": [StrOptions({"drop", "train"})],
        "cv": ["cv_object"],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "sentences": ["boolean"],
        "unknown_speakers": [StrOptions({"drop", "train"})],
        "use_frame": ["boolean"],
        "results_dir": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def cross_validate_speakers(
    model,
    corpus,
    *,
    target="emotion",
    cv=None,
    n_seeds=1,
    sentences=False,
    unknown_speakers="drop",
    unrated="drop",
    use_frame=False,
    results_dir=None,
    n_jobs=None,
    verbose=False,
):
    """Train and test a model on speaker-disjoint folds of a corpus.

    No choice inside the model sees a test speaker. Speakers are passed as ``groups`` to every part
    that splits by them: a search such as `GridSearchCV`, as the model or as its last step, networks
    that stop early, also inside votes, stacks and other estimators around estimators, and their
    splitters, as in ``CalibratedClassifierCV(cv=StratifiedSpeakerKFold(2))``. A network that stops
    early where the speakers cannot reach it is refused. A search whose ``cv`` is a number or None
    gets a `StratifiedSpeakerKFold` with that number of folds. A search or a `cv` whose splits share
    speakers is refused. Estimators of other packages that tune themselves, such as
    `LogisticRegressionCV`, are not checked.

    Parameters
    ----------
    model : classifier or regressor
        Model of audio, such as a pipeline whose first step is `MelSpectrogram`, or a search over
        one. Dimensions need a regressor.
    corpus : SpeechCorpus
        Corpus with at least two known speakers.
    target : str or list of str, default="emotion"
        Target to predict. "emotion": the classes. "valence", "activation" or "dominance": a
        dimension. A list of dimensions: all at once, as a 2-D y. "votes": the share of the raters
        who named each emotion, from ``corpus.soft_targets()``. Classifiers are then fitted to the
        emotions, and to the shares as ``soft_targets`` if they take them, also inside votes and
        other estimators around estimators. Their probabilities are compared with the shares.
        Regressors are fitted to the shares as a 2-D y; their
        predictions are clipped at 0 and scaled to sum to 1. Folds balance the emotions in any
        case.
    cv : cross-validation generator, iterable, int or None, default=None
        Splitter, such as `published_folds`, or number of folds of a `StratifiedSpeakerKFold`.
        None means five folds.
    n_seeds : int, default=1
        Number of fits per fold. Every ``random_state`` of the model is set to 0, 1, 2, ...
    sentences : bool, default=False
        Whether to keep sentences apart as well. `cv`, and the ``cv`` of a search, then get the
        speakers and sentences as two columns, which `StratifiedSpeakerKFold` accepts.
    unknown_speakers : {"drop", "train"}, default="drop"
        Use of utterances whose speaker is None. "drop" leaves them out, and "train" adds them to
        the training side of every fold, where they may share speakers with the test side. Known
        speakers are kept apart in both cases, and sentences if `sentences` is True. If `cv` gives
        rows, as `GivenSplits` and lists do, its test sides are kept and this applies to its
        training sides only. The result states how many utterances this concerns.
    unrated : {"drop", "train"}, default="drop"
        Use in training of utterances that lack a rating of some dimension, or any vote. "drop"
        leaves them out. "train" keeps them, for models that take NaN in y, such as
        `AdversarialAERegressor`; an utterance without votes is trained on with its label. In both
        cases, each dimension is scored over the test utterances with a rating of it.
    use_frame : bool, default=False
        Whether to give the model ``corpus.frame``, an utterance table, rather than
        ``corpus.data``.
    results_dir : path-like or None, default=None
        Folder that stores each finished fold as JSON. A later call with the same model, corpus
        and splits resumes from there, also after a kill. Utterances are compared by their
        content, times and channel, and models by all parameters but `memory`, `n_jobs` and
        `verbose`.
    n_jobs : int or None, default=None
        Number of processes over folds and seeds, as in joblib. Inside
        ``parallel_config("dask")``, the workers of a cluster are used, and folds of a lost worker
        run on another.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    SpeakerEvaluation

    Raises
    ------
    ValueError
        If the corpus lacks the target or the speakers, or has only one speaker; if the model does
        not predict that kind of target, or predicts NaN; if splits share speakers or there are
        none; if a search or an early-stopping network cannot be given the speakers, or a
        classifier that takes ``soft_targets`` the shares; or if `results_dir` holds results of
        another evaluation.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.evaluation import cross_validate_speakers
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> features = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    >>> model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    >>> found = cross_validate_speakers(model, corpus, cv=2)
    >>> found.fold_results[["fold", "n_train", "n_test"]].to_numpy().tolist()
    [[0, 20, 20], [1, 20, 20]]
    """
    if cv is None or isinstance(cv, Integral):
        cv = StratifiedSpeakerKFold(5 if cv is None else int(cv))
    speakers, wanted = speakers_or_unknown(corpus, cv), target_of(corpus, target)
    X = corpus.frame if use_frame else corpus.data
    groups = _with_sentences(corpus, speakers) if sentences else speakers
    known = speakers != UNKNOWN_SPEAKER
    folds = folds_of_known(cv, X, wanted.labels, groups, known, unknown_speakers)
    folds = rated_folds(folds, wanted, unrated)
    model = _with_speaker_search(clone(model), wanted.of_model(model)[0], groups, folds)
    protocol = _protocol(model, corpus, folds, cv, use_frame, sentences)
    protocol |= speaker_facts(cv, folds, speakers) | wanted.facts(folds)
    kept = FinishedFolds(results_dir, protocol)
    missing = [
        (seed, fold)
        for seed in range(n_seeds)
        for fold in range(len(folds))
        if (seed, fold) not in kept
    ]
    results = Parallel(n_jobs, return_as="generator_unordered")(
        delayed(_evaluated)(model, X, wanted, groups, *folds[fold], seed, fold)
        for seed, fold in missing
    )
    if verbose:
        results = tqdm(results, total=len(missing), desc="folds")
    for result in results:
        kept.add(result)
    found = [kept[seed, fold] for seed in range(n_seeds) for fold in range(len(folds))]
    return SpeakerEvaluation(*joined(found, speakers, wanted), folds, protocol)


def _with_sentences(corpus, speakers):
    """Return speakers and sentences as an array of shape (n_utterances, 2)."""
    if corpus.sentences is None or pd.isna(corpus.sentences).any():
        raise ValueError(
            f"{corpus.name} does not name the sentence of every utterance, which sentences=True "
            "needs."
        )
    return np.column_stack([speakers, corpus.sentences.astype(str)])


def _with_speaker_search(model, y, groups, folds):
    """Make the search that a model is, or ends with, split by speaker; return the model."""
    last = model[-1] if isinstance(model, Pipeline) else model
    for name, part in model.get_params().items():
        if isinstance(part, BaseSearchCV) and part is not last:
            raise ValueError(
                f"The search {name} cannot be given the speakers where it is. Put the search "
                "around the whole model, or at the end of the pipeline."
            )
    if isinstance(last, BaseSearchCV):
        if last.cv is None or isinstance(last.cv, Integral):
            last.set_params(cv=StratifiedSpeakerKFold(last.cv or 5))
        for train, _ in folds:
            speaker_disjoint_splits(last.cv, train, y[train], groups[train], "the search's cv")
    return model


def _evaluated(model, X, target, groups, train, test, seed, fold):
    """Fit and predict one fold; return its result in plain types, as JSON stores them."""
    model = set_seed(clone(model), seed)
    y, metadata = target.of_model(model)
    metadata = {name: values[train] for name, values in metadata.items()}
    start = time.perf_counter()
    fit_with_speakers(model, _safe_indexing(X, train), y[train], groups[train], **metadata)
    fitted = time.perf_counter()
    X_test = _safe_indexing(X, test)
    predicted = target.predict(model, X_test, test)
    end = time.perf_counter()
    result = {
        "seed": seed,
        "fold": fold,
        "n_train": len(train),
        "fit_seconds": fitted - start,
        "predict_seconds": end - fitted,
        "utterances": test.tolist(),
        **predicted,
        "fitted": _fitted(model),
    }
    if target.name == EMOTION and hasattr(model, "predict_proba"):
        result["classes"] = [str(label) for label in model.classes_]
        proba = np.asarray(model.predict_proba(X_test), float)
        check_predictions(proba, model, test)
        result["proba"] = proba.tolist()
    return result


def _fitted(model):
    """Return as text what a fit chose: best parameters, best score, epochs."""
    parts = [model, model[-1]] if isinstance(model, Pipeline) else [model]
    names = ("best_params_", "best_score_", "n_iter_")
    return {
        name: str(getattr(part, name)) for part in parts for name in names if hasattr(part, name)
    }


def _protocol(model, corpus, folds, cv, use_frame, sentences):
    """Describe an evaluation, so that results of another one in the same folder are noticed."""
    rows = hashlib.sha256()
    for train, test in folds:
        rows.update(train.astype(np.int64).tobytes() + b"|" + test.astype(np.int64).tobytes())
    splits_given = f"{len(folds)} given splits"
    return {
        "model": without_addresses(_whole_repr(model)),
        "model_hash": digest(_without_means(model)),
        "corpus": f"{corpus.name}, {len(corpus.target)} utterances",
        "utterances_hash": utterances_hash(corpus),
        "cv": splits_given if isinstance(cv, Iterable) else without_addresses(_splitter(cv)),
        "folds_hash": rows.hexdigest(),
        "use_frame": use_frame,
        "sentences": sentences,
        "versions": {
            name: version(name) for name in ("skser", "scikit-learn", "torch", "numpy", "scipy")
        },
        "environment": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "processor": f"{_processor()}, {os.cpu_count()} cores",
            "date": datetime.date.today().isoformat(),
        },
    }


def _without_means(model):
    """Return a copy of a model without parameters that do not change its results."""
    model = copy.deepcopy(model)
    parameters = model.get_params()
    for name in parameters:
        owner, _, last = name.rpartition("__")
        library = type(parameters.get(owner, model)).__module__.split(".")[0]
        if last in _MEANS and library in ("skser", "sklearn"):
            model.set_params(**{name: None})
    return model


def _splitter(cv):
    """Return the repr of a splitter, without settings of scikit-learn's kind that are defaults."""
    if type(cv).__repr__ is not BaseCrossValidator.__repr__:
        return repr(cv)
    parameters = inspect.signature(type(cv)).parameters
    changed = [
        f"{name}={getattr(cv, name)!r}"
        for name, parameter in parameters.items()
        if getattr(cv, name, parameter.default) != parameter.default
    ]
    return f"{type(cv).__name__}({', '.join(changed)})"


def _processor():
    """Return the name of the processor as far as the system knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:  # another system than Linux
        names = []
    return next(filter(None, [*names, platform.processor(), platform.machine()]))


def _whole_repr(model):
    """Return the repr of a model, without scikit-learn's ellipsis in long ones."""
    if type(model).__repr__ is not BaseEstimator.__repr__:
        return repr(model)
    return model.__repr__(N_CHAR_MAX=1_000_000)


def utterances_hash(corpus):
    """Return a hash of the utterance table and of the content of every utterance."""
    frame = corpus.frame.drop(columns="audio")  # as text it would abbreviate long arrays
    table = [(str(name), column.to_numpy(dtype=object)) for name, column in frame.items()]
    try:
        items = audio_inputs(corpus.data, corpus.sampling_rate)
    except (TypeError, ValueError):  # items other than audio are fine if the model takes them
        items = list(corpus.data)
    return digest(
        (table, frame.index.to_list(), corpus.sampling_rate, [_content(i, corpus) for i in items])
    )


def _content(item, corpus):
    """Return the identity of an utterance's audio, or the item if it is not readable audio."""
    try:
        return identity(item, corpus.sampling_rate) or item
    except (AudioReadError, TypeError):
        return item
