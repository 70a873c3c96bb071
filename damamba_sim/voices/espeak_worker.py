"""Speak utterances in a separate process: ``python -m damamba_sim.voices.espeak_worker``.

espeak-ng is GPL-3 and is loaded only in this process. It also carries state from one utterance to the next, so each
utterance is spoken by a fork of the freshly initialised process: the same request gives the same bytes, in any order.

Protocol: a request is a line of JSON ``{"language", "voice", "text", "words_per_minute", "seed"}``; `language` is a
file in espeak's ``lang`` folder, `voice` holds lines added to it. A reply is two little-endian uint32 (sizes), JSON
``{"error", "events": [[sample, name], ...]}`` and 16-bit sound. One reply comes before any request, with the sample
rate: ``{"error", "rate_hz"}``.
"""

import ctypes
import json
import os
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

SYNCHRONOUS = 2
PHONEME_EVENTS, IPA, DO_NOT_EXIT = 0x1, 0x2, 0x8000
UTF8, PHONEMES_IN_BRACKETS = 0x1, 0x100
RATE, VOLUME = 1, 2
UNCLIPPED_VOLUME = 40  # the default of 100 clips some voices
EVENT_END, EVENT_WORD, EVENT_PHONEME = 0, 1, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms: too coarse for a mouth
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class Engine:
    """The library, initialised once; `speak` may be called once per process."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        home = Path(espeakng_loader.get_data_path())
        self.languages = home / "lang"
        self.sound: list[bytes] = []
        self.events: list[tuple[int, str]] = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = prototype(self._receive)  # stored, because the library only keeps its address
        options = PHONEME_EVENTS | IPA | DO_NOT_EXIT
        self.rate_hz = self.library.espeak_Initialize(SYNCHRONOUS, 0, os.fsencode(home.parent), options)
        if self.rate_hz <= 0:
            raise OSError(f"espeak-ng does not start with the data in {home}")
        self.library.espeak_SetSynthCallback(self._callback)

    def _receive(self, sound: Any, samples: int, address: int) -> int:
        if samples > 0:
            self.sound.append(ctypes.string_at(sound, 2 * samples))
        while True:
            event = _Event.from_address(address)
            if event.type == EVENT_END:
                return 0
            if event.type == EVENT_PHONEME:
                self.events.append((event.sample, event.id.string.decode("utf8", "ignore")))
            elif event.type == EVENT_WORD:
                self.events.append((event.sample, "|"))
            address += ctypes.sizeof(_Event)

    def speak(self, request: dict[str, Any]) -> str:
        """Fill `sound` and `events`; returns an error message, or ""."""
        base = self.languages / request["language"]
        if not base.is_file():
            return f"no language file {request['language']}"
        with tempfile.NamedTemporaryFile("w", encoding="utf8", prefix="voice-", delete=True) as voice:
            voice.write(base.read_text(encoding="utf8") + "\n" + request["voice"])
            voice.flush()
            if self.library.espeak_ng_SetVoiceByFile(os.fsencode(voice.name)):
                return f"does not accept the voice {request['voice']!r}"
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(request["seed"]))  # otherwise the clock seeds breath
        self.library.espeak_SetParameter(RATE, request["words_per_minute"], 0)
        self.library.espeak_SetParameter(VOLUME, UNCLIPPED_VOLUME, 0)
        text = request["text"].encode()
        flags = UTF8 | PHONEMES_IN_BRACKETS
        code = self.library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, flags, None, None)
        self.library.espeak_Synchronize()
        return f"cannot say {request['text']!r} (code {code})" if code else ""


def _reply(out: BinaryIO, head: dict[str, Any], sound: bytes = b"") -> None:
    packed = json.dumps(head).encode()
    out.write(struct.pack("<II", len(packed), len(sound)) + packed + sound)
    out.flush()


def serve(requests: BinaryIO, out: BinaryIO) -> None:
    """Reply to requests until the input ends."""
    try:
        engine = Engine()
    except (ImportError, OSError) as error:
        _reply(out, {"error": str(error), "rate_hz": 0})
        return
    _reply(out, {"error": "", "rate_hz": engine.rate_hz})
    for line in requests:
        child = os.fork()
        if not child:
            problem = engine.speak(json.loads(line))
            _reply(out, {"error": problem, "events": engine.events}, b"".join(engine.sound))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _reply(out, {"error": f"died with status {status}", "events": []})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C, too, the parent closes the input
    serve(sys.stdin.buffer, sys.stdout.buffer)
