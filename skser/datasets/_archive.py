"""Unpacking of archives from untrusted sources by pooch, after checks that pooch does not make."""

import stat
import zipfile
from pathlib import PurePosixPath, PureWindowsPath


class UnsafeArchiveError(ValueError):
    """Archive that could write outside its folder, follow links or fill the disk."""


def unpack_zip(archive, folder, max_bytes, max_members):
    """Unpack a ZIP archive into an empty folder, or refuse it before writing anything.

    An archive is refused if a member has an absolute path or ``..`` in it, is a link or another
    special file, is encrypted, or has the same name as another member, or if the archive holds
    more members or bytes than allowed.

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
    import pooch

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
    seen = {}
    for member in members:
        path = str(_safe_path(member))
        # Windows and macOS treat names that differ only in case as the same file.
        if path.casefold() in seen:
            raise UnsafeArchiveError(f"it contains the member {seen[path.casefold()]!r} twice")
        seen[path.casefold()] = path
    pooch.Unzip(extract_dir=str(folder.absolute()))(str(archive), "download", None)
    for member in members:
        if not member.is_dir() and (folder / _safe_path(member)).stat().st_size != member.file_size:
            raise UnsafeArchiveError(
                f"its member {member.filename!r} does not have the size that the archive states"
            )


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
