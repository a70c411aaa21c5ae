"""The real Vault behind the handle of the emulated one, so that the same tests run on it.

Of what the emulator has, namespaces need an Enterprise licence. Its secrets rest in memory: nothing is there after
`kill` and `start_again`.
"""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector_cli.demo.ports import free_ports
from emulators.certificates import write_certificates
from tests.emulated import Cluster, EmulatorProcess, RunningVault
from tests.vault_server.token_review import token_review

SERVER: Final = Path(__file__).resolve().parents[2] / ".venv" / "vault-server"
_ROLE: Final = "connector"
_AUDIENCE: Final = "vault"


class RealVaultProcess(EmulatorProcess):
    """The program that `make vault-server` builds."""

    def command(self) -> list[str]:
        """What is started."""
        return [str(SERVER), *self.arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRealVault(RunningVault):
    """What the emulator does by a control of its own is done through Vault's API here."""

    logins: Mapping[str, str]
    """Login method -> where it is mounted."""

    async def seal(self) -> None:
        """As an operator does."""
        await self.call("PUT", "sys/seal")

    async def unseal(self) -> None:
        """As an operator does, with the one key share that there is."""
        await self.call("PUT", "sys/unseal", {"key": self.process.told["unseal_key"]})

    async def revoke_all_tokens(self) -> None:
        """End the tokens of every login, and those that were made from them."""
        for mount in self.logins.values():
            await self.call("PUT", f"sys/leases/revoke-prefix/auth/{mount}")

    async def rotate_secret_id(self) -> str:
        """The new secret id; the old one is refused from now on."""
        role = f"auth/{self.logins['approle']}/role/{_ROLE}"
        await self.call("POST", f"{role}/secret-id/destroy", {"secret_id": self.secret_id})
        return str((await self.call("POST", f"{role}/secret-id"))["data"]["secret_id"])

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any call of Vault's API with the root token."""
        async with self._client() as http:
            headers = {"X-Vault-Token": self.root_token}
            answer = await http.request(method, f"/v1/{path}", json=body, headers=headers)
            answer.raise_for_status()
            return answer.json() if answer.content else None


@asynccontextmanager
async def running_real_vault(
    folder: Path,
    *,
    lease_seconds: int = 3600,
    longest_seconds: int = 86_400,
    mount: str = "secret",
    namespaces: tuple[str, ...] = (),
    login_prefix: str = "",
    auth_mounts: Mapping[str, str] | None = None,
    tls: bool = False,
) -> AsyncIterator[RunningVault]:
    """Start a Vault and prepare it as the emulator is; the arguments are those of `tests.emulated.running_vault`."""
    del namespaces  # the tests that use them are left out
    folder.mkdir(parents=True, exist_ok=True)
    certificates, cluster = write_certificates(folder) if tls else None, Cluster(folder)
    arguments = ["--port", str(free_ports(1)[0])]
    if certificates:
        arguments += ["--certificate", str(certificates.certificate_file), "--key", str(certificates.key_file)]
    process = RealVaultProcess("vault-server", arguments, folder / "vault-server.log")
    await process.start()
    try:
        with token_review(cluster.public_key_file) as kubernetes:
            vault = RunningRealVault(
                process=process,
                ca_file=certificates.ca_file if certificates else None,
                root_token=process.told["root_token"],
                role_id="role-of-the-tests",
                secret_id="first-secret-id",
                role=_ROLE,
                cluster=cluster,
                mount=mount,
                logins={name: name for name in ("approle", "jwt", "kubernetes")} | dict(auth_mounts or {}),
            )
            life = {"token_ttl": lease_seconds, "token_max_ttl": longest_seconds}
            await _prepare(vault, login_prefix, kubernetes, life)
            yield vault
    finally:
        await process.end(signal.SIGTERM)


async def _prepare(vault: RunningRealVault, login_prefix: str, kubernetes: str, life: Mapping[str, int]) -> None:
    if vault.mount != "secret":
        await vault.call("POST", f"sys/mounts/{vault.mount}", {"type": "kv", "options": {"version": "2"}})
    await vault.call("PUT", f"sys/policies/acl/{_ROLE}", {"policy": _policy(vault.mount, login_prefix)})
    for method, mount in vault.logins.items():
        await vault.call("POST", f"sys/auth/{mount}", {"type": method})
    role = {**life, "token_policies": [_ROLE]}
    await _prepare_approle(vault, role)
    await _prepare_cluster(vault, kubernetes, role)


async def _prepare_approle(vault: RunningRealVault, role: Mapping[str, Any]) -> None:
    path = f"auth/{vault.logins['approle']}/role/{_ROLE}"
    await vault.call("POST", path, role)
    await vault.call("POST", f"{path}/role-id", {"role_id": vault.role_id})
    await vault.call("POST", f"{path}/custom-secret-id", {"secret_id": vault.secret_id})


async def _prepare_cluster(vault: RunningRealVault, kubernetes: str, role: Mapping[str, Any]) -> None:
    keys = [vault.cluster.public_key_file.read_text()]
    jwt, accounts = vault.logins["jwt"], vault.logins["kubernetes"]
    await vault.call(
        "POST", f"auth/{jwt}/config", {"jwt_validation_pubkeys": keys, "bound_issuer": vault.cluster.issuer}
    )
    bound = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": [_AUDIENCE]}
    await vault.call("POST", f"auth/{jwt}/role/{_ROLE}", {**role, **bound})
    await vault.call(
        "POST",
        f"auth/{accounts}/config",
        {"kubernetes_host": kubernetes, "token_reviewer_jwt": vault.cluster.token(), "disable_local_ca_jwt": True},
    )
    bound = {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"], "audience": _AUDIENCE}
    await vault.call("POST", f"auth/{accounts}/role/{_ROLE}", {**role, **bound})


def _policy(mount: str, prefix: str) -> str:
    may = '{ capabilities = ["create", "read", "update", "delete", "list"] }'
    return "".join(f'path "{mount}/{kind}/{prefix}*" {may}\n' for kind in ("data", "metadata"))
