"""Vault's tokens: how long they live, what they may do, how they are renewed and revoked."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from emulators.vault_wire import (
    NO_CONTENT,
    Json,
    VaultAnswer,
    VaultFaultError,
    VaultRequest,
    answer,
    bad_token,
    denied,
    no_route,
    no_token,
    seconds_of,
    timestamp,
    unsupported,
)

ROOT_POLICY: Final = "root"
DEFAULT_POLICY: Final = "default"


class Token(BaseModel):
    """One token. Without `expires` it lives for ever, which the root token alone does."""

    id: str
    accessor: str
    namespace: str
    policies: list[str]
    display_name: str
    created: float
    lease_seconds: int = 0
    expires: float | None = None
    never_after: float | None = None
    renewable: bool = False


Tokens = dict[str, Token]


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a token lives, and how long it lives at most however often it is renewed."""

    lease_seconds: int
    longest_seconds: int


class TokenStore:
    """Makes, finds and ends tokens, and answers the calls below `auth/token/`."""

    def __init__(self, tokens: Tokens, root_token: str, times: LeaseTimes, now: Callable[[], float]) -> None:
        self._tokens = tokens
        self._times = times
        self._now = now
        root = Token(
            id=root_token, accessor="root", namespace="", policies=[ROOT_POLICY], display_name="root", created=now()
        )
        self._tokens[root_token] = root

    def new(
        self,
        *,
        namespace: str,
        policies: list[str],
        display_name: str,
        seconds: int | None = None,
        renewable: bool = True,
    ) -> Token:
        """A new token with a lease."""
        now = self._now()
        lease = min(seconds or self._times.lease_seconds, self._times.longest_seconds)
        token = Token(
            id=f"hvs.{secrets.token_urlsafe(24)}",
            accessor=secrets.token_urlsafe(18),
            namespace=namespace,
            policies=sorted({DEFAULT_POLICY, *policies}),
            display_name=display_name,
            created=now,
            lease_seconds=lease,
            expires=now + lease,
            never_after=now + self._times.longest_seconds,
            renewable=renewable,
        )
        self._tokens[token.id] = token
        return token

    def valid(self, request: VaultRequest) -> Token:
        """The token that the request carries; the root token is good in every namespace, others in their own.

        Raises:
            VaultFaultError: there is none, or it is unknown, revoked, too old, or one of another namespace.
        """
        if not request.token:
            raise no_token()
        token = self._tokens.get(request.token)
        if token is None:
            raise bad_token()
        if token.expires is not None and self._now() >= token.expires:
            del self._tokens[token.id]
            raise bad_token()
        if ROOT_POLICY not in token.policies and token.namespace != request.namespace:
            raise bad_token()
        return token

    def revoke_all(self) -> None:
        """End every token but the root token."""
        for name in [name for name, token in self._tokens.items() if ROOT_POLICY not in token.policies]:
            del self._tokens[name]

    def handle(self, request: VaultRequest, token: Token) -> VaultAnswer:
        """Answer a call below `auth/token/`.

        Raises:
            VaultFaultError: as Vault would.
        """
        operation = request.path.removeprefix("auth/token/")
        writes = request.method in {"POST", "PUT"}
        match operation:
            case "lookup-self":
                return answer(data=self._shown(token))
            case "renew-self" if writes:
                return self._renew(token, request.body)
            case "revoke-self" if writes:
                self._tokens.pop(token.id, None)
                return NO_CONTENT
            case "create" if writes:
                return self._create(token, request)
            case "renew-self" | "revoke-self" | "create":
                raise unsupported()
        raise no_route(request.path)

    def _renew(self, token: Token, body: Json) -> VaultAnswer:
        if not token.renewable or token.never_after is None:
            raise VaultFaultError(400, "lease is not renewable")
        asked = seconds_of(body.get("increment") or 0) or self._times.lease_seconds
        now = self._now()
        token.expires = min(now + asked, token.never_after)
        token.lease_seconds = int(token.expires - now)
        return answer(auth=auth_of(token))

    def _create(self, parent: Token, request: VaultRequest) -> VaultAnswer:
        if ROOT_POLICY not in parent.policies:
            raise denied()
        made = self.new(
            namespace=request.namespace,
            policies=list(request.body.get("policies") or []),
            display_name="token",
            seconds=seconds_of(request.body.get("ttl") or 0) or None,
            renewable=bool(request.body.get("renewable", True)),
        )
        return answer(auth=auth_of(made))

    def _shown(self, token: Token) -> Json:
        remaining = 0 if token.expires is None else max(0, int(token.expires - self._now()))
        return {
            "accessor": token.accessor,
            "creation_time": int(token.created),
            "creation_ttl": token.lease_seconds,
            "display_name": token.display_name,
            "entity_id": "",
            "expire_time": None if token.expires is None else timestamp(token.expires),
            "explicit_max_ttl": 0,
            "id": token.id,
            "issue_time": timestamp(token.created),
            "meta": None,
            "num_uses": 0,
            "orphan": True,
            "path": "auth/token/create",
            "policies": token.policies,
            "renewable": token.renewable,
            "ttl": remaining,
            "type": "service",
        }


def auth_of(token: Token) -> Json:
    """The `auth` part of the answer to a login, a renewal or a creation."""
    return {
        "client_token": token.id,
        "accessor": token.accessor,
        "policies": token.policies,
        "token_policies": token.policies,
        "metadata": None,
        "lease_duration": token.lease_seconds,
        "renewable": token.renewable,
        "entity_id": str(uuid.uuid5(uuid.NAMESPACE_URL, token.display_name)),
        "token_type": "service",
        "orphan": True,
        "mfa_requirement": None,
        "num_uses": 0,
    }
