"""Evaluation on speakers that a model does not know, from folds to figures, in one call."""

import hashlib
import json
import os
import re
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.metadata_routing import get_routing_for_object
from tqdm import tqdm

from skser.datasets import SpeechCorpus
from skser.metrics import accuracy, unweighted_average_recall
from skser.model_selection._metadata import fit_keyword
from skser.model_selection._seeds import set_seed
from skser.model_selection._speaker_folds import StratifiedSpeakerKFold, splits

_PROBA = "proba_"


@dataclass(frozen=True)
class SpeakerEvaluation:
    """What `cross_validate_speakers` found.

    Attributes
    ----------
    predictions : DataFrame
        A row per utterance and seed: ``seed``, ``fold``, ``utterance`` (its place in the
        corpus), ``speaker``, ``true``, ``predicted``, and ``proba_anger`` and so on where the
        model has probabilities.
    fits : DataFrame
        A row per fold and seed: ``seed``, ``fold``, ``n_train``, ``n_test``, ``fit_seconds``,
        ``predict_seconds``, ``uar``, ``accuracy``, ``fitted`` (the best parameters of a search,
        epochs trained), ``held_out`` (speakers).
    folds : list of (ndarray of int, ndarray of int)
        Utterances of both sides of each fold.
    protocol : dict
        The model, the splits, the corpus and the versions that were used.
    """

    predictions: pd.DataFrame
    fits: pd.DataFrame
    folds: list
    protocol: dict

    @property
    def y_true(self):
        """Emotions of the utterances, in the order of `predictions`."""
        return self.predictions["true"].to_numpy(dtype=str)

    @property
    def y_pred(self):
        """Predictions, in the order of `predictions`."""
        return self.predictions["predicted"].to_numpy(dtype=str)

    @property
    def labels(self):
        """Classes that the columns of `y_proba` stand for, or all that occur."""
        columns = [c for c in self.predictions if c.startswith(_PROBA)]
        if columns:
            return np.array([c.removeprefix(_PROBA) for c in columns])
        return np.unique(np.concatenate([self.y_true, self.y_pred]))

    @property
    def y_proba(self):
        """Probabilities, (n_predictions, n_classes), or None if the model has none."""
        columns = [c for c in self.predictions if c.startswith(_PROBA)]
        return self.predictions[columns].to_numpy(dtype=float) if columns else None

    def pooled(self, metric=unweighted_average_recall):
        """Score over all folds of each seed.

        Parameters
        ----------
        metric : callable, default=unweighted_average_recall
            ``metric(y_true, y_pred)`` -> float.

        Returns
        -------
        Series of float64
            By seed.
        """
        groups = self.predictions.groupby("seed")
        return pd.Series(
            {
                seed: metric(part["true"].to_numpy(str), part["predicted"].to_numpy(str))
                for seed, part in groups
            },
            name=getattr(metric, "__name__", "score"),
        )

    def summary(self):
        """UAR and accuracy, as papers give them.

        Returns
        -------
        DataFrame
            A row each: ``pooled`` over all folds, mean of the seeds, and its ``sd_seeds`` (NaN
            for one seed); mean over ``folds`` and its ``sd_folds``; the ``worst_fold``.
        """
        rows = {}
        for name, metric in (("uar", unweighted_average_recall), ("accuracy", accuracy)):
            pooled, folds = self.pooled(metric), self.fits[name]
            rows[name] = {
                "pooled": pooled.mean(),
                "sd_seeds": pooled.std(),
                "folds": folds.mean(),
                "sd_folds": folds.std(),
                "worst_fold": folds.min(),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self):
        n_seeds, n_folds = self.fits["seed"].nunique(), self.fits["fold"].nunique()
        table = (100 * self.summary()).round(1).to_string()
        return f"{n_folds} speaker-disjoint folds, {n_seeds} seeds, in %\n{table}"


@validate_params(
    {
        "model": [HasMethods(["fit", "predict"])],
        "corpus": [SpeechCorpus],
        "cv": ["cv_object"],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "as_table": ["boolean"],
        "folder": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def cross_validate_speakers(
    model,
    corpus,
    *,
    cv=None,
    n_seeds=1,
    as_table=False,
    folder=None,
    n_jobs=None,
    verbose=False,
):
    """Train and test a model on speaker-disjoint folds of a corpus.

    Nothing that is chosen sees a test speaker: a search such as `GridSearchCV` inside the model,
    and early stopping, are given the speakers too. A search whose ``cv`` is a number, or None,
    gets `StratifiedSpeakerKFold` of that number; one whose splits would share speakers is
    refused, as is such a `cv`.

    Parameters
    ----------
    model : classifier
        Takes audio, such as a pipeline whose first step is `MelSpectrogram`; may be a search.
    corpus : SpeechCorpus
    cv : cross-validation generator, iterable, int or None, default=None
        Such as `published_folds`; None is `StratifiedSpeakerKFold` of five folds, a number is
        of that many.
    n_seeds : int, default=1
        Fits per fold, with every ``random_state`` of the model set to 0, 1, 2, ...
    as_table : bool, default=False
        Whether the model takes ``corpus.frame``, an utterance table, and not ``corpus.data``.
    folder : path-like or None, default=None
        Where each finished fold is kept, as JSON. A later call with the same model, corpus and
        splits goes on behind them, after a kill too.
    n_jobs : int or None, default=None
        Processes over folds and seeds, as in joblib. Inside ``parallel_config("dask")`` they
        are a cluster's; folds of a worker that is lost are run by another.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    SpeakerEvaluation

    Raises
    ------
    ValueError
        If the corpus does not tell speakers or has one only, if splits share speakers, or if
        `folder` holds the results of something else.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.model_selection import cross_validate_speakers
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> features = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    >>> model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    >>> found = cross_validate_speakers(model, corpus, cv=2)
    >>> found.fits[["fold", "n_train", "n_test"]].to_numpy().tolist()
    [[0, 20, 20], [1, 20, 20]]
    """
    speakers, y = _speakers_of(corpus), corpus.target.astype(str)
    X = corpus.frame if as_table else corpus.data
    if cv is None or isinstance(cv, Integral):
        cv = StratifiedSpeakerKFold(5 if cv is None else int(cv))
    folds = _speaker_disjoint(cv, X, y, speakers, "cv")
    model = _with_speaker_search(clone(model), y, speakers, folds)
    protocol = _protocol(model, corpus, folds, cv, as_table)
    kept = _Folder(folder, protocol)
    missing = [
        (seed, fold)
        for seed in range(n_seeds)
        for fold in range(len(folds))
        if (seed, fold) not in kept
    ]
    keyword = _group_keyword(model)
    results = Parallel(n_jobs, return_as="generator_unordered")(
        delayed(_evaluated)(model, X, y, speakers, *folds[fold], seed, fold, keyword)
        for seed, fold in missing
    )
    if verbose:
        results = tqdm(results, total=len(missing), desc="folds")
    for result in results:
        kept.add(result)
    found = [kept[seed, fold] for seed in range(n_seeds) for fold in range(len(folds))]
    return SpeakerEvaluation(*_joined(found, speakers, y), folds, protocol)


def _speakers_of(corpus):
    if corpus.speakers is None:
        raise ValueError(f"{corpus.name} does not tell who speaks: name the speakers in a table.")
    if pd.isna(corpus.speakers).any():
        raise ValueError(f"{corpus.name} has utterances without a speaker.")
    speakers = corpus.speakers.astype(str)
    if len(set(speakers)) < 2:
        raise ValueError(
            f"{corpus.name} has one speaker, {str(speakers[0])!r}: none is left to test."
        )
    return speakers


def _speaker_disjoint(cv, X, y, speakers, name):
    """Splits as pairs of row numbers, or an error if they share speakers."""
    folds = splits(check_cv(cv), X, y, speakers)
    for fold, (train, test) in enumerate(folds):
        shared = np.intersect1d(speakers[train], speakers[test])
        if len(shared):
            raise ValueError(
                f"Fold {fold} of {name} has {len(shared)} speakers on both sides, such as "
                f"{str(shared[0])!r}; take published_folds, StratifiedSpeakerKFold or "
                "LeaveOneGroupOut."
            )
    return folds


def _with_speaker_search(model, y, speakers, folds):
    """The model, with whatever searches it holds splitting by speaker."""
    for part in [model, *model.get_params().values()]:
        if not isinstance(part, BaseSearchCV):
            continue
        if part.cv is None or isinstance(part.cv, Integral):
            part.set_params(cv=StratifiedSpeakerKFold(part.cv or 5))
        for train, _ in folds:
            _speaker_disjoint(part.cv, train, y[train], speakers[train], "the search's cv")
    return model


def _group_keyword(model):
    """What `fit` calls the speakers; None if it takes none."""
    if get_config()["enable_metadata_routing"]:
        takes = get_routing_for_object(model).consumes("fit", ["groups"])
        return "groups" if takes else None
    return fit_keyword(model, "groups")


def _evaluated(model, X, y, speakers, train, test, seed, fold, keyword):
    """Fit and predict one fold."""
    model = set_seed(clone(model), seed)
    keywords = {keyword: speakers[train]} if keyword else {}
    start = time.perf_counter()
    model.fit(_safe_indexing(X, train), y[train], **keywords)
    fitted = time.perf_counter()
    X_test = _safe_indexing(X, test)
    predicted = model.predict(X_test)
    end = time.perf_counter()
    result = {
        "seed": seed,
        "fold": fold,
        "n_train": len(train),
        "fit_seconds": fitted - start,
        "predict_seconds": end - fitted,
        "utterances": test.tolist(),
        "predicted": [str(label) for label in predicted],
        "fitted": _fitted(model),
    }
    if hasattr(model, "predict_proba"):
        result["classes"] = [str(label) for label in model.classes_]
        result["proba"] = np.asarray(model.predict_proba(X_test), float).tolist()
    return result


def _fitted(model):
    """What a fit chose, as text."""
    parts = [model, model[-1]] if isinstance(model, Pipeline) else [model]
    names = ("best_params_", "best_score_", "n_iter_")
    return {
        name: str(getattr(part, name)) for part in parts for name in names if hasattr(part, name)
    }


def _protocol(model, corpus, folds, cv, as_table):
    digest = hashlib.sha256()
    for train, test in folds:
        digest.update(train.astype(np.int64).tobytes() + b"|" + test.astype(np.int64).tobytes())
    data = corpus.frame.drop(columns="audio").to_csv()
    audio = [
        a if isinstance(a, str) else hashlib.sha256(np.asarray(a).tobytes()).hexdigest()
        for a in corpus.data
    ]
    return {
        "model": _repr(model),
        "corpus": f"{corpus.name}, {len(corpus.target)} utterances",
        "utterances": hashlib.sha256("\n".join([data, *map(str, audio)]).encode()).hexdigest(),
        "cv": str(cv),
        "folds": digest.hexdigest(),
        "as_table": as_table,
        "versions": {
            name: version(name) for name in ("skser", "scikit-learn", "torch", "numpy", "librosa")
        },
    }


def _repr(model):
    """The whole of it, without the addresses of functions, which differ from run to run."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", model.__repr__(N_CHAR_MAX=1_000_000))


class _Folder:
    """Finished folds, in memory and, if there is a folder, in a file each."""

    def __init__(self, path, protocol):
        self.path = None if path is None else Path(path)
        self.results = {}
        if path is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        about = self.path / "protocol.json"
        if about.exists():
            differing = _differences(json.loads(about.read_text("utf-8")), protocol)
            if differing:
                raise ValueError(
                    f"{self.path} holds the results of something else; it differs in "
                    f"{', '.join(differing)}. Give another folder."
                )
        else:
            self._write("protocol.json", protocol)
        for file in self.path.glob("seed*_fold*.json"):
            self._hold(json.loads(file.read_text("utf-8")))

    def _hold(self, result):
        self.results[result["seed"], result["fold"]] = result

    def add(self, result):
        """Keep a result, in one step: a kill leaves the whole file or none."""
        self._hold(result)
        if self.path is not None:
            self._write(f"seed{result['seed']}_fold{result['fold']}.json", result)

    def _write(self, name, content):
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self.path / name)

    def __contains__(self, key):
        return key in self.results

    def __getitem__(self, key):
        return self.results[key]


def _differences(kept, protocol):
    names = sorted(set(kept) | set(protocol))
    return [name for name in names if kept.get(name) != protocol.get(name)]


def _joined(results, speakers, y):
    """Tables of predictions and of fits."""
    predictions, fits = [], []
    classes = sorted({label for result in results for label in result.get("classes", ())})
    for result in results:
        rows = np.array(result["utterances"])
        part = pd.DataFrame(
            {
                "seed": result["seed"],
                "fold": result["fold"],
                "utterance": rows,
                "speaker": speakers[rows],
                "true": y[rows],
                "predicted": result["predicted"],
            }
        )
        if classes:
            # A class that a training fold lacks has no probability.
            proba = pd.DataFrame(result["proba"], columns=result["classes"])
            proba = proba.reindex(columns=classes, fill_value=0.0).add_prefix(_PROBA)
            part = pd.concat([part, proba], axis=1)
        predictions.append(part)
        fits.append(
            {
                **{name: result[name] for name in ("seed", "fold", "n_train")},
                "n_test": len(rows),
                **{name: result[name] for name in ("fit_seconds", "predict_seconds")},
                "uar": unweighted_average_recall(y[rows], result["predicted"]),
                "accuracy": accuracy(y[rows], result["predicted"]),
                "fitted": result["fitted"],
                "held_out": np.unique(speakers[rows]).tolist(),
            }
        )
    return pd.concat(predictions, ignore_index=True), pd.DataFrame(fits)
