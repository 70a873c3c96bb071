"""What disks and copies do to a file: flipped bits, stretches of zeros, a missing end."""

from collections.abc import Iterator

import numpy as np

KINDS = ("flip", "zeros", "truncation")


def damages(content: bytes, trials: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Kind and damaged content, the kinds in turn, at places that the seed draws; never the content itself."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < trials:
        kind, place = KINDS[made % len(KINDS)], int(rng.integers(len(content)))
        if kind == "flip":
            damaged = content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]
        elif kind == "zeros":
            stop = min(place + int(rng.integers(1, 512)), len(content))
            damaged = content[:place] + bytes(stop - place) + content[stop:]
        else:
            damaged = content[:place]
        if damaged != content:
            made += 1
            yield kind, damaged
