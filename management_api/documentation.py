"""What the interactive documentation needs besides the routes: request bodies, errors, and their schemas.

Request bodies are read by `bodies`, not by FastAPI, so their schemas are declared here.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from connector_spi.data_address import EDC_NAMESPACE
from management_api.schemas.answers import ApiErrorDetail
from management_api.schemas.asset import AssetRequest
from management_api.schemas.catalog import CatalogRequest, DatasetRequest
from management_api.schemas.contract_definition import ContractDefinitionRequest
from management_api.schemas.negotiation import NegotiationRequest, ReasonRequest
from management_api.schemas.negotiation_decisions import OfferRequest, TermsRequest
from management_api.schemas.policy_definition import PolicyDefinitionRequest
from management_api.schemas.query import QuerySpecRequest
from management_api.schemas.transfer_process import TransferProcessRequest
from management_api.schemas.transfer_process_2022 import TransferProcessRequest2022

_REQUESTS: Final[tuple[type[BaseModel], ...]] = (
    AssetRequest,
    CatalogRequest,
    ContractDefinitionRequest,
    DatasetRequest,
    NegotiationRequest,
    OfferRequest,
    PolicyDefinitionRequest,
    QuerySpecRequest,
    ReasonRequest,
    TermsRequest,
    TransferProcessRequest,
    TransferProcessRequest2022,
)
_COMPONENTS: Final = "#/components/schemas/{model}"
_CONTEXT: Final = {"@vocab": EDC_NAMESPACE}
_REASONS: Final = {
    400: "The request breaks a rule; each broken one is named.",
    401: "The API key is missing or wrong.",
    404: "There is no such object.",
    409: "The object exists already, is in use, or is in a state that forbids this.",
    413: "The body is too large.",
    502: "The counterparty did not answer, or refused.",
    503: "The database or the vault does not answer now.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route; every route also answers 401 and 503."""
    return {s: {"model": list[ApiErrorDetail], "description": _REASONS[s]} for s in (401, *statuses, 503)}


def request_body(
    model: type[BaseModel], example: Mapping[str, Any], *, required: bool = True, json_ld: bool = True
) -> dict[str, Any]:
    """The documented body of a route."""
    shown = {"@context": _CONTEXT, **example} if json_ld and example else dict(example)
    schema = {"$ref": _COMPONENTS.format(model=model.__name__)}
    content = {"application/json": {"schema": schema, "example": shown}}
    return {"requestBody": {"required": required, "content": content}}


QUERY_BODY: Final = request_body(
    QuerySpecRequest,
    {"offset": 0, "limit": 50, "sortField": "createdAt", "sortOrder": "DESC", "filterExpression": []},
    required=False,
)
REASON_BODY: Final = request_body(ReasonRequest, {"reason": "The data is not needed any more."}, required=False)


class DocumentedApp(FastAPI):
    """A FastAPI app whose documentation also holds the models of request bodies."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            _, definitions = models_json_schema([(m, "validation") for m in _REQUESTS], ref_template=_COMPONENTS)
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            self.openapi_schema = schema
            for name, definition in definitions["$defs"].items():
                schemas.setdefault(name, definition)
        return self.openapi_schema
