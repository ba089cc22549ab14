"""Unpacking an archive that is not trusted."""

import stat
import zipfile
from pathlib import PurePosixPath, PureWindowsPath

_CHUNK = 1 << 20  # bytes


class UnsafeArchiveError(ValueError):
    """An archive that would write where or what it should not."""


def unpack_zip(archive, folder, max_bytes, max_members):
    """Unpack a ZIP archive into an empty folder, or refuse it before writing a byte.

    Refused are members with an absolute path or ``..``, links and other special files, two
    members of one name, encrypted members, and archives of more members or bytes than allowed.
    Sizes are taken from the archive's list, and are checked again while writing.

    Parameters
    ----------
    archive, folder : Path
    max_bytes, max_members : int

    Raises
    ------
    UnsafeArchiveError
        Naming the member.
    zipfile.BadZipFile
        If it is no archive, or a member is damaged.
    OSError
        If a file cannot be written.
    """
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > max_members:
            raise UnsafeArchiveError(f"it has {len(members):,} members, more than {max_members:,}")
        total = sum(member.file_size for member in members)
        if total > max_bytes:
            raise UnsafeArchiveError(f"it would unpack to {total:,} bytes, more than {max_bytes:,}")
        paths = [_safe_path(member) for member in members]
        names = [str(path).casefold() for path in paths]
        if len(set(names)) < len(names):
            twice = next(
                path for path, name in zip(paths, names, strict=True) if names.count(name) > 1
            )
            raise UnsafeArchiveError(f"its member {str(twice)!r} is there twice")
        for member, path in zip(members, paths, strict=True):
            target = folder / path
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(opened, member, target)


def _safe_path(member):
    """Where a member goes below the folder, or UnsafeArchiveError."""
    name = member.orig_filename.replace("\\", "/")
    path = PurePosixPath(name)
    if (
        not path.parts
        or path.is_absolute()
        or PureWindowsPath(name).drive
        or ".." in path.parts
        or "\0" in name
    ):
        raise UnsafeArchiveError(f"its member {name!r} would leave the folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchiveError(f"its member {name!r} is a link or another special file")
    if member.flag_bits & 0x1:
        raise UnsafeArchiveError(f"its member {name!r} is encrypted")
    return path


def _write(opened, member, target):
    left = member.file_size
    with opened.open(member) as source, open(target, "xb") as sink:
        while left >= 0 and (chunk := source.read(_CHUNK)):
            left -= len(chunk)
            sink.write(chunk)
    if left != 0:
        raise UnsafeArchiveError(f"its member {member.filename!r} is not as large as it says")
