"""Types of scikit-learn and NumPy that a saved model may contain, each group with the reason.

The list was gone through by hand: what runs when such an object is built (``__new__``,
``__init__`` for the few that are called, ``__setstate__``) neither imports, opens, compiles nor
calls what the file names. Everything else is refused by its name. Deliberately left out:

- distributions of scipy.stats, whose ``__setstate__`` executes text of their state (searches
  name theirs, see `_registry.distributions`);
- trees of nearest neighbours and splines, compiled code that trusts its indices;
- vectorizers of text, whose patterns can run for ever; K-means, whose number of threads is an
  attribute; Gaussian processes, manifolds, whatever cannot predict;
- functions, partial functions, methods and operators, but for a few functions of NumPy.
"""

_GROUPS = {
    # Arrays, numbers and the estimator's own parameters; predictions are NumPy's arithmetic.
    "linear models": (
        "sklearn.linear_model._base.LinearRegression",
        "sklearn.linear_model._bayes.ARDRegression",
        "sklearn.linear_model._bayes.BayesianRidge",
        "sklearn.linear_model._coordinate_descent.ElasticNet",
        "sklearn.linear_model._coordinate_descent.ElasticNetCV",
        "sklearn.linear_model._coordinate_descent.Lasso",
        "sklearn.linear_model._coordinate_descent.LassoCV",
        "sklearn.linear_model._huber.HuberRegressor",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.linear_model._logistic.LogisticRegressionCV",
        "sklearn.linear_model._passive_aggressive.PassiveAggressiveClassifier",
        "sklearn.linear_model._passive_aggressive.PassiveAggressiveRegressor",
        "sklearn.linear_model._perceptron.Perceptron",
        "sklearn.linear_model._ridge.Ridge",
        "sklearn.linear_model._ridge.RidgeCV",
        "sklearn.linear_model._ridge.RidgeClassifier",
        "sklearn.linear_model._ridge.RidgeClassifierCV",
        "sklearn.linear_model._stochastic_gradient.SGDClassifier",
        "sklearn.linear_model._stochastic_gradient.SGDRegressor",
        "sklearn.svm._classes.LinearSVC",
        "sklearn.svm._classes.LinearSVR",
        "sklearn.cross_decomposition._pls.PLSRegression",
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
        "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
        "sklearn.naive_bayes.BernoulliNB",
        "sklearn.naive_bayes.ComplementNB",
        "sklearn.naive_bayes.GaussianNB",
        "sklearn.naive_bayes.MultinomialNB",
        "sklearn.neighbors._nearest_centroid.NearestCentroid",
        "sklearn.dummy.DummyClassifier",
        "sklearn.dummy.DummyRegressor",
        "sklearn.mixture._gaussian_mixture.GaussianMixture",
        "sklearn.mixture._bayesian_mixture.BayesianGaussianMixture",
        "sklearn.covariance._empirical_covariance.EmpiricalCovariance",
        "sklearn.covariance._shrunk_covariance.LedoitWolf",
        "sklearn.covariance._shrunk_covariance.OAS",
        "sklearn.covariance._shrunk_covariance.ShrunkCovariance",
        "sklearn.kernel_ridge.KernelRidge",
        # What its `f_` is made of is built anew from arrays.
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
    ),
    # The same; the optimisers hold lists of arrays, and are used by partial_fit alone.
    "multilayer perceptrons": (
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        "sklearn.neural_network._multilayer_perceptron.MLPRegressor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    ),
    # Arrays and parameters again.
    "transformers": (
        "sklearn.decomposition._factor_analysis.FactorAnalysis",
        "sklearn.decomposition._fastica.FastICA",
        "sklearn.decomposition._incremental_pca.IncrementalPCA",
        "sklearn.decomposition._kernel_pca.KernelPCA",
        "sklearn.decomposition._pca.PCA",
        "sklearn.decomposition._truncated_svd.TruncatedSVD",
        "sklearn.feature_selection._from_model.SelectFromModel",
        "sklearn.feature_selection._rfe.RFE",
        "sklearn.feature_selection._rfe.RFECV",
        "sklearn.feature_selection._sequential.SequentialFeatureSelector",
        "sklearn.feature_selection._univariate_selection.SelectKBest",
        "sklearn.feature_selection._univariate_selection.SelectPercentile",
        "sklearn.feature_selection._variance_threshold.VarianceThreshold",
        "sklearn.impute._base.SimpleImputer",
        "sklearn.kernel_approximation.Nystroem",
        "sklearn.kernel_approximation.RBFSampler",
        "sklearn.preprocessing._data.Binarizer",
        "sklearn.preprocessing._data.KernelCenterer",
        "sklearn.preprocessing._data.MaxAbsScaler",
        "sklearn.preprocessing._data.MinMaxScaler",
        "sklearn.preprocessing._data.Normalizer",
        "sklearn.preprocessing._data.PowerTransformer",
        "sklearn.preprocessing._data.QuantileTransformer",
        "sklearn.preprocessing._data.RobustScaler",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._discretization.KBinsDiscretizer",
        "sklearn.preprocessing._encoders.OneHotEncoder",
        "sklearn.preprocessing._encoders.OrdinalEncoder",
        "sklearn.preprocessing._function_transformer.FunctionTransformer",
        "sklearn.preprocessing._polynomial.PolynomialFeatures",
    ),
    # Compiled prediction follows indices in arrays: `_compiled` checks them all beforehand.
    "trees, forests, boosting, support vectors, neighbours": (
        "sklearn.tree._tree.Tree",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._classes.ExtraTreeClassifier",
        "sklearn.tree._classes.ExtraTreeRegressor",
        "sklearn.ensemble._forest.ExtraTreesClassifier",
        "sklearn.ensemble._forest.ExtraTreesRegressor",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "sklearn.ensemble._iforest.IsolationForest",
        "sklearn.ensemble._weight_boosting.AdaBoostClassifier",
        "sklearn.ensemble._weight_boosting.AdaBoostRegressor",
        "sklearn.ensemble._gb.GradientBoostingClassifier",
        "sklearn.ensemble._gb.GradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.svm._classes.NuSVC",
        "sklearn.svm._classes.NuSVR",
        "sklearn.svm._classes.OneClassSVM",
        "sklearn.svm._classes.SVC",
        "sklearn.svm._classes.SVR",
        "sklearn.neighbors._classification.KNeighborsClassifier",
        "sklearn.neighbors._regression.KNeighborsRegressor",
    ),
    # Objects without state but for a few numbers.
    "losses and links": (
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
    ),
    # Parameters of searches: how they split.
    "splitters": tuple(
        f"sklearn.model_selection._split.{name}"
        for name in (
            "GroupKFold",
            "GroupShuffleSplit",
            "KFold",
            "LeaveOneGroupOut",
            "LeaveOneOut",
            "LeavePGroupsOut",
            "RepeatedKFold",
            "RepeatedStratifiedKFold",
            "ShuffleSplit",
            "StratifiedGroupKFold",
            "StratifiedKFold",
            "StratifiedShuffleSplit",
        )
    ),
}
TRUSTED = frozenset(name for names in _GROUPS.values() for name in names)
# Compiled losses, built by calling them with a number or two.
LOSSES = frozenset(
    [
        f"{module}.Cy{name}"
        for module in ("_loss", "sklearn._loss._loss")
        for name in (
            "AbsoluteError",
            "ExponentialLoss",
            "HalfBinomialLoss",
            "HalfGammaLoss",
            "HalfMultinomialLoss",
            "HalfPoissonLoss",
            "HalfSquaredError",
            "HuberLoss",
            "PinballLoss",
        )
    ]
    + [
        f"sklearn.linear_model._sgd_fast.{name}"
        for name in (
            "EpsilonInsensitive",
            "Hinge",
            "Huber",
            "Log",
            "ModifiedHuber",
            "SquaredEpsilonInsensitive",
            "SquaredHinge",
            "SquaredLoss",
        )
    ]
)

# Values; the types among them are used as parameters such as dtype.
VALUES = frozenset(
    [f"builtins.{name}" for name in ("bool", "float", "int", "str")]
    + [
        f"numpy.{name}"
        for name in (
            "bool", "bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "str_", "uint8", "uint16", "uint32", "uint64",
        )
    ]
)  # fmt: skip
CONTAINERS = frozenset(f"builtins.{name}" for name in ("dict", "list", "set", "tuple")) | {
    "collections.OrderedDict",
    "sklearn.utils._bunch.Bunch",
}
RANDOM = frozenset(
    f"numpy.random.{name}"
    for name in ("Generator", "RandomState", "_generator.Generator", "mtrand.RandomState")
)
# Elementwise arithmetic, for FunctionTransformer, and the scores of SelectKBest.
FUNCTIONS = frozenset(
    [
        f"{module}.{name}"
        for module in ("numpy", "numpy.core._multiarray_umath")  # NumPy 2 and 1.26
        for name in ("abs", "absolute", "exp", "expm1", "log", "log1p", "sqrt")
    ]
    + [
        f"sklearn.feature_selection.{name}"
        for name in (
            "_mutual_info.mutual_info_classif",
            "_mutual_info.mutual_info_regression",
            "_univariate_selection.chi2",
            "_univariate_selection.f_classif",
            "_univariate_selection.f_regression",
        )
    ]
)
