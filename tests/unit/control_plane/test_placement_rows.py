"""A placement as rows hold it, those of earlier versions too."""

from datetime import UTC, datetime

from control_plane.adapters.record_values import PLACEMENT
from control_plane.domain.placement import CheckedReceipt, IfExists, Placement, PlacementPosition, PlacementStage

RECEIPT = CheckedReceipt(
    manifest_sha256="0" * 64,
    pages=2,
    object_count=3,
    bytes_total=4,
    newest_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
WHOLE = Placement(
    container="mine",
    if_exists=IfExists.RENAME,
    position=PlacementPosition(stage=PlacementStage.MANIFEST, continuation="next", placed=5),
    receipt=RECEIPT,
    taken_back_to="page",
)


def test_everything_comes_back_as_it_was() -> None:
    assert PLACEMENT.decode(PLACEMENT.encode(WHOLE)) == WHOLE


def test_a_row_from_before_receipts_were_remembered_is_read() -> None:
    row = {"container": "mine", "if_exists": "refuse", "position": None}
    assert PLACEMENT.decode(row) == Placement(container="mine")
