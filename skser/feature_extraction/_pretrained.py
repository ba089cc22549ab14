"""Pretrained encoders of the Hugging Face hub or of a folder: found, checked, loaded."""

import contextlib
import functools
import hashlib
import os
from numbers import Integral
from pathlib import Path

from skser._optional import import_optional

# No other weights: some checkpoints hold the same ones in several forms.
_FILES = [
    "config.json", "preprocessor_config.json", "tokenizer*", "vocab*", "merges.txt", "*.model",
    "special_tokens_map.json", "added_tokens.json",
    "model.safetensors", "model-*.safetensors", "model.safetensors.index.json",
]  # fmt: skip
_PICKLED = ["pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"]


class CheckpointError(ValueError):
    """A checkpoint that is not there, of the wrong kind, or broken."""


def library(name, purpose):
    """Transformers and its like, imported where they are used."""
    return import_optional(name, extra="embeddings", purpose=purpose)


def find_checkpoint(checkpoint, revision, allow_pickle, purpose):
    """Folder of a checkpoint, downloaded from the hub if it is no folder and not there yet.

    Parameters
    ----------
    checkpoint : path-like
        Folder, or name on the hub such as ``"openai/whisper-tiny"``.
    revision : str or None
        Branch, tag or commit on the hub.
    allow_pickle : bool
        Whether pickled weights may be downloaded too.
    purpose : str
        Who needs it, for messages.

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or it can be reached neither in the cache nor at the hub.
    """
    checkpoint = os.path.expanduser(os.fspath(checkpoint))
    if os.path.isdir(checkpoint):
        return Path(checkpoint).resolve()
    return _downloaded(checkpoint, revision, allow_pickle, purpose)


@functools.lru_cache(maxsize=16)
def _downloaded(checkpoint, revision, allow_pickle, purpose):
    library("transformers", purpose)  # nothing is downloaded that could not be read
    hub = library("huggingface_hub", purpose)
    errors = library("huggingface_hub.errors", purpose)
    patterns = _FILES + (_PICKLED if allow_pickle else [])
    try:
        return Path(hub.snapshot_download(checkpoint, revision=revision, allow_patterns=patterns))
    except errors.HFValidationError as error:
        raise CheckpointError(
            f"checkpoint={checkpoint!r} is neither a folder that is there nor a name on the "
            "Hugging Face hub, such as 'openai/whisper-tiny'."
        ) from error
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint!r} is only for those who accepted its conditions: do so "
            "on its page at the hub, and set the environment variable HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"The hub has no checkpoint {checkpoint!r}, or none without a token (HF_TOKEN), and "
            "there is no such folder."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint!r} has no revision {revision!r}."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"There is no folder {checkpoint!r}, the cache {hub.constants.HF_HUB_CACHE} does not "
            f"hold a checkpoint of that name, and the hub does not give it "
            f"({type(error).__name__}). Download it where there is a network and give its folder, "
            "or let the environment variable HF_HOME point at the cache that holds it."
        ) from error


def load_settings(folder, types, kind, purpose):
    """Configuration of a checkpoint, of one of some types of model.

    Parameters
    ----------
    folder : Path
    types : collection of str
        The ``model_type`` that will do.
    kind : str
        What such a model is, such as ``"speech encoder"``.
    purpose : str

    Returns
    -------
    transformers.PretrainedConfig

    Raises
    ------
    CheckpointError
    """
    transformers = library("transformers", purpose)
    try:
        found, _ = transformers.PretrainedConfig.get_config_dict(folder, local_files_only=True)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no readable config.json.") from error
    if not found or not isinstance(found, dict):
        raise CheckpointError(f"{folder} holds no readable config.json.")
    model_type = found.get("model_type")
    if model_type not in types:
        raise CheckpointError(
            f"{folder} holds a model of type {model_type!r}, which is no {kind}: "
            f"one of {', '.join(sorted(types))}."
        )
    try:
        return transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever its checks think of the values
        raise CheckpointError(
            f"The config.json in {folder} is not usable ({_first_line(error)})."
        ) from error


def load_preprocessor(name, folder, purpose):
    """The checkpoint's ``AutoFeatureExtractor`` or ``AutoTokenizer``."""
    transformers = library("transformers", purpose)
    try:
        return getattr(transformers, name).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever its checks think of the values
        what = "vocabulary" if "Tokenizer" in name else "preprocessor_config.json"
        raise CheckpointError(f"{folder} holds no usable {what} ({_first_line(error)}).") from error


def load_weights(folder, config, allow_pickle, purpose):
    """The model of a checkpoint, in single precision and ready for inference.

    Raises
    ------
    CheckpointError
        If weights are missing, damaged, of other shapes, or pickled against the user's will.
    """
    transformers = library("transformers", purpose)
    safe = any(folder.glob("*.safetensors"))
    if not safe and not allow_pickle:
        raise CheckpointError(
            f"{folder} holds no weights in safetensors. Pickled weights can run code while they "
            "are loaded: allow_pickle=True takes them."
        )
    import torch

    try:
        # Weights that are missing are drawn at random, which is not to be noticed elsewhere.
        with _quiet(transformers), torch.random.fork_rng(devices=[]):
            model, report = transformers.AutoModel.from_pretrained(
                folder,
                config=config,
                use_safetensors=safe,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except Exception as error:  # whatever the readers of either format think of the file
        raise CheckpointError(
            f"The weights in {folder} cannot be read ({_first_line(error)})."
        ) from error
    # Only training masks frames, and the decoder is not used.
    missing = sorted(
        name
        for name in report["missing_keys"]
        if "masked_spec_embed" not in name and not name.startswith(("decoder.", "pooler."))
    )
    if missing:
        raise CheckpointError(
            f"The weights in {folder} lack {len(missing)} tensors of the model, such as "
            f"{missing[0]!r}: they would be random."
        )
    broken = [name for name, p in model.named_parameters() if not bool(torch.isfinite(p).all())]
    if broken and broken[0] not in report["missing_keys"]:
        raise CheckpointError(f"The weights in {folder} are not finite, such as {broken[0]!r}.")
    return model.eval().requires_grad_(False)


def signature(folder):
    """Names, sizes and times of change of a folder's files: enough to notice another model."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def fingerprint(folder):
    """Digest of the files that a model is made of, wherever they lie."""
    return _digest(folder, signature(folder))


@functools.lru_cache(maxsize=8)
def _digest(folder, signature):
    digest = hashlib.blake2b(digest_size=16)
    for name, *_ in signature:
        digest.update(name.encode())
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def resolve_layers(layers, depth):
    """Indices into the ``hidden_states`` of a model of `depth` layers, from 0, in the order given.

    Raises
    ------
    ValueError
        If one is out of range, or there are none.
    """
    if isinstance(layers, str):
        return tuple(range(depth + 1))
    given = [layers] if not isinstance(layers, list | tuple) else list(layers)
    found = tuple(
        int(layer) % (depth + 1)
        for layer in given
        if isinstance(layer, Integral)
        and not isinstance(layer, bool)
        and -depth - 1 <= layer <= depth
    )
    if len(found) < len(given) or not given or len(set(found)) < len(found):
        raise ValueError(
            f"layers={layers!r} must be of {-depth - 1} to {depth}, each once: the encoder has "
            f"{depth} layers, and 0 is what enters the first."
        )
    return found


@contextlib.contextmanager
def _quiet(transformers):
    """Without transformers' progress bars and its report of heads that are not used."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
