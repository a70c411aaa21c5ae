"""What the connector under test has before the kit of the Dataspace Protocol begins."""

from typing import Final

from connector_spi.data_address import DataAddress
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from tests import control_plane_entities as examples
from tests.tck.control_plane_under_test import US
from tests.tck.dsp_scripts import DATASETS, NEGOTIATIONS, NO_DATASET, TRANSFERS, USE, dataset_or_agreement_of

KIT: Final = "TCK_PARTICIPANT"
"""What the kit calls itself."""
DEFINITION: Final = "CD123"
"""The contract definition that offers every asset."""
TRANSFERRED: Final = "transferred"
"""The asset that all the agreements are about, and the file that it is."""
_POLICY: Final = "use"


async def seed(plane: ControlPlane) -> None:
    """What the catalog offers, and an agreement with the kit for each transfer."""
    definitions = plane.definitions
    datasets = [dataset_or_agreement_of(test) for test in NEGOTIATIONS]
    datasets += [dataset for test, dataset in DATASETS.items() if test != NO_DATASET]
    address = DataAddress("LocalFile", {"path": TRANSFERRED})
    for dataset in (*datasets, TRANSFERRED):
        await definitions.create_asset(examples.asset(dataset, participant_id=US, data_address=address))
    await definitions.create_policy(examples.policy_definition(_POLICY, participant_id=US, policy=USE))
    definition = examples.contract_definition(
        DEFINITION, participant_id=US, access_policy_id=_POLICY, contract_policy_id=_POLICY
    )
    await definitions.create_contract_definition(definition)
    for test in TRANSFERS:
        await _agree(plane, dataset_or_agreement_of(test), as_consumer=test.startswith("TP_C"))


async def _agree(plane: ControlPlane, agreement_id: str, *, as_consumer: bool) -> None:
    """As if it had been negotiated before."""
    provider, consumer = (KIT, US) if as_consumer else (US, KIT)
    name = f"negotiation-of-{agreement_id}"
    agreed = examples.agreement(
        agreement_id,
        participant_id=US,
        provider_id=provider,
        consumer_id=consumer,
        asset_id=TRANSFERRED,
        policy=USE,
        negotiation_id=name,
    )
    finished = examples.negotiation(
        name,
        participant_id=US,
        type=NegotiationType.CONSUMER if as_consumer else NegotiationType.PROVIDER,
        state=NegotiationState.FINALIZED,
        counter_party_id=KIT,
        correlation_id=f"counterpart-of-{name}",
        asset_id=TRANSFERRED,
        policy=USE,
        agreement=agreed,
    )
    await plane.stores.contract_negotiations.create(finished, due_at=None)
