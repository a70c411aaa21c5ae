"""The README's transfer by plain curl, run as it stands there."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import two_organisations

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

README = Path(__file__).parents[2] / "README.md"


def curl_script() -> str:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    [script] = [block for block in blocks if "curl -sS" in block]
    return str(script)


async def test_the_curl_commands_of_the_readme_move_data(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name) as stage:
        await stage.upload("2026/11/a.csv", b"1;2;3\n")
        await stage.upload("2026/11/b.csv", b"")
        script = curl_script()
        for written, real in {
            "provideraccount": stage.provider.account,
            "consumeraccount": stage.consumer.account,
            '"outbox"': json.dumps(container_name),
        }.items():
            assert written in script
            script = script.replace(written, real)
        variables = {
            "PROVIDER": stage.provider.management_url,
            "CONSUMER": stage.consumer.management_url,
            "DSP": stage.provider.protocol_url,
            "PROVIDER_KEY": stage.provider.api_key,
            "CONSUMER_KEY": stage.consumer.api_key,
        }
        shell = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script,
            env={**os.environ, **variables, "no_proxy": "*"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(shell.communicate(), 120)
        assert shell.returncode == 0, (output + errors).decode()
        async with stage.consumer.client() as consumer:
            await consumer.deprovision("my-transfer", wait_seconds=30)
            process = await consumer.transfer("my-transfer")
        assert process["state"] == "DEPROVISIONED"
        assert process["progress"]["objectsCopied"] == 2
        assert "errorDetail" not in process
