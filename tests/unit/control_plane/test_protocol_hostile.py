"""Whatever a stranger or a partner sends, it gets an answer in the protocol's form, and never learns more than that."""

import json
from typing import Any, Final

import httpx
import jwt
import pytest

from control_plane.domain.participant import Counterparty
from control_plane.dsp_messages import CONTEXT
from tests.unit.control_plane.keys import identity, key_of
from tests.unit.control_plane.protocol_paths import examples_of
from tests.unit.control_plane.protocol_rig import (
    OTHERS,
    THEM,
    US,
    ProtocolRig,
    token,
    transfer_request,
)

GETS: Final = examples_of("get")
POSTS: Final = examples_of("post")
CATALOG_REQUEST: Final = {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}


async def _forged() -> dict[str, str | None]:
    """Headers that do not prove who is calling, by what is wrong with each."""
    claims = jwt.decode((await token(identity(THEM)))[7:], options={"verify_signature": False})
    ours = (await identity(THEM).authorization_for(Counterparty(id=OTHERS, address="https://others.example")))[7:]
    deep = "[" * 3000
    return {
        "missing": None,
        "empty": "",
        "no scheme": (await token(identity(THEM)))[7:],
        "another scheme": f"Basic {ours}",
        "no token": "Bearer ",
        "rubbish": "Bearer \u00e9\u00e9",
        "too long": "Bearer " + "x" * 9000,
        "wrong audience": f"Bearer {ours}",
        "unknown issuer": await token(identity("did:web:strangers")),
        "another's key": f"Bearer {jwt.encode(claims, key_of(OTHERS), algorithm='ES256')}",
        "unsigned": f"Bearer {jwt.encode(claims, '', algorithm='none')}",
        "public key as a secret": f"Bearer {jwt.encode(claims, 'k' * 32, algorithm='HS256')}",
        "expired": _signed({**claims, "iat": claims["iat"] - 900, "exp": claims["exp"] - 900}),
        "from the future": _signed({**claims, "iat": claims["iat"] + 300, "exp": claims["exp"] + 300}),
        "too long a life": _signed({**claims, "exp": claims["iat"] + 86_400}),
        "another subject": _signed({**claims, "sub": OTHERS}),
        "no id": _signed({name: value for name, value in claims.items() if name != "jti"}),
        "no end": _signed({name: value for name, value in claims.items() if name != "exp"}),
        "end as a text": _signed({**claims, "exp": "9999999999"}),
        "start as a text": _signed({**claims, "iat": "1"}),
        "endless": _signed({**claims, "exp": float("inf")}),
        "an end beyond all numbers": _signed({**claims, "exp": 10**400}),
        "a start that is no number": _signed({**claims, "iat": float("nan"), "exp": claims["exp"] + 86_400}),
        "issuer as a list": _signed({**claims, "iss": [THEM]}, enforce=False),
        "deep header": f"Bearer {_base64(deep)}.e30.e30",
        "deep payload": f"Bearer {_base64(json.dumps({'alg': 'ES256'}))}.{_base64(deep)}.e30",
        "payload of another type": f"Bearer {_base64(json.dumps({'alg': 'ES256'}))}.{_base64('[1]')}.e30",
    }


def _signed(claims: dict[str, Any], *, enforce: bool = True) -> str:
    if enforce:
        return f"Bearer {jwt.encode(claims, key_of(THEM), algorithm='ES256')}"
    payload = json.dumps(claims).encode()
    return f"Bearer {jwt.PyJWS().encode(payload, key_of(THEM), algorithm='ES256')}"


def _base64(text: str) -> str:
    return jwt.utils.base64url_encode(text.encode()).decode()


async def _all_calls(client: httpx.AsyncClient, headers: list[tuple[bytes, bytes]]) -> list[httpx.Response]:
    answers = [await client.get(path, headers=headers) for path in GETS]
    return answers + [await client.post(path, json={}, headers=headers) for path in POSTS]


async def test_every_endpoint_refuses_who_does_not_prove_who_is_calling_and_tells_no_more(
    protocol: ProtocolRig,
) -> None:
    told = set()
    async with protocol.http() as client:
        for wrong, header in (await _forged()).items():
            headers = [] if header is None else [(b"Authorization", header.encode())]
            for answer in await _all_calls(client, headers):
                assert answer.status_code == 401, f"{wrong}: {answer.request.url}"
                told.add((answer.json()["code"], *answer.json()["reason"]))
    assert told == {("Unauthenticated", "The Authorization header does not prove who is calling.")}


async def test_a_token_works_once(protocol: ProtocolRig) -> None:
    header = {"Authorization": await token(identity(THEM))}
    async with protocol.http() as client:
        answers = [await client.post("catalog/request", json=CATALOG_REQUEST, headers=header) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_stranger_is_refused_before_its_body_is_read(protocol: ProtocolRig) -> None:
    async with protocol.http() as client:
        answer = await client.post("transfers/request", content=b"x" * 2_000_000)
    assert answer.status_code == 401


BAD_BODIES: Final = {
    "not JSON": b"{",
    "a list": b"[]",
    "a number": b"1",
    "not UTF-8": b'{"consumerPid": "\xff"}',
    "NUL": b'{"consumerPid": "a\\u0000"}',
    "half a surrogate pair": b'{"consumerPid": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\ud800": 1}',
    "not a number": b'{"x": NaN}',
    "infinite": b'{"x": 1e999}',
    "deep": b'{"x":' * 65 + b"1" + b"}" * 65,
    "very deep": b"[" * 500_000,
    "a huge number": b'{"x": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_body_that_is_no_plain_object_is_refused(protocol: ProtocolRig, path: str, body: bytes) -> None:
    answer = await protocol.call("POST", path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_too_large_is_refused(protocol: ProtocolRig, path: str) -> None:
    answer = await protocol.call("POST", path, content=b'{"x": "' + b"x" * 1_100_000 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "BodyTooLarge")


@pytest.mark.parametrize("path", ["transfers/%00", "negotiations/%00", "catalog/datasets/a%00b", "transfers/%ff%fe"])
async def test_a_path_that_no_database_takes_is_not_found(protocol: ProtocolRig, path: str) -> None:
    assert (await protocol.call("GET", path)).status_code == 404


async def test_an_error_never_repeats_the_secret(protocol: ProtocolRig) -> None:
    """`call` looks for it in every answer; here it stands where it is quoted most easily."""
    await protocol.agreed()
    secret = "?sv=1&sig=PLANTEDsignature"
    address = transfer_request()["dataAddress"]
    for name in ("account", "container", "folderName", "endpoint", "blobName"):
        wrong = [*address["endpointProperties"], {"name": name, "value": f"https://a.example/x{secret}"}]
        body = transfer_request(dataAddress={**address, "endpointProperties": wrong})
        answer = await protocol.call("POST", "transfers/request", json=body)
        assert answer.status_code == 400
    assert US not in protocol.secrets
