from sklearn.model_selection import cross_val_score

from skser.model_selection import StratifiedSpeakerKFold
from tests.support.optional import installed

optuna = installed("optuna")


def test_study_searches_over_transformer_and_classifier(spoken, linear):
    def objective(trial):
        linear.set_params(
            functionals__transformer__n_mels=trial.suggest_int("n_mels", 4, 12),
            logisticregression__C=trial.suggest_float("C", 1e-3, 10, log=True),
        )
        folds = StratifiedSpeakerKFold(2)
        return cross_val_score(
            linear, spoken.files, spoken.y, groups=spoken.speakers, cv=folds, error_score="raise"
        ).mean()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    assert len({trial.params["n_mels"] for trial in study.trials}) > 1
    assert study.best_value > 0.7
