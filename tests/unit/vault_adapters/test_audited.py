"""The record of each access to a secret: who, which alias, what for, how it ended; never the value."""

import asyncio
import json
import logging
from typing import Any

import pytest

from connector_cli.logging_setup import JsonLines, set_up_logging
from connector_spi.errors import SecretNotFoundError, VaultForbiddenError
from connector_spi.log_context import log_facts
from connector_spi.vault_access import current_vault_purpose, vault_purpose
from tests.eventually import eventually
from tests.unit.vault_adapters.watched_vault import WatchedVault
from vault_adapters.audited import AuditedVault

PLANTED = "planted-5e1f-secret"
LOGGER = "connector.audit.vault"


@pytest.fixture
def inner() -> WatchedVault:
    return WatchedVault({"alias": PLANTED})


@pytest.fixture
def vault(inner: WatchedVault, caplog: pytest.LogCaptureFixture) -> AuditedVault:
    caplog.set_level(logging.INFO, LOGGER)
    return AuditedVault(inner, actor="connector provider")


def accesses(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What each record tells, as the log file has it."""
    return [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER]


async def test_each_access_is_told_with_actor_alias_and_outcome(
    vault: AuditedVault, inner: WatchedVault, caplog: pytest.LogCaptureFixture
) -> None:
    await vault.store("other", PLANTED)
    assert await vault.resolve("other") == PLANTED
    await vault.delete("other")
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("other")
    inner.failures["store"] = VaultForbiddenError("No.")
    with pytest.raises(VaultForbiddenError):
        await vault.store("other", PLANTED)
    told = [(a["message"], a["operation"], a["alias"], a["outcome"]) for a in accesses(caplog)]
    assert told == [
        ("secret stored", "store", "other", "ok"),
        ("secret read", "resolve", "other", "ok"),
        ("secret deleted", "delete", "other", "ok"),
        ("secret not read", "resolve", "other", "SecretNotFound"),
        ("secret not stored", "store", "other", "VaultForbidden"),
    ]
    assert {access["actor"] for access in accesses(caplog)} == {"connector provider"}
    assert PLANTED not in caplog.text + json.dumps(accesses(caplog))


async def test_the_purpose_is_the_one_that_was_told_or_what_the_access_belongs_to(
    vault: AuditedVault, caplog: pytest.LogCaptureFixture
) -> None:
    await vault.resolve("alias")
    with log_facts(data_flow_id="df-1", participant_id="provider"):
        await vault.resolve("alias")
    with log_facts(transfer_process_id="tp-1"):
        await vault.resolve("alias")
        with vault_purpose("sign a message"), vault_purpose("provision destination"):
            await vault.resolve("alias")
    assert [access["purpose"] for access in accesses(caplog)] == [
        "not told",
        "data flow df-1",
        "transfer process tp-1",
        "provision destination",
    ]
    assert accesses(caplog)[1]["data_flow_id"] == "df-1"
    assert accesses(caplog)[1]["participant_id"] == "provider"
    assert accesses(caplog)[3]["transfer_process_id"] == "tp-1"


async def test_a_purpose_ends_with_its_block_and_stays_in_its_task() -> None:
    async def other() -> str:
        return current_vault_purpose()

    with vault_purpose("one"):
        with vault_purpose("two"):
            assert current_vault_purpose() == "two"
        assert current_vault_purpose() == "one"
    assert await asyncio.create_task(other()) == ""


async def test_a_cancelled_access_is_told_too(
    vault: AuditedVault, inner: WatchedVault, caplog: pytest.LogCaptureFixture
) -> None:
    inner.gates["store"] = asyncio.Event()
    storing = asyncio.create_task(vault.store("alias", PLANTED))

    async def is_under_way() -> bool:
        return inner.calls["store"] == 1

    await eventually(is_under_way)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert [access["outcome"] for access in accesses(caplog)] == ["CancelledError"]


async def test_a_list_of_aliases_makes_no_record(vault: AuditedVault, caplog: pytest.LogCaptureFixture) -> None:
    assert await vault.aliases() == ["alias"]
    assert accesses(caplog) == []


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
async def test_the_records_reach_the_log_at_every_level_that_it_can_have(
    inner: WatchedVault, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, names = logging.root, (LOGGER, "connector.audit")
    before = (root.handlers[:], root.level, [logging.getLogger(name).level for name in names])
    try:
        set_up_logging(level, "json")
        await AuditedVault(inner, actor="connector provider").resolve("alias")
        written = capsys.readouterr().err
    finally:
        root.handlers[:], root.level = before[0], before[1]
        for name, old in zip(names, before[2], strict=True):
            logging.getLogger(name).setLevel(old)
        logging.captureWarnings(False)
    assert json.loads(written)["alias"] == "alias"
    assert PLANTED not in written
