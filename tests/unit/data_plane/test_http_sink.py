"""An HTTP sink sends each object in one request, which shows nothing before its commit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from connector_spi.errors import ForbiddenAddressError, InvalidInputError, PermanentError, TransientError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from data_plane.adapters.http_errors import HttpAccessDeniedError, HttpObjectExistsError, HttpUnavailableError
from data_plane.adapters.http_sink import HttpDataSinkFactory
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from data_plane.ports.data_sink import DataSink, Staging
from data_plane.services.credential_intake import vault_alias
from outbound_http.guarded_session import open_guarded_session
from tests.eventually import eventually
from tests.unit.data_plane.fakes import ManualClock, a_data_flow
from tests.unit.data_plane.http_rig import LOOPBACK, HttpRig, http_rig
from vault_adapters.cached import CachedVault
from vault_adapters.memory import InMemoryVault

BLOCK = 8 * 1024 * 1024  # more than what the connection takes of a server that does not read
DATA = bytes(range(256)) * (BLOCK * 3 // 256)


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with http_rig() as opened:
        yield opened


def a_copy(name: str = "a.bin", data: bytes = DATA, **changes: Any) -> ObjectCopy:
    source = SourceObject(name, len(data), '"1"', "application/x-test", changes.pop("encoding", None))
    facts = {"block_nonce": "0" * 16, "block_count": -(-len(data) // BLOCK), **changes}
    return ObjectCopy("flow-1", 1, source, name, **facts)


async def stage(sink: DataSink, copy: ObjectCopy, data: bytes = DATA, *, until: int | None = None) -> None:
    for index, at in enumerate(range(0, len(data), BLOCK)):
        if until is None or index < until:
            await sink.stage_block(copy, index, data[at : at + BLOCK])


async def test_blocks_become_one_request_of_known_length_which_the_commit_ends(rig: HttpRig) -> None:
    async with rig.sink() as sink:
        assert sink.traits.staging is Staging.IN_ORDER
        await stage(sink, a_copy(encoding="gzip"))

        async def all_but_the_last_byte_is_there() -> bool:
            return rig.server.received_bytes == len(DATA) - 1

        await eventually(all_but_the_last_byte_is_there)
        assert rig.server.objects == {}
        await sink.commit(a_copy(), again=False)
        assert rig.server.objects == {"a.bin": DATA}
    [(path, headers)] = rig.server.of("PUT")
    assert (path, headers["content-length"]) == ("/a.bin", str(len(DATA)))
    assert (headers["content-type"], headers["content-encoding"]) == ("application/x-test", "gzip")
    assert "transfer-encoding" not in headers


@pytest.mark.parametrize("data", [b"", b"x", DATA])
async def test_a_whole_object_is_one_request(rig: HttpRig, data: bytes) -> None:
    async with rig.sink(method="post", contentType="text/csv") as sink:
        await sink.put_whole(a_copy(data=data), data, again=False)
    [(_, headers)] = rig.server.of("POST")
    assert (headers["content-length"], headers["content-type"]) == (str(len(data)), "text/csv")
    assert rig.server.objects == {"a.bin": data}


async def test_names_are_percent_encoded_below_a_folder_and_one_object_goes_to_the_address_itself(
    rig: HttpRig,
) -> None:
    async with rig.sink("in box/", queryParams="v=1") as sink:
        await sink.put_whole(a_copy("ä b/c?d#e%2f.txt", b"1"), b"1", again=False)
    async with rig.sink("exactly/here.bin") as sink:
        await sink.put_whole(a_copy("ä b/c.txt", b"2"), b"2", again=False)
    assert [path for path, _ in rig.server.of("PUT")] == [
        "/in%20box/%C3%A4%20b/c%3Fd%23e%252f.txt?v=1",
        "/exactly/here.bin",
    ]
    assert rig.server.objects == {"in box/ä b/c?d#e%2f.txt": b"1", "exactly/here.bin": b"2"}


async def test_several_objects_need_a_folder(rig: HttpRig) -> None:
    flow = a_data_flow(destination=rig.address("exactly/here.bin"))
    assert rig.sinks.destination_name(flow, SourceObject("a", 1, '"1"'), single=True) == "a"
    with pytest.raises(InvalidInputError, match="slash"):
        rig.sinks.destination_name(flow, SourceObject("a", 1, '"1"'), single=False)


async def send(sink: DataSink, copy: ObjectCopy) -> None:
    await stage(sink, copy)
    await sink.commit(copy, again=False)


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_a_connection_that_breaks_loses_the_blocks_but_never_shows_a_part(rig: HttpRig, index: int) -> None:
    async with rig.sink() as sink:
        copy = a_copy()
        await stage(sink, copy, until=index)
        rig.server.going.clear()
        staging = asyncio.create_task(sink.stage_block(copy, index, DATA[index * BLOCK : (index + 1) * BLOCK]))

        async def is_under_way() -> bool:
            return rig.server.under_way == 1

        await eventually(is_under_way)
        rig.server.cut_connections()
        with pytest.raises(StagedBlocksLostError if index else HttpUnavailableError):
            await staging
        rig.server.going.set()
        with pytest.raises(StagedBlocksLostError):
            await sink.commit(copy, again=False)
        assert rig.server.objects == {}
        await stage(sink, a_copy(block_nonce="1" * 16))
        await sink.commit(a_copy(block_nonce="1" * 16), again=False)
    assert rig.server.objects == {"a.bin": DATA}


@pytest.mark.parametrize(
    ("status", "error"), [(403, HttpAccessDeniedError), (503, HttpUnavailableError), (409, PermanentError)]
)
async def test_a_server_that_refuses_at_once_says_why(rig: HttpRig, status: int, error: type[Exception]) -> None:
    rig.server.refusals = [(status, {"Retry-After": "3"})] * 2
    async with rig.sink() as sink:
        # A transient refusal may come when more than the first block has gone out, which is then lost.
        with pytest.raises((error, StagedBlocksLostError) if error is HttpUnavailableError else error):
            await send(sink, a_copy())
        with pytest.raises(error):
            await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
    assert rig.server.objects == {}


@pytest.mark.parametrize(("status", "error"), [(507, StagedBlocksLostError), (403, HttpAccessDeniedError)])
async def test_a_refusal_of_the_whole_object_reaches_the_commit(
    rig: HttpRig, status: int, error: type[Exception]
) -> None:
    rig.server.refuse_after_reading = [status]
    async with rig.sink() as sink:
        await stage(sink, a_copy())
        with pytest.raises(error):
            await sink.commit(a_copy(), again=False)
        await stage(sink, a_copy())
        await sink.commit(a_copy(), again=False)
    assert rig.server.objects == {"a.bin": DATA}


async def test_blocks_out_of_order_of_another_attempt_or_too_many_are_lost(rig: HttpRig) -> None:
    async with rig.sink() as sink:
        with pytest.raises(StagedBlocksLostError):
            await sink.stage_block(a_copy(), 1, DATA[:BLOCK])
        await stage(sink, a_copy(), until=1)
        with pytest.raises(StagedBlocksLostError):
            await sink.stage_block(a_copy(block_nonce="1" * 16), 1, DATA[:BLOCK])
        with pytest.raises(StagedBlocksLostError):
            await sink.stage_block(a_copy(), 1, DATA)
        with pytest.raises(StagedBlocksLostError):
            await sink.commit(a_copy(), again=True)
    assert rig.server.objects == {}


async def test_a_first_block_that_is_sent_again_begins_anew(rig: HttpRig) -> None:
    async with rig.sink() as sink:
        await sink.stage_block(a_copy(data=b"right"), 0, b"wrong")
        await sink.stage_block(a_copy(data=b"right"), 0, b"right")
        await sink.commit(a_copy(data=b"right"), again=False)
    assert rig.server.objects == {"a.bin": b"right"}


async def test_nothing_is_overwritten_where_the_address_says_so(rig: HttpRig) -> None:
    rig.server.objects["a.bin"] = b"theirs"
    async with rig.sink(overwrite="false") as sink:
        with pytest.raises(HttpObjectExistsError):
            await sink.check_free(a_copy())
        await sink.check_free(a_copy("free"))
        with pytest.raises(HttpObjectExistsError):
            await sink.put_whole(a_copy(data=b"ours"), b"ours", again=False)
        with pytest.raises(HttpObjectExistsError):
            await send(sink, a_copy())
    assert rig.server.objects == {"a.bin": b"theirs"}
    async with rig.sink() as sink:
        await sink.check_free(a_copy())
        await sink.put_whole(a_copy(data=b"ours"), b"ours", again=False)
    assert rig.server.objects == {"a.bin": b"ours"}


async def test_one_that_is_there_after_an_unknown_outcome_counts_as_ours(rig: HttpRig) -> None:
    async with rig.sink(overwrite="false") as sink:
        copy = a_copy(data=b"ours")
        await sink.put_whole(copy, b"ours", again=False)
        await sink.put_whole(copy, b"ours", again=True)
        with pytest.raises(HttpObjectExistsError):
            await sink.put_whole(copy, b"ours", again=False)


async def test_a_cancelled_block_closes_the_connection_and_shows_nothing(rig: HttpRig) -> None:
    async with rig.sink() as sink:
        rig.server.going.clear()
        staging = asyncio.create_task(sink.stage_block(a_copy(), 0, DATA[:BLOCK]))

        async def is_under_way() -> bool:
            return rig.server.under_way == 1

        await eventually(is_under_way)
        staging.cancel()
        await asyncio.wait({staging}, timeout=2)
        assert staging.cancelled()
        rig.server.going.set()

        async def is_over() -> bool:
            return rig.server.under_way == 0

        await eventually(is_over)
    assert (rig.server.interrupted, rig.server.objects) == (1, {})


async def test_leaving_the_sink_closes_what_is_open(rig: HttpRig) -> None:
    async with rig.sink() as sink:
        await stage(sink, a_copy())

    async def is_over() -> bool:
        return rig.server.under_way == 0

    await eventually(is_over)
    assert (rig.server.interrupted, rig.server.objects) == (1, {})


async def test_only_the_secret_of_the_flow_itself_is_sent_to_an_address_of_the_counterparty(rig: HttpRig) -> None:
    own = vault_alias("flow-1", "destination")
    rig.secrets.update({own: "of-the-flow", "provideraccount": "of-the-provider"})
    async with rig.sink(keyName=own, authType="bearer") as sink:
        await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
    assert rig.server.of("PUT")[0][1]["authorization"] == "Bearer of-the-flow"
    for alias in ("provideraccount", vault_alias("flow-2", "destination")):
        with pytest.raises(InvalidInputError, match="keyName"):
            async with rig.sink(keyName=alias):
                pass


async def test_the_secret_that_a_resume_has_brought_is_read_past_what_is_kept_in_memory(rig: HttpRig) -> None:
    own = vault_alias("flow-1", "destination")
    rig.secrets[own] = "first"
    vault = CachedVault(InMemoryVault(rig.secrets), kept_for=timedelta(hours=1), clock=ManualClock())
    async with open_guarded_session(LOOPBACK) as session:
        sinks = HttpDataSinkFactory(vault=vault, session=session, policy=LOOPBACK)
        flow = a_data_flow(destination=sinks.accepted(rig.address(keyName=own, authType="bearer")))
        for secret in ("first", "second"):
            rig.secrets[own] = secret
            async with sinks.open(flow) as sink:
                await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
            assert rig.server.of("PUT")[-1][1]["authorization"] == f"Bearer {secret}"
    await vault.aclose()


async def test_a_destination_inside_is_not_called() -> None:
    public_only = OutboundAddressPolicy(allow_http=True)
    async with http_rig() as rig, open_guarded_session(public_only) as session:
        sinks = HttpDataSinkFactory(vault=InMemoryVault({}), session=session, policy=public_only)
        async with sinks.open(a_data_flow(destination=sinks.accepted(rig.address()))) as sink:
            with pytest.raises(ForbiddenAddressError):
                await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
            with pytest.raises(ForbiddenAddressError):
                await sink.stage_block(a_copy(), 0, DATA[:BLOCK])
        assert not rig.server.requests


@pytest.mark.parametrize("error", [TransientError, PermanentError])
async def test_a_redirect_of_an_upload_is_not_followed(rig: HttpRig, error: type[Exception]) -> None:
    rig.server.refusals = [(307 if error is PermanentError else 503, {"Location": rig.server.base + "elsewhere"})]
    async with rig.sink() as sink:
        with pytest.raises(error):
            await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
    assert len(rig.server.requests) == 1
