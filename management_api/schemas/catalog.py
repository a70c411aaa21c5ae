"""Questions about a counterparty's catalog. The answers are the counterparty's own JSON."""

from pydantic import AliasChoices, Field, field_validator

from control_plane.domain.participant import Counterparty
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
    """Ask for the whole catalog. A page may be asked for, as EDC's clients always do; the answer is the whole."""

    query_spec: Single[QuerySpecRequest] | None = None

    @field_validator("query_spec")
    @classmethod
    def _without_filter(cls, query: QuerySpecRequest | None) -> QuerySpecRequest | None:
        if query is not None and query.filter_expression:
            raise ValueError("filterExpression is not supported for catalogs yet; leave it out and filter the answer")
        return query


class DatasetRequest(CounterpartyRequest):
    """Ask for one dataset."""

    id: Text = Field(alias="@id")
