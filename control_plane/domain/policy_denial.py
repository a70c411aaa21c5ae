"""PolicyDeniedError: a policy does not permit what a participant asks for."""

from connector_spi.errors import PermanentError


class PolicyDeniedError(PermanentError):
    """The policy of the agreement or offer does not permit it, or does not permit it any more."""

    code = "PolicyDenied"
    cause = "the policy of the offer or agreement does not permit it now: a constraint does not hold, or cannot be told"
    remedy = (
        "Read the constraint in the message. Compare it with the counterparty's claims and with the policy functions "
        "that are known here (docs/policies.md)."
    )
