"""The warning about storage accounts that are opened by a key although this is no developer's machine."""

import re
from collections.abc import Iterable
from typing import Final

from azure_storage.account_keys import LEGACY_SUFFIX
from connector_cli.settings import ConnectorSettings

_USUAL_ALIAS: Final = re.compile(rf"([a-z0-9]{{3,24}})({re.escape(LEGACY_SUFFIX)})?")


def account_key_warning(settings: ConnectorSettings, aliases: Iterable[str]) -> str | None:
    """The warning, or None where no account is opened by a key, or where that is all right.

    `aliases`: those of the vault. Accounts that are not listed have their key under their own name; an alias that looks
    like the name of an account is taken for one.
    """
    storage = settings.storage
    if storage.development:
        return None
    listed = {account.name for account in storage.accounts}
    by_key = {account.name for account in storage.accounts if account.identity is None}
    usual = (_USUAL_ALIAS.fullmatch(alias) for alias in aliases)
    by_key |= {found[1] for found in usual if found and found[1] not in listed}
    if not by_key:
        return None
    return (
        f"opened by an account key or connection string: {', '.join(sorted(by_key))}. Such a key opens the whole "
        "storage account and never ends. Name an identity for each account in [[storage.accounts]] (docs/azure.md); on "
        "a developer's machine, development = true in [storage] says that keys are all right"
    )
