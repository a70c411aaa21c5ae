"""A management API on loopback that answers what a test says, for the commands that call one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

HANG_UP: Final = object()
"""In place of an answer: the connection is closed without one."""


@dataclass
class Script:
    """`answers`: path -> answers in order, the last one again and again; a number is a status without a body.

    `links`: path -> where the next page of its answers is.
    """

    answers: dict[str, list[Any]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    url: str = ""
    _asked: threading.Condition = field(default_factory=threading.Condition)

    def note(self, method: str, path: str, body: Any, key: str | None) -> None:
        with self._asked:
            self.requests.append((method, path, body))
            self.keys.add(key)
            self._asked.notify_all()

    def wait_for_request(self, path: str) -> None:
        """Return once somebody has asked for this path."""
        with self._asked:
            assert self._asked.wait_for(lambda: any(p.endswith(path) for _, p, _ in self.requests), timeout=60)

    def next_answer(self, path: str) -> Any:
        queue = self.answers.get(path, [404])
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def scripted_management(**answers: Any) -> Iterator[Script]:
    """Serve the script while the context is open."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            script.note(self.command, self.path, json.loads(body) if body else None, self.headers.get("x-api-key"))
            answer = script.next_answer(self.path.removeprefix("/management"))
            if answer is HANG_UP:
                self.close_connection = True
                return
            status = answer if isinstance(answer, int) else 200
            content = b"" if isinstance(answer, int) and status < 300 else json.dumps(_shaped(answer)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            if following := script.links.get(self.path.removeprefix("/management")):
                self.send_header("link", f'<{following}>; rel="next"')
            self.end_headers()
            self.wfile.write(content)

    script.answers.update(answers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}/management"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _shaped(answer: Any) -> Any:
    """A status becomes an error as the management API tells it."""
    return [{"message": f"scripted {answer}", "type": "Scripted"}] if isinstance(answer, int) else answer
