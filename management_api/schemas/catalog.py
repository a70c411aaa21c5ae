"""Questions about a counterparty's catalog. The answers are the counterparty's own JSON."""

from pydantic import AliasChoices, Field

from control_plane.domain.participant import Counterparty
from control_plane.domain.query import QuerySpec
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
    """Ask for the catalog, or for a part of it; the counterparty decides which queries it understands."""

    query_spec: Single[QuerySpecRequest] | None = None

    def to_query(self) -> QuerySpec | None:
        """The domain's form; None: as much as the counterparty gives at once.

        Raises:
            InvalidInputError: unknown operator, or an operand that does not fit it.
        """
        return self.query_spec.to_query() if self.query_spec is not None else None


class DatasetRequest(CounterpartyRequest):
    """Ask for one dataset."""

    id: Text = Field(alias="@id")
