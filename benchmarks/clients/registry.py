"""The clients that can be chosen, by name, in the order of their turns."""

from typing import Final

from benchmarks.clients import Client
from benchmarks.clients.azcopy import AzCopyClient
from benchmarks.clients.ours import OurClient
from benchmarks.clients.rclone import TUNED_FLAGS, RcloneClient
from benchmarks.clients.sdk import SdkClient

_ALL: Final[tuple[Client, ...]] = (
    OurClient(
        "ours-streamed", "this data plane, streamed, CRC64", {"copy_mode": "streamed", "block_checksum": "crc64"}
    ),
    OurClient(
        "ours-streamed-md5", "this data plane, streamed, MD5", {"copy_mode": "streamed", "block_checksum": "md5"}
    ),
    OurClient("ours-server-side", "this data plane, server-side", {"copy_mode": "server-side"}),
    SdkClient("sync"),
    SdkClient("aio"),
    RcloneClient("rclone"),
    RcloneClient("rclone-tuned", TUNED_FLAGS),
    AzCopyClient(),
    AzCopyClient(server_side=True),
)

CLIENTS: Final = {client.name: client for client in _ALL}
SMOKE_CLIENTS: Final = ("ours-streamed", "ours-streamed-md5", "ours-server-side", "sdk", "sdk-aio")
"""What needs no program of others."""
