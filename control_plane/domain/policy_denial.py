"""PolicyDeniedError: a policy does not permit what a participant asks for."""

from connector_spi.errors import PermanentError


class PolicyDeniedError(PermanentError):
    """The policy of the agreement or offer does not permit it, or does not permit it any more."""

    code = "PolicyDenied"
