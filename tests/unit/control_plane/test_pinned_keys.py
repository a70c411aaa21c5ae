"""Which keys of a counterparty count; that they are read at all is in test_jwt_identity."""

from collections.abc import Sequence

import jwt
import pytest

from control_plane.adapters.pinned_keys import NamedKeys, PinnedKey
from outbound_http.jwks import InlineKeys
from tests.unit.control_plane.keys import key_of, public_pem
from tests.unit.outbound_http.signing_party import public_jwk


def published(*kids: str) -> NamedKeys:
    return NamedKeys(InlineKeys({"keys": [public_jwk(key_of(kid), kid) for kid in kids]}))


def names(keys: Sequence[jwt.PyJWK]) -> list[str | None]:
    return [key.key_id for key in keys]


@pytest.mark.parametrize("kid", [None, "any", "#key-1"])
async def test_a_configured_key_counts_whatever_a_token_calls_it(kid: str | None) -> None:
    [found] = await PinnedKey("them", public_pem(key_of("them"))).candidates(kid)
    assert found.algorithm_name == "ES256"


async def test_a_key_of_a_document_may_be_left_unnamed_only_where_there_is_one() -> None:
    assert names(await published("a").candidates(None)) == ["a"]
    assert names(await published("a", "b").candidates("b")) == ["b"]
    assert names(await published("a", "b").candidates(None)) == []
