"""What stands in signatures by an account key and by a user delegation key."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from azure.storage.blob import UserDelegationKey

from azure_storage.account_access import SharedKey
from azure_storage.delegation_keys import DelegationKey
from azure_storage.sas import SasToken
from azure_storage.sas_signing import SasSigner, SasTerms, SigningKey

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = base64.b64encode(b"secret").decode()
ACCOUNT_KEY = SharedKey(SECRET)


def _delegation_key() -> DelegationKey:
    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid, key.signed_tid = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
    key.signed_start, key.signed_expiry = "2026-01-01T11:50:00Z", "2026-01-08T11:50:00Z"
    key.signed_service, key.signed_version, key.value = "b", "2026-06-06", SECRET
    return DelegationKey(key, NOW + timedelta(days=7), NOW + timedelta(days=1))


KEYS = [pytest.param(ACCOUNT_KEY, id="account key"), pytest.param(_delegation_key(), id="delegation key")]


def _signer(key: SigningKey) -> SasSigner:
    return SasSigner("acme1", key, SasTerms.from_now(NOW, lifetime_seconds=3600, https_only=True))


def _terms(token: SasToken) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(token.query).items()}


@pytest.mark.parametrize("key", KEYS)
def test_a_signature_holds_its_terms_and_is_limited_to_tls(key: SigningKey) -> None:
    token = _signer(key).for_container("data", "w")
    terms = _terms(token)
    assert (terms["sr"], terms["sp"], terms["spr"]) == ("c", "w", "https")
    assert (terms["st"], terms["se"]) == ("2026-01-01T11:55:00Z", "2026-01-01T13:00:00Z")
    assert token.expires_at == NOW + timedelta(hours=1)
    assert SasToken.from_secret(token.to_secret()) == token
    assert ("skoid" in terms) is isinstance(key, DelegationKey)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("folder", "depth"), [("inbox", "1"), ("a/b ü/c", "3")])
def test_a_directory_signature_names_its_depth(key: SigningKey, folder: str, depth: str) -> None:
    terms = _terms(_signer(key).for_directory("data", folder, "wt"))
    assert (terms["sr"], terms["sdd"], terms["sp"], terms["spr"]) == ("d", depth, "wt", "https")
    other = _terms(_signer(key).for_directory("data", folder + "x", "wt"))
    assert other["sig"] != terms["sig"]


@pytest.mark.parametrize(("folder", "kind"), [("", "c"), ("inbox", "d")])
def test_a_signature_by_policy_repeats_none_of_its_terms(folder: str, kind: str) -> None:
    terms = _terms(_signer(ACCOUNT_KEY).by_policy("data", "transfer-1", folder=folder))
    assert (terms["sr"], terms["si"], terms["spr"]) == (kind, "transfer-1", "https")
    assert not {"sp", "st", "se"} & terms.keys()


def test_terms_can_be_cut_and_never_prolonged() -> None:
    terms = SasTerms.from_now(NOW, lifetime_seconds=3600, https_only=True)
    assert terms.ending_by(NOW + timedelta(minutes=1)).expires_at == NOW + timedelta(minutes=1)
    assert terms.ending_by(NOW + timedelta(days=1)) == terms
