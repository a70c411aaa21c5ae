"""How this connector logs in to the vault: one class for each method of `vault.login`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from hvac.api.auth_methods import JWT, AppRole, Kubernetes

from connector_spi.errors import ConfigurationError
from vault_adapters.hashicorp.connections import VaultAdapter
from vault_adapters.hashicorp.tokens import IssuedToken, issued, looked_up
from vault_adapters.settings import AppRoleLogin, KubernetesLogin, TokenLogin, VaultLogin


@dataclass(frozen=True, slots=True)
class Credential:
    """What a login shows: read anew each time, because others renew it."""

    setting: str
    """Its key in the configuration."""
    file: Path | None
    environ: Mapping[str, str] = field(repr=False)
    variable: str | None = None

    def read(self) -> str:
        """The text without white space around it.

        Raises:
            ConfigurationError: it is missing, or has a character that no token has.
        """
        text = self._raw().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigurationError(
                key=self.setting, problem=f"there is no credential in {self.file or self.variable}"
            )
        return text

    def _raw(self) -> str:
        if self.file is None:
            return self.environ.get(self.variable or "", "")
        try:
            return self.file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigurationError(
                key=self.setting, problem=f"{self.file} could not be read ({error.strerror})"
            ) from error


class Login(Protocol):
    """One way to get a token. Blocking; called in a thread with an adapter that has no token yet."""

    method: ClassVar[str]
    owns_token: ClassVar[bool]
    """Whether the token was made for this process alone, which then ends it."""

    @property
    def credential(self) -> Credential:
        """Where what it shows is read."""
        ...

    def log_in(self, adapter: VaultAdapter, shown: str) -> IssuedToken:
        """A token that was not known before, if the method can make one. `shown`: what the credential says now.

        Raises:
            VaultRefusedError: the vault does not take it.
            VaultUnavailableError: the vault did not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class ByToken:
    """Somebody else's token, and perhaps renewed by somebody else."""

    method: ClassVar[str] = "token"
    owns_token: ClassVar[bool] = False
    credential: Credential

    def log_in(self, adapter: VaultAdapter, shown: str) -> IssuedToken:
        """See the protocol; a token that may not ask about itself is taken for one that never ends."""
        adapter.token = shown
        return looked_up(adapter) or IssuedToken(adapter.token, lease_seconds=0, renewable=False)


@dataclass(frozen=True, slots=True)
class ByAppRole:
    """A role and its secret id."""

    method: ClassVar[str] = "approle"
    owns_token: ClassVar[bool] = True
    credential: Credential
    mount: str
    role_id: str

    def log_in(self, adapter: VaultAdapter, shown: str) -> IssuedToken:
        """See the protocol."""
        auth = AppRole(adapter)
        return issued(auth.login(self.role_id, shown, use_token=False, mount_point=self.mount))


@dataclass(frozen=True, slots=True)
class ByKubernetes:
    """The token of the pod's service account."""

    method: ClassVar[str] = "kubernetes"
    owns_token: ClassVar[bool] = True
    credential: Credential
    mount: str
    role: str

    def log_in(self, adapter: VaultAdapter, shown: str) -> IssuedToken:
        """See the protocol."""
        auth = Kubernetes(adapter)
        return issued(auth.login(self.role, shown, use_token=False, mount_point=self.mount))


@dataclass(frozen=True, slots=True)
class ByJwt:
    """A JSON web token of an issuer that the vault trusts."""

    method: ClassVar[str] = "jwt"
    owns_token: ClassVar[bool] = True
    credential: Credential
    mount: str
    role: str

    def log_in(self, adapter: VaultAdapter, shown: str) -> IssuedToken:
        """See the protocol."""
        auth = JWT(adapter)
        return issued(auth.jwt_login(self.role, shown, use_token=False, path=self.mount))


def login_of(settings: VaultLogin, environ: Mapping[str, str]) -> Login:
    """The login that the settings describe; its credential was read once.

    Raises:
        ConfigurationError: the credential is missing.
    """
    login = _login(settings, environ)
    login.credential.read()
    return login


def _login(settings: VaultLogin, environ: Mapping[str, str]) -> Login:
    if isinstance(settings, TokenLogin):
        setting = "vault.login.token_file" if settings.token_file else "vault.login.token_env"
        return ByToken(Credential(setting, settings.token_file, environ, settings.token_env))
    if isinstance(settings, AppRoleLogin):
        setting = "vault.login.secret_id_file" if settings.secret_id_file else "vault.login.secret_id_env"
        secret_id = Credential(setting, settings.secret_id_file, environ, settings.secret_id_env)
        return ByAppRole(secret_id, settings.mount, settings.role_id)
    credential = Credential("vault.login.token_file", settings.token_file, environ)
    if isinstance(settings, KubernetesLogin):
        return ByKubernetes(credential, settings.mount, settings.role)
    return ByJwt(credential, settings.mount, settings.role)
