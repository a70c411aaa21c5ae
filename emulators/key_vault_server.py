"""Plays Azure Key Vault on loopback: the secrets API, with Entra's tokens really checked and deletion in two steps."""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from emulators.controls import CONTROLS, Controls
from emulators.key_vault_access import EntraTrust, KeyVaultAccess
from emulators.key_vault_bundles import Bundles, page
from emulators.key_vault_errors import KeyVaultFaultError, bad_parameter, fault_answer
from emulators.key_vault_secrets import KeyVaultRules, KeyVaultSecrets
from emulators.serving import add_address_options, address_of, serve

Json = dict[str, Any]

_EPILOG: Final = """
example, beside an emulated Entra ID (the tokens are checked against the keys that it publishes):
  python -m emulators.key_vault_server --port 8445 --certificate certs/server.pem --key certs/server.key \\
      --entra-url https://127.0.0.1:8443 --entra-ca certs/ca.pem --tenant TENANT

what clients are given: SecretClient(URL, credential, verify_challenge_resource=False, connection_verify=ca.pem).
When it listens it prints one line of JSON: {"url": "https://127.0.0.1:8445"}. SIGTERM ends it.

controls (POST):
  /_emulator/throttle?requests=N           the next N calls: 429 with Retry-After
  /_emulator/fail?requests=N&status=500    the next N calls fail
  /_emulator/delay?requests=N&seconds=S    the next N calls are answered late
  /_emulator/clock?offset_seconds=S        turn the clock: tokens end, deletions are done
  /_emulator/requests (GET)                what was asked and by whom, without headers and bodies
"""


def application(rules: KeyVaultRules, trust: EntraTrust) -> FastAPI:
    """The vault as an ASGI application."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    controls = Controls(throttled=_throttled, failed=_failed)
    access = KeyVaultAccess(trust, controls.clock.seconds)
    held = KeyVaultSecrets(rules, controls.clock.seconds)

    @app.middleware("http")
    async def check(request: Request, answered: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path.startswith(CONTROLS):
            return await answered(request)
        try:
            request.state.caller = await access.caller(request.headers.get("authorization"))
            if not request.query_params.get("api-version"):
                raise bad_parameter("api-version must be specified")
        except KeyVaultFaultError as error:
            return fault_answer(error)
        return await answered(request)

    @app.exception_handler(KeyVaultFaultError)
    async def refuse(_request: Request, error: KeyVaultFaultError) -> Response:
        return fault_answer(error)

    _add_secrets(app, held, rules)
    _add_deleted_secrets(app, held, rules)
    controls.attach(app)  # last, so that it sees each request first
    return app


def _add_secrets(app: FastAPI, held: KeyVaultSecrets, rules: KeyVaultRules) -> None:
    def bundles(request: Request) -> Bundles:
        return Bundles(str(request.base_url), purge_protection=rules.purge_protection)

    @app.put("/secrets/{name}")
    @app.put("/secrets/{name}/")
    async def set_secret(name: str, request: Request) -> Json:
        return bundles(request).changed(held.set(name, await _body(request)))

    @app.get("/secrets")
    @app.get("/secrets/")
    async def list_secrets(request: Request) -> Json:
        return page([bundles(request).item(secret) for secret in held.all()], *_list_asked(request))

    @app.get("/secrets/{name}")
    @app.get("/secrets/{name}/")
    async def get_secret(name: str, request: Request) -> Json:
        return bundles(request).version(held.get(name))

    @app.get("/secrets/{name}/versions")
    @app.get("/secrets/{name}/versions/")
    async def list_versions(name: str, request: Request) -> Json:
        secret = held.get(name)
        items = [bundles(request).version_item(secret, version) for version in secret.versions]
        return page(items, *_list_asked(request))

    @app.get("/secrets/{name}/{version}")
    @app.get("/secrets/{name}/{version}/")
    async def get_version(name: str, version: str, request: Request) -> Json:
        return bundles(request).version(held.get(name), version)

    @app.delete("/secrets/{name}")
    @app.delete("/secrets/{name}/")
    async def delete_secret(name: str, request: Request) -> Json:
        return bundles(request).deleted(held.delete(name))


def _add_deleted_secrets(app: FastAPI, held: KeyVaultSecrets, rules: KeyVaultRules) -> None:
    def bundles(request: Request) -> Bundles:
        return Bundles(str(request.base_url), purge_protection=rules.purge_protection)

    @app.get("/deletedsecrets")
    @app.get("/deletedsecrets/")
    async def list_deleted(request: Request) -> Json:
        return page([bundles(request).deleted_item(secret) for secret in held.all_deleted()], *_list_asked(request))

    @app.get("/deletedsecrets/{name}")
    @app.get("/deletedsecrets/{name}/")
    async def get_deleted(name: str, request: Request) -> Json:
        return bundles(request).deleted(held.get_deleted(name))

    @app.post("/deletedsecrets/{name}/recover")
    @app.post("/deletedsecrets/{name}/recover/")
    async def recover(name: str, request: Request) -> Json:
        secret = held.recover(name)
        return bundles(request).version_item(secret, secret.versions[-1])

    @app.delete("/deletedsecrets/{name}", status_code=204)
    @app.delete("/deletedsecrets/{name}/", status_code=204)
    async def purge(name: str) -> None:
        held.purge(name)


async def _body(request: Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise bad_parameter("The request body is not JSON.") from error
    if not isinstance(body, dict):
        raise bad_parameter("The request body is not an object.")
    return body


def _list_asked(request: Request) -> tuple[dict[str, str], str]:
    return dict(request.query_params), str(request.url.replace(query=""))


def _throttled(_request: Request) -> Response:
    text = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    return fault_answer(KeyVaultFaultError(429, "Throttled", text, headers={"Retry-After": "1"}))


def _failed(_request: Request, status: int) -> Response:
    return JSONResponse({"error": {"code": "InternalError", "message": "The service had an internal error."}}, status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.key_vault_server",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address_options(parser)
    option = parser.add_argument
    option("--entra-url", required=True, help="token service whose tokens are taken")
    option("--entra-ca", type=Path, help="PEM of the authority of its certificate")
    option("--tenant", required=True, help="tenant whose tokens are taken")
    option("--object-id", action="append", help="`oid` that has a role; repeatable (default: everybody of the tenant)")
    option("--deletion-seconds", type=float, default=0, help="how long deleting, recovering and purging take")
    option("--purge-protection", action="store_true", help="refuse to purge")
    option("--data", type=Path, help="file that keeps the secrets over restarts (default: memory)")
    return parser


def main() -> None:
    """Run the server with the options of the command line."""
    given = _parser().parse_args()
    rules = KeyVaultRules(
        deletion_seconds=given.deletion_seconds, purge_protection=given.purge_protection, data=given.data
    )
    object_ids = frozenset(given.object_id) if given.object_id else None
    trust = EntraTrust(
        url=given.entra_url.rstrip("/"), ca_file=given.entra_ca, tenant=given.tenant, object_ids=object_ids
    )
    serve({"url": (application(rules, trust), address_of(given))})


if __name__ == "__main__":
    main()
