"""The page of a live session: the last minute of everyone, on this machine alone.

A server of the standard library on 127.0.0.1 gives the page, its scripts, and Server-Sent Events. Nothing else is
asked for; the policy of the page forbids it.
"""

import json
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.live.conversation import LiveScore, Stream
from damamba.page import HERE as SHARED
from damamba.svg import COLOURS, SERIES

HERE = Path(__file__).parent
HOST = "127.0.0.1"
KEPT = 60 * LABEL_RATE_HZ
"""Labels that a page which is opened late still gets."""
WAITING = 10 * LABEL_RATE_HZ
"""Labels that wait for a reader; of one that is slower, the oldest are left out."""
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
IDLE_S = 5.0
END = b"event: end\ndata: {}\n\n"


class Page:
    """Hands scores to every browser that listens."""

    def __init__(self, title: str, people: Sequence[str], cues: Sequence[str]) -> None:
        facts = {"people": list(people), "cues": list(cues), "rate_hz": LABEL_RATE_HZ, "colours": SERIES}
        template = Environment(
            loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        ).get_template
        self.files: dict[str, tuple[str, bytes]] = {
            "/": ("text/html", template("page.html.j2").render(title=title).encode()),
            "/page.css": ("text/css", template("page.css.j2").render(colours=COLOURS).encode()),
            "/page.js": ("text/javascript", (HERE / "page.js").read_bytes()),
            "/uplot.js": ("text/javascript", (SHARED / "uplot/uPlot.iife.min.js").read_bytes()),
            "/uplot.css": ("text/css", (SHARED / "uplot/uPlot.min.css").read_bytes()),
            "/session.json": ("application/json", json.dumps(facts, ensure_ascii=False).encode()),
        }
        self.address = ""
        self._lock = threading.Lock()
        self._last: deque[bytes] = deque(maxlen=KEPT)
        self._readers: list[queue.Queue[bytes]] = []

    def send(self, scores: Sequence[LiveScore]) -> None:
        """The scores of one label."""
        record: dict[str, Any] = {
            "time_s": round(scores[0].time_s, 2),
            "delay_s": scores[0].delay_s,
            "people": [
                {"engagement": one.engagement, "missing": [cue for cue, seen in one.observed.items() if not seen]}
                for one in scores
            ],
        }
        self._give(f"data: {json.dumps(record)}\n\n".encode())

    def end(self) -> None:
        """There are no more scores."""
        self._give(END)

    def _give(self, event: bytes) -> None:
        with self._lock:
            self._last.append(event)
            for reader in self._readers:
                if reader.full():
                    reader.get_nowait()
                reader.put_nowait(event)

    def events(self) -> Iterator[bytes]:
        """What has been sent in the last minute, then what is sent; empty where nothing came for a while."""
        reader: queue.Queue[bytes] = queue.Queue(WAITING)
        with self._lock:
            before = b"".join(self._last)
            self._readers.append(reader)
        try:
            yield before
            event = before if before.endswith(END) else b""
            while not event.endswith(END):
                try:
                    event = reader.get(timeout=IDLE_S)
                except queue.Empty:
                    event = b": still here\n\n"
                yield event
        finally:
            with self._lock:
                self._readers.remove(reader)


@contextmanager
def serve(stream: Stream, port: int) -> Iterator[Page]:
    """The page of a session, while the block lasts; see `serving`."""
    title = ", ".join(stream.names)
    page = Page(title, stream.names, list(stream.cues))
    with serving(page, port):
        yield page


@contextmanager
def serving(page: Page, port: int) -> Iterator[None]:
    """Serve a page on the loopback interface.

    Args:
        page: Gets its address.
        port: 0 for a free one.

    Raises:
        InputError: The port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(page))
    except OSError as error:
        raise InputError(f"--port {port}: cannot be used ({error.strerror}); name another one, or --no-page") from None
    server.daemon_threads = True
    page.address = f"http://{HOST}:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        page.end()
        server.shutdown()
        server.server_close()


def _handler(page: Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers this machine alone: under another name, a site elsewhere may be asking."""

        def do_GET(self) -> None:
            """Files of the page, and the events."""
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host not in (HOST, "localhost"):
                self.send_error(403)
            elif self.path == "/events":
                self._begin("text/event-stream")
                self._events()
            elif self.path in page.files:
                kind, content = page.files[self.path]
                self._begin(f"{kind}; charset=utf-8", len(content))
                self.wfile.write(content)
            else:
                self.send_error(404)

        def _begin(self, kind: str, length: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def _events(self) -> None:
            try:
                for event in page.events():
                    self.wfile.write(event)
                    self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                return  # the browser has left

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the terminal belongs to the session."""

    return Handler
