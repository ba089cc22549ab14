"""Save a model without pickle."""

import json

from skser.persistence._archive import ARRAYS, CARD, MODEL, PARTS, write_archive
from skser.persistence._description import describe, versions
from skser.persistence._encoding import Encoder
from skser.persistence._errors import SavedModelError


def save(model, path, *, card=None):
    """Save an estimator or a whole pipeline, fitted or not, without pickle.

    Parameters and fitted attributes become JSON, arrays and weights safetensors, scikit-learn's
    estimators a skops archive. A manifest says what the model takes and gives, how it was
    trained, with which versions, and the size and SHA-256 of everything. The same model gives
    the same bytes.

    Parameters
    ----------
    model : estimator
        Of this package or of scikit-learn, or a pipeline, vote, stack or search of both.
    path : path-like
        File to write, by custom ``*.skser``, replaced in one step if it is there. A folder, if
        it is one or ends with a separator, is written as a folder of the same members.
    card : str or None, default=None
        Model card in Markdown, kept in the file.

    Raises
    ------
    SavedModelError
        Naming the part that cannot be saved, such as a function as a parameter, or the folder
        that is not there.
    OSError
        If the disk is full or may not be written to; what was there before is as it was.

    See Also
    --------
    load : Load a saved model.

    Notes
    -----
    Not saved are `memory` and the `checkpoint_dir` of a network, which name folders of one machine;
    `n_jobs`, `n_threads` and `verbose`, which are how one machine works, and come back as their
    defaults; the `source` of a `TransferClassifier`, whose weights are already in the network;
    `allow_pickle`; the state of the optimiser, with which `partial_fit` would have gone on; and
    losses of single batches.
    An embedding is saved by the name of its checkpoint, not with it.

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
    if not hasattr(model, "get_params") or isinstance(model, type):
        raise SavedModelError(f"{type(model).__name__} is no estimator.")
    encoder = Encoder()
    tree = encoder.encode(model, type(model).__name__)
    members = {MODEL: json.dumps(tree, allow_nan=False).encode()}
    if encoder.arrays:
        from safetensors.numpy import save as save_arrays

        members[ARRAYS] = save_arrays(encoder.arrays)
    if encoder.parts:
        from skser.persistence._sklearn_parts import dump_parts

        members[PARTS] = dump_parts(encoder.parts)
    if card is not None:
        members[CARD] = str(card).encode()
    write_archive(path, {**describe(model), "versions": versions()}, members)
