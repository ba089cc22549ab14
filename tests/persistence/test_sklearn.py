"""Round trips of scikit-learn's estimators, alone and around networks."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    BayesianRidge,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, LinearSVR
from sklearn.utils.fixes import parse_version

import skser
from skser._fingerprint import without_addresses
from skser.neural_network import AttentionFCNClassifier
from skser.persistence import SavedModelError
from skser.preprocessing import SequenceScaler

pytestmark = [
    pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # scikit-learn's own, of its next versions
]
X = np.random.RandomState(0).randn(90, 5)
X[:, 4] = X[:, 4] > 0
Y = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
TARGET = X[:, 0] + X[:, 1] ** 2


def network():
    return AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0)


# Models that are built without trust, and models that need it.
WITHOUT_TRUST = [
    LinearSVC(),
    LogisticRegression(class_weight="balanced"),
    LogisticRegressionCV(cv=2),
    RidgeClassifier(),
    RidgeClassifierCV(),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="eigen"),
    QuadraticDiscriminantAnalysis(),
    CalibratedClassifierCV(network(), cv=2),
    CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2),
    pytest.param(
        CalibratedClassifierCV(LogisticRegression(), method="temperature", cv=2),
        marks=pytest.mark.skipif(
            parse_version(sklearn.__version__) < parse_version("1.8"), reason="new in 1.8"
        ),
    ),
    VotingClassifier([("a", LogisticRegression()), ("b", network())], voting="soft"),
    StackingClassifier([("a", LinearSVC()), ("b", network())], cv=2),
    FrozenEstimator(LogisticRegression().fit(X, Y)),
    make_pipeline(QuantileTransformer(n_quantiles=5), PCA(4, whiten=True), LogisticRegression()),
    make_pipeline(RobustScaler(), MinMaxScaler(), MaxAbsScaler(), PowerTransformer(), LinearSVC()),
    make_pipeline(FeatureUnion([("p", PCA(2)), ("n", Normalizer())]), network()),
    make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
    make_pipeline(StandardScaler(with_mean=False, with_std=False), LogisticRegression()),
    BayesianRidge(),
    HuberRegressor(max_iter=1000),
    Lasso(),
    LinearRegression(),
    LinearSVR(max_iter=10_000),
    RidgeCV(),
    StackingRegressor([("a", Ridge())], cv=2),
    VotingRegressor([("a", Ridge()), ("b", Lasso())]),
]
WITH_TRUST = [
    RandomForestClassifier(3),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2, early_stopping=True),
    SVC(),
    KNeighborsClassifier(),
    MLPClassifier((5,), max_iter=3),
    GridSearchCV(network(), {"dropout": [0.1]}, cv=StratifiedKFold(2), scoring="accuracy"),
    make_pipeline(SelectKBest(k=3), LogisticRegression()),
    make_pipeline(
        ColumnTransformer(
            [("s", StandardScaler(), [0, 1]), ("m", MinMaxScaler(), slice(2, 5))],
            remainder="passthrough",
        ),
        network(),
    ),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skser"


def fitted(model):
    y = TARGET if is_regressor(model) else Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(model).fit(X, y)


@pytest.mark.parametrize(
    "model", WITHOUT_TRUST + WITH_TRUST, ids=lambda m: " ".join(repr(m).split())[:45]
)
def test_it_comes_back_the_same(model, path):
    needs_trust = model in WITH_TRUST
    model = fitted(model)
    skser.save(model, path)
    content = path.read_bytes()
    skser.save(model, path)
    assert path.read_bytes() == content
    if needs_trust:
        with pytest.raises(SavedModelError, match="which load does not build without trust"):
            skser.load(path)
    loaded = skser.load(path, trusted=needs_trust)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))
    assert without_addresses(repr(loaded)) == without_addresses(repr(model))


def test_a_part_that_skops_cannot_store_is_refused(path):
    model = GaussianProcessClassifier()
    model.optimizer = (i for i in range(3))
    with pytest.raises(SavedModelError, match="A part cannot be stored without pickle"):
        skser.save(model, path)
    assert not path.exists()


def test_another_version_of_scikit_learn_warns_only_where_it_matters(path, monkeypatch):
    from skser.persistence import _load, _save

    older = {**_save.versions(), "scikit-learn": "1.5.2"}
    monkeypatch.setattr(_save, "versions", lambda: older)
    skser.save(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), path)
    here = _load.versions()["scikit-learn"]
    with pytest.warns(UserWarning, match=rf"other versions .*: scikit-learn 1.5.2 \(here {here}\)"):
        skser.load(path)
    skser.save(make_pipeline(StandardScaler(), network()).fit(X, Y), path)
    with pytest.warns(UserWarning, match=r"scikit-learn 1\.5\.2"):
        skser.load(path)
    skser.save(network().fit(X, Y), path)
    skser.load(path)  # a network does not depend on it; a warning would be an error here


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"torch": "1.9"}, ["torch 1.9"]),
        ({"numpy": "0.9", "scipy": "1.2"}, ["numpy 0.9", "scipy 1.2"]),
        ({"skser": "0.0.9"}, ["skser 0.0.9"]),
        ({"python": "3.4.0", "skops": None, "scikit-learn": "0.2"}, []),
    ],
)
def test_one_warning_lists_all_versions_that_differ(versions, said, path, monkeypatch):
    from skser.persistence import _save

    here = _save.versions()
    monkeypatch.setattr(_save, "versions", lambda: {**here, **versions})
    skser.save(network().fit(X, Y), path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        skser.load(path)
    assert len(caught) == bool(said)
    for what in said:
        assert f"{what} (here {here[what.split()[0]]})" in str(caught[0].message)
        assert caught[0].filename == __file__
    if "torch" in versions:  # which nothing but a network depends on
        skser.save(SequenceScaler(), path)
        skser.load(path)


def test_patches_and_local_versions_are_not_worth_a_word(path, monkeypatch):
    from skser.persistence import _save

    here = _save.versions()
    monkeypatch.setattr(_save, "versions", lambda: {**here, "torch": f"{here['torch']}.post1"})
    skser.save(network().fit(X, Y), path)
    skser.load(path)


def test_parameters_of_another_version_get_their_defaults(path):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X, Y)
    expected = model.predict_proba(X)
    del model[0].with_std, model[1].solver, model[1].tol  # as if they were new here
    skser.save(model, path)
    loaded = skser.load(path)
    assert (loaded[0].with_std, loaded[1].solver, loaded[1].tol) == (True, "lbfgs", 1e-4)
    assert loaded[1].C == 0.1
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


def test_how_one_machine_works_is_not_saved_with_any_estimator(path):
    inner = RandomForestClassifier(3, n_jobs=2, verbose=0)
    model = make_pipeline(SelectFromModel(inner), KNeighborsClassifier(n_jobs=2))
    model = GridSearchCV(model, {}, cv=2, n_jobs=2).fit(X, Y)
    skser.save(model, path)
    loaded = skser.load(path, trusted=True)
    found = {k: v for k, v in loaded.get_params().items() if k.split("__")[-1] == "n_jobs"}
    assert len(found) == 3
    assert set(found.values()) == {None}
    fitted = loaded.best_estimator_
    assert fitted[0].estimator_.n_jobs is fitted[1].n_jobs is None
    skser.save(MLPClassifier((2,), max_iter=2, verbose=True), path)
    assert skser.load(path, trusted=True).verbose is False
    skser.save(RandomForestClassifier(verbose=3), path)
    assert skser.load(path, trusted=True).verbose == 0


@pytest.mark.parametrize("model", [Lasso(0.1), RidgeCV(store_cv_results=True)])
def test_arrays_that_no_prediction_reads_load_without_trust(model, path):
    model.fit(X, X[:, :2] if isinstance(model, Lasso) else X[:, 0])
    skser.save(model, path)
    np.testing.assert_array_equal(skser.load(path).predict(X), model.predict(X))


@pytest.mark.filterwarnings("ignore:In its last epoch the network")
def test_a_network_of_a_table_of_vectors_has_names_of_columns(path):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    model = AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0).fit(table, Y)
    skser.save(model, path)
    loaded = skser.load(path)
    assert loaded.feature_names_in_.tolist() == list(table.columns)
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
