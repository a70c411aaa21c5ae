"""Rows to entities and back."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final, overload

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowState
from data_plane.adapters.sql_tables import DataFlowRow
from data_plane.domain.data_flow import Counters, DataFlow, DataFlowFailure, DataFlowRole, OwedWork
from data_plane.domain.object_copy import CopyMode
from data_plane.domain.public_access import PublicAccess, TokenPair

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@overload
def to_millis(moment: datetime) -> int: ...
@overload
def to_millis(moment: datetime | None) -> int | None: ...
def to_millis(moment: datetime | None) -> int | None:
    """Milliseconds since 1970."""
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


@overload
def to_moment(millis: int) -> datetime: ...
@overload
def to_moment(millis: int | None) -> datetime | None: ...
def to_moment(millis: int | None) -> datetime | None:
    """The moment, in UTC."""
    return None if millis is None else _EPOCH + millis * _MILLISECOND


def flow_values(flow: DataFlow) -> dict[str, Any]:
    """The columns that a save writes: all but counters, lease and version."""
    return {
        "id": flow.id,
        "participant_id": flow.participant_id,
        "counter_party_id": flow.counter_party_id,
        "agreement_id": flow.agreement_id,
        "dataset_id": flow.dataset_id,
        "profile": flow.profile,
        "role": flow.role.value,
        "state": flow.state.value,
        "source": None if flow.source is None else _address_json(flow.source),
        "destination": _address_json(flow.destination),
        "marker_process_id": flow.marker_process_id,
        "nonce": flow.nonce,
        "callback_base": flow.callback_base,
        "control_plane_id": flow.control_plane_id,
        "issued": None if flow.issued is None else _address_json(flow.issued),
        "access": None if flow.access is None else _access_json(flow.access),
        "created_at": to_millis(flow.created_at),
        "updated_at": to_millis(flow.updated_at),
        "started_at": to_millis(flow.started_at),
        "failure": None if flow.failure is None else asdict(flow.failure),
        "reason": flow.reason,
        "vault_aliases": list(flow.vault_aliases),
        "owed": [work.value for work in flow.owed],
        "attempt": flow.attempt,
        "next_attempt_at": to_millis(flow.next_attempt_at),
    }


def flow_of(row: DataFlowRow) -> DataFlow:
    """The entity."""
    return DataFlow(
        id=row.id,
        participant_id=row.participant_id,
        counter_party_id=row.counter_party_id,
        agreement_id=row.agreement_id,
        dataset_id=row.dataset_id,
        profile=row.profile,
        role=DataFlowRole(row.role),
        state=DataFlowState(row.state),
        destination=_address_of(row.destination),
        created_at=to_moment(row.created_at),
        updated_at=to_moment(row.updated_at),
        source=None if row.source is None else _address_of(row.source),
        marker_process_id=row.marker_process_id,
        nonce=row.nonce,
        callback_base=row.callback_base,
        control_plane_id=row.control_plane_id,
        issued=None if row.issued is None else _address_of(row.issued),
        access=None if row.access is None else _access_of(row.access),
        started_at=to_moment(row.started_at),
        failure=None if row.failure is None else DataFlowFailure(**row.failure),
        reason=row.reason,
        vault_aliases=tuple(row.vault_aliases),
        owed=tuple(OwedWork(work) for work in row.owed),
        attempt=row.attempt,
        next_attempt_at=to_moment(row.next_attempt_at),
        counters=Counters(
            row.bytes_copied,
            row.bytes_total,
            row.objects_copied,
            row.objects_total,
            row.listing_complete,
            row.evidence_begun,
            None if row.copy_mode is None else CopyMode(row.copy_mode),
        ),
        version=row.version,
    )


def _address_json(address: DataAddress) -> dict[str, Any]:
    # The last guard against a secret in a table: whatever the caller forgot is dropped here.
    safe = address.without_secrets()
    return {"type": safe.type, "properties": dict(safe.properties)}


def _address_of(stored: dict[str, Any]) -> DataAddress:
    return DataAddress(stored["type"], stored["properties"])


def _access_json(access: PublicAccess) -> dict[str, Any]:
    moments = {"expires_at": to_millis(access.expires_at), "earlier_until": to_millis(access.earlier_until)}
    return {**asdict(access), **moments}


def _access_of(stored: dict[str, Any]) -> PublicAccess:
    earlier = stored["earlier"]
    return PublicAccess(
        current=TokenPair(**stored["current"]),
        expires_at=to_moment(int(stored["expires_at"])),
        earlier=None if earlier is None else TokenPair(**earlier),
        earlier_until=to_moment(stored["earlier_until"]),
    )
