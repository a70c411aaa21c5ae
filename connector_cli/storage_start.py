"""What is settled and said about storage when a process starts."""

import logging
import os
from collections.abc import Mapping

from azure_storage.connection_settings import with_endpoints
from connector_cli.account_key_warning import account_key_warning
from connector_cli.azure_checks import clear_text_problems
from connector_cli.azure_environment import environment_notices
from connector_cli.configuration import InvalidConfigurationError
from connector_cli.settings import ConnectorSettings
from connector_spi.vault import Vault

logger = logging.getLogger(__name__)


async def with_located_storage(
    settings: ConnectorSettings, vault: Vault, environ: Mapping[str, str] = os.environ
) -> ConnectorSettings:
    """The settings with the addresses that connection strings name; what counts, and what is risky, is logged.

    Raises:
        InvalidConfigurationError: an address is not allowed.
        ConnectionStringMalformedError: that of a listed account cannot be used.
        VaultForbiddenError, VaultUnavailableError: the vault did not tell.
    """
    storage = await with_endpoints(settings.storage, vault, environ)
    settings = settings.model_copy(update={"storage": storage})
    if problems := list(clear_text_problems(settings)):
        raise InvalidConfigurationError(problems)
    for notice in environment_notices(settings, environ):
        logger.info("%s", notice)
    if warning := account_key_warning(settings, await vault.aliases()):
        logger.warning("%s", warning)
    return settings
