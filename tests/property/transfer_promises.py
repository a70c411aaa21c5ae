"""What two participants promise about their transfers, at every moment and in the end."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from connector_spi.signaling import DataFlowState
from control_plane.domain.transfer_process import TransferProcess
from tests.property.dataspace import Dataspace
from tests.unit.control_plane.keys import KEY_ALIAS

_ENDED_FLOWS: Final = frozenset({DataFlowState.COMPLETED, DataFlowState.TERMINATED})
_OUTCOMES: Final = frozenset({"COMPLETED", "TERMINATED"})


def pairs(dataspace: Dataspace) -> Iterator[tuple[TransferProcess, TransferProcess | None]]:
    """Each transfer of the consumer, and the provider's side of it."""
    provided = {process.correlation_id: process for process in dataspace.provider_view.transfers()}
    for process in dataspace.consumer_view.transfers():
        yield process, provided.get(process.id)


def broken_now(dataspace: Dataspace, *, fetched: set[str]) -> list[str]:
    """What must hold at every moment and does not. `fetched`: pulls of which the client said that it has everything."""
    broken = []
    names = Counter(process.correlation_id for process in dataspace.provider_view.transfers())
    broken += [f"{name} has {count} processes of the provider" for name, count in names.items() if count > 1]
    known = {process.id for process in dataspace.consumer_view.transfers()}
    broken += [f"the provider serves {name}, which nobody began" for name in names if name not in known]
    for consumer, provider in pairs(dataspace):
        completed = [p.type.value for p in (consumer, provider) if p is not None and p.state.name == "COMPLETED"]
        if completed and not _has_data(dataspace, consumer, provider, fetched):
            broken.append(f"{consumer.id} is COMPLETED for {completed}, and the data is not there")
        if provider is not None and consumer.correlation_id not in {None, provider.id}:
            broken.append(f"{consumer.id} believes that its counterpart is {consumer.correlation_id}")
    return broken


def broken_in_the_end(dataspace: Dataspace, *, may_have_crossed: bool, limits_passed: bool) -> list[str]:
    """What must hold once every message has arrived, and does not.

    `may_have_crossed`: a client, a failure or a limit may have ended a transfer on one side while it completed on the
    other. Then the two sides may differ in the outcome: whoever records one first keeps it.
    `limits_passed`: enough time may have passed for one side to end while the other could not be reached. Then the
    other may still wait: it learns of the end with its next message, or when its own limit is over.
    """
    broken = [left for view in dataspace.views for left in view.left_in_inboxes()]
    broken += _left_behind(dataspace, unreached=dataspace.provider.flows.unreached if may_have_crossed else set())
    for consumer, provider in pairs(dataspace):
        shown = dataspace.consumer_view.shown[consumer.id]
        other = dataspace.provider_view.shown[provider.id] if provider is not None else "TERMINATED"
        crossed = may_have_crossed and {shown, other} == _OUTCOMES
        one_waits = limits_passed and (shown in _OUTCOMES) != (other in _OUTCOMES)
        if shown != other and not crossed and not one_waits:
            broken.append(f"{consumer.id} shows {shown} and its provider's side {other}")
    return broken


def _has_data(
    dataspace: Dataspace, consumer: TransferProcess, provider: TransferProcess | None, fetched: set[str]
) -> bool:
    flow = dataspace.provider.flows.flows.get(provider.id) if provider is not None else None
    return flow is DataFlowState.COMPLETED or consumer.id in fetched


def _left_behind(dataspace: Dataspace, *, unreached: set[str]) -> list[str]:
    """Secrets, credentials and running flows of transfers that have ended.

    `unreached`: flows whose data plane may have been out of reach for as long as a termination is tried. Nobody stops
    them any more: what opens their data is gone from the vaults, and their end, whatever it is, changes nothing.
    """
    left = []
    for view in dataspace.views:
        side = view.participant
        for process in view.transfers():
            if not view.has_ended(process.id):
                continue
            left += [f"{side.id} keeps the secret {alias}" for alias in side.secrets if process.id in alias]
            flow = side.flows.flows.get(process.id, DataFlowState.TERMINATED)
            if flow not in _ENDED_FLOWS and process.id not in unreached:
                left.append(f"the flow of {process.id} runs on")
            if process.provisioned is not None and process.provisioned.container in side.provisioner.valid:
                left.append(f"the credential for {process.provisioned.container} still opens it")
        known = {process.id for process in view.transfers()}
        strays = [a for a in side.secrets if a != KEY_ALIAS and not any(process_id in a for process_id in known)]
        left += [f"{side.id} keeps the secret {alias} of nobody" for alias in strays]
    return left
