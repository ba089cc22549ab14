"""Models on the Hugging Face Hub, by names such as ``hf:owner/name``."""

import re
from pathlib import Path

from skser._optional import import_optional
from skser.persistence._errors import SavedModelError

_PREFIX = "hf:"
_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[^@]+))?(?:@(?P<revision>.+))?")
_USUAL = "model.skser"


def local_path(path):
    """Return the path of a model's file, after a download if it is on the Hugging Face Hub.

    Parameters
    ----------
    path : path-like
        Path, which is returned as it is, or a name such as ``"hf:owner/name"``,
        ``"hf:owner/name@v1.0"`` or ``"hf:owner/name/emotions.skser"``.

    Returns
    -------
    path-like

    Raises
    ------
    ImportError
        If the name is one of the hub and huggingface_hub is not installed.
    SavedModelError
        If the name is not of this form, or the model has several files and none is called
        model.skser.
    FileNotFoundError
        If there is no such model, revision or file.
    PermissionError
        If the model is shared on request only.
    ConnectionError
        If the hub cannot be reached and the file was not downloaded before.
    """
    if not isinstance(path, str) or not path.startswith(_PREFIX):
        return path
    parts = _NAME.fullmatch(path)
    if parts is None:
        raise SavedModelError(
            f"{path} is not the name of a model on the hub. Expected 'hf:owner/name', "
            "'hf:owner/name@revision' or 'hf:owner/name/file.skser'."
        )
    hub = import_optional("huggingface_hub", extra="hub", purpose=f"Loading {path}")
    return _downloaded(hub, path, **parts.groupdict())


def _downloaded(hub, path, repo, file, revision):
    from huggingface_hub import errors

    try:
        try:
            return hub.hf_hub_download(repo, file or _USUAL, revision=revision)
        except errors.RemoteEntryNotFoundError as error:
            names = hub.HfApi().list_repo_files(repo, revision=revision)
            if file is not None:
                raise FileNotFoundError(
                    f"{path}: {repo} has no file {file}, but {', '.join(names)}."
                ) from error
        return hub.hf_hub_download(repo, _only_model(path, names), revision=revision)
    except errors.GatedRepoError as error:
        raise PermissionError(
            f"{path} is shared on request. Ask its owner for access at "
            f"https://huggingface.co/{repo}, then log in with 'hf auth login'."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"There is no model {repo} on the hub, or it is private. Check its name, or log in "
            "with 'hf auth login'."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise FileNotFoundError(
            f"{repo} has no revision {revision}. Give a tag, a branch or a commit of it."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError) as error:
        # Only the hub knows whether they are all models that the repository has.
        cached = _cached(hub, repo, revision) if file is None else []
        named = f" In the cache are {', '.join(cached)}, by these names." if cached else ""
        raise ConnectionError(
            f"{path} is not in the cache, and the hub does not answer.{named} Try again later, or "
            f"download the file elsewhere and load it by its path. ({_in_short(error)})"
        ) from error


def _cached(hub, repo, revision):
    """Return the names of a repository's saved models that were downloaded before."""
    try:
        folder = hub.snapshot_download(repo, revision=revision, local_files_only=True)
    except hub.errors.LocalEntryNotFoundError:
        return []
    names = (file.relative_to(folder).as_posix() for file in Path(folder).rglob("*.skser"))
    return [f"hf:{repo}/{name}" for name in sorted(names)]


def _only_model(path, names):
    """Return the one saved model among the files of a repository."""
    models = [name for name in names if name.endswith(".skser")]
    if not models:
        raise FileNotFoundError(
            f"{path} holds no saved model (*.skser). Its files are {', '.join(names)}."
        )
    if len(models) > 1:
        raise SavedModelError(
            f"{path} holds several models. Name one of them, such as {path.partition('@')[0]}/"
            f"{models[0]}; the others are {', '.join(models[1:])}."
        )
    return models[0]


def _in_short(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
