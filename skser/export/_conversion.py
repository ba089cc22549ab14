"""Conversion of a model to a graph: its estimators, and the steps before them."""

import operator

import numpy as np
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skser._offset import NOTICEABLE
from skser.compose import (
    AugmentedClassifier,
    AugmentedRegressor,
    GeometricVotingClassifier,
    RejectingClassifier,
    TransferClassifier,
    TransferRegressor,
)
from skser.export import _scikit_learn as linear
from skser.export._description import described, packed
from skser.export._features import SPECTRAL, Frames, masked, shortest, spectral_frames
from skser.export._graph import Graph
from skser.export._network import n_columns_of, network_scores
from skser.export._speech import speech
from skser.export._whisper import are_whisper, is_whisper, longest_of, whisper_states
from skser.feature_extraction import SpeechEmbedding, SpeechProbability
from skser.preprocessing import VoiceActivityTrimmer

_LINEAR = linear.PROBABILISTIC + linear.DECIDING
_AUGMENTED = (AugmentedClassifier, AugmentedRegressor)
_STACKS = (StackingClassifier, StackingRegressor)
_WITH_FITTED_INSIDE = (*_AUGMENTED, TransferClassifier, TransferRegressor)


class Conversion:
    """Graph of a model, and the inputs that it takes.

    Parameters
    ----------
    weights : list of StoredWeights, default=()
        Files beside the model that hold encoders.

    Attributes
    ----------
    graph : Graph
    inputs : list of dict
        Descriptions of the inputs, as `skser.export._description` lists them.
    """

    def __init__(self, weights=()):
        self.graph = Graph(weights)
        self.inputs = []
        self._known = {}  # values after steps, by the steps' ids
        self._rate = ()  # of arrays, where an estimator around the steps says it

    def outputs(self, model, steps=()):
        """Append a model and return its probabilities or predictions (batch, n_outputs).

        Parameters
        ----------
        model : estimator
        steps : tuple of transformer
            Steps before it.
        """
        model, steps = self._reached(model, steps)
        if isinstance(model, VotingClassifier | VotingRegressor):
            check_is_fitted(model)
            if getattr(model, "voting", "soft") != "soft":
                raise TypeError("export_onnx takes votes with voting='soft' only.")
            parts = [self.outputs(part, steps) for part in model.estimators_]
            if isinstance(model, GeometricVotingClassifier):
                logs = self._mean([_log(part) for part in parts], model._weights_not_none)
                return logs.then("Softmax", axis=1)
            return self._mean(parts, model._weights_not_none)
        if isinstance(model, _STACKS):
            check_is_fitted(model)
            return self.outputs(model.final_estimator_, (*steps, model))
        if linear.is_calibration(model):
            check_is_fitted(model)
            parts = [self._calibrated(part, steps) for part in model.calibrated_classifiers_]
            return self._mean(parts)
        if is_network(model):
            scores = self._scores(model, steps)
            if hasattr(model, "classes_"):
                return scores.then("Softmax", axis=1)
            return scores * model._target_scale + model._target_mean
        if isinstance(model, RejectingClassifier):
            scores = self._log_probabilities(model.estimator_, steps)
            return (scores * (1 / model.temperature_)).then("Softmax", axis=1)
        if linear.computes_as(model, linear.PROBABILISTIC):
            return linear.probabilities(model, self._before(model, steps))
        if linear.computes_as(model, linear.REGRESSORS):
            return linear.decision(model, self._before(model, steps))
        raise TypeError(_refusal(model))

    def _reached(self, model, steps):
        """Return the estimator inside pipelines and wrappers, and the steps before it."""
        while isinstance(model, Pipeline) or inside(model) is not model:
            check_is_fitted(model)
            if isinstance(model, Pipeline):
                *before, model = model.steps
                model = model[1]
                steps += tuple(s for _, step in before for s in _flat(step))
            else:
                if isinstance(model, _AUGMENTED) and not self._rate:
                    self._rate = (model.input_sampling_rate,)
                model = inside(model)
        return model, steps

    def judgments(self, model):
        """Append what a `RejectingClassifier` refuses by, besides its probabilities.

        Returns
        -------
        dict of Value
            ``distance`` from the training utterances (batch, 1), and where it listens for
            speech, ``speech`` (batch, 2), as `skser.export._speech.speech` returns it.
        """
        model, steps = self._reached(model, ())
        x = (self._vectors(model.estimator_, steps) - model.center_) / model.scale_
        along = x @ model.components_.T
        across = x - along @ model.components_  # in float32, a difference of squares would be noise
        total = (along * along / model.explained_variance_).sum(1)
        total = total + (across * across).sum(1) / model.noise_variance_
        found = {"distance": (total / float(len(model.center_))).then("Sqrt")}
        if model._takes_audio(model.estimator_):
            given = model.estimator_.get_params().items()
            rates = [rate for name, rate in given if name.endswith("input_sampling_rate") and rate]
            detector = SpeechProbability(input_sampling_rate=rates[0] if rates else None)
            waveform, lengths, _ = self._waveform(detector, ())
            found["speech"] = speech(waveform, lengths)
        return found

    def _log_probabilities(self, model, steps):
        """Append a classifier; return log probabilities, or decisions where it has no others."""
        model, steps = self._reached(model, steps)
        if linear.computes_as(model, linear.DECIDING):
            scores = linear.decision(model, self._before(model, steps))
            if len(model.classes_) > 2:
                return scores
            return (scores * -0.5).then("Concat", scores * 0.5, axis=1)
        return _log(self.outputs(model, steps))

    def _vectors(self, model, steps):
        """Return the vectors that the last estimator receives, as `RejectingClassifier` does."""
        model, steps = self._reached(model, steps)
        if isinstance(model, _STACKS):
            raise TypeError("A stack inside a RejectingClassifier cannot be exported to ONNX.")
        if linear.is_calibration(model) and not steps and not hasattr(model, "n_features_in_"):
            raise TypeError(
                "A calibration of audio inside a RejectingClassifier cannot be exported to ONNX. "
                "Put the features before it: make_pipeline(features, RejectingClassifier(...))."
            )
        if isinstance(model, VotingClassifier):
            parts = [self._vectors(part, steps) for part in model.estimators_]
            return parts[0].then("Concat", *parts[1:], axis=1)
        if not is_network(model) or not getattr(model, "transformers_", None):
            x = self._before(model, steps)
            return x.moments() if isinstance(x, Frames) else x
        return self._log_probabilities(model, steps)  # it takes audio

    def _mean(self, parts, weights=None):
        weights = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
        total, *others = map(operator.mul, parts, weights / weights.sum())
        for x in others:
            total = total + x
        return total

    def _stacked(self, stack, steps):
        """Return what the members of a stack predict, as its final estimator takes it."""
        columns = []
        for method, member in zip(stack.stack_method_, stack.estimators_, strict=True):
            model, before = self._reached(member, steps)
            if method == "predict_proba" or isinstance(stack, StackingRegressor):
                x = self.outputs(model, before)
                is_binary = method == "predict_proba" and len(stack.classes_) == 2
                columns.append(x.cut(1, 1, 2) if is_binary else x)
            elif method == "decision_function" and linear.computes_as(model, _LINEAR):
                columns.append(linear.decision(model, self._before(model, before)))
            else:
                raise TypeError(
                    f"export_onnx takes stacks of probabilities, not of {method!r} of "
                    f"{type(model).__name__}."
                )
        if stack.passthrough:
            columns.append(self._before(stack, steps))
            if isinstance(columns[-1], Frames):
                raise TypeError("export_onnx takes stacks with passthrough=True of vectors only.")
        return columns[0].then("Concat", *columns[1:], axis=1)

    def _calibrated(self, part, steps):
        n_classes = len(part.classes)
        model, steps = self._reached(part.estimator, steps)
        if part.method == "sigmoid" and len(part.calibrators) < n_classes > 2:
            raise ValueError(
                f"A fold of CalibratedClassifierCV held {len(part.calibrators)} of {n_classes} "
                "classes: fit it with folds that hold all of them."
            )
        if linear.computes_as(model, _LINEAR):
            scores = linear.decision(model, self._before(model, steps))
            return linear.calibrated(part, scores, is_decision=True)
        if is_network(model):
            scores = self._scores(model, steps)
            scores = scores.cut(1, 1, 2) - scores.cut(1, 0, 1) if n_classes == 2 else scores
            return linear.calibrated(part, scores, is_decision=True)
        shares = self.outputs(model, steps)
        shares = shares.cut(1, 1, 2) if n_classes == 2 else shares
        return linear.calibrated(part, shares, is_decision=False)

    def _scores(self, network, steps):
        return network_scores(network, self._before(network, steps + _own_transformers(network)))

    # Steps ----------------------------------------------------------------------------

    def _before(self, model, steps):
        """Return the value that an estimator takes."""
        check_is_fitted(model)
        return self._after(steps, model)[0]

    def _after(self, steps, consumer):
        """Return the value after some steps, and the description of its input."""
        key = *map(id, steps), _takes_vectors(consumer), self._rate
        if key not in self._known:
            x, given = self._converted(steps, consumer)
            self._known[key] = x, given, steps  # the steps too, so that ids stay theirs
        return self._known[key][:2]

    def _converted(self, steps, consumer):
        if not steps:
            return self._from_outside(steps, consumer)
        *before, last = steps
        before = tuple(before)
        if isinstance(last, _STACKS):
            x, given = self._stacked(last, before), self.inputs[0]
        elif linear.has_operators(last):
            x, given = self._after(before, last)
            x = linear.transformed(last, x)
        elif _reads_audio(last) and all(isinstance(s, VoiceActivityTrimmer) for s in before):
            waveform, lengths, given = self._waveform(last, before)
            function = spectral_frames if isinstance(last, SPECTRAL) else whisper_states
            x = function(last, waveform, lengths)
        else:
            return self._from_outside(steps, consumer)
        entry = described(last)
        given["inside"] += [entry] if entry not in given["inside"] else []
        return x, given

    def _waveform(self, transformer, before):
        """Return samples, their lengths, and the description of this input."""
        rate, facts = float(transformer.sampling_rate), None
        if isinstance(transformer, SpeechEmbedding):
            facts = transformer._prepare()[0]
        given = self._described("waveform", before, (*before, transformer))
        key = "waveform", rate, given["input_sampling_rate"], *map(id, before)
        if key not in self._known:
            given |= {"sampling_rate": rate, "shortest": 1}
            waveform, lengths = self._declared(given, ["batch", "samples"])
            waveform = _without_offset(waveform, lengths)
            self._known[key] = waveform, lengths, given, before
        waveform, lengths, given, _ = self._known[key]
        if facts is not None:
            least, longest = facts.shortest, longest_of(transformer)
            given["longest"] = min(given["longest"] or longest, longest)
        elif isinstance(transformer, SPECTRAL):
            least = shortest(transformer)
        else:
            least = 1
        given["shortest"] = max(given["shortest"], int(least))
        return waveform, lengths, given

    def _from_outside(self, steps, consumer):
        """Return frames or vectors that are computed before the graph."""
        if any(isinstance(step, _STACKS) for step in steps):
            raise TypeError(
                f"export_onnx has no operators for {type(steps[-1]).__name__} after a stack."
            )
        if _takes_vectors(consumer):
            given = self._described("vectors", steps, steps)
            n_columns = given["n_columns"] = int(consumer.n_features_in_)
            if hasattr(consumer, "feature_names_in_"):
                given["columns"] = [str(name) for name in consumer.feature_names_in_]
            return self._declared(given, ["batch", n_columns])[0], given
        given = self._described("frames", steps, steps)
        n_columns = given["n_columns"] = n_columns_of(consumer)
        layout = getattr(consumer, "_layout", None)
        if layout is not None and len(layout.feature_names) == n_columns:
            given |= {"columns": list(layout.feature_names), "hop": layout.hop}
            if layout.frequencies is not None:
                given["frequencies"] = [float(band) for band in layout.frequencies]
        x, lengths = self._declared(given, ["batch", "time", n_columns])
        inside = x.inside(1, lengths)
        x = masked(x, inside.unsqueeze(2)).unsqueeze(1)
        return Frames(x, lengths, inside, 1, n_columns), given

    def _described(self, form, outside, first):
        archive = packed(outside)
        steps = [described(step) for step in outside]
        # Functionals have the rate of the transformer inside.
        reader = getattr(first[0], "transformer", None) or first[0] if first else None
        rate = self._rate[0] if self._rate else getattr(reader, "input_sampling_rate", None)
        return {
            "form": form,
            "names": [],
            "n_columns": None,
            "columns": None,
            "hop": None,
            "frequencies": None,
            "sampling_rate": None,
            "shortest": None,
            "longest": None,
            "input_sampling_rate": None if rate is None else float(rate),
            "outside": [] if archive is None else steps,
            "archive": archive,
            "inside": [],
            "missing": steps if archive is None else [],
        }

    def _declared(self, given, shape):
        """Declare the values of an input; those of a second one have numbers."""
        number = f"_{len(self.inputs) + 1}" if self.inputs else ""
        self.inputs.append(given)
        shapes = {given["form"]: (np.float32, shape)}
        if given["form"] != "vectors":
            shapes["lengths"] = np.int64, ["batch"]
        given["names"] = [name + number for name in shapes]
        return [self.graph.input(name + number, *shapes[name]) for name in shapes]


def _without_offset(waveform, lengths):
    """Return samples as `without_offset` does, zero after each utterance."""
    inside = waveform.inside(1, lengths)
    x, n_samples = masked(waveform, inside), lengths.as_float().unsqueeze(1)
    mean, power = x.sum(1) / n_samples, (x * x).sum(1) / n_samples
    is_noticeable = x.graph.add("Less", power * NOTICEABLE, mean * mean)
    return masked(x - x.graph.add("Where", is_noticeable, mean, 0.0), inside)


def _log(probabilities):
    return probabilities.then("Max", 1e-12).then("Log")


def inside(model):
    """Return the fitted estimator inside a search, a transfer or an augmentation, or the model."""
    if hasattr(model, "best_estimator_"):
        return model.best_estimator_
    if isinstance(model, _WITH_FITTED_INSIDE):
        check_is_fitted(model)
        return model.estimator_
    return model.estimator if isinstance(model, FrozenEstimator) else model


def _flat(step):
    """Return the transformers of a step, which may be a pipeline itself."""
    step = step.estimator if isinstance(step, FrozenEstimator) else step
    if step is None or isinstance(step, str):  # "passthrough"
        return []
    if isinstance(step, Pipeline):
        return [inner for _, part in step.steps for inner in _flat(part)]
    return [step]


def is_network(model):
    """Return whether a model is a network of this package."""
    from skser.neural_network import NeuralEstimator

    return isinstance(model, NeuralEstimator)


def _takes_vectors(consumer):
    if is_network(consumer):
        return consumer._fitted_on_flat
    # A scaler of sequences notes this for a 2-D array.
    return hasattr(consumer, "n_features_in_")


def _reads_audio(step):
    is_speech = linear.computes_as(step, (SpeechEmbedding,))
    return linear.computes_as(step, SPECTRAL) or (is_speech and is_whisper(step))


def _own_transformers(network):
    """Return the transformers inside a network, or raise if it cannot be exported."""
    own, name = getattr(network, "transformers_", {}), type(network).__name__
    if len(own) > 1:
        raise ValueError(
            f"A {name} of audio and text together cannot be exported to ONNX. Use skser.save."
        )
    n_layers = getattr(network, "n_fine_tuned_layers", 0)
    if n_layers and not are_whisper(network.net_.module_.audio.encoder_layers):
        raise ValueError(
            f"A {name} with n_fine_tuned_layers={n_layers} cannot be exported to ONNX, which has "
            "operators for the layers of Whisper only. Use skser.save."
        )
    return tuple(own.values())


def _refusal(model):
    name = type(model).__name__
    if linear.computes_as(model, linear.DECIDING):
        return f"{name} has no probabilities: export_onnx takes it in a CalibratedClassifierCV."
    hint = ""
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        hint = ". Its threshold cannot be exported: save it with skser.save"
    elif hasattr(model, "estimator_"):
        hint = ". Its part .estimator_ may have them"
    return (
        "export_onnx takes networks, linear models, discriminant analysis, calibrations by "
        f"sigmoids or a temperature, soft votes, stacks, and pipelines of these, not {name}{hint}."
    )


def estimator_of(model):
    """Return the estimator at the end of pipelines, and inside of what is around it."""
    while isinstance(model, Pipeline) or inside(model) is not model:
        model = model[-1] if isinstance(model, Pipeline) else inside(model)
    return model


def targets_of(model):
    """Return the number and the names of a regressor's targets, and whether y was 1-D."""
    names = getattr(model, "target_names_", None)
    model = estimator_of(model)
    if isinstance(model, VotingRegressor | StackingRegressor):
        return {"n": 1, "names": names, "one_dimensional": True}
    if is_network(model):
        names = names or getattr(model, "target_names_", None)
        n, is_1d = len(model._target_mean), bool(model._target_is_1d)
        return {"n": n, "names": names, "one_dimensional": is_1d}
    is_1d = np.ndim(model.coef_) == 1
    return {"n": len(np.atleast_2d(model.coef_)), "names": names, "one_dimensional": is_1d}
