"""Messages by which a provider asks a consumer for a fresh credential: an extension beside the Dataspace Protocol.

`POST {consumer's callback address}/transfers/{consumerPid}/credential`, authenticated as any message of the protocol.
The answer's `secret` is one of the few members on the wire that hold a secret.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import Field

from control_plane.dsp_messages import Message, Pid

RENEWAL_CONTEXT: Final = {"@vocab": "urn:dataspace-connector:credential-renewal:v1:"}
RENEWAL_REQUEST: Final = "CredentialRenewalRequestMessage"
RENEWAL_ANSWER: Final = "CredentialRenewal"


class CredentialRenewalRequestMessage(Message):
    """The provider asks."""

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid = Field(alias="providerPid")


class CredentialRenewalAnswer(Message):
    """The consumer's answer: the same place as before, a credential with a later end."""

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid = Field(alias="providerPid")
    secret: str = Field(min_length=1, max_length=16_384, repr=False)
    """As the property `secret` of the transfer request's data address."""
    expires_at: datetime | None = Field(default=None, alias="expiresAt")
    """For people who read it; the secret states its end itself."""


def renewal_request(*, message_id: str, consumer_pid: str, provider_pid: str) -> dict[str, Any]:
    """The body of the request."""
    return _body(RENEWAL_REQUEST, message_id, consumerPid=consumer_pid, providerPid=provider_pid)


def renewal_answer(
    *, message_id: str, consumer_pid: str, provider_pid: str, secret: str, expires_at: datetime | None
) -> dict[str, Any]:
    """The body of the answer."""
    end = {"expiresAt": expires_at.isoformat()} if expires_at else {}
    pids = {"consumerPid": consumer_pid, "providerPid": provider_pid}
    return _body(RENEWAL_ANSWER, message_id, **pids, secret=secret, **end)


def _body(message_type: str, message_id: str, **members: str) -> dict[str, Any]:
    return {"@context": RENEWAL_CONTEXT, "@type": message_type, "@id": message_id, **members}
