"""The one call of a Kubernetes API that Vault makes at a login: whether a service account's token is good."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt


@contextmanager
def token_review(public_key_file: Path) -> Iterator[str]:
    """Serve TokenReview on loopback, for tokens that this key has signed; its address without a path."""
    key = public_key_file.read_text()

    class Review(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({**review, "status": _status(review["spec"]["token"], key)}).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Review) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _status(token: str, key: str) -> dict[str, object]:
    try:
        claims = jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
    except jwt.InvalidTokenError as error:
        return {"authenticated": False, "error": str(error)}
    user = {
        "username": claims["sub"],
        "uid": claims["kubernetes.io"]["serviceaccount"]["uid"],
        "groups": ["system:serviceaccounts"],
    }
    return {"authenticated": True, "user": user, "audiences": [*claims["aud"]]}
