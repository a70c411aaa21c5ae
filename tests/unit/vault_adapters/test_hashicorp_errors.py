"""What an answer of the vault means, told by status and reasons."""

from collections.abc import Sequence

import pytest

from connector_spi.errors import (
    ConnectorError,
    VaultForbiddenError,
    VaultSealedError,
    VaultThrottledError,
    VaultUnavailableError,
)
from vault_adapters.hashicorp.errors import EntryAbsentError, VaultRefusedError, VersionConflictError, error_of

ROUTE = 'no handler for route "kv/data/a". route entry not found.'


@pytest.mark.parametrize(
    ("status", "reasons", "expected"),
    [
        (400, ["check-and-set parameter did not match the current version"], VersionConflictError),
        (400, ["check-and-set parameter required for this call"], VaultRefusedError),
        (400, ["invalid role or secret ID"], VaultRefusedError),
        (
            400,
            ["Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period."],
            VaultUnavailableError,
        ),
        (403, ["permission denied"], VaultRefusedError),
        (403, None, VaultRefusedError),
        (404, [], EntryAbsentError),
        (404, [ROUTE], VaultForbiddenError),
        (404, None, VaultUnavailableError),
        (405, ["unsupported operation"], VaultRefusedError),
        (413, ["request body too large"], VaultRefusedError),
        (307, None, VaultUnavailableError),
        (412, ["required index state not present"], VaultUnavailableError),
        (429, ["rate limit quota exceeded"], VaultThrottledError),
        (472, [], VaultUnavailableError),
        (500, ["internal error"], VaultUnavailableError),
        (500, ["1 error occurred:\n\t* past the max TTL, cannot renew\n\n"], VaultRefusedError),
        (501, [], VaultSealedError),
        (502, None, VaultUnavailableError),
        (503, ["Vault is sealed"], VaultSealedError),
        (503, ["local node not active but active cluster node not found"], VaultUnavailableError),
        (503, None, VaultUnavailableError),
    ],
)
def test_answers_are_told_apart(status: int, reasons: Sequence[str] | None, expected: type[ConnectorError]) -> None:
    error = error_of("GET /v1/kv/data/a", status=status, reasons=reasons)
    assert type(error) is expected


@pytest.mark.parametrize("status", [307, 400, 403, 404, 405, 429, 500, 501, 503])
def test_the_vaults_words_are_not_passed_on(status: int) -> None:
    error = error_of("POST /v1/kv/data/a", status=status, reasons=["got the secret planted-7f1e"])
    assert "planted-7f1e" not in f"{error!r} {error} {vars(error)}"


def test_a_throttled_caller_is_told_how_long_to_wait() -> None:
    for status in (429, 503):
        error = error_of("GET /v1/kv/data/a", status=status, reasons=[], retry_after_seconds=7)
        assert isinstance(error, VaultUnavailableError)
        assert error.retry_after_seconds == 7
