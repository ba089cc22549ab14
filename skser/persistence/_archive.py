"""The ZIP archive of a model: skops' members, and one JSON member that describes the model."""

import io
import json
import os
import re
import stat
import struct
import zipfile
from pathlib import Path

from skser._whole_file import whole_file
from skser.persistence._errors import SavedModelError

SCHEMA, INFO = "schema.json", "skser.json"
FORMAT = 2
_DATA = re.compile(r"[\w-]{1,64}\.(npy|npz|bin)")
_LARGEST_TEXT = 2**24  # bytes of a JSON member
_MOST_VALUES = 2**20  # objects and lists in a JSON member, which take far more than their text
_EPOCH = (1980, 1, 1, 0, 0, 0)
# First bytes of pickles, and of those that joblib has compressed: zlib, gzip, bzip2, xz, LZ4.
_PICKLES = (
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    *(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x04\x22M\x18"),
)


def write_archive(path, members):
    """Write an archive in one step.

    Parameters
    ----------
    path : path-like
    members : dict of bytes

    Raises
    ------
    SavedModelError
        If there is no folder for the file.
    OSError
        If the file cannot be written. A file that was there is unchanged.
    """
    require_folder(path)
    with whole_file(os.path.realpath(path)) as file:  # a symbolic link stays one
        file.write(packed(members))


def require_folder(path):
    """Raise `SavedModelError` if a path is not that of a file, or there is no folder for it.

    Parameters
    ----------
    path : path-like
    """
    if Path(path).is_dir():
        raise SavedModelError(
            f"{os.fspath(path)!r} is not the name of a file to write. Give one, such as "
            "model.skser."
        )
    folder = Path(path).parent
    if not folder.is_dir():
        raise SavedModelError(
            f"{os.fspath(path)} cannot be written: there is no folder {os.fspath(folder)!r}."
        )


def packed(members):
    """Return the bytes of an archive, the same for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def read_archive(path):
    """Return the members of an archive as bytes, by name.

    Raises
    ------
    SavedModelError
        If the file is not a saved model, is damaged, or has members that are compressed, unknown,
        repeated or larger than the file.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        return members_of(file, os.fstat(file.fileno()).st_size)


def members_of(file, size):
    """Return the members of an archive in an open file of a size; see `read_archive`."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _check_members(infos, size)
            return {info.filename: archive.read(info) for info in infos}
    except SavedModelError:
        raise
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        ValueError,
        IndexError,
        OverflowError,
        struct.error,
        OSError,
    ) as error:
        file.seek(0)
        remedy = ""
        if file.read(6).startswith(_PICKLES):
            remedy = " Pickles are read by joblib.load; skser.save writes them anew."
        raise SavedModelError(f"It is not a complete archive ({error}).{remedy}") from error


def _check_members(infos, size):
    names = [info.filename for info in infos]
    if "manifest.json" in names:
        raise SavedModelError(
            "It has the format of an earlier version of skser: load it there, and save it with "
            "pickle to bring it here."
        )
    for name in (SCHEMA, INFO):
        if name not in names:
            raise SavedModelError(f"It has no member {name!r}, so skser.save did not write it.")
    for info in infos:
        name = info.filename
        if name not in (SCHEMA, INFO) and not _DATA.fullmatch(name):
            raise SavedModelError(f"It has a member {name!r}, which no saved model has.")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise SavedModelError(f"Its member {name!r} is not a plain file.")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise SavedModelError(f"Its member {name!r} is compressed or encrypted.")
    if len(set(names)) < len(names):
        raise SavedModelError("It has two members of one name.")
    # Members may overlap in a forged archive, so that their sum is what counts.
    if sum(max(info.file_size, info.compress_size) for info in infos) > size:
        raise SavedModelError("Its members are larger than the file.")


def parsed(members, name):
    """Return the content of a JSON member.

    Raises
    ------
    SavedModelError
        If it is not a JSON object, or too large.
    """
    data = members[name]
    if len(data) > _LARGEST_TEXT or data.count(b"{") + data.count(b"[") > _MOST_VALUES:
        raise SavedModelError(f"Its member {name!r} is too large ({len(data)} bytes).")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SavedModelError(
            f"Its member {name!r} is not readable JSON ({type(error).__name__})."
        ) from error
    if not isinstance(content, dict):
        raise SavedModelError(f"Its member {name!r} is not a JSON object.")
    return content


def read_description(members):
    """Return the JSON member that describes the model.

    Raises
    ------
    SavedModelError
        If its format is not the one that this version reads.
    """
    info = parsed(members, INFO)
    versions = info.get("versions")
    if not isinstance(versions, dict) or not all(
        isinstance(version, str | None) for version in versions.values()
    ):
        raise SavedModelError(f"Its member {INFO!r} does not list the versions that wrote it.")
    found = info.get("format")
    if type(found) is not int or found != FORMAT:
        raise SavedModelError(
            f"It has format {found!r}, written by skser {versions.get('skser')}; this version "
            f"reads format {FORMAT}."
        )
    return info
