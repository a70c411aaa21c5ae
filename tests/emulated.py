"""Vault, Entra ID and Key Vault played on this machine, each by a real process of its own.

    async with running_vault(tmp_path) as vault:
        ...vault.url, vault.role_id, vault.secret_id...
        await vault.seal()
        await vault.kill()          # SIGKILL, as if the machine died
        await vault.start_again()   # same address, same secrets

Handles can be used from any event loop. Certificates, state and logs rest in the folder that is given.
"""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

import httpx

from connector_cli.demo.ports import free_ports
from connector_spi.clock import SystemClock
from emulators.certificates import Certificates, write_certificates
from emulators.entra_clients import EXCHANGE_AUDIENCE
from emulators.managed_identity import APP_SERVICE_PATH
from emulators.token_issuer import TokenIssuer

START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
_ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class EmulatorProcess:
    """One emulator: how it is started, and the process while it runs."""

    module: str
    arguments: list[str]
    log_file: Path
    told: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def command(self) -> list[str]:
        """What is started."""
        return [sys.executable, "-m", self.module, *self.arguments]

    async def start(self) -> None:
        """Start it, and return when it listens."""
        self.told = {}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                self.command(), cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        said = self.process.stdout
        assert said is not None
        try:
            line = await asyncio.wait_for(asyncio.to_thread(said.readline), START_SECONDS)
            self.told = json.loads(line)
        except ValueError as error:
            raise RuntimeError(f"{self.module} did not start: {self.log_file.read_text()[-2000:]}") from error
        finally:
            said.close()
            if not self.told:
                await self.end(signal.SIGKILL)

    async def end(self, how: signal.Signals) -> None:
        """Send the signal and wait for the end; SIGKILL when it does not heed it. Nothing to do when it has ended."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEmulator:
    """What every handle has. `ca_file`: PEM for its clients, None where it is served without TLS."""

    process: EmulatorProcess
    ca_file: Path | None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return self.process.told["url"]

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self.process.process
        return self.process.process.pid

    async def kill(self) -> None:
        """SIGKILL: connections break, and nobody listens any more."""
        await self.process.end(signal.SIGKILL)

    async def start_again(self) -> None:
        """Start it anew after `kill`: same address, same state, except for the faults and the clock."""
        await self.process.start()

    async def throttle(self, requests: int) -> None:
        """Answer the next `requests` with 429."""
        await self.control("throttle", requests=requests)

    async def fail(self, requests: int, *, status: int = 500) -> None:
        """Answer the next `requests` with this status."""
        await self.control("fail", requests=requests, status=status)

    async def delay(self, requests: int, *, seconds: float) -> None:
        """Answer the next `requests` that much later."""
        await self.control("delay", requests=requests, seconds=seconds)

    async def set_clock(self, *, offset_seconds: float) -> None:
        """Have it believe that it is that much later (or earlier, when negative)."""
        await self.control("clock", offset_seconds=offset_seconds)

    async def requests(self) -> list[dict[str, Any]]:
        """What it was asked: method, path, query, status, caller. Never a secret."""
        async with self._client() as http:
            answer = await http.get("/_emulator/requests")
            return list(answer.raise_for_status().json())

    async def control(self, name: str, **parameters: float) -> Any:
        """Any other control; see `python -m emulators.NAME --help`."""
        async with self._client() as http:
            answer = await http.post(f"/_emulator/{name}", params=parameters)
            return answer.raise_for_status().json()

    def _client(self) -> httpx.AsyncClient:
        verify = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        return httpx.AsyncClient(base_url=self.url, verify=verify, trust_env=False, timeout=30)


class Cluster:
    """Plays a Kubernetes cluster: signs the tokens of a service account, as Vault and Entra ID come to trust them."""

    def __init__(self, folder: Path) -> None:
        self.issuer = "https://kubernetes.test"
        self.subject = "system:serviceaccount:connector:connector"
        self.public_key_file = folder / "cluster.pub.pem"
        self._tokens = TokenIssuer(self.issuer)
        self._tokens.write_public_key(self.public_key_file)

    def token(
        self, *, audience: str = "vault", subject: str | None = None, seconds: float = 3600, issuer: str | None = None
    ) -> str:
        """A signed token; negative `seconds`: one that has ended. Write it into the file that a login reads."""
        now = SystemClock().now().timestamp()
        begins = min(now, now + seconds) - 10
        named = subject or self.subject
        namespace, _, account = named.removeprefix("system:serviceaccount:").partition(":")
        # What Vault looks for in a service account's token: these names, and a list of audiences.
        about = {"namespace": namespace, "serviceaccount": {"name": account, "uid": f"uid-of-{account}"}}
        claims = {"sub": named, "kubernetes.io": about, **({"iss": issuer} if issuer else {})}
        return self._tokens.issue(audience=[audience], issued=begins, begins=begins, expires=now + seconds, **claims)

    def federated_token(self, *, seconds: float = 3600) -> str:
        """A token for Entra ID's token exchange: what a workload identity's file holds."""
        return self.token(audience=EXCHANGE_AUDIENCE, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningVault(RunningEmulator):
    """A Vault with KV version 2 at `mount`.

    Log in with `root_token`; with `role_id` and `secret_id`; or by Kubernetes or JWT as `role` with `cluster.token()`
    (whose audience must be "vault").
    """

    root_token: str
    role_id: str
    secret_id: str
    role: str
    cluster: Cluster
    mount: str

    async def seal(self) -> None:
        """Answer 503 to everything."""
        await self.control("seal")

    async def unseal(self) -> None:
        """Answer again."""
        await self.control("unseal")

    async def revoke_all_tokens(self) -> None:
        """End every token but the root token; who wants to go on must log in anew."""
        await self.control("revoke-all-tokens")

    async def rotate_secret_id(self) -> str:
        """The new secret id; the old one, `secret_id`, is refused from now on."""
        return str((await self.control("rotate-secret-id"))["secret_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEntra(RunningEmulator):
    """An Entra ID with one application and one managed identity.

    `url` is the authority. Its credentials want `disable_instance_discovery=True` and `connection_verify=ca_file`.
    """

    ca_file: Path
    certificates: Certificates
    tenant: str
    client_id: str
    client_secret: str
    client_object_id: str
    cluster: Cluster
    identity_header: str
    managed_identity_client_id: str
    managed_identity_object_id: str

    @property
    def managed_identity_url(self) -> str:
        """Where managed identities get their tokens, over http."""
        return self.process.told["managed_identity_url"]

    @property
    def imds_environment(self) -> dict[str, str]:
        """What the environment of a process on an Azure machine has in effect."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.managed_identity_url}

    @property
    def app_service_environment(self) -> dict[str, str]:
        """The environment of a process in App Service."""
        endpoint = f"{self.managed_identity_url}{APP_SERVICE_PATH}"
        return {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": self.identity_header}

    async def rotate_client_secret(self) -> str:
        """The new client secret; the old one, `client_secret`, is refused from now on."""
        return str((await self.control("rotate-client-secret"))["client_secret"])

    async def set_token_life(self, seconds: int) -> None:
        """How long the tokens live that are issued from now on."""
        await self.control("token-life", seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningKeyVault(RunningEmulator):
    """A Key Vault that takes the tokens of `entra`. Its client wants `verify_challenge_resource=False`."""

    ca_file: Path
    entra: RunningEntra


@asynccontextmanager
async def running_vault(
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
    """Start a Vault, and stop it at the end. Logins in each of `namespaces` work alike, each has its own secrets.

    `lease_seconds`: life of a token that is not renewed; `longest_seconds`: of one that is. `login_prefix`: what those
    who logged in may use of the mount, such as `team/`; everything when empty. `auth_mounts`: where login methods are
    mounted when not at their own name, such as `{"approle": "team"}`. `tls`: serve https (see `ca_file`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificates = write_certificates(folder) if tls else None
    cluster = Cluster(folder)
    root_token, secret_id, role_id, role = f"hvs.{token_urlsafe(18)}", token_urlsafe(24), str(uuid.uuid4()), "connector"
    arguments = [
        *_served_at(free_ports(1)[0], certificates),
        *("--data", str(folder / "vault.json"), "--mount", mount, f"--root-token={root_token}"),
        *("--role-id", role_id, f"--secret-id={secret_id}", "--role", role),
        *("--jwt-keys", str(cluster.public_key_file), "--jwt-issuer", cluster.issuer, "--jwt-audience", "vault"),
        *("--lease-seconds", str(lease_seconds), "--longest-seconds", str(longest_seconds)),
        *("--login-prefix", login_prefix, *(part for name in namespaces for part in ("--namespace", name))),
        *(part for pair in (auth_mounts or {}).items() for part in ("--auth-mount", "=".join(pair))),
    ]
    async with _running("vault_server", arguments, folder) as process:
        yield RunningVault(
            process=process,
            ca_file=certificates.ca_file if certificates else None,
            root_token=root_token,
            role_id=role_id,
            secret_id=secret_id,
            role=role,
            cluster=cluster,
            mount=mount,
        )


@asynccontextmanager
async def running_entra(folder: Path, *, token_seconds: int = 3600) -> AsyncIterator[RunningEntra]:
    """Start an Entra ID, and stop it at the end. `token_seconds`: life of its tokens."""
    certificates = write_certificates(folder)
    cluster = Cluster(folder)
    tenant, client_id, client_object, machine_id, machine_object = (str(uuid.uuid4()) for _ in range(5))
    client_secret, identity_header = token_urlsafe(30), token_urlsafe(24)
    port, machine_port = free_ports(2)
    arguments = [
        *_served_at(port, certificates),
        *("--managed-identity-port", str(machine_port), "--data", str(folder / "entra.json")),
        *("--tenant", tenant, "--client-id", client_id, "--client-object-id", client_object),
        *(f"--client-secret={client_secret}", f"--identity-header={identity_header}"),
        *("--managed-identity-client-id", machine_id, "--managed-identity-object-id", machine_object),
        *("--federated-keys", str(cluster.public_key_file), "--federated-issuer", cluster.issuer),
        *("--federated-subject", cluster.subject, "--token-seconds", str(token_seconds)),
    ]
    async with _running("entra_server", arguments, folder) as process:
        yield RunningEntra(
            process=process,
            ca_file=certificates.ca_file,
            certificates=certificates,
            tenant=tenant,
            client_id=client_id,
            client_secret=client_secret,
            client_object_id=client_object,
            cluster=cluster,
            identity_header=identity_header,
            managed_identity_client_id=machine_id,
            managed_identity_object_id=machine_object,
        )


@asynccontextmanager
async def running_key_vault(
    folder: Path,
    entra: RunningEntra,
    *,
    object_ids: tuple[str, ...] = (),
    deletion_seconds: float = 0,
    purge_protection: bool = False,
) -> AsyncIterator[RunningKeyVault]:
    """Start a Key Vault, and stop it at the end. Its certificate is of the same authority as Entra's.

    `object_ids`: who may use it, everybody of the tenant when empty. `deletion_seconds`: how long a deletion, a
    recovery or a purge takes; the real service needs some seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [
        *_served_at(free_ports(1)[0], entra.certificates),
        *("--data", str(folder / "key-vault.json"), "--deletion-seconds", str(deletion_seconds)),
        *("--entra-url", entra.url, "--entra-ca", str(entra.ca_file), "--tenant", entra.tenant),
        *(["--purge-protection"] if purge_protection else []),
        *(part for object_id in object_ids for part in ("--object-id", object_id)),
    ]
    async with _running("key_vault_server", arguments, folder) as process:
        yield RunningKeyVault(process=process, ca_file=entra.ca_file, entra=entra)


@asynccontextmanager
async def _running(name: str, arguments: list[str], folder: Path) -> AsyncIterator[EmulatorProcess]:
    process = EmulatorProcess(f"emulators.{name}", arguments, folder / f"{name}.log")
    await process.start()
    try:
        yield process
    finally:
        await process.end(signal.SIGTERM)


def _served_at(port: int, certificates: Certificates | None) -> list[str]:
    address = ["--port", str(port)]
    if certificates is None:
        return address
    return [*address, "--certificate", str(certificates.certificate_file), "--key", str(certificates.key_file)]
