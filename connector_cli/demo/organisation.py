"""One organisation of the demo: its folder, its vault, its keys, its configuration files and its processes.

Nothing here is shared between the two but public keys and addresses, as between real organisations.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from azure.storage.blob.aio import ContainerClient
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connector_cli.demo.ports import free_ports
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.demo.sample_files import container_client, container_names
from connector_cli.demo.vaults.furniture import OrganisationVault
from connector_cli.management_client import ManagementClient
from connector_spi.vault import Vault

SIGNING_KEY: Final = "participant-signing-key"
SIGNALING_TOKEN: Final = "signaling-token"
API_KEY: Final = "management-api-key"


@dataclass(slots=True)
class Organisation:
    """A participant with its storage account.

    `account_key`: with it the demo itself looks into the account; the connector has it where no identity opens the
    account. `has_data_plane`: a separate data plane. `data_plane_vault`: that one's own vault, and the account's key is
    in it alone; else it shares the control plane's. `ca_file`: PEM of storage's certificate, where it serves https.
    """

    name: str
    account: str
    account_key: str
    folder: Path
    endpoint_template: str
    has_data_plane: bool
    vault: OrganisationVault
    data_plane_vault: OrganisationVault | None = None
    ca_file: Path | None = None
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    public_key: str = ""
    ports: list[int] = field(default_factory=lambda: free_ports(4))

    @property
    def management_url(self) -> str:
        """Base address of the management API."""
        return f"http://127.0.0.1:{self.ports[0]}/management"

    @property
    def protocol_url(self) -> str:
        """Base address of the Dataspace Protocol, with the version path."""
        return f"http://127.0.0.1:{self.ports[1]}/protocol/2025-1"

    @property
    def data_plane_url(self) -> str:
        """Base address of the separate data plane."""
        return f"http://127.0.0.1:{self.ports[3]}"

    def open_vault(self) -> Vault:
        """The control plane's vault, as its operator sees it."""
        return self.vault.open()

    def open_data_plane_vault(self) -> Vault:
        """The data plane's vault: its own, or the control plane's."""
        return (self.data_plane_vault or self.vault).open()

    @property
    def shares_vault(self) -> bool:
        """Whether the data plane uses the control plane's vault."""
        return self.data_plane_vault is None

    def container(self, name: str) -> ContainerClient:
        """A client of one container, as the account's owner has it."""
        return container_client(self.endpoint_template, self.account, self.account_key, name, ca_file=self.ca_file)

    async def containers(self) -> list[str]:
        """Names of all containers in the account."""
        return await container_names(self.endpoint_template, self.account, self.account_key, ca_file=self.ca_file)

    def client(self) -> ManagementClient:
        """A client of the organisation's management API."""
        return ManagementClient(self.management_url, self.api_key)

    async def furnish(self) -> None:
        """Put into the vault what the operator must: signing key, tokens, the storage account's key if it is needed."""
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        private_key = ec.generate_private_key(ec.SECP256R1())
        pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = public.decode()
        token = secrets.token_urlsafe(32)
        await _fill(self.open_vault(), {SIGNING_KEY: pem, API_KEY: self.api_key, SIGNALING_TOKEN: token})
        opens_storage = {} if self.vault.identity else {self.account: self.account_key}
        await _fill(self.open_data_plane_vault(), {SIGNALING_TOKEN: token, SIGNING_KEY: pem, **opens_storage})

    def write_configuration(self, counterparty: "Organisation") -> None:
        """The TOML file of the control plane, and that of the data plane where there is one."""
        text = self._control_plane_toml(counterparty)
        (self.folder / "connector.toml").write_text(text, encoding="utf-8")
        if self.has_data_plane:
            (self.folder / "data-plane.toml").write_text(self._data_plane_toml(), encoding="utf-8")

    def connector(self) -> ConnectorProcess:
        """The process of the control plane."""
        health = f"http://127.0.0.1:{self.ports[0]}/api/check/readiness"
        return self._process(f"{self.name} connector", ("run", "--config", "connector.toml"), health, "connector.log")

    def data_plane(self) -> ConnectorProcess:
        """The process of the separate data plane."""
        arguments = ("data-plane", "--config", "data-plane.toml")
        health = f"{self.data_plane_url}/api/check/readiness"
        return self._process(f"{self.name} data plane", arguments, health, "data-plane.log")

    def _process(self, name: str, arguments: tuple[str, ...], health_url: str, log: str) -> ConnectorProcess:
        return ConnectorProcess(name, arguments, health_url, self.folder, self.folder / log)

    def _control_plane_toml(self, counterparty: "Organisation") -> str:
        management, protocol, signaling, _ = self.ports
        data_plane = f"""
[[data_planes]]
id = "{self.name}-data-plane"
url = "{self.data_plane_url}"
transfer_types = ["AzureStorage-PUSH", "HttpData-PULL"]
token_alias = "{SIGNALING_TOKEN}"
shares_vault = {str(self.shares_vault).lower()}
"""
        return f"""
[participant]
id = "{self.name}"

[management]
port = {management}
api_key_alias = "{API_KEY}"

[protocol]
port = {protocol}
public_url = "http://127.0.0.1:{protocol}/protocol"

[signaling]
port = {signaling}
public_url = "http://127.0.0.1:{signaling}"

[database]
url = "sqlite:///connector.db"

{self._shared_toml(self.vault)}
[identity]
signing_key_alias = "{SIGNING_KEY}"

[[counterparties]]
id = "{counterparty.name}"
public_key = {json.dumps(counterparty.public_key)}

[outbound]
# Both organisations of the demo are on this machine.
allow_http = true
allowed_networks = ["127.0.0.0/8"]

[transfer]
status_check_seconds = 1
lease_seconds = 10
call_seconds = 4
retry_base_seconds = 0.5
retry_cap_seconds = 5
{data_plane if self.has_data_plane else ""}"""

    def _data_plane_toml(self) -> str:
        return f"""
{self._shared_toml(self.data_plane_vault or self.vault)}
[data_plane]
port = {self.ports[3]}
public_url = "{self.data_plane_url}"
database_url = "sqlite:///data-plane.db"
control_plane_url = "http://127.0.0.1:{self.ports[2]}"
signaling_token_alias = "{SIGNALING_TOKEN}"
callback_token_alias = "{SIGNALING_TOKEN}"
receipt_signing_key_alias = "{SIGNING_KEY}"
lease_seconds = 4
progress_seconds = 0.25
# What Azurite is fastest with.
block_checksum = "md5"
"""

    def _shared_toml(self, vault: OrganisationVault) -> str:
        return f"""
{vault.tables}
[storage]
endpoint_template = "{self.endpoint_template}"
{self._storage_access(vault.identity)}
[logging]
format = "json"
"""

    def _storage_access(self, identity: str | None) -> str:
        ca_file = f"ca_file = {json.dumps(str(self.ca_file))}" if self.ca_file else ""
        if identity is None:
            return f"development = true\n{ca_file}"
        return f"""{ca_file}

[[storage.accounts]]
name = "{self.account}"
identity = "{identity}"
"""


async def _fill(vault: Vault, entries: dict[str, str]) -> None:
    try:
        for alias, secret in entries.items():
            await vault.store(alias, secret)
    finally:
        await vault.aclose()
