"""Folders of predictions that others made, perhaps as a zip."""

import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from damamba.console import InputError
from damamba.text import size

ZIP_MOST_RATIO = 100
"""Predictions as text are three to ten times as large as their zip."""
ZIP_BASE_BYTES = 1 << 26
"""Unpacked, any zip may have this size; a constant prediction packs well."""
ZIP_MOST_FILES = 1 << 13


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A folder of predictions itself, or the folder that a zip unpacks to.

    Raises:
        InputError: Neither, or a zip that is damaged or larger than predictions can be.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path}: no such folder or zip; name the predictions")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _check_zip(path, archive.infolist())
                archive.extractall(folder)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise InputError(f"{path}: not a readable zip ({error}); name a folder or zip of predictions") from None
        except OSError as error:
            raise InputError(
                f"{path}: cannot be unpacked into {folder} ({error.strerror}); unpack it yourself, and name the folder"
            ) from None
        yield Path(folder)


def _check_zip(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise `InputError` where the members could not be predictions."""
    most = ZIP_BASE_BYTES + ZIP_MOST_RATIO * path.stat().st_size
    total = sum(member.file_size for member in members)
    if total > most or len(members) > ZIP_MOST_FILES:
        raise InputError(
            f"{path}: {size(path.stat().st_size)} that unpack to {size(total)} in {len(members)} files; predictions "
            f"are at most {size(most)} in {ZIP_MOST_FILES} files: name a zip of predictions alone"
        )
    names = Counter(member.filename for member in members)
    for name, n in names.items():
        if n > 1 or not name.isprintable():
            what = f"{n} members have this name" if n > 1 else "has characters that cannot be printed"
            raise InputError(f"{path}, member {name[:80]!a}: {what}; pack it again")
