"""Answers that many paths share."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from management_api.schemas.fields import Answer, Document, milliseconds


class IdResponse(Document):
    """What was created, or was there already under a client's own id."""

    type: str = Field(default="IdResponse", alias="@type")
    id: str = Field(alias="@id")
    created_at: int = Field(description="Milliseconds since 1970.")

    @classmethod
    def of(cls, object_id: str, created_at: datetime) -> "IdResponse":
        """The answer for an object."""
        return cls(id=object_id, created_at=milliseconds(created_at))


class StateAnswer(Document):
    """The present state and nothing else, for clients that poll."""

    type: str = Field(alias="@type")
    state: str


class ApiErrorDetail(Answer):
    """One reason why a request failed; the body of every error is a list of these."""

    message: str
    type: str = Field(examples=["ValidationFailure"])
    path: str | None = Field(default=None, description="The member of the request that is wrong.")
    invalid_value: Any = Field(default=None, description="Its value, unless that could be a secret.")
    code: str | None = Field(default=None, description="The kind of the error; docs/troubleshooting.md explains it.")
    remedy: str | None = Field(default=None, description="What to do about it, where the message does not say so.")


class ComponentFailure(Answer):
    """Why a component is not healthy."""

    failure_detail: str
    messages: list[str]


class ComponentResult(Answer):
    """The health of one component."""

    component: str
    is_healthy: bool
    failure: ComponentFailure | None = None


class HealthStatus(Answer):
    """The health of the connector."""

    is_system_healthy: bool
    component_results: list[ComponentResult]


class IdAnswer(BaseModel):
    """The id of what was asked for, as the API of 2022 gave it."""

    id: str
