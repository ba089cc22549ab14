"""The file of a model: named members, their digests, and nothing that is not listed."""

import hashlib
import json
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

from skser._whole_file import beside, whole_file
from skser.persistence._errors import SavedModelError

FORMAT = 1
MANIFEST = "manifest.json"
# All members that this format knows.
MODEL, ARRAYS, PARTS, CARD = "model.json", "arrays.safetensors", "sklearn.skops", "card.md"
_KNOWN = (MANIFEST, MODEL, ARRAYS, PARTS, CARD)
_LARGEST_TEXT = 2**24
_EPOCH = (1980, 1, 1, 0, 0, 0)
# First bytes of pickles, and of those that joblib has compressed: zlib, gzip, bzip2, xz, LZ4.
_PICKLES = (
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    *(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x04\x22M\x18"),
)
# Windows has no links without leave, and no such flags.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write_archive(path, facts, members):
    """Write a model's file, or its folder, in one step.

    Parameters
    ----------
    path : path-like
        A file, or a folder if it is one already or ends with a separator.
    facts : dict
        What the manifest says of the model, for JSON.
    members : dict of bytes

    Raises
    ------
    SavedModelError
        If the folder around it is not there, or the folder itself holds something else.
    OSError
        If the disk is full or the place cannot be written to; nothing is left behind, and a
        file that was there is as it was.
    """
    given = os.fspath(path)
    target = Path(given)
    if len(members[MODEL]) > _LARGEST_TEXT:
        raise SavedModelError(f"The model's {MODEL} is larger than {_LARGEST_TEXT} bytes.")
    members = {MANIFEST: _manifest(facts, members), **members}
    as_folder = given.endswith(("/", os.sep)) or target.is_dir()
    require_folder(given)
    if as_folder:
        _write_folder(target, members)
    else:
        _write_file(target, members)


def require_folder(path):
    """Refuse to write a file where there is no folder for it.

    Raises
    ------
    SavedModelError
        Naming both.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise SavedModelError(
            f"{os.fspath(path)} cannot be written: there is no folder {os.fspath(folder)!r}."
        )


def _manifest(facts, members):
    listed = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    content = {"format": FORMAT, **facts, "members": listed}
    content["sha256"] = _digest(content)
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _digest(content):
    """Of a manifest, without what it says of itself."""
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _write_file(target, members):
    with whole_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)


def _write_folder(target, members):
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise SavedModelError(f"{target} holds something else than a saved model.")
    part = beside(target)
    part.mkdir()
    try:
        for name, data in members.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if not target.exists():
            part.replace(target)
            return
        # A folder that is not empty cannot be replaced in one step; the old one steps aside.
        aside = beside(target)
        target.replace(aside)
        try:
            part.replace(target)
        except BaseException:
            aside.replace(target)
            raise
        for entry in aside.iterdir():  # a readme, say, which is the user's
            if entry.name not in _KNOWN:
                entry.replace(target / entry.name)
        shutil.rmtree(aside)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def read_archive(path):
    """Read a model's file after checking everything that can be checked without building it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    manifest : dict
    members : dict of bytes

    Raises
    ------
    SavedModelError
        If it is no such file, of another format, damaged, or holds what the manifest does not
        list.
    FileNotFoundError
        If there is nothing.
    """
    path = Path(path)
    if path.is_dir():
        members = _read_folder(path)
    else:
        with path.open("rb") as file:
            members = _read_file(file)
    manifest = _read_manifest(members.pop(MANIFEST))
    listed = manifest["members"]
    _require_same(set(listed), set(members))
    for name, data in members.items():
        if len(data) != listed[name]["size"]:
            raise SavedModelError(
                f"{name} has {len(data)} bytes; the manifest says {listed[name]['size']}."
            )
        if hashlib.sha256(data).hexdigest() != listed[name]["sha256"]:
            raise SavedModelError(f"{name} is damaged: its SHA-256 is not that of the manifest.")
    if MODEL not in members:
        raise SavedModelError(f"There is no {MODEL} in it.")
    return manifest, members


def _read_file(file):
    size = os.fstat(file.fileno()).st_size
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _require_known([info.filename for info in infos])
            for info in infos:
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG):
                    raise SavedModelError(f"{info.filename} is no plain file.")
                if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
                    raise SavedModelError(f"{info.filename} is compressed or encrypted.")
                if not 0 <= info.file_size == info.compress_size <= size:
                    raise SavedModelError(f"{info.filename} is larger than the file.")
            return {info.filename: archive.read(info) for info in infos}
    except SavedModelError:
        raise
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        OverflowError,
        ValueError,
        IndexError,
        struct.error,
        OSError,
    ) as error:
        file.seek(0)
        pickled = file.read(6).startswith(_PICKLES)
        remedy = " - a pickle? joblib.load reads it, skser.save writes it anew" if pickled else ""
        raise SavedModelError(f"It is no whole archive ({error}){remedy}.") from error


def _read_folder(folder):
    # What else lies there is never opened: a readme, say, or what a file manager leaves.
    names = [entry.name for entry in os.scandir(folder) if entry.name in _KNOWN]
    _require_known(names)
    members = {}
    for name in names:
        # Not through a link, and not from a device or a pipe, which would never end.
        try:
            handle = os.open(folder / name, os.O_RDONLY | _NO_LINK)
        except OSError as error:
            raise SavedModelError(f"{name} is no plain file ({error.strerror}).") from error
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            os.close(handle)
            raise SavedModelError(f"{name} is no plain file.")
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SavedModelError(f"{name} is no plain file.")
            members[name] = file.read()
    return members


def _require_known(names):
    for name in names:
        if name not in _KNOWN:
            raise SavedModelError(f"It holds {name!r}, which belongs to no saved model.")
        if names.count(name) > 1:
            raise SavedModelError(f"It holds {name} twice.")
    if MANIFEST not in names:
        raise SavedModelError(f"There is no {MANIFEST} in it: it is no saved model.")


def _require_same(listed, found):
    for name in sorted(listed ^ found):
        lack = "is missing" if name in listed else "is not listed in the manifest"
        raise SavedModelError(f"{name} {lack}.")


def _read_manifest(data):
    manifest = read_json(data, MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("members"), dict):
        raise SavedModelError(f"{MANIFEST} lists no members.")
    found = manifest.get("format")
    if found != FORMAT or isinstance(found, bool):
        writer = manifest.get("versions")
        writer = writer.get("skser") if isinstance(writer, dict) else None
        by = f" by skser {writer}" if isinstance(writer, str) else ""
        raise SavedModelError(
            f"It was written in format {found!r}{by}; this version reads format {FORMAT}."
        )
    versions = manifest.get("versions")
    if not isinstance(versions, dict) or not all(
        isinstance(version, str | None) for version in versions.values()
    ):
        raise SavedModelError(f"{MANIFEST} does not say by which versions it was written.")
    for name, entry in manifest["members"].items():
        if not isinstance(entry, dict) or {"size", "sha256"} - entry.keys():
            raise SavedModelError(f"{MANIFEST} says neither size nor SHA-256 of {name}.")
    if manifest.get("sha256") != _digest(manifest):
        raise SavedModelError(f"{MANIFEST} is damaged: its SHA-256 is not what it says.")
    return manifest


def read_json(data, name):
    """What a JSON member holds.

    Raises
    ------
    SavedModelError
        If it is none, too large or too deep.
    """
    if len(data) > _LARGEST_TEXT:
        raise SavedModelError(f"{name} is larger than {_LARGEST_TEXT} bytes.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SavedModelError(f"{name} is no readable JSON ({type(error).__name__}).") from error
