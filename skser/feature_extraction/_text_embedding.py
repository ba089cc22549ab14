"""Embeddings of transcripts by pretrained text encoders, as a step of a pipeline."""

import functools
import warnings

import numpy as np

from skser._base import in_container
from skser._device import autocast, resolve_device, torch_threads
from skser._docstrings import insert_descriptions
from skser.audio import as_one_column
from skser.feature_extraction._base import StatelessTransformer
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._pooling import column_names, pooled
from skser.feature_extraction._pretrained import (
    CHECKPOINT_CONSTRAINTS,
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
# These number positions from 2, after the index of the padding token.
_POSITIONS_FROM_2 = {"camembert", "mpnet", "roberta", "xlm-roberta"}
_PURPOSE = "TextEmbedding"


@insert_descriptions(DESCRIPTIONS)
class TextEmbedding(StatelessTransformer, auto_wrap_output_keys=("transform",)):
    """Hidden states of a pretrained text encoder, pooled or word piece by word piece.

    The encoder is BERT or one of its relatives, from the Hugging Face hub or from a folder. This
    class needs the extra ``embeddings``.

    Parameters
    ----------
    checkpoint : path-like, default="sentence-transformers/all-MiniLM-L6-v2"
        Folder of the checkpoint, or its name on the Hugging Face hub.
    layers : int, tuple of int or "all", default=-1
        Layers to return, as indices into the model's ``hidden_states``. Index 0 is the input of
        the first layer; -1 is the model's output.
    pooling : {"mean", "mean+std", "percentiles", "mean+std+percentiles"} or None, default="mean"
        Statistics over the tokens of a text, including the special tokens at both ends, as in
        the training of sentence encoders. The percentiles are the 10th, 25th, 50th, 75th and
        90th. None returns the word pieces without the special tokens, as `Sequences` with one
        channel per layer.
    batch_size : int, default=32
        Number of texts of similar length computed at a time.
    device : str, default="auto"
        Torch device. "auto" is the first of cuda, mps and cpu that is available.
    {precision}
    {revision}
    {allow_pickle}

    Notes
    -----
    A text's result does not depend on the other texts. A text with more tokens than the model
    accepts is cut, and a warning names it.

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

    _parameter_constraints = CHECKPOINT_CONSTRAINTS

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

    def transform(self, X):
        """Compute the hidden states of every text.

        Parameters
        ----------
        X : list or 1-D array of str, or DataFrame
            Texts. A DataFrame holds them in its column ``transcript``.

        Returns
        -------
        ndarray of shape (n_texts, n_columns), float32, or Sequences of shape (n_texts,)
            One vector per text, or, without pooling, its word pieces.

        Raises
        ------
        ValueError
            If a text is empty or missing. The error names the first such text.
        """
        self._validate_params()
        texts = _texts(X)
        folder = self._folder()
        layers, device = self._prepare(), resolve_device(self.device)
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
                        raise ValueError(
                            f"The transcript of utterance {i} has no word pieces: leave it out."
                        )
                results[i] = pooled(tokens, self.pooling)
        if self.pooling is None:
            return Sequences.from_list(results, self._layout(layers), row_index(X))
        return in_container(self, np.stack(results), X)

    def word_pieces(self, X):
        """Return the word pieces of every text, one for each frame of ``pooling=None``.

        Parameters
        ----------
        X : list or 1-D array of str, or DataFrame
            Texts, as for `transform`.

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

    def _prepare(self):
        return resolve_layers(self.layers, self._config().num_hidden_layers)

    def _tokenizer(self):
        folder = self._folder()
        return _load_tokenizer(folder, signature(folder))

    def _tokenized(self, texts, named=False):
        """Return the ids of each text's tokens, and a mask of those that are word pieces.

        The other tokens are special ones, such as [CLS]. `named` warns of texts that are cut.
        """
        tokenizer = self._tokenizer()
        longest = min(tokenizer.model_max_length, _n_positions(self._config()))
        ids = [tokenizer(text, verbose=False).input_ids for text in texts]
        long = [i for i, row in enumerate(ids) if len(row) > longest]
        if long and named:
            warnings.warn(
                f"{len(long)} of {len(texts)} texts have more than the {longest} tokens that the "
                f"encoder accepts, and are cut: {', '.join(map(str, long[:10]))}.",
                stacklevel=3,
            )
        for i in long:
            ids[i] = tokenizer(texts[i], truncation=True, max_length=longest).input_ids
        special = list(set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})
        return ids, [~np.isin(row, special) for row in ids]

    def _states(self, model, ids, layers, device):
        """Compute the states of a batch of texts, a list of (n_tokens, n_layers, width).

        `ids` holds the ids of each text's tokens.
        """
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

    def _layout(self, layers):
        return Layout(
            column_names(layers, self._config().hidden_size, self.pooling),
            n_channels=1 if self.pooling else len(layers),
        )


def _texts(X):
    if hasattr(X, "columns"):
        if "transcript" not in X.columns:
            raise ValueError(
                "The utterance table has no column 'transcript', which holds the texts; its "
                f"columns are {list(X.columns)}."
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
        raise ValueError("X holds 0 texts, at least 1 is required.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"Utterance {i} has no transcript, since {text!r} is not a text: leave it out."
            )
        if not text.strip():
            raise ValueError(f"Utterance {i} has an empty transcript: leave it out.")
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
