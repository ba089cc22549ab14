"""Compatibility of models of speech files with clients of scikit-learn's interface.

    python benchmarks/clients.py                (less than 2 minutes)
    python benchmarks/clients.py optuna dask    (only these; writes nothing)

Each client receives typical input: files, or the output of transformers. If a client refuses its
input, the script runs an alternative that must work, and the table describes it. Libraries that
are not installed are skipped. The result file is results/clients.json.
"""

import argparse
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from provenance import RESULTS, write_result
from sklearn import set_config
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MFCC, Functionals, MelSpectrogram
from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor
from skser.preprocessing import SequenceScaler

CLIENTS = {}


def client(name, library="scikit-learn", given="files", instead=None):
    """Return a decorator that registers a function as the test of a client.

    Parameters
    ----------
    name : str
        Name of the client.
    library : str
        Distribution that contains the client.
    given : str
        Description of the client's input.
    instead : (str, callable) or None
        Alternative for a client that refuses its input: a sentence that describes it, and a
        function that must work. None if the client must accept its input.
    """

    def register(function):
        CLIENTS[name] = (function, library, given, instead)
        return function

    return register


class Task:
    """Corpus of 48 files, two emotions and six speakers, with models for it."""

    def __init__(self, folder):
        corpus = make_emotional_speech(
            6, 8, ("anger", "sadness"), random_state=0, output_dir=folder
        )
        self.folder = Path(folder)
        self.X = np.array([str(path) for path in corpus.data], dtype=object)
        self.y = np.asarray(corpus.target).astype(str)
        self.speakers = np.asarray(corpus.speakers)
        self.dimensions = corpus.frame[["valence", "activation"]].to_numpy(float)
        self.frame = corpus.frame.assign(audio=self.X, age=np.arange(len(self.y)) % 40 + 20.0)

    @staticmethod
    def features():
        """Return a transformer from files to vectors."""
        return Functionals(MelSpectrogram(n_mels=8, deltas=0), statistics=("moments",))

    def vectors(self):
        """Return the vectors of all files."""
        return self.features().fit_transform(self.X)

    def linear(self):
        """Return a linear classifier of files."""
        return make_pipeline(self.features(), StandardScaler(), LogisticRegression(max_iter=1000))

    @staticmethod
    def network(cls=AttentionFCNClassifier, **kwargs):
        """Return a small network for files."""
        net = cls(
            filters=(8, 8, 8, 8),
            max_epochs=8,
            learning_rate=0.01,
            device="cpu",
            random_state=0,
            **kwargs,
        )
        return make_pipeline(MelSpectrogram(n_mels=16, deltas=0), SequenceScaler(), net)

    def half(self):
        """Return the rows of four speakers, and of the other two."""
        known = np.isin(self.speakers, np.unique(self.speakers)[:4])
        return np.flatnonzero(known), np.flatnonzero(~known)

    def better_than_chance(self, model, X=None):
        """Fit on four speakers and assert that accuracy on the other two exceeds chance."""
        X = self.X if X is None else X
        train, test = self.half()
        score = clone(model).fit(X[train], self.y[train]).score(X[test], self.y[test])
        assert score > 0.6, score


@client("cross_val_score, LeaveOneGroupOut")
def _(task):
    from sklearn.model_selection import cross_val_score

    scores = cross_val_score(
        task.network(), task.X, task.y, groups=task.speakers, cv=LeaveOneGroupOut()
    )
    assert len(scores) == 6
    assert scores.mean() > 0.6


@client("cross_val_predict, method='predict_proba'")
def _(task):
    from sklearn.model_selection import cross_val_predict

    proba = cross_val_predict(task.network(), task.X, task.y, cv=3, method="predict_proba")
    assert proba.shape == (48, 2)


@client("cross_validate, n_jobs=2")
def _(task):
    from sklearn.model_selection import cross_validate

    found = cross_validate(task.linear(), task.X, task.y, cv=3, n_jobs=2, return_estimator=True)
    assert found["estimator"][0].predict(task.X[:2]).shape == (2,)


@client("GridSearchCV")
def _(task):
    from sklearn.model_selection import GridSearchCV

    grid = {"melspectrogram__n_mels": [8, 16], "attentionfcnclassifier__learning_rate": [0.01]}
    GridSearchCV(task.network(), grid, cv=2).fit(task.X, task.y).predict(task.X[:2])


@client("RandomizedSearchCV")
def _(task):
    from scipy.stats import loguniform
    from sklearn.model_selection import RandomizedSearchCV

    space = {"logisticregression__C": loguniform(1e-3, 1e3)}
    search = RandomizedSearchCV(task.linear(), space, n_iter=3, cv=3, random_state=0)
    assert search.fit(task.X, task.y).best_score_ > 0.6


@client("HalvingGridSearchCV")
def _(task):
    from sklearn.model_selection import HalvingGridSearchCV

    search = HalvingGridSearchCV(
        task.linear(), {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]}, cv=2, random_state=0
    )
    assert search.fit(task.X, task.y).n_iterations_ > 1


@client("learning_curve")
def _(task):
    from sklearn.model_selection import learning_curve

    sizes, *_ = learning_curve(task.linear(), task.X, task.y, train_sizes=[0.5, 1.0], cv=3)
    assert len(sizes) == 2


@client("validation_curve")
def _(task):
    from sklearn.model_selection import validation_curve

    _, test = validation_curve(
        task.linear(), task.X, task.y, param_name="logisticregression__C", param_range=[1, 2], cv=3
    )
    assert test.shape == (2, 3)


@client("train_test_split")
def _(task):
    from sklearn.model_selection import train_test_split

    frames = MelSpectrogram(n_mels=8).fit_transform(task.frame)
    train, _, table, _ = train_test_split(frames, task.frame, random_state=0)
    assert list(train.index) == list(table.index)


def _importance_of_vectors(task):
    from sklearn.inspection import permutation_importance

    model, vectors = make_pipeline(StandardScaler(), LogisticRegression()), task.vectors()
    found = permutation_importance(model.fit(vectors, task.y), vectors, task.y, random_state=0)
    assert found.importances_mean.shape == (vectors.shape[1],)


@client(
    "permutation_importance",
    instead=(
        "A list of files has no columns to permute. Give it vectors or an utterance table.",
        _importance_of_vectors,
    ),
)
def _(task):
    from sklearn.inspection import permutation_importance

    permutation_importance(task.linear().fit(task.X, task.y), task.X, task.y, random_state=0)


@client("permutation_importance of a table's columns", given="utterance table")
def _(task):
    from sklearn.compose import ColumnTransformer
    from sklearn.inspection import permutation_importance

    columns = ColumnTransformer(
        [("audio", task.features(), "audio"), ("age", "passthrough", ["age"])]
    )
    model = make_pipeline(columns, StandardScaler(), LogisticRegression())
    X = task.frame[["audio", "age"]]
    found = permutation_importance(model.fit(X, task.y), X, task.y, n_repeats=2, random_state=0)
    assert found.importances_mean[0] > found.importances_mean[1]


@client("CalibratedClassifierCV")
def _(task):
    from sklearn.calibration import CalibratedClassifierCV

    task.better_than_chance(CalibratedClassifierCV(task.network(), cv=2))


@client("TunedThresholdClassifierCV")
def _(task):
    from sklearn.model_selection import TunedThresholdClassifierCV

    task.better_than_chance(TunedThresholdClassifierCV(task.network(), cv=2))


@client("FixedThresholdClassifier")
def _(task):
    from sklearn.model_selection import FixedThresholdClassifier

    task.better_than_chance(FixedThresholdClassifier(task.network(), threshold=0.4))


@client("VotingClassifier, soft")
def _(task):
    from sklearn.ensemble import VotingClassifier

    models = [("network", task.network()), ("linear", task.linear())]
    task.better_than_chance(VotingClassifier(models, voting="soft"))


@client("StackingClassifier")
def _(task):
    from sklearn.ensemble import StackingClassifier

    models = [("network", task.network()), ("linear", task.linear())]
    task.better_than_chance(StackingClassifier(models, cv=2))


@client("BaggingClassifier", given="one column of files")
def _(task):
    from sklearn.ensemble import BaggingClassifier

    task.better_than_chance(
        BaggingClassifier(task.network(), n_estimators=2, random_state=0), task.X[:, None]
    )


def _boost_vectors(task):
    from sklearn.ensemble import AdaBoostClassifier

    task.better_than_chance(make_pipeline(task.features(), AdaBoostClassifier(random_state=0)))


@client(
    "AdaBoostClassifier",
    given="one column of files",
    instead=(
        "It weights utterances, and a Pipeline cannot pass weights on. Boost trees on vectors: "
        "``make_pipeline(Functionals(...), AdaBoostClassifier())``.",
        _boost_vectors,
    ),
)
def _(task):
    from sklearn.ensemble import AdaBoostClassifier

    task.better_than_chance(AdaBoostClassifier(task.linear(), random_state=0), task.X[:, None])


@client("OneVsRestClassifier")
def _(task):
    from sklearn.multiclass import OneVsRestClassifier

    task.better_than_chance(OneVsRestClassifier(task.network()))


@client("MultiOutputRegressor")
def _(task):
    from sklearn.multioutput import MultiOutputRegressor

    model = MultiOutputRegressor(make_pipeline(task.features(), StandardScaler(), Ridge(10.0)))
    assert model.fit(task.X, task.dimensions).predict(task.X[:3]).shape == (3, 2)


@client("TransformedTargetRegressor")
def _(task):
    from sklearn.compose import TransformedTargetRegressor

    model = TransformedTargetRegressor(
        task.network(AttentionFCNRegressor), transformer=StandardScaler()
    )
    assert model.fit(task.X, task.dimensions).predict(task.X[:3]).shape == (3, 2)


def _self_train_on_vectors(task):
    from sklearn.semi_supervised import SelfTrainingClassifier

    model = make_pipeline(
        task.features(), StandardScaler(), SelfTrainingClassifier(LogisticRegression())
    )
    y = np.where(np.arange(48) % 3, -1, (task.y == "anger").astype(int))
    assert set(model.fit(task.X, y).predict(task.X)) == {0, 1}


@client(
    "SelfTrainingClassifier",
    instead=(
        "It accepts only vectors. Place it after the features: ``make_pipeline(Functionals(...), "
        "SelfTrainingClassifier(...))``.",
        _self_train_on_vectors,
    ),
)
def _(task):
    from sklearn.semi_supervised import SelfTrainingClassifier

    y = np.where(np.arange(48) % 3, -1, (task.y == "anger").astype(int))
    SelfTrainingClassifier(task.linear()).fit(task.X, y)


@client("RFECV, as a step", given="files")
def _(task):
    from sklearn.feature_selection import RFECV

    chosen = RFECV(LogisticRegression(max_iter=1000), step=8, cv=2)
    task.better_than_chance(make_pipeline(task.features(), StandardScaler(), chosen))


@client("ColumnTransformer", given="utterance table")
def _(task):
    from sklearn.compose import ColumnTransformer

    columns = ColumnTransformer(
        [("audio", task.features(), "audio"), ("age", "passthrough", ["age"])]
    )
    table = task.frame.sample(frac=1, random_state=0)
    given = columns.set_output(transform="pandas").fit_transform(table)
    assert list(given.index) == list(table.index)
    assert (given["age__age"] == table["age"]).all()


@client("FeatureUnion of vectors")
def _(task):
    from sklearn.pipeline import FeatureUnion

    mfcc = Functionals(MFCC(n_mfcc=4), statistics=("moments",))
    X = FeatureUnion([("mel", task.features()), ("mfcc", mfcc)]).fit_transform(task.X)
    assert len(X) == 48


def _frame_union(task):
    from skser.compose import FrameUnion

    union = FrameUnion([("mel", MelSpectrogram(n_mels=8)), ("mfcc", MFCC(n_mfcc=4))])
    assert len(union.fit_transform(task.X)) == 48


@client(
    "FeatureUnion of frames",
    instead=(
        "It concatenates vectors only. Use ``skser.compose.FrameUnion`` for frames.",
        _frame_union,
    ),
)
def _(task):
    from sklearn.pipeline import FeatureUnion

    FeatureUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())]).fit_transform(task.X)


@client("clone")
def _(task):
    copy = clone(task.network().set_params(melspectrogram__n_mels=12))
    assert copy.get_params()["melspectrogram__n_mels"] == 12


@client("FrozenEstimator")
def _(task):
    from sklearn.calibration import CalibratedClassifierCV

    train, test = task.half()
    model = FrozenEstimator(task.network().fit(task.X[train], task.y[train]))
    CalibratedClassifierCV(model).fit(task.X[test], task.y[test]).predict(task.X)


@client("set_config(transform_output='pandas')", given="utterance table")
def _(task):
    set_config(transform_output="pandas")
    try:
        vectors = task.features().fit_transform(task.frame.iloc[::3])
        assert list(vectors.index) == list(task.frame.index[::3])
        task.better_than_chance(task.network())
    finally:
        set_config(transform_output="default")


@client("set_output(transform='polars')", "polars", given="utterance table")
def _(task):
    import polars

    vectors = task.features().set_output(transform="polars").fit_transform(task.frame)
    assert isinstance(vectors, polars.DataFrame)


@client("metadata routing")
def _(task):
    from sklearn.model_selection import GroupKFold, cross_validate

    set_config(enable_metadata_routing=True)
    try:
        model = task.network(early_stopping=True, validation_fraction=0.3)
        model[-1].set_fit_request(groups=True)
        cross_validate(
            model, task.X, task.y, params={"groups": task.speakers}, cv=GroupKFold(2),
            error_score="raise",
        )  # fmt: skip
    finally:
        set_config(enable_metadata_routing=False)


@client("Pipeline(memory=folder)")
def _(task):
    model = task.linear().set_params(memory=str(task.folder / "memory"))
    task.better_than_chance(model)


@client("dump and load", "joblib")
def _(task):
    import joblib

    model = task.network().fit(task.X, task.y)
    joblib.dump(model, task.folder / "model.joblib")
    loaded = joblib.load(task.folder / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(task.X), model.predict_proba(task.X))


@client("cloudpickle", "cloudpickle")
def _(task):
    import cloudpickle

    model = task.network().fit(task.X, task.y)
    loaded = cloudpickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(task.X), model.predict_proba(task.X))


@client("parallel_config(backend='dask')", "dask")
def _(task):
    import dask.distributed
    from joblib import parallel_config
    from sklearn.model_selection import cross_val_score

    cluster = dask.distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster, dask.distributed.Client(cluster), parallel_config(backend="dask"):
        assert len(cross_val_score(task.linear(), task.X, task.y, cv=3)) == 3


@client("study.optimize", "optuna")
def _(task):
    import optuna
    from sklearn.model_selection import cross_val_score

    def objective(trial):
        mels = trial.suggest_int("n_mels", 4, 12)
        model = task.linear().set_params(functionals__transformer__n_mels=mels)
        return cross_val_score(model, task.X, task.y, cv=3).mean()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    assert study.best_value > 0.6


@client("CleanLearning", "cleanlab")
def _(task):
    from cleanlab.classification import CleanLearning

    codes = (task.y == "anger").astype(int)
    issues = CleanLearning(task.linear(), cv_n_folds=3).find_label_issues(task.X, codes)
    assert len(issues) == 48


def _conformalize(task, model, prefit):
    from mapie.classification import SplitConformalClassifier

    train, rest = task.half()
    sets = SplitConformalClassifier(model, confidence_level=0.8, prefit=prefit)
    if not prefit:
        sets.fit(task.X[train], task.y[train])
    sets.conformalize(task.X[rest], task.y[rest])
    _, contained = sets.predict_set(task.X[rest])
    assert contained.shape[:2] == (16, 2)


@client("SplitConformalClassifier", "mapie")
def _(task):
    _conformalize(task, task.linear(), prefit=False)


def _conformalize_frozen(task):
    train, _ = task.half()
    model = FrozenEstimator(task.network().fit(task.X[train], task.y[train]))
    _conformalize(task, model, prefit=False)


@client(
    "SplitConformalClassifier of a network",
    "mapie",
    instead=(
        "It passes a 2-D array to a fitted model. Give it ``FrozenEstimator(model)`` and "
        "``prefit=False``.",
        _conformalize_frozen,
    ),
)
def _(task):
    train, _ = task.half()
    _conformalize(task, task.network().fit(task.X[train], task.y[train]), prefit=True)


@client("MetricFrame", "fairlearn", given="predictions")
def _(task):
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import recall_score

    from skser.metrics import unweighted_average_recall

    predicted = task.linear().fit(task.X, task.y).predict(task.X)
    frame = MetricFrame(
        metrics={"uar": unweighted_average_recall, "recall": lambda t, p: recall_score(
            t, p, pos_label="anger")},
        y_true=task.y, y_pred=predicted, sensitive_features=task.speakers,
    )  # fmt: skip
    assert frame.by_group.shape == (6, 2)


def _thresholds_of_vectors(task):
    from fairlearn.postprocessing import ThresholdOptimizer

    model = ThresholdOptimizer(
        estimator=make_pipeline(StandardScaler(), LogisticRegression()),
        predict_method="predict_proba",
    )
    codes, vectors = (task.y == "anger").astype(int), task.vectors()
    model.fit(vectors, codes, sensitive_features=task.frame["sex"])
    model.predict(vectors, sensitive_features=task.frame["sex"], random_state=0)


@client(
    "ThresholdOptimizer",
    "fairlearn",
    instead=("It accepts only vectors. Compute them first.", _thresholds_of_vectors),
)
def _(task):
    from fairlearn.postprocessing import ThresholdOptimizer

    model = ThresholdOptimizer(estimator=task.linear(), predict_method="predict_proba")
    codes = (task.y == "anger").astype(int)
    model.fit(task.X, codes, sensitive_features=task.frame["sex"])


@client("PermutationExplainer", "shap", given="vectors")
def _(task):
    import shap

    features = Functionals(MelSpectrogram(n_mels=2, deltas=0), statistics=("moments",))
    vectors = features.fit_transform(task.X)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(vectors, task.y)
    explained = shap.PermutationExplainer(lambda x: model.predict_proba(x)[:, 1], vectors)
    values = explained(vectors[:2], max_evals=50, silent=True)
    assert values.shape == (2, 8)


@client("RandomOverSampler in imblearn's Pipeline", "imbalanced-learn", given="one column of files")
def _(task):
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline as imblearn_pipeline

    kept = np.r_[np.flatnonzero(task.y == "anger"), np.flatnonzero(task.y == "sadness")[:6]]
    sampler = RandomOverSampler(random_state=0)
    model = imblearn_pipeline(sampler, *(step for _, step in task.network().steps))
    model.fit(task.X[kept, None], task.y[kept]).predict(task.X)


@client("autolog", "mlflow-skinny")
def _(task):
    import os

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow
    import mlflow.sklearn

    mlflow.set_tracking_uri((task.folder / "mlruns").as_uri())
    mlflow.sklearn.autolog(
        log_models=False, log_datasets=False, log_post_training_metrics=False, silent=True
    )
    try:
        with mlflow.start_run() as run:
            task.network().fit(task.X, task.y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert "attentionfcnclassifier__max_epochs" in mlflow.get_run(run.info.run_id).data.params


def _select_vectors(task):
    from mlxtend.feature_selection import SequentialFeatureSelector

    selector = SequentialFeatureSelector(LogisticRegression(), k_features=2, cv=2)
    task.better_than_chance(make_pipeline(
        task.features(), StandardScaler(), selector, LogisticRegression()
    ))  # fmt: skip


@client("SequentialFeatureSelector, as a step", "mlxtend", given="files")
def _(task):
    _select_vectors(task)


@client("EnsembleVoteClassifier", "mlxtend")
def _(task):
    from mlxtend.classifier import EnsembleVoteClassifier

    models = [task.network().fit(task.X, task.y), task.linear().fit(task.X, task.y)]
    vote = EnsembleVoteClassifier(models, voting="soft", fit_base_estimators=False)
    assert vote.fit(task.X, task.y).predict(task.X).shape == (48,)


@client("IntegratedGradients", "captum", given="a network's module and frames")
def _(task):
    import torch
    from captum.attr import IntegratedGradients

    model = task.network().fit(task.X, task.y)
    frames = model[:-1].transform(task.X[:1])[0]
    module = model[-1].net_.module_.eval()
    x = torch.from_numpy(np.ascontiguousarray(frames))[None, None]
    lengths = torch.tensor([len(frames)])
    given = IntegratedGradients(lambda x: module(x, lengths)).attribute(x, target=0, n_steps=8)
    assert given.shape == x.shape
    assert given.abs().sum() > 0


def outcome(function, instead, task):
    """Run a client's test and return its outcome as a dictionary."""
    try:
        function(task)
        return {"outcome": "works"}
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split(':')[0].split())}"
        if instead is None or not isinstance(error, ValueError | TypeError | UserWarning):
            return {"outcome": "fails", "said": said}
        sentence, proof = instead
        proof(task)
        return {"outcome": "refuses", "said": said, "instead": sentence}


def tried(names=None):
    """Test the clients with the given names or libraries, or all, and return their outcomes."""
    results = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        task = Task(folder)
        for name, (function, library, given, instead) in CLIENTS.items():
            if names and not {name, library} & set(names):
                continue
            try:
                installed = version(library)
            except ModuleNotFoundError:
                print(f"{library} is not installed: skipped {name}", flush=True)
                continue
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = outcome(function, instead, task)
            entry = {"client": name, "library": library, "version": installed, "given": given}
            results.append({**entry, **found, "seconds": round(time.perf_counter() - start, 1)})
            print(library, name, found.get("said", found["outcome"]), sep=": ", flush=True)
    return results


def main():
    """Test the clients and write the result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="clients or libraries (default: all)")
    names = parser.parse_args().names
    results = tried(names)
    if not names:
        write_result(RESULTS / "clients.json", {"clients": results})
    if any(result["outcome"] == "fails" for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
