"""Round trips of scikit-learn's own estimators, and of what holds them."""

import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC

import skser
from skser._fingerprint import without_addresses
from skser.metrics import uar_scorer
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


CLASSIFIERS = [
    RandomForestClassifier(4),
    ExtraTreesClassifier(4),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3, early_stopping=True),
    AdaBoostClassifier(n_estimators=3),
    BaggingClassifier(n_estimators=3, max_features=3),
    SVC(),
    NuSVC(nu=0.2, kernel="linear", decision_function_shape="ovo"),
    LinearSVC(),
    LogisticRegression(class_weight="balanced"),
    LogisticRegressionCV(cv=2),
    RidgeClassifierCV(),
    SGDClassifier(loss="modified_huber"),
    LinearDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(),
    MLPClassifier((5,), max_iter=3),
    GaussianNB(),
    KNeighborsClassifier(algorithm="brute"),
    CalibratedClassifierCV(network(), cv=2),
    CalibratedClassifierCV(RandomForestClassifier(3), method="isotonic", cv=2),
    VotingClassifier([("a", SVC()), ("b", network())]),
    StackingClassifier([("a", LinearSVC()), ("b", network())], cv=2),
    GridSearchCV(SVC(), {"C": [1, 2]}, cv=2, scoring=uar_scorer),
    GridSearchCV(network(), {"dropout": [0.1, 0.2]}, cv=StratifiedKFold(2), scoring="accuracy"),
    GridSearchCV(
        SVC(), {"C": [1, 2]}, cv=2, scoring={"u": uar_scorer, "a": "accuracy"}, refit="u"
    ),
    RandomizedSearchCV(SVC(), {"C": loguniform(0.1, 10)}, n_iter=2, cv=2, random_state=0),
    OneVsRestClassifier(network()),
    OneVsOneClassifier(LogisticRegression()),
    FrozenEstimator(LogisticRegression().fit(X, Y)),
    make_pipeline(
        QuantileTransformer(n_quantiles=5), PCA(4), SelectKBest(k=3), LogisticRegression()
    ),
    make_pipeline(RobustScaler(), MinMaxScaler(), PowerTransformer(), PolynomialFeatures(), SVC()),
    make_pipeline(
        FunctionTransformer(np.abs), KBinsDiscretizer(encode="ordinal", strategy="uniform"),
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression(),
    ),
    make_pipeline(
        ColumnTransformer(
            [("s", StandardScaler(), [0, 1]), ("m", MinMaxScaler(), slice(2, 5))],
            remainder="passthrough",
        ),
        FeatureUnion([("p", PCA(2)), ("r", RobustScaler())]),
        network(),
    ),
    make_pipeline(SelectFromModel(RandomForestClassifier(3)), SVC()),
    make_pipeline(RFE(LogisticRegression(), n_features_to_select=2), SVC()),
    make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
]  # fmt: skip
REGRESSORS = [
    RandomForestRegressor(3),
    GradientBoostingRegressor(n_estimators=3, loss="huber"),
    HistGradientBoostingRegressor(max_iter=3),
    MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, solver="sgd", early_stopping=True),
    SVR(),
    VotingRegressor([("a", Ridge()), ("b", SVR())]),
    TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=5)),
    MultiOutputRegressor(Ridge()),
    IsolationForest(n_estimators=3),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skser"


def fitted(model):
    y = Y if model in CLASSIFIERS else TARGET
    if isinstance(model, MultiOutputRegressor):
        y = np.c_[TARGET, TARGET]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(model).fit(X, y)


@pytest.mark.parametrize(
    "model", CLASSIFIERS + REGRESSORS, ids=lambda m: " ".join(repr(m).split())[:45]
)
def test_it_comes_back_the_same(model, path):
    model = fitted(model)
    skser.save(model, path)
    loaded = skser.load(path)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))
    assert without_addresses(repr(loaded)) == without_addresses(repr(model))
    content = path.read_bytes()
    skser.save(model, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (KNeighborsClassifier(), r"KDTree, which is not on the list \(algorithm='brute' does"),
        (GaussianProcessClassifier(), "GaussianProcessClassifier, which is not on the list"),
        (HistGradientBoostingClassifier(max_iter=2, categorical_features=[4]), "which is not on"),
        (AdaBoostClassifier(GaussianProcessClassifier()), "GaussianProcessClassifier, which is"),
        (GradientBoostingClassifier(n_estimators=2, init=GaussianNB()), "its own init alone"),
    ],
    ids=["tree of neighbours", "Gaussian process", "categories", "unfitted inside", "init"],
)
def test_what_is_not_on_the_list_is_refused_by_name(model, name, path):
    if not isinstance(model, AdaBoostClassifier):
        model.fit(X, Y)
    with pytest.raises(SavedModelError, match=name):
        skser.save(model, path)
    assert not path.exists()


def test_another_version_of_scikit_learn_warns_only_where_it_matters(path, monkeypatch):
    from skser.persistence import _load, _save

    older = {**_save.versions(), "scikit-learn": "1.5.2"}
    monkeypatch.setattr(_save, "versions", lambda: older)
    skser.save(make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(X, Y), path)
    here = _load.versions()["scikit-learn"]
    with pytest.warns(UserWarning, match=rf"other versions .*: scikit-learn 1.5.2 \(here {here}\)"):
        skser.load(path)
    skser.save(make_pipeline(StandardScaler(), network()).fit(X, Y), path)
    with pytest.warns(UserWarning, match=r"scikit-learn 1\.5\.2"):
        skser.load(path)
    skser.save(network().fit(X, Y), path)
    skser.load(path)  # JSON and weights do not depend on it; a warning would be an error here


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


def test_how_one_machine_works_is_not_saved_with_any_estimator(path):
    inner = RandomForestClassifier(3, n_jobs=2, verbose=0)
    model = make_pipeline(SelectFromModel(inner), KNeighborsClassifier(algorithm="brute", n_jobs=2))
    model = GridSearchCV(model, {}, cv=2, n_jobs=2).fit(X, Y)
    skser.save(model, path)
    loaded = skser.load(path)
    found = {k: v for k, v in loaded.get_params().items() if k.split("__")[-1] == "n_jobs"}
    assert len(found) == 3
    assert set(found.values()) == {None}
    fitted = loaded.best_estimator_
    assert fitted[0].estimator_.n_jobs is fitted[1].n_jobs is None
    skser.save(MLPClassifier((2,), max_iter=2, verbose=True), path)
    assert skser.load(path).verbose is False
    skser.save(RandomForestClassifier(verbose=3), path)
    assert skser.load(path).verbose == 0
