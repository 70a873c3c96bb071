"""NumPy: ``.npy`` with (N, D), and ``.npz`` with such an array beside times or a rate."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from damamba.console import InputError
from damamba.importing.feature_file import FeatureFile, ReadOptions, complete
from damamba.importing.formats.base import Format
from damamba.importing.table import Table

TIMES = ("t_s", "t", "time", "times", "timestamps", "timestamp")
RATES = ("rate_hz", "rate", "fps", "sr")
NAMES = ("channels", "names", "columns")


class Arrays(Format):
    """An array of numbers."""

    title, suffixes = "NumPy", (".npy", ".npz")

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the suffix."""
        return True

    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """Read the array of numbers, and what stands beside it."""
        try:
            loaded = np.load(path, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                arrays = {"x": loaded}
            else:
                with loaded:
                    arrays = {name: loaded[name] for name in loaded.files}
        except (ValueError, OSError, EOFError, BadZipFile, KeyError) as error:
            raise InputError(f"{path}: not NumPy's format, or cut off ({' '.join(str(error).split())[:120]})") from None
        times = next((arrays.pop(name) for name in TIMES if name in arrays), None)
        rate = next((arrays.pop(name) for name in RATES if name in arrays), None)
        names = next((arrays.pop(name) for name in NAMES if name in arrays), None)
        numeric = {name: a for name, a in arrays.items() if a.dtype.kind in "fiub" and a.ndim in (1, 2) and a.size}
        if len(numeric) != 1:
            shown = ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in arrays.items())
            raise InputError(f"{path}: has {shown[:200] or 'nothing'}; expected one array of numbers (rows, channels)")
        x = next(iter(numeric.values()))
        x = x[:, None] if x.ndim == 1 else x
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        channels = tuple(map(str, names.tolist())) if names is not None else tuple(map(str, range(x.shape[1])))
        if len(channels) != x.shape[1] or len(set(channels)) != len(channels):
            raise InputError(f"{path}: {len(channels)} names, some perhaps twice, for {x.shape[1]} channels")
        if times is not None and times.shape != (len(x),):
            raise InputError(f"{path}: times of shape {times.shape} for {len(x)} rows; expected one time a row")
        kept = [i for i, name in enumerate(channels) if name not in options.drop]
        if times is not None:
            times = times.astype(np.float64) * (options.unit_s or 1.0)
        return FeatureFile(
            path, self.title, "", "other", tuple(channels[i] for i in kept), x[:, kept],
            complete(x[:, kept]), t_s=times, rate_hz=float(rate) if rate is not None else None,
        )  # fmt: skip
