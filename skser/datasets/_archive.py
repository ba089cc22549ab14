"""Safe unpacking of archives from untrusted sources."""

import stat
import zipfile
from pathlib import PurePosixPath, PureWindowsPath

_CHUNK = 1 << 20  # bytes


class UnsafeArchiveError(ValueError):
    """Archive that could write outside its folder, follow links or fill the disk."""


def unpack_zip(archive, folder, max_bytes, max_members):
    """Unpack a ZIP archive into an empty folder, or refuse it before writing anything.

    An archive is refused if a member has an absolute path or ``..`` in it, is a link or another
    special file, is encrypted, or has the same name as another member, or if the archive holds
    more members or bytes than allowed. The sizes are read from the archive's directory and
    checked again while writing.

    Parameters
    ----------
    archive : Path
        ZIP file.
    folder : Path
        Existing empty folder to unpack into.
    max_bytes : int
        Largest total size of the unpacked members, in bytes.
    max_members : int
        Largest number of members.

    Raises
    ------
    UnsafeArchiveError
        If the archive is refused; the message names the member.
    zipfile.BadZipFile
        If the file is not a ZIP archive, or a member is damaged.
    OSError
        If a file cannot be written.
    """
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > max_members:
            raise UnsafeArchiveError(
                f"it has {len(members):,} members, more than the {max_members:,} allowed"
            )
        total = sum(member.file_size for member in members)
        if total > max_bytes:
            raise UnsafeArchiveError(
                f"it would unpack to {total:,} bytes, more than the {max_bytes:,} allowed"
            )
        paths = [_safe_path(member) for member in members]
        # Windows and macOS treat names that differ only in case as the same file.
        names = [str(path).casefold() for path in paths]
        if len(set(names)) < len(names):
            twice = next(
                path for path, name in zip(paths, names, strict=True) if names.count(name) > 1
            )
            raise UnsafeArchiveError(f"it contains the member {str(twice)!r} twice")
        for member, path in zip(members, paths, strict=True):
            target = folder / path
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(opened, member, target)


def _safe_path(member):
    """Return the path of a member relative to the folder, or raise UnsafeArchiveError."""
    # zipfile cuts `filename` at a null byte; the original name shows the attempt.
    name = member.orig_filename.replace("\\", "/")
    path = PurePosixPath(name)
    if (
        not path.parts
        or path.is_absolute()
        or PureWindowsPath(name).drive
        or ".." in path.parts
        or "\0" in name
    ):
        raise UnsafeArchiveError(f"its member {name!r} would be written outside the folder")
    kind = stat.S_IFMT(member.external_attr >> 16)  # Unix mode; 0 where none was stored
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchiveError(f"its member {name!r} is a link or another special file")
    if member.flag_bits & 0x1:
        raise UnsafeArchiveError(f"its member {name!r} is encrypted")
    return path


def _write(opened, member, target):
    """Write a member to a new file, and stop if it exceeds its declared size."""
    left = member.file_size
    with opened.open(member) as source, open(target, "xb") as sink:
        while left >= 0 and (chunk := source.read(_CHUNK)):
            left -= len(chunk)
            sink.write(chunk)
    if left != 0:
        raise UnsafeArchiveError(
            f"its member {member.filename!r} does not have the size that the archive states"
        )
