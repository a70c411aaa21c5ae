"""CounterpartyIdentity of EDC's mock identity (`iam-mock`): a plain name in JSON. It proves nothing; for labs only.

The header is raw JSON without a scheme, as EDC up to 0.17 sends it; 0.18 leaves members out, which is taken as well.
"""

import json
from typing import Final

from connector_spi.errors import InvalidInputError, UnauthenticatedError
from connector_spi.json_body import parsed_object
from control_plane.adapters.participant_names import checked_name
from control_plane.domain.participant import Counterparty, Participant

_HEADER_MAX: Final = 4096
_REGION: Final = "eu"


class ClientIdIdentity:
    """Tells its name, and believes the names that others tell."""

    def __init__(self, participant_id: str) -> None:
        self._participant_id = participant_id

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """`{"region":"eu","audience":"<address>","clientId":"<own id>"}`."""
        told = {"region": _REGION, "audience": counterparty.address, "clientId": self._participant_id}
        return json.dumps(told, separators=(",", ":"))

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        """The next one would say the same."""
        return False

    async def authenticate(self, authorization: str | None) -> Participant:
        """Whoever the header's `clientId` names; other members are passed over."""
        if not 0 < len(authorization or "") <= _HEADER_MAX:
            raise UnauthenticatedError("The header is missing or too long.")
        try:
            told = parsed_object((authorization or "").encode())
        except (InvalidInputError, UnicodeEncodeError) as error:
            raise UnauthenticatedError("The header is no JSON object.") from error
        return Participant(id=checked_name(told.get("clientId"), where="The member 'clientId'"))
