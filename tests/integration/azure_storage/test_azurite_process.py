"""The helper that runs Azurite for the demo and the tests."""

import asyncio
from pathlib import Path

import psutil
import pytest

from connector_cli.azurite import AzuriteError, ensure_installed, is_installed, new_account_key, running_azurite
from tests.conftest import AzuriteForTests

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("azurite")]


def test_keys_are_random() -> None:
    assert new_account_key() != new_account_key()


def test_what_the_tests_use_is_what_the_lock_file_says(azurite: AzuriteForTests) -> None:
    assert is_installed()
    assert azurite.endpoint_template.startswith("http://127.0.0.1:")


async def test_it_is_stopped_when_its_user_is_cancelled(tmp_path: Path) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def use() -> None:
        async with running_azurite(accounts={"acme1": new_account_key()}, data_folder=tmp_path) as running:
            started.set_result(running.pid)
            await asyncio.Event().wait()

    user = asyncio.create_task(use())
    pid = await started
    assert psutil.pid_exists(pid)
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    assert not psutil.pid_exists(pid)


async def test_account_keys_are_not_in_its_arguments(tmp_path: Path) -> None:
    key = new_account_key()
    async with running_azurite(accounts={"acme1": key}, data_folder=tmp_path, in_memory=True) as running:
        assert key not in " ".join(psutil.Process(running.pid).cmdline())


async def test_a_start_that_fails_says_why(tmp_path: Path, azurite: AzuriteForTests) -> None:
    taken = int(azurite.endpoint_template.split(":")[2].split("/")[0])
    with pytest.raises(AzuriteError, match="EADDRINUSE"):
        async with running_azurite(accounts={"acme1": new_account_key()}, data_folder=tmp_path, port=taken):
            pytest.fail("it started")


def test_a_folder_without_a_lock_file_cannot_be_installed(tmp_path: Path) -> None:
    with pytest.raises(AzuriteError, match="package-lock"):
        ensure_installed(tmp_path)


async def test_a_folder_without_azurite_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AzuriteError, match="make setup"):
        async with running_azurite(accounts={}, data_folder=tmp_path, folder=tmp_path):
            pytest.fail("it started")
