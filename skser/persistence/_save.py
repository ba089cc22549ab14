"""Save models without pickle."""

import copy
import io
import json
import zipfile

from skser.persistence._allowed import check_sizes
from skser.persistence._archive import FORMAT, INFO, packed, write_archive
from skser.persistence._description import describe, estimators_of, plain_requests, versions
from skser.persistence._errors import SavedModelError
from skser.persistence._schema import canonical


def save(model, path, *, card=None):
    """Save an estimator or a whole pipeline, fitted or not, without pickle.

    The file is an archive of skops, with one more JSON member: versions, labels, features,
    sampling rate, training and card. The same model gives the same bytes.

    Parameters
    ----------
    model : estimator
        Estimator of this package or of scikit-learn, or a pipeline, vote, stack or search of
        both.
    path : path-like
        File to write, by custom ``*.skser``. A file that is there is replaced in one step.
    card : str or None, default=None
        Model card in Markdown, kept in the file.

    Raises
    ------
    SavedModelError
        If a part cannot be saved, such as a function without a name, or there is no folder for
        the file.
    TypeError
        If `card` is not text.
    OSError
        If the disk is full or the file is write-protected; a file that was there is unchanged.

    See Also
    --------
    load : Load a saved model.
    trusted_types : List the types that skops does not trust by default.

    Notes
    -----
    Not saved are `memory` and `checkpoint_dir`, which name folders of one machine; `n_jobs`,
    `n_threads` and `verbose`, which say how one machine works; the `source` of a
    `TransferClassifier`, whose weights are already in the network; and `allow_pickle`. All come
    back as None, 0 or False. Parameters of these names of your own estimators are saved. An
    embedding is saved by the name of its checkpoint, not with it.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skser
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> X, y = np.random.RandomState(0).randn(20, 30, 4), np.repeat(["calm", "tense"], 10)
    >>> model = AttentionFCNClassifier(max_epochs=2, device="cpu", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "emotions.skser")
    ...     skser.save(model, path)
    ...     loaded = skser.load(path)
    >>> np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    True
    """
    if not isinstance(card, str | None):
        raise TypeError(f"card must be text in Markdown or None, got {type(card).__name__}.")
    write_archive(path, _members(model, card))


def dumps(model):
    """Return the bytes of the file that `save` writes.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    bytes

    Raises
    ------
    SavedModelError
        If a part cannot be saved.
    """
    return packed(_members(model, None))


def _members(model, card):
    if not hasattr(model, "get_params") or isinstance(model, type):
        raise SavedModelError(f"{type(model).__name__} is not an estimator.")
    info = {**describe(model), "format": FORMAT, "versions": versions(), "card": card}
    for _, estimator in estimators_of(model):
        check_sizes(estimator)
    try:
        members = canonical(_dumped(_with_plain_requests(model)))
    except SavedModelError as error:
        raise SavedModelError(f"{type(model).__name__} cannot be saved. {error}") from error
    text = json.dumps(info, allow_nan=False, separators=(",", ":"))
    return {INFO: text.encode(), **members}


def trusted_types(model):
    """List the types of a model that skops does not trust by default.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    list of str
        Full names, for ``skops.io.load(..., trusted=...)`` and
        ``mlflow.sklearn.log_model(..., skops_trusted_types=...)``.

    Examples
    --------
    >>> from skser.persistence import trusted_types
    >>> from skser.preprocessing import SequenceScaler
    >>> trusted_types(SequenceScaler())
    ['skser.preprocessing._scaler.SequenceScaler']
    """
    import skops.io

    return skops.io.get_untrusted_types(data=skops.io.dumps(model))


def _dumped(model):
    import skops.io

    try:
        data = skops.io.dumps(model)
    except RecursionError as error:
        raise SavedModelError("It is too deep, or contains itself.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(
            f"A part cannot be stored without pickle ({type(error).__name__}: {error})."
        ) from error
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_plain_requests(model):
    """Return the model, or a copy whose metadata requests are dicts.

    A request refers back to its estimator, which skops cannot follow.
    """
    if not any("_metadata_request" in vars(e) for _, e in estimators_of(model)):
        return model
    model = copy.deepcopy(model)
    for _, estimator in estimators_of(model):
        if "_metadata_request" in vars(estimator):
            estimator._metadata_request = plain_requests(estimator._metadata_request)
    return model
