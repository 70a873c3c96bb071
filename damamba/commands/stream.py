"""`damamba stream`: engagement while people talk, from cameras and microphones or from files paced as live."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import fill
from typing import IO, TYPE_CHECKING

from damamba.console import InputError, printable
from damamba.predictor import SHIPPED_CAUSAL

if TYPE_CHECKING:
    from damamba.live.conversation import LiveScore

EXAMPLES = """examples:
  damamba stream camera:0+microphone:default
  damamba stream expert.mp4 --partner novice.mp4 --jsonl scores.jsonl
  damamba stream expert.mp4 novice.mp4 --pace fast --no-page --jsonl - --model data/models/da_mamba-0"""
DECIMALS = 4


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "stream",
        help="live engagement, from cameras and microphones or from files paced as live",
        description=fill(
            "Takes one SOURCE a person: a video, camera:NAME, microphone:NAME, or camera:NAME+microphone:NAME. Needs "
            "a causal model. Scores follow 25 times a second, on a page of this machine and as lines of JSON. Where "
            "the machine cannot keep up, pictures are dropped and counted. Ctrl-C ends it.",
            width=78,
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="of one person each")
    parser.add_argument("--partner", nargs="+", default=[], metavar="SOURCE", help="of people who are not predicted")
    parser.add_argument(
        "--model", type=Path, default=SHIPPED_CAUSAL, metavar="DIR", help="folder of a causal model (the shipped one)"
    )
    parser.add_argument("--jsonl", metavar="PATH", help="write a line for each person and score; - for the terminal")
    parser.add_argument("--pace", choices=("live", "fast"), default="live", help="of files (%(default)s)")
    page = parser.add_mutually_exclusive_group()
    page.add_argument("--port", type=_port, default=0, metavar="N", help="of the page on 127.0.0.1 (a free one)")
    page.add_argument("--no-page", action="store_true", help="without the page")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Stream until the sources end or Ctrl-C.

    Raises:
        InputError: A source or the model cannot be used.
    """
    import torch

    from damamba.live.conversation import Stream
    from damamba.live.page import serve
    from damamba.live.session import sources_of
    from damamba.live.sources import Clock, is_device

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.pace == "fast" and (devices := [one for one in [*options.sources, *options.partner] if is_device(one)]):
        raise InputError(f"{devices[0]}: a device has its own pace; leave out --pace fast")
    torch.set_num_threads(1)  # everyone has a thread already
    clock = Clock(live=options.pace == "live")
    sources = sources_of(options.sources, options.partner, clock)
    stream = Stream(options.model, sources, range(len(options.sources)), clock)
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(options.jsonl))
        people = "1 person" if len(sources) == 1 else f"{len(sources)} people"
        _say(f"{people}, {options.model}; {stream.delay_in_words}")
        page = None
        if not options.no_page:
            page = stack.enter_context(serve(stream, options.port))
            _say(f"page: {page.address}")
        try:
            for scores in stream.scores():
                if lines:
                    lines.writelines(_line(score) for score in scores)
                    lines.flush()
                if page:
                    page.send(scores)
        except KeyboardInterrupt:
            pass  # the usual end
        finally:
            stream.stop()
        for line in stream.summary():
            _say(line)


def _say(text: str) -> None:
    """On stderr: stdout may hold the scores."""
    print(printable(text), file=sys.stderr, flush=True)


def _line(score: "LiveScore") -> str:
    record = {
        "time_s": round(score.time_s, 2),
        "person": score.person,
        "engagement": None if score.engagement is None else round(score.engagement, DECIMALS),
        "observed": [cue for cue, seen in score.observed.items() if seen],
        "delay_s": None if score.delay_s is None else round(score.delay_s, 3),
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


@contextmanager
def _opened(path: str | None) -> Iterator[IO[str] | None]:
    """The file of the lines, standard output, or None."""
    if path is None or path == "-":
        yield sys.stdout if path else None
        return
    try:
        file = Path(path).open("w", encoding="utf8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another file") from None
    with file:
        yield file


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 (a free one) to 65535")
    return number
