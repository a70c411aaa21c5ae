"""Plays HashiCorp Vault (or OpenBao) on loopback: KV version 2, four ways to log in, namespaces, seal, faults."""

import argparse
import json
import secrets
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from emulators.bearer_tokens import keys_in_file
from emulators.controls import CONTROLS, Controls
from emulators.serving import add_address_options, address_of, serve
from emulators.vault import VaultEmulator, VaultOptions
from emulators.vault_logins import LoginRules
from emulators.vault_tokens import LeaseTimes
from emulators.vault_wire import VaultAnswer, VaultFaultError, VaultRequest

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "DELETE", "LIST"]
_LOGIN_POLICY: Final = "connector"
_EPILOG: Final = """
example, and what to set for clients such as the `vault` command:
  python -m emulators.vault_server --port 8200 --root-token dev-only --data vault.json
  export VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=dev-only

When it listens it prints one line of JSON with url, root_token, role_id, secret_id and role. SIGTERM ends it.

controls (POST):
  /_emulator/seal, /_emulator/unseal
  /_emulator/revoke-all-tokens             all but the root token
  /_emulator/rotate-secret-id              answers with the new one; the old one is refused
  /_emulator/throttle?requests=N           the next N calls: 429
  /_emulator/fail?requests=N&status=500    the next N calls fail
  /_emulator/delay?requests=N&seconds=S    the next N calls are answered late
  /_emulator/clock?offset_seconds=S        turn the clock, so that leases end
  /_emulator/requests (GET)                what was asked, without headers and bodies
"""


def application(options: VaultOptions) -> FastAPI:
    """The server as an ASGI application."""
    app = FastAPI(openapi_url=None)
    controls = Controls(throttled=_throttled, failed=_failed)
    vault = VaultEmulator(options, controls.clock)
    controls.attach(app)
    _add_vault_controls(app, vault)

    @app.api_route("/v1/{path:path}", methods=_METHODS)
    async def call(path: str, request: Request) -> Response:
        try:
            asked = await _vault_request(path, request)
        except VaultFaultError as error:
            return _response(error.answer)
        request.state.caller = vault.caller(asked)
        return _response(vault.handle(asked))

    return app


def _add_vault_controls(app: FastAPI, vault: VaultEmulator) -> None:
    @app.post(f"{CONTROLS}/seal")
    async def seal() -> None:
        vault.set_sealed(True)

    @app.post(f"{CONTROLS}/unseal")
    async def unseal() -> None:
        vault.set_sealed(False)

    @app.post(f"{CONTROLS}/revoke-all-tokens")
    async def revoke_all_tokens() -> None:
        vault.revoke_all_tokens()

    @app.post(f"{CONTROLS}/rotate-secret-id")
    async def rotate_secret_id() -> dict[str, str]:
        return {"secret_id": vault.rotate_secret_id()}


async def _vault_request(path: str, request: Request) -> VaultRequest:
    content = await request.body()
    try:
        body = json.loads(content) if content else {}
    except ValueError as error:
        raise VaultFaultError(400, "failed to parse JSON input") from error
    if not isinstance(body, dict):
        raise VaultFaultError(400, "failed to parse JSON input")
    listed = request.method == "GET" and request.query_params.get("list") == "true"
    return VaultRequest(
        method="LIST" if listed else request.method,
        path=path.rstrip("/"),
        namespace=request.headers.get("x-vault-namespace", "").strip("/"),
        token=_token(request),
        query=dict(request.query_params),
        body=body,
    )


def _token(request: Request) -> str:
    bearer = request.headers.get("authorization", "")
    return request.headers.get("x-vault-token") or bearer.removeprefix("Bearer ")


def _response(answer: VaultAnswer) -> Response:
    return Response(status_code=answer.status) if answer.body is None else JSONResponse(answer.body, answer.status)


def _throttled(request: Request) -> Response:
    path = request.url.path.removeprefix("/v1/")
    errors = [f'request path "{path}": rate limit quota exceeded']
    return JSONResponse({"errors": errors}, 429, headers={"Retry-After": "1"})


def _failed(_request: Request, status: int) -> Response:
    return JSONResponse({"errors": ["1 error occurred:\n\t* internal error\n\n"]}, status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.vault_server",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address_options(parser)
    new = secrets.token_urlsafe
    parser.add_argument("--root-token", default=f"hvs.{new(18)}", help="token that may do everything (default: random)")
    parser.add_argument("--role-id", default="connector-role", help="AppRole: the role id")
    parser.add_argument("--secret-id", default=new(24), help="AppRole: the first secret id (default: random)")
    parser.add_argument("--role", default="connector", help="name of the role for Kubernetes and JWT logins")
    parser.add_argument("--jwt-keys", type=Path, help="public key (PEM) or JWKS file; without it no such login")
    parser.add_argument("--jwt-issuer", help="`iss` that is demanded of them (default: any)")
    parser.add_argument("--jwt-audience", help="`aud` that is demanded of them (default: any)")
    parser.add_argument("--lease-seconds", type=int, default=3600, help="life of a token that is not renewed")
    parser.add_argument("--longest-seconds", type=int, default=86400, help="life of a token however often renewed")
    parser.add_argument("--mount", default="secret", help="where the KV version 2 engine is")
    parser.add_argument(
        "--auth-mount", action="append", default=[], metavar="METHOD=MOUNT", help="such as approle=team; repeatable"
    )
    parser.add_argument("--namespace", action="append", default=[], help="a namespace that exists; may be repeated")
    parser.add_argument(
        "--login-prefix", default="", metavar="PREFIX", help="paths that logins may use, such as `team/` (default: all)"
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="NAME=PREFIX",
        help="a policy for auth/token/create; repeatable",
    )
    parser.add_argument("--data", type=Path, help="file that keeps secrets and tokens over restarts (default: memory)")
    return parser


def _options(given: argparse.Namespace) -> VaultOptions:
    rules = LoginRules(
        role=given.role,
        role_id=given.role_id,
        keys=keys_in_file(given.jwt_keys) if given.jwt_keys else None,
        issuer=given.jwt_issuer,
        audience=given.jwt_audience,
        policies=(_LOGIN_POLICY,),
        mounts=_pairs(given.auth_mount),
    )
    return VaultOptions(
        root_token=given.root_token,
        secret_id=given.secret_id,
        logins=rules,
        times=LeaseTimes(given.lease_seconds, given.longest_seconds),
        mount=given.mount,
        namespaces=frozenset(given.namespace),
        policies={**_pairs(given.policy), _LOGIN_POLICY: given.login_prefix},
        data=given.data,
    )


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in given)


def main() -> None:
    """Run the server with the options of the command line."""
    given = _parser().parse_args()
    told = {"root_token": given.root_token, "role_id": given.role_id, "secret_id": given.secret_id, "role": given.role}
    serve({"url": (application(_options(given)), address_of(given))}, told)


if __name__ == "__main__":
    main()
