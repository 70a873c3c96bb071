"""The simulator's side of espeak-ng: start the worker, ask, read."""

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from damamba.console import InputError


@dataclass(frozen=True)
class Spoken:
    """What the synthesiser says to one request."""

    wave: np.ndarray
    """(n,) float32 in [-1, 1] at the synthesiser's rate."""
    events: list[tuple[int, str]]
    """(sample, IPA symbol), or (sample, "|") where a word begins."""


class Espeak:
    """A running synthesiser; use it as a context manager.

    Raises:
        InputError: espeak-ng is not installed or does not start.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "damamba_sim.voices.espeak_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        head, _ = self._read()
        if head["error"]:
            self.close()
            raise InputError(f"simulate: no voices: {head['error']}; install them: pip install espeakng-loader==0.2.4")
        self.rate_hz: int = head["rate_hz"]

    def __enter__(self) -> "Espeak":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker: it leaves when its input is closed."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        process.wait()

    def say(self, language_file: str, voice: str, text: str, words_per_minute: int, seed: int) -> Spoken:
        """One utterance; depends on the arguments alone.

        Args:
            language_file: In espeak's ``lang`` folder, such as ``gmw/de``.
            voice: Lines of an espeak voice file, added to the language's own.
            text: UTF-8; ``[[...]]`` holds espeak phonemes.
            words_per_minute: Rate.
            seed: Of the noise in breathy voices.

        Raises:
            InputError: There is no such language, or the voice is refused.
        """
        request = {
            "language": language_file,
            "voice": voice,
            "text": text,
            "words_per_minute": words_per_minute,
            "seed": seed,
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        head, sound = self._read()
        if head["error"]:
            raise InputError(
                f"simulate: espeak-ng {head['error']} (language {language_file}); reinstall espeakng-loader==0.2.4"
            )
        wave = np.frombuffer(sound, "<i2").astype(np.float32) / 32768
        return Spoken(wave, [(sample, name) for sample, name in head["events"]])

    def _read(self) -> tuple[dict, bytes]:
        assert self._process.stdout
        sizes = self._process.stdout.read(8)
        if len(sizes) < 8:
            raise InputError(
                f"simulate: the speech worker ended early (code {self._process.wait()}); run again, "
                "and if it stays so: pip install --force-reinstall espeakng-loader==0.2.4"
            )
        head, body = struct.unpack("<II", sizes)
        return json.loads(self._process.stdout.read(head)), self._process.stdout.read(body)
