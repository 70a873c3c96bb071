"""The simulator's side of espeak-ng: starts the worker, sends requests, reads replies."""

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from damamba.console import InputError
from damamba_sim.voices import espeak_worker


@dataclass(frozen=True)
class Synthesis:
    """The synthesiser's reply to one request."""

    wave: np.ndarray
    """(n,) float32 in [-1, 1] at the rate of the synthesiser."""
    events: list[tuple[int, str]]
    """(sample, IPA symbol), or (sample, "|") at the start of a word."""


class Espeak:
    """A running synthesiser; use it as a context manager.

    Raises:
        InputError: espeak-ng is not installed or does not start.
    """

    def __init__(self) -> None:
        self.worker = subprocess.Popen(
            [sys.executable, "-m", espeak_worker.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
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
        """End the worker, which stops when its input is closed."""
        for pipe in (self.worker.stdin, self.worker.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        self.worker.wait()

    def say(self, language_file: str, voice: str, text: str, words_per_minute: int, seed: int) -> Synthesis:
        """Synthesise one utterance; the result depends only on the arguments.

        Args:
            language_file: File in espeak's ``lang`` folder, such as ``gmw/de``.
            voice: Lines of an espeak voice file, added to those of the language.
            text: UTF-8; espeak phonemes stand in ``[[...]]``.
            words_per_minute: Rate.
            seed: Seed of the noise in breathy voices.

        Raises:
            InputError: The language does not exist, or espeak-ng does not accept the voice.
        """
        request = {
            "language": language_file,
            "voice": voice,
            "text": text,
            "words_per_minute": words_per_minute,
            "seed": seed,
        }
        assert self.worker.stdin
        self.worker.stdin.write(json.dumps(request).encode() + b"\n")
        self.worker.stdin.flush()
        head, sound = self._read()
        if head["error"]:
            raise InputError(
                f"simulate: espeak-ng {head['error']} (language {language_file}); reinstall espeakng-loader==0.2.4"
            )
        wave = np.frombuffer(sound, "<i2").astype(np.float32) / 32768
        return Synthesis(wave, [(sample, name) for sample, name in head["events"]])

    def _read(self) -> tuple[dict, bytes]:
        assert self.worker.stdout
        sizes = self.worker.stdout.read(8)
        if len(sizes) < 8:
            raise InputError(
                f"simulate: the speech worker ended early (code {self.worker.wait()}); run again, "
                "and if it happens again: pip install --force-reinstall espeakng-loader==0.2.4"
            )
        head, body = struct.unpack("<II", sizes)
        return json.loads(self.worker.stdout.read(head)), self.worker.stdout.read(body)
