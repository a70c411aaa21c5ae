"""The server that is played: seal, health, namespaces, policies, and the way to logins, tokens and secrets."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from emulators.clock import OffsetClock
from emulators.state_file import read_state, save_state
from emulators.vault_kv import KvEngine, Secrets
from emulators.vault_logins import LoginRules, Logins
from emulators.vault_tokens import ROOT_POLICY, LeaseTimes, Token, Tokens, TokenStore
from emulators.vault_wire import (
    VaultAnswer,
    VaultFaultError,
    VaultRequest,
    denied,
    no_route,
)

VERSION: Final = "1.18.0"
_SEALED_STATUS: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultOptions:
    """How the server is set up. `policies`: by name, the prefix of paths in the mount that may be used."""

    root_token: str
    secret_id: str
    logins: LoginRules
    times: LeaseTimes
    mount: str = "secret"
    namespaces: frozenset[str] = frozenset()
    policies: Mapping[str, str] = field(default_factory=dict)
    data: Path | None = None


class VaultState(BaseModel):
    """What a restart keeps when there is a file for it; secrets by namespace."""

    secrets: dict[str, Secrets] = Field(default_factory=dict)
    tokens: Tokens = Field(default_factory=dict)
    secret_id: str = ""
    sealed: bool = False


class VaultEmulator:
    """One Vault server. `handle` is the whole of its API."""

    def __init__(self, options: VaultOptions, clock: OffsetClock) -> None:
        self._options = options
        self._state = read_state(options.data, VaultState)
        self._state.secret_id = self._state.secret_id or options.secret_id
        self._tokens = TokenStore(self._state.tokens, options.root_token, options.times, clock.seconds)
        self._logins = Logins(options.logins, self._state.secret_id, self._tokens, clock.seconds)
        self._kv = KvEngine(clock.seconds)
        self._system: dict[str, Callable[[], VaultAnswer]] = {
            "sys/health": self._health,
            "sys/seal-status": self._seal_status,
        }

    def handle(self, request: VaultRequest) -> VaultAnswer:
        """Answer one call, and keep what it changed."""
        try:
            return self._routed(request)
        except VaultFaultError as error:
            return error.answer
        finally:
            if request.method not in {"GET", "HEAD", "LIST"}:
                self._save()

    def caller(self, request: VaultRequest) -> str:
        """Who asks, for the request log: a name and an accessor, never a token."""
        try:
            token = self._tokens.valid(request)
        except VaultFaultError:
            return ""
        return f"{token.display_name} {token.accessor}"

    def set_sealed(self, sealed: bool) -> None:
        """Seal or unseal: while sealed, nothing but health is answered."""
        self._state.sealed = sealed
        self._save()

    def revoke_all_tokens(self) -> None:
        """End every token but the root token."""
        self._tokens.revoke_all()
        self._save()

    def rotate_secret_id(self) -> str:
        """Put a new secret id in the place of the old one."""
        self._state.secret_id = self._logins.secret_id = secrets.token_urlsafe(24)
        self._save()
        return self._state.secret_id

    def _save(self) -> None:
        save_state(self._options.data, self._state)

    def _routed(self, request: VaultRequest) -> VaultAnswer:
        if not self._options.namespaces:
            request = replace(request, namespace="")  # without an Enterprise licence the header means nothing
        system = self._system.get(request.path)
        if system is not None:
            return system()
        if self._state.sealed:
            raise VaultFaultError(_SEALED_STATUS, "Vault is sealed")
        if request.namespace and request.namespace not in self._options.namespaces:
            raise no_route(f"{request.namespace}/{request.path}")
        if self._logins.is_login(request.path):
            return self._logins.handle(request)
        token = self._tokens.valid(request)
        if request.path.startswith("auth/token/"):
            return self._tokens.handle(request, token)
        return self._secrets(request, token)

    def _secrets(self, request: VaultRequest, token: Token) -> VaultAnswer:
        mount = f"{self._options.mount}/"
        if not request.path.startswith(mount):
            # Whoever may not use a path is not told whether it is there.
            raise no_route(request.path) if ROOT_POLICY in token.policies else denied()
        inner = request.path.removeprefix(mount)
        if not self._permits(token, inner.partition("/")[2]):
            raise denied()
        return self._kv.handle(request, self._state.secrets.setdefault(request.namespace, {}), inner)

    def _permits(self, token: Token, path: str) -> bool:
        if ROOT_POLICY in token.policies:
            return True
        prefixes = [self._options.policies[name] for name in token.policies if name in self._options.policies]
        return any(f"{path.rstrip('/')}/".startswith(prefix) for prefix in prefixes)

    def _health(self) -> VaultAnswer:
        sealed = self._state.sealed
        body = {"initialized": True, "sealed": sealed, "standby": False, "version": VERSION}
        body["enterprise"] = bool(self._options.namespaces)
        return VaultAnswer(_SEALED_STATUS if sealed else 200, body)

    def _seal_status(self) -> VaultAnswer:
        status = {"type": "shamir", "initialized": True, "sealed": self._state.sealed, "t": 1, "n": 1, "progress": 0}
        return VaultAnswer(200, {**status, "version": VERSION})
