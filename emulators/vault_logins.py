"""Vault's logins: AppRole by role id and secret id; Kubernetes and JWT by a signed token that is really checked."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from emulators.bearer_tokens import PublicKeys, RefusedTokenError, verified_claims
from emulators.vault_tokens import Token, TokenStore, auth_of
from emulators.vault_wire import VaultAnswer, VaultFaultError, VaultRequest, answer, bad_token, unsupported

METHODS: Final = ("approle", "kubernetes", "jwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRules:
    """Who may log in. Without `keys` nobody may by token. `issuer` and `audience` None: any.

    `mounts`: where a method of METHODS is mounted, when not at its own name.
    """

    role: str
    role_id: str
    keys: PublicKeys | None = None
    issuer: str | None = None
    audience: str | None = None
    policies: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)


class Logins:
    """Answers `auth/MOUNT/login` in every namespace alike; `secret_id` may be changed while it runs."""

    def __init__(self, rules: LoginRules, secret_id: str, tokens: TokenStore, now: Callable[[], float]) -> None:
        self.secret_id = secret_id
        self._rules = rules
        self._tokens = tokens
        self._now = now
        checks = (self._check_approle, self._check_kubernetes, self._check_jwt)
        self._checks: dict[str, Callable[[VaultRequest], None]] = {
            f"auth/{rules.mounts.get(method, method)}/login": check
            for method, check in zip(METHODS, checks, strict=True)
        }

    def is_login(self, path: str) -> bool:
        """Whether the path is one of a login, which needs no token."""
        return path in self._checks

    def handle(self, request: VaultRequest) -> VaultAnswer:
        """Check what the request brings and answer with a token.

        Raises:
            VaultFaultError: it is not good.
        """
        if request.method not in {"POST", "PUT"}:
            raise unsupported()
        self._checks[request.path](request)
        return answer(auth=auth_of(self._new_token(request)))

    def _new_token(self, request: VaultRequest) -> Token:
        mount = request.path.removeprefix("auth/").removesuffix("/login")
        name = f"{mount}-{self._rules.role}"
        return self._tokens.new(namespace=request.namespace, policies=list(self._rules.policies), display_name=name)

    def _check_approle(self, request: VaultRequest) -> None:
        if "role_id" not in request.body:
            raise VaultFaultError(500, "failed to determine alias name from login request")
        if not _same(request.body.get("role_id"), self._rules.role_id):
            raise VaultFaultError(400, "invalid role or secret ID")
        if not _same(request.body.get("secret_id"), self.secret_id):
            raise VaultFaultError(400, "invalid role or secret ID")

    def _check_kubernetes(self, request: VaultRequest) -> None:
        if request.body.get("role") != self._rules.role:
            raise VaultFaultError(400, f'invalid role name "{request.body.get("role")}"')
        try:
            self._check_token(request)
        except RefusedTokenError as error:
            raise bad_token() from error

    def _check_jwt(self, request: VaultRequest) -> None:
        if request.body.get("role") != self._rules.role:
            raise VaultFaultError(400, f'role "{request.body.get("role")}" could not be found')
        try:
            self._check_token(request)
        except RefusedTokenError as error:
            raise VaultFaultError(400, f"error validating token: {error.fault}") from error

    def _check_token(self, request: VaultRequest) -> None:
        audience = self._rules.audience
        verified_claims(
            str(request.body.get("jwt", "")),
            self._rules.keys or {},
            issuer=self._rules.issuer,
            audiences=frozenset([audience]) if audience else None,
            now=self._now(),
        )


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())
