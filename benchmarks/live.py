"""How many people `damamba stream` follows on this machine, where the time goes, and the time of a model step.

    python benchmarks/live.py MODEL VIDEO VIDEO

Times are those of the processor, not of the clock, so that other programs disturb them little.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from damamba import inference
from damamba.live.conversation import CarriedModel, Stream
from damamba.live.session import file_sources
from damamba.live.sources import Clock

STEPS = 300


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("videos", type=Path, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for n in range(1, len(options.videos) + 1):
        stream = Stream(options.model, file_sources(options.videos[:n], []), range(n), Clock(live=False))
        began = time.process_time()
        labels = sum(1 for _ in stream.scores())
        spent = time.process_time() - began
        seconds = labels / 25
        print(f"{n} people, {seconds:.0f} s: {spent / seconds / n:.3f} s of a core for a second of one of them")
        for person in stream.people:
            each = ", ".join(f"{name} {1000 * s / max(person.pictures, 1):.1f}" for name, s in person.seconds.items())
            print(f"  {person.source.name}: ms a picture in its own thread: {each}")
        print(f"  {os.cpu_count()} cores hold {int((os.cpu_count() or 1) * seconds * n / spent)} people")
    model, _ = inference.load_trained(options.model)
    for n in range(1, 5):
        carried = CarriedModel(model, n, range(n))
        random = np.random.default_rng(0)
        took, seen = [], np.ones(1, bool)
        for _ in range(STEPS):
            cues = [
                {cue: (random.normal(size=(1, width)).astype(np.float32), seen) for cue, width in model.widths.items()}
                for _ in range(n)
            ]
            began = time.thread_time()
            carried.step(cues)
            took.append(time.thread_time() - began)
        middle, late = 1000 * np.quantile(took, [0.5, 0.99])
        print(f"model, {n} people, all of them targets: median {middle:.1f} ms, p99 {late:.1f} ms")


if __name__ == "__main__":
    main()
