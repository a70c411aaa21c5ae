"""Journal rows to records and back. A million objects pass through here, so rows are plain tuples, not ORM objects."""

from typing import Any

from sqlalchemy import Row

from data_plane.domain.object_copy import Assurance, CopyStatus, ObjectCopy, SourceObject, StagedBlock
from data_plane.ports.object_journal import BlockRecord


def copy_values(copy: ObjectCopy) -> dict[str, Any]:
    """The columns of a record."""
    source = copy.source
    return {
        "flow_id": copy.flow_id,
        "sequence": copy.sequence,
        "name": source.name,
        "destination_name": copy.destination_name,
        "size": source.size,
        "etag": source.etag,
        "content_type": source.content_type,
        "content_encoding": source.content_encoding,
        "object_metadata": dict(source.metadata),
        "object_tags": dict(source.tags),
        "content_md5": "" if source.content_md5 is None else source.content_md5.hex(),
        "status": copy.status.value,
        "block_nonce": copy.block_nonce,
        "block_count": copy.block_count,
        "sha256": copy.sha256,
        "crc64": _crc64_text(copy.crc64),
        "md5": copy.md5,
        "assurance": copy.assurance.value,
    }


def copy_of(row: Row[Any]) -> ObjectCopy:
    """The record; `row` holds the columns of `data_flow_object`."""
    return ObjectCopy(
        flow_id=row.flow_id,
        sequence=row.sequence,
        source=SourceObject(
            name=row.name,
            size=row.size,
            etag=row.etag,
            content_type=row.content_type,
            content_encoding=row.content_encoding,
            metadata=row.object_metadata,
            tags=row.object_tags,
            content_md5=bytes.fromhex(row.content_md5) if row.content_md5 else None,
        ),
        destination_name=row.destination_name,
        status=CopyStatus(row.status),
        block_nonce=row.block_nonce,
        block_count=row.block_count,
        sha256=row.sha256,
        crc64=_crc64_of(row.crc64),
        md5=row.md5,
        assurance=Assurance(row.assurance),
    )


def block_values(flow_id: str, record: BlockRecord) -> dict[str, Any]:
    """The columns of a staged block."""
    return {
        "flow_id": flow_id,
        "sequence": record.sequence,
        "block_nonce": record.block_nonce,
        "block_index": record.block.index,
        "crc64": _crc64_text(record.block.crc64),
    }


def block_of(row: Row[Any]) -> StagedBlock:
    """The staged block; `row` holds the columns of `data_flow_block`."""
    return StagedBlock(row.block_index, _crc64_of(row.crc64))


def _crc64_text(value: int | None) -> str:
    return "" if value is None else f"{value:016x}"


def _crc64_of(text: str) -> int | None:
    return int(text, 16) if text else None
