"""A control plane that gives fresh signatures, as one does that has asked the consumer's."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from azure_storage.sas import SasToken
from connector_spi.data_address import AZURE_STORAGE, SECRET, DataAddress, DataAddressMessage
from connector_spi.signaling import DataFlowStatusMessage
from tests.integration.data_plane.conftest import CONSUMER, Organisations
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane, serving_calls

POLICY = "transfer"


async def minted(organisations: Organisations, life_seconds: float) -> SasToken:
    """A write signature on the transfer's stored access policy; earlier ones get the new end."""
    return await organisations.storage.mint_write_sas(
        CONSUMER, organisations.destination_container, policy_id=POLICY, lifetime_seconds=life_seconds
    )


def destination(organisations: Organisations, token: SasToken) -> Mapping[str, object]:
    """The destination with this signature, on the wire."""
    place = {"account": CONSUMER, "container": organisations.destination_container}
    address = DataAddress(AZURE_STORAGE, {**place, SECRET: token.to_secret()})
    return DataAddressMessage.of(address).model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass
class RenewingControlPlane(RecordingControlPlane):
    """Notes the ends of the signatures that it gave."""

    organisations: Organisations | None = None
    life_seconds: float = 6
    ends: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        answer = await super().handle(request)
        if request.match_info["kind"] != "credential" or answer.status != web.HTTPOk.status_code:
            return answer
        assert self.organisations is not None
        token = await minted(self.organisations, self.life_seconds)
        self.ends.append(str(token.expires_at))
        address = DataAddressMessage.model_validate(destination(self.organisations, token))
        return web.json_response(DataFlowStatusMessage(data_address=address).wire())


@asynccontextmanager
async def renewing_control_plane(
    organisations: Organisations, *, life_seconds: float
) -> AsyncIterator[RenewingControlPlane]:
    """One that can be reached."""
    recorder = RenewingControlPlane(organisations=organisations, life_seconds=life_seconds)
    async with serving_calls(recorder):
        yield recorder
