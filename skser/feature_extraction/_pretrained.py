"""Checkpoints of pretrained encoders: find them on the Hugging Face hub or in a folder, load them.

Everything is checked on the way, and no code of a checkpoint is ever run.
"""

import contextlib
import functools
import hashlib
import os
from numbers import Integral
from pathlib import Path

from sklearn.utils._param_validation import Interval, StrOptions

from skser._optional import import_optional
from skser.feature_extraction._pooling import POOLINGS

# Shared by the transformers that compute hidden states of a checkpoint.
CHECKPOINT_CONSTRAINTS = {
    "checkpoint": [str, os.PathLike],
    "layers": [Integral, tuple, list, StrOptions({"all"})],
    "pooling": [StrOptions(POOLINGS), None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "device": [str],
    "precision": [StrOptions({"float32", "bfloat16"})],
    "revision": [str, None],
    "allow_pickle": ["boolean"],
}
# Files to download. Weights in other formats are left out: many checkpoints hold them twice.
_FILES = [
    "config.json", "preprocessor_config.json", "tokenizer*", "vocab*", "merges.txt", "*.model",
    "special_tokens_map.json", "added_tokens.json",
    "model.safetensors", "model-*.safetensors", "model.safetensors.index.json",
]  # fmt: skip
# Checkpoints that come with the package lie below the folder of the models that use them, since an
# ONNX file can refer only to weights in its own folder or below.
_SHIPPED_FOLDER = Path(__file__).parents[1] / "persistence/models"
SHIPPED_CHECKPOINTS = ("whisper-tiny-lower",)
_PICKLED = ["pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"]


# Keys of a configuration that name code, kernels, other files or other repositories.
_CODE = {
    "_commit_hash", "_name_or_path", "auto_map", "code_revision", "custom_generate",
    "custom_pipelines", "kernel_config", "quantization_config", "transformers_weights",
    "trust_remote_code", "use_kernels",
}  # fmt: skip
_ATTENTION = ("eager", "sdpa")


class CheckpointError(ValueError):
    """A checkpoint that is missing, of the wrong kind, or broken."""


def library(name, purpose):
    """Import transformers, or another library of the extra ``embeddings``, when it is needed."""
    return import_optional(name, extra="embeddings", purpose=purpose)


def find_checkpoint(checkpoint, revision, allow_pickle, purpose):
    """Return the folder of a checkpoint, after downloading it from the hub if necessary.

    Parameters
    ----------
    checkpoint : path-like
        Name in `SHIPPED_CHECKPOINTS`, folder, or name on the hub such as
        ``"openai/whisper-tiny"``.
    revision : str or None
        Branch, tag or commit on the hub.
    allow_pickle : bool
        Whether to download pickled weights too.
    purpose : str
        Name of the calling class, for messages.

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If the checkpoint does not exist, or is not in the cache while the hub is out of reach.
    """
    if checkpoint in SHIPPED_CHECKPOINTS:
        if revision is not None:
            raise CheckpointError(
                f"revision={revision!r} selects a version on the Hugging Face hub, but "
                f"{checkpoint!r} comes with this package: leave revision=None."
            )
        return _SHIPPED_FOLDER / checkpoint
    checkpoint = os.path.expanduser(os.fspath(checkpoint))
    if os.path.isdir(checkpoint):
        return Path(checkpoint).resolve()
    return _downloaded(checkpoint, revision, allow_pickle, purpose)


@functools.lru_cache(maxsize=16)
def _downloaded(checkpoint, revision, allow_pickle, purpose):
    library("transformers", purpose)  # raises before anything is downloaded if it is missing
    hub = library("huggingface_hub", purpose)
    errors = library("huggingface_hub.errors", purpose)
    patterns = _FILES + (_PICKLED if allow_pickle else [])
    try:
        return Path(hub.snapshot_download(checkpoint, revision=revision, allow_patterns=patterns))
    except errors.HFValidationError as error:
        raise CheckpointError(
            f"checkpoint={checkpoint!r} is neither an existing folder nor a valid name on the "
            "Hugging Face hub, such as 'openai/whisper-tiny', nor one of the checkpoints that come "
            f"with skser: {', '.join(SHIPPED_CHECKPOINTS)}."
        ) from error
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint!r} is available only to users who accepted its "
            "conditions: accept them on its page at the hub, and set the environment variable "
            "HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"The hub has no checkpoint {checkpoint!r}, and there is no such folder. If the "
            "checkpoint is private, set the environment variable HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint!r} has no revision {revision!r}: use a branch, tag or "
            "commit that it has."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"There is no folder {checkpoint!r}, the cache {hub.constants.HF_HUB_CACHE} does not "
            f"hold a checkpoint of that name, and it could not be downloaded from the hub "
            f"({type(error).__name__}). Download it where there is a network and pass its folder, "
            "or set the environment variable HF_HOME to the cache that holds it."
        ) from error


def load_settings(folder, types, kind, purpose):
    """Read the configuration of a checkpoint and check the type of its model.

    Keys that name code, kernels or repositories are dropped: transformers would ask the hub for
    an ``attn_implementation`` that it does not know.

    Parameters
    ----------
    folder : Path
    types : collection of str
        Accepted values of ``model_type``.
    kind : str
        Name for models of these types in messages, such as ``"speech encoder"``.
    purpose : str
        Name of the calling class, for messages.

    Returns
    -------
    transformers.PretrainedConfig

    Raises
    ------
    CheckpointError
        If the configuration is missing or unusable, or the model is of another type.
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
            f"{folder} holds a model of type {model_type!r}, but {purpose} needs a {kind}: one of "
            f"{', '.join(sorted(types))}."
        )
    try:
        return transformers.CONFIG_MAPPING[model_type].from_dict(_without_code(found))
    except Exception as error:  # transformers raises errors of any type for bad values
        raise CheckpointError(
            f"The config.json in {folder} is not usable ({_first_line(error)}): download the "
            "checkpoint again."
        ) from error


def _without_code(settings):
    return {
        key: _without_code(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if key not in _CODE and "_implementation" not in key
    }


def load_preprocessor(name, folder, purpose):
    """Load the checkpoint's ``AutoFeatureExtractor`` or ``AutoTokenizer``."""
    transformers = library("transformers", purpose)
    try:
        return getattr(transformers, name).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises errors of any type for bad values
        file = "vocabulary" if "Tokenizer" in name else "preprocessor_config.json"
        raise CheckpointError(
            f"{folder} holds no usable {file} ({_first_line(error)}): download the checkpoint "
            "again."
        ) from error


def load_weights(folder, config, allow_pickle, purpose, whisper_encoder=False):
    """Load the model of a checkpoint, in single precision and ready for inference.

    Only the weights of the layers that `config` asks for are read, and with `whisper_encoder`
    only those of the encoder.

    Raises
    ------
    CheckpointError
        If weights are missing, damaged, of the wrong shape, or pickled while `allow_pickle` is
        False.
    """
    transformers = library("transformers", purpose)
    safe = any(folder.glob("*.safetensors"))
    if not safe and not allow_pickle:
        raise CheckpointError(
            f"{folder} holds no weights in safetensors. Pickled weights can run code while they "
            "are loaded: pass allow_pickle=True only if you trust their source."
        )
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(
            f"{folder} holds an adapter, which names another checkpoint: merge the adapter into "
            "that one and save the result."
        )
    import torch

    model_class, renamed = transformers.AutoModel, None
    if whisper_encoder:
        whisper = library("transformers.models.whisper.modeling_whisper", purpose)
        # The decoder's table of words alone is larger than the encoder of a small model.
        model_class, renamed = whisper.WhisperEncoder, {r"^(model\.)?encoder\.": ""}
    try:
        # Missing weights are drawn at random, which must not advance the caller's generator.
        with _quiet(transformers), torch.random.fork_rng(devices=[]):
            model, report = model_class.from_pretrained(
                folder,
                config=config,
                use_safetensors=safe,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                key_mapping=renamed,
                dtype=torch.float32,
            )
    except Exception as error:  # the readers of both formats raise errors of many types
        raise CheckpointError(
            f"The weights in {folder} cannot be read ({_first_line(error)}): download the "
            "checkpoint again."
        ) from error
    attention = getattr(model.config, "_attn_implementation", None)
    if attention not in _ATTENTION:
        raise CheckpointError(f"The attention of {folder} is {attention!r}, which is not built in.")
    # These may be missing: only training masks frames, decoder and pooler are not used, and
    # Whisper's encoder computes its positions.
    optional = ("decoder.", "pooler.")
    if config.model_type == "whisper":
        optional += ("embed_positions.",)
    missing = sorted(
        name
        for name in report["missing_keys"]
        if "masked_spec_embed" not in name and not name.startswith(optional)
    )
    if missing:
        raise CheckpointError(
            f"The weights in {folder} lack {len(missing)} tensors of the model, such as "
            f"{missing[0]!r}, which would be random: use a complete checkpoint."
        )
    broken = [name for name, p in model.named_parameters() if not bool(torch.isfinite(p).all())]
    if broken and broken[0] not in report["missing_keys"]:
        raise CheckpointError(
            f"The weights in {folder} are not finite, such as {broken[0]!r}: download the "
            "checkpoint again."
        )
    return model.eval().requires_grad_(False)


def signature(folder):
    """Return the names, sizes and modification times of a folder's files.

    They are quick to get, and suffice to notice that the folder holds another model.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def fingerprint(folder):
    """Return a digest of a model's files that does not depend on where they lie."""
    return _digest(folder, signature(folder))


@functools.lru_cache(maxsize=8)
def _digest(folder, signature):
    digest = hashlib.blake2b(digest_size=16)
    for name, *_ in signature:
        digest.update(name.encode())
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def resolve_layers(layers, depth, original_depth=None):
    """Return nonnegative indices into the ``hidden_states`` of a model of `depth` layers.

    They are in the order of `layers`. If the checkpoint holds only the lower layers of a model
    with `original_depth` layers, the message of an error says so.

    Raises
    ------
    ValueError
        If there are none, or one is out of range or repeated.
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
        held = f"the encoder has {depth} layers"
        if original_depth is not None and original_depth > depth:
            held = f"the checkpoint holds the lower {depth} of {original_depth} layers"
        raise ValueError(
            f"layers={layers!r} must be integers from {-depth - 1} to {depth}, each at most once: "
            f"{held}, and 0 is the input of the first."
        )
    return found


@contextlib.contextmanager
def _quiet(transformers):
    """Silence transformers' progress bars and its report of unused heads."""
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
