"""Plays Entra ID on loopback: client secrets, federated assertions, managed identities, with really signed tokens."""

import argparse
import secrets
import uuid
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from emulators.bearer_tokens import keys_in_file
from emulators.clock import OffsetClock
from emulators.controls import CONTROLS, Controls
from emulators.entra_clients import EXCHANGE_AUDIENCE, EntraClient, Federation
from emulators.entra_errors import EntraRefusalError, Refusal, refusal_answer
from emulators.entra_tokens import EntraTokens, Principal, known_resource
from emulators.managed_identity import ManagedIdentity, managed_identity_application
from emulators.serving import Address, add_address_options, address_of, serve

_TOLD: Final = (
    "tenant",
    "client_id",
    "client_secret",
    "client_object_id",
    "managed_identity_client_id",
    "managed_identity_object_id",
    "identity_header",
)
_EPILOG: Final = """
The token endpoint is https (clients refuse anything else), the endpoints of managed identities are http:
  python -m emulators.certificates certs
  python -m emulators.entra_server --port 8443 --certificate certs/server.pem --key certs/server.key

When it listens it prints one line of JSON with url, managed_identity_url, tenant, client_id, client_secret and so on.

what clients of azure-identity are given: authority=URL, disable_instance_discovery=True, connection_verify=ca.pem;
for managed identities AZURE_POD_IDENTITY_AUTHORITY_HOST=MANAGED_IDENTITY_URL, or
IDENTITY_ENDPOINT=MANAGED_IDENTITY_URL/msi/token with IDENTITY_HEADER. SIGTERM ends it.

controls (POST, at either address):
  /_emulator/rotate-client-secret          answers with the new one; the old one is refused
  /_emulator/token-life?seconds=S          of the tokens to come
  /_emulator/clock?offset_seconds=S        turn the clock
  /_emulator/throttle?requests=N           the next N token requests: 429
  /_emulator/fail?requests=N&status=503    the next N token requests fail
  /_emulator/delay?requests=N&seconds=S    the next N token requests are answered late
  /_emulator/requests (GET)                what was asked, without headers and bodies
"""


def application(tenant: str, client: EntraClient, tokens: EntraTokens, *, resources: frozenset[str]) -> FastAPI:
    """Discovery, keys and the token endpoint as an ASGI application."""
    app = FastAPI(openapi_url=None)

    @app.get("/{named}/v2.0/.well-known/openid-configuration")
    async def discovery(named: str, request: Request) -> dict[str, str]:
        base = f"{str(request.base_url).rstrip('/')}/{named}"
        return {
            "issuer": tokens.issuer,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
        }

    @app.get("/{named}/discovery/v2.0/keys")
    async def keys(named: str) -> dict[str, object]:
        return tokens.key_set()

    @app.post("/{named}/oauth2/v2.0/token")
    async def token(named: str, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        proof = "assertion" if "client_assertion" in form else "secret"
        request.state.caller = f"client {form.get('client_id', '')} by {proof} for {form.get('scope', '')}"
        if named != tenant:
            raise EntraRefusalError(Refusal.TENANT_UNKNOWN, named)
        audience = _audience(form, resources)
        issued = tokens.issue(client.prove(form), audience)
        life = {"expires_in": issued.seconds, "ext_expires_in": issued.seconds}
        return JSONResponse({"token_type": "Bearer", **life, "access_token": issued.text})

    return app


def _audience(form: dict[str, str], resources: frozenset[str]) -> str:
    for parameter in ("grant_type", "client_id", "scope"):
        if not form.get(parameter):
            raise EntraRefusalError(Refusal.PARAMETER_MISSING, parameter)
    if form["grant_type"] != "client_credentials":
        raise EntraRefusalError(Refusal.GRANT_UNSUPPORTED, form["grant_type"])
    scopes = [scope for scope in form["scope"].split() if scope not in {"openid", "profile", "offline_access"}]
    if len(scopes) != 1 or not scopes[0].endswith("/.default"):
        raise EntraRefusalError(Refusal.SCOPE_INVALID, form["scope"])
    resource = scopes[0].removesuffix("/.default")
    if not known_resource(resource, resources):
        raise EntraRefusalError(Refusal.RESOURCE_UNKNOWN, resource)
    return resource


def _controls() -> Controls:
    clock = OffsetClock()
    return Controls(
        clock=clock,
        throttled=lambda _: refusal_answer(EntraRefusalError(Refusal.THROTTLED), clock.now()),
        failed=lambda _, status: refusal_answer(EntraRefusalError(Refusal.BROKEN), clock.now(), status=status),
        touches=lambda path: path.endswith("/token"),
    )


def _add_entra_controls(app: FastAPI, client: EntraClient, tokens: EntraTokens) -> None:
    @app.post(f"{CONTROLS}/rotate-client-secret")
    async def rotate_client_secret() -> dict[str, str]:
        return {"client_secret": client.rotate_secret()}

    @app.post(f"{CONTROLS}/token-life")
    async def token_life(seconds: Annotated[int, Query(ge=1)]) -> dict[str, int]:
        tokens.seconds = seconds
        return {"seconds": seconds}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.entra_server",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address_options(parser)
    option = parser.add_argument
    option("--managed-identity-port", type=int, default=0, help="loopback port of the managed identities, over http")
    option("--tenant", default=str(uuid.uuid4()), help="the one tenant (default: random)")
    option("--client-id", default=str(uuid.uuid4()), help="the one application (default: random)")
    option("--client-object-id", default=str(uuid.uuid4()), help="`oid` in its tokens (default: random)")
    option("--client-secret", default=secrets.token_urlsafe(30), help="its first secret (default: random)")
    option("--federated-keys", type=Path, help="public key (PEM) or JWKS file; without it no federated assertions")
    option("--federated-issuer", default="", help="`iss` that is demanded of them")
    option("--federated-subject", default="", help="`sub` that is demanded of them")
    option("--federated-audience", default=EXCHANGE_AUDIENCE, help=f"`aud` of them (default: {EXCHANGE_AUDIENCE})")
    option("--managed-identity-client-id", default=str(uuid.uuid4()), help="of the managed identity (default: random)")
    option("--managed-identity-object-id", default=str(uuid.uuid4()), help="`oid` in its tokens (default: random)")
    option("--identity-header", default=secrets.token_urlsafe(24), help="what App Service clients send")
    option("--resource", action="append", default=[], help="a resource besides Azure's own; may be repeated")
    option("--token-seconds", type=int, default=3600, help="life of a token")
    option("--data", type=Path, help="file that keeps signing key and rotated secret over restarts (default: memory)")
    return parser


def applications(given: argparse.Namespace) -> tuple[FastAPI, FastAPI]:
    """The token service and the endpoints of managed identities, with the same keys and controls."""
    controls = _controls()
    tokens = EntraTokens(tenant=given.tenant, seconds=given.token_seconds, clock=controls.clock, data=given.data)
    federation = None
    if given.federated_keys:
        keys = keys_in_file(given.federated_keys)
        federation = Federation(keys, given.federated_issuer, given.federated_subject, given.federated_audience)
    client = EntraClient(
        Principal(given.client_id, given.client_object_id),
        client_secret=given.client_secret,
        federation=federation,
        now=controls.clock.seconds,
        data=given.data,
    )
    resources = frozenset(given.resource)
    machine = Principal(given.managed_identity_client_id, given.managed_identity_object_id)
    main_app = application(given.tenant, client, tokens, resources=resources)
    machine_app = managed_identity_application(ManagedIdentity(machine, given.identity_header, resources), tokens)

    @main_app.exception_handler(EntraRefusalError)
    async def refuse(_request: Request, error: EntraRefusalError) -> Response:
        return refusal_answer(error, controls.clock.now())

    for app in (main_app, machine_app):
        controls.attach(app)
        _add_entra_controls(app, client, tokens)
    return main_app, machine_app


def main() -> None:
    """Run the server with the options of the command line."""
    given = _parser().parse_args()
    main_app, machine_app = applications(given)
    machine_address = Address(port=given.managed_identity_port)
    told = {name: str(getattr(given, name)) for name in _TOLD}
    serve({"url": (main_app, address_of(given)), "managed_identity_url": (machine_app, machine_address)}, told)


if __name__ == "__main__":
    main()
