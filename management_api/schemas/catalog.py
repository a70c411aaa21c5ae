"""Questions about a counterparty's catalog. The answers are the counterparty's own JSON."""

from typing import Any

from pydantic import AliasChoices, Field

from control_plane.ports.dataspace_client import Counterparty
from management_api.schemas.fields import DATASPACE_PROTOCOL, Address, ProtocolName, Request, Single, Text
from management_api.schemas.query import QuerySpecRequest


class CounterpartyRequest(Request):
    """Whom to ask."""

    counter_party_id: Text = Field(validation_alias=AliasChoices("counterPartyId", "connectorId"))
    counter_party_address: Address = Field(
        validation_alias=AliasChoices("counterPartyAddress", "connectorAddress", "providerUrl"),
        description="Base address of its Dataspace Protocol, with the version path.",
    )
    protocol: ProtocolName = DATASPACE_PROTOCOL

    def to_counterparty(self) -> Counterparty:
        """The domain's form."""
        return Counterparty(id=self.counter_party_id, address=self.counter_party_address)


class CatalogRequest(CounterpartyRequest):
    """Ask for the whole catalog, or what the counterparty finds by the query."""

    query_spec: Single[QuerySpecRequest] | None = None

    def query(self) -> dict[str, Any] | None:
        """The query as the counterparty gets it.

        Raises:
            InvalidInputError: unknown operator, or an operand that does not fit it.
        """
        if self.query_spec is None:
            return None
        self.query_spec.to_query()
        return self.query_spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


class DatasetRequest(CounterpartyRequest):
    """Ask for one dataset."""

    id: Text = Field(alias="@id")
