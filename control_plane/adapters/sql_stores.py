"""Opens every store of the control plane on one database, and brings its tables up to date."""

from pathlib import Path
from typing import Final

from connector_spi.clock import Clock, SystemClock
from control_plane.adapters.records import (
    CONTRACT_DEFINITION_CODEC,
    DATA_PLANE_REGISTRATION_CODEC,
    POLICY_DEFINITION_CODEC,
)
from control_plane.adapters.sql_asset_store import SqlAssetStore
from control_plane.adapters.sql_definition_stores import SqlDefinitionStore
from control_plane.adapters.sql_negotiation_store import SqlContractNegotiationStore
from control_plane.adapters.sql_tables import (
    ContractDefinitionRow,
    DataPlaneRegistrationRow,
    PolicyDefinitionRow,
    table_of,
)
from control_plane.adapters.sql_transfer_process_store import SqlTransferProcessStore
from control_plane.ports.stores import Stores
from sql_storage.database import Database
from sql_storage.migrations import migrate

_SCRIPTS: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "control_plane_version"


async def migrate_stores(database: Database) -> None:
    """Bring the tables to the newest revision; does nothing when they are, and is safe for many processes at once.

    Raises:
        StoreUnavailableError: the database did not answer.
    """
    await migrate(database, _SCRIPTS, version_table=VERSION_TABLE)


def open_stores(database: Database, clock: Clock | None = None) -> Stores:
    """The stores on a migrated database; whoever opened the database closes it, and them with it."""
    clock = clock or SystemClock()
    return Stores(
        transfer_processes=SqlTransferProcessStore(database, clock),
        contract_negotiations=SqlContractNegotiationStore(database, clock),
        assets=SqlAssetStore(database),
        policy_definitions=SqlDefinitionStore(database, table_of(PolicyDefinitionRow), POLICY_DEFINITION_CODEC),
        contract_definitions=SqlDefinitionStore(database, table_of(ContractDefinitionRow), CONTRACT_DEFINITION_CODEC),
        data_plane_registrations=SqlDefinitionStore(
            database, table_of(DataPlaneRegistrationRow), DATA_PLANE_REGISTRATION_CODEC
        ),
    )
