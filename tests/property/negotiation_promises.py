"""What two participants promise about their negotiations, at every moment and in the end."""

from collections import Counter
from collections.abc import Iterator

from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from tests.property.dataspace import Dataspace
from tests.property.public_view import PublicView

_S = NegotiationState


Pair = tuple[ContractNegotiation | None, ContractNegotiation | None]


def pairs(dataspace: Dataspace) -> Iterator[Pair]:
    """Each negotiation as the consumer and as the provider has it; None: it does not know of it."""
    consumed, provided = dataspace.consumer_view.negotiations(), dataspace.provider_view.negotiations()
    for consumer in consumed:
        yield consumer, next((p for p in provided if _belong_together(consumer, p)), None)
    for provider in provided:
        if not any(_belong_together(consumer, provider) for consumer in consumed):
            yield None, provider


def _belong_together(consumer: ContractNegotiation, provider: ContractNegotiation) -> bool:
    return provider.correlation_id == consumer.id or consumer.correlation_id == provider.id


def broken_now(dataspace: Dataspace) -> list[str]:
    """What must hold at every moment and does not."""
    broken = []
    for view in dataspace.views:
        names = Counter(n.correlation_id for n in view.negotiations() if n.correlation_id is not None)
        broken += [f"{view.participant.id} has {n} processes for {name}" for name, n in names.items() if n > 1]
    for consumer, provider in pairs(dataspace):
        if consumer is None or provider is None:
            # Whoever answered an opening message keeps the name of who sent it.
            only = consumer or provider
            if only is not None and only.correlation_id is not None:
                broken.append(f"{only.id} believes in a counterpart {only.correlation_id}, which nobody has")
            continue
        if consumer.correlation_id not in {None, provider.id} or provider.correlation_id not in {None, consumer.id}:
            broken.append(f"{consumer.id} and {provider.id} do not believe in each other")
        own, other = (_terms(view, n) for view, n in zip(dataspace.views, (consumer, provider), strict=True))
        if own is not None and other is not None and own != other:
            broken.append(f"{consumer.id}: different agreements, {own} and {other}")
        if consumer.state is _S.FINALIZED and provider.state not in {_S.FINALIZING, _S.FINALIZED}:
            broken.append(f"{consumer.id} is FINALIZED and its provider's side {provider.state.name}")
    return broken


def broken_in_the_end(dataspace: Dataspace, *, unheard: bool, limits_passed: bool) -> list[str]:
    """What must hold once every message has arrived, and does not.

    `unheard`: enough time may have passed for one side to end while the other could not be reached. A provider that
    has said FINALIZED so often in vain is bound by it, while the consumer ends what it waits for: the only outcomes
    that differ. Any other consumer or provider may still wait, unless its own limit has passed too (`limits_passed`).
    """
    broken = [left for view in dataspace.views for left in view.left_in_inboxes()]
    for consumer, provider in pairs(dataspace):
        shown = dataspace.consumer_view.shown[consumer.id] if consumer is not None else "TERMINATED"
        other = dataspace.provider_view.shown[provider.id] if provider is not None else "TERMINATED"
        one_waits = unheard and not limits_passed and ("TERMINATED" in {shown, other} or other == "FINALIZED")
        only_provider_bound = unheard and (shown, other) == ("TERMINATED", "FINALIZED")
        if shown != other and not one_waits and not only_provider_bound:
            broken.append(f"the consumer shows {shown}, the provider {other}")
    return broken


def _terms(view: PublicView, negotiation: ContractNegotiation) -> tuple[object, ...] | None:
    agreement: ContractAgreement | None = view.agreements.get(negotiation.id)
    if agreement is None:
        return None
    parties = (agreement.provider_id, agreement.consumer_id)
    return (agreement.id, agreement.asset_id, agreement.policy.rules(), agreement.signed_at, *parties)
