"""Pretrained text encoders as a step of a pipeline."""

import functools
import os
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skser._base import SequenceTransformerMixin, in_container
from skser._device import autocast, resolve_device, torch_threads
from skser.audio import as_one_column
from skser.feature_extraction._pooling import POOLINGS, column_names, pooled
from skser.feature_extraction._pretrained import (
    find_checkpoint,
    load_preprocessor,
    load_settings,
    load_weights,
    resolve_layers,
    signature,
)
from skser.sequences import Layout, Sequences, row_index

_TYPES = {
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "mpnet",
    "roberta", "xlm-roberta",
}  # fmt: skip
# They count positions from behind the padding's index.
_POSITIONS_FROM_2 = {"camembert", "mpnet", "roberta", "xlm-roberta"}
_PURPOSE = "TextEmbedding"


class TextEmbedding(SequenceTransformerMixin, BaseEstimator, auto_wrap_output_keys=("transform",)):
    """Hidden states of a pretrained text encoder, pooled or word piece by word piece.

    Needs the extra ``embeddings``. BERT and its family, from the Hugging Face hub or from a
    folder.

    Parameters
    ----------
    checkpoint : path-like, default="sentence-transformers/all-MiniLM-L6-v2"
        Folder, or name on the Hugging Face hub.
    layers : int, tuple of int or "all", default=-1
        Indices into the model's ``hidden_states``: 0 is what enters the first layer, -1 the
        model's output.
    pooling : {"mean", "mean+std", "percentiles", "mean+std+percentiles"} or None, default="mean"
        Statistics over the tokens of a text, the special ones at both ends included, as
        sentence encoders are trained. None gives the word pieces alone, as `Sequences` with a
        channel per layer.
    batch_size : int, default=32
        Texts of similar length computed at a time.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the layers' arithmetic.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    allow_pickle : bool, default=False
        Whether weights that are not in safetensors may be loaded. Such a file can run code.

    Notes
    -----
    A text's result does not depend on what is computed beside it. A text of more tokens than
    the model takes is cut, with a warning that names it.

    References
    ----------
    Devlin, J. et al. (2019). BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding. NAACL.

    Reimers, N. and Gurevych, I. (2019). Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks. EMNLP.

    Examples
    --------
    >>> from skser.feature_extraction import TextEmbedding
    >>> TextEmbedding().transform(["I am so happy", "leave me alone"]).shape  # doctest: +SKIP
    (2, 384)
    """

    _parameter_constraints = {
        "checkpoint": [str, os.PathLike],
        "layers": [Integral, tuple, list, StrOptions({"all"})],
        "pooling": [StrOptions(POOLINGS), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "revision": [str, None],
        "allow_pickle": ["boolean"],
    }

    def __init__(
        self,
        checkpoint="sentence-transformers/all-MiniLM-L6-v2",
        layers=-1,
        pooling="mean",
        *,
        batch_size=32,
        device="auto",
        precision="float32",
        revision=None,
        allow_pickle=False,
    ):
        self.checkpoint = checkpoint
        self.layers = layers
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.revision = revision
        self.allow_pickle = allow_pickle

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X=None, y=None):
        """Check the parameters and the checkpoint; nothing is learned from X.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self : object
        """
        self._layout()
        return self

    def transform(self, X):
        """Compute the hidden states of every text.

        Parameters
        ----------
        X : list or 1-D array of str, or DataFrame
            A DataFrame is taken by its column ``transcript``.

        Returns
        -------
        ndarray of shape (n_texts, n_columns), float32, or Sequences of shape (n_texts,)
            Vectors, or without pooling the word pieces.

        Raises
        ------
        ValueError
            Naming the first text that is empty or missing.
        """
        self._validate_params()
        texts = _texts(X)
        folder = self._folder()
        layers, device = self._layers(), resolve_device(self.device)
        model = _load_encoder(folder, signature(folder), self.allow_pickle, device)
        ids, pieces = self._tokenized(texts, named=True)
        results = [None] * len(texts)
        order = np.argsort([len(row) for row in ids], kind="stable")
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            states = self._states(model, [ids[i] for i in batch], layers, device)
            for i, tokens in zip(batch, states, strict=True):
                if self.pooling is None:
                    tokens = tokens[pieces[i]]
                    if not len(tokens):
                        raise ValueError(f"Utterance {i} has a transcript without a word piece.")
                results[i] = pooled(tokens, self.pooling)
        if self.pooling is None:
            return Sequences.from_list(results, self._layout(), row_index(X))
        return in_container(self, np.stack(results), X)

    def fit_transform(self, X, y=None):
        """Check the parameters and compute the hidden states of every text.

        Parameters
        ----------
        X : list, array or DataFrame
            Texts, as for `transform`.
        y : ignored

        Returns
        -------
        What `transform` returns
        """
        return self.fit(X, y).transform(X)

    def word_pieces(self, X):
        """The word pieces that stand behind the frames of ``pooling=None``.

        Parameters
        ----------
        X : list or 1-D array of str, or DataFrame

        Returns
        -------
        list of list of str
        """
        tokenizer = self._tokenizer()
        return [
            tokenizer.convert_ids_to_tokens([row[i] for i in np.flatnonzero(is_piece)])
            for row, is_piece in zip(*self._tokenized(_texts(X)), strict=True)
        ]

    def _folder(self):
        return find_checkpoint(self.checkpoint, self.revision, self.allow_pickle, _PURPOSE)

    def _config(self):
        return load_settings(self._folder(), _TYPES, "text encoder", _PURPOSE)

    def _layers(self):
        return resolve_layers(self.layers, self._config().num_hidden_layers)

    def _tokenizer(self):
        folder = self._folder()
        return _load_tokenizer(folder, signature(folder))

    def _tokenized(self, texts, named=False):
        """Ids of each text's tokens, and which of them are word pieces, not special tokens."""
        tokenizer = self._tokenizer()
        longest = min(tokenizer.model_max_length, _n_positions(self._config()))
        ids = [tokenizer(text, verbose=False).input_ids for text in texts]
        long = [i for i, row in enumerate(ids) if len(row) > longest]
        if long and named:
            warnings.warn(
                f"{len(long)} texts have more than the {longest} tokens that the encoder takes, "
                f"and are cut: {', '.join(map(str, long[:10]))}.",
                stacklevel=3,
            )
        for i in long:
            ids[i] = tokenizer(texts[i], truncation=True, max_length=longest).input_ids
        special = list(set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})
        return ids, [~np.isin(row, special) for row in ids]

    def _states(self, model, ids, layers, device):
        """List of states (n_tokens, n_layers, width) of some texts, by their tokens' ids."""
        import torch

        lengths = [len(row) for row in ids]
        padded = torch.zeros(len(ids), max(lengths), dtype=torch.int64)
        mask = torch.zeros_like(padded)
        for i, row in enumerate(ids):
            padded[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        with torch_threads(), torch.inference_mode(), autocast(device, self.precision):
            hidden = model(
                padded.to(device), attention_mask=mask.to(device), output_hidden_states=True
            ).hidden_states
        states = torch.stack([hidden[layer].float() for layer in layers], dim=2).cpu().numpy()
        return [tokens[:length] for tokens, length in zip(states, lengths, strict=True)]

    def _layout(self):
        layers = self._layers()
        return Layout(
            column_names(layers, self._config().hidden_size, self.pooling),
            n_channels=1 if self.pooling else len(layers),
        )

    def get_feature_names_out(self, input_features=None):
        """Names of the columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        return np.asarray(self._layout().feature_names, dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _texts(X):
    if hasattr(X, "columns"):
        if "transcript" not in X.columns:
            raise ValueError(
                "The utterance table has no column 'transcript'; its columns are "
                f"{list(X.columns)}."
            )
        X = X["transcript"]
    X = as_one_column(X)
    if isinstance(X, str):
        raise TypeError(f"X is a single text ({X[:40]!r}); pass a list: [text].")
    is_unordered = isinstance(X, dict | set | frozenset)
    if not hasattr(X, "__len__") or is_unordered or getattr(X, "ndim", 1) != 1:
        raise TypeError(f"X must be a list or 1-D array of texts, not {type(X).__name__}.")
    texts = list(X)
    if not texts:
        raise ValueError("There are 0 texts, at least 1 is required.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Utterance {i} has no transcript: {text!r} is not a text.")
        if not text.strip():
            raise ValueError(f"Utterance {i} has an empty transcript.")
    return texts


def _n_positions(config):
    n_positions = getattr(config, "max_position_embeddings", None) or np.inf
    return n_positions - (2 if config.model_type in _POSITIONS_FROM_2 else 0)


@functools.lru_cache(maxsize=4)
def _load_tokenizer(folder, signature):
    return load_preprocessor("AutoTokenizer", folder, _PURPOSE)


@functools.lru_cache(maxsize=2)
def _load_encoder(folder, signature, allow_pickle, device):
    config = load_settings(folder, _TYPES, "text encoder", _PURPOSE)
    model = load_weights(folder, config, allow_pickle, _PURPOSE)
    return model.to(device)
