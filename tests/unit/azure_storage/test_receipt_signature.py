from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from azure_storage.markers import CompleteMarker, FailedMarker, parse_complete_marker, parse_failed_marker
from azure_storage.receipt_errors import ReceiptRefusedError, ReceiptSignatureError, ReceiptSignerUnknownError
from azure_storage.receipt_signature import (
    ReceiptKeyError,
    check_signature,
    key_id,
    signed,
    signing_key,
    verification_key,
)
from tests.unit.control_plane.keys import key_of, private_pem, public_pem

AT = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
KEY = key_of("did:web:them")
MARKER = CompleteMarker(
    nonce="n-1",
    process_id="Übersicht",
    agreement_id="a-1",
    object_count=2,
    bytes_total=30,
    pages=1,
    manifest_sha256="ab" * 32,
)
SIGNED = signed(MARKER, signer="did:web:them", at=AT, key=KEY)


def check(marker: CompleteMarker | FailedMarker, signer: str = "did:web:them") -> None:
    check_signature(marker, signer=signer, key=KEY.public_key())


def test_a_signed_marker_is_right_after_it_was_written_and_read() -> None:
    read = parse_complete_marker(SIGNED.to_bytes())
    check(read)
    assert (read.signer, read.signed_at) == ("did:web:them", AT)
    assert read.model_copy(update={"signer": None, "signed_at": None, "signature": None}) == MARKER


def test_a_failure_is_signed_likewise() -> None:
    failed = FailedMarker(nonce="n", process_id="p", code="BlobNotFound", object_name="x\ny", message="gone")
    check(parse_failed_marker(signed(failed, signer="did:web:them", at=AT, key=KEY).to_bytes()))


def test_any_jose_library_can_check_it_by_the_key_that_the_header_names() -> None:
    header = jwt.get_unverified_header(SIGNED.signature or "")
    assert header == {"alg": "ES256", "kid": key_id(KEY.public_key()), "typ": "transfer-receipt+jws"}
    payload = jwt.PyJWS().decode(SIGNED.signature or "", KEY.public_key(), algorithms=["ES256"])
    assert CompleteMarker.model_validate_json(payload).nonce == "n-1"


def test_the_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    numbers = ec.EllipticCurvePublicNumbers(
        # The P-256 key of RFC 7515, appendix A.3.
        x=int.from_bytes(jwt.utils.base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), "big"),
        y=int.from_bytes(jwt.utils.base64url_decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), "big"),
        curve=ec.SECP256R1(),
    )
    assert key_id(numbers.public_key()) == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n-2"},
        {"process_id": "p-2"},
        {"agreement_id": "a-2"},
        {"object_count": 3},
        {"bytes_total": 31},
        {"pages": 2},
        {"manifest_sha256": "cd" * 32},
        {"signed_at": datetime(2026, 3, 2, tzinfo=UTC)},
    ],
)
def test_nothing_of_it_can_be_altered(changes: dict[str, Any]) -> None:
    with pytest.raises(ReceiptSignatureError):
        check(SIGNED.model_copy(update=changes))


def _token(marker: CompleteMarker, key: ec.EllipticCurvePrivateKey = KEY, **headers: Any) -> str:
    named = {"kid": key_id(KEY.public_key()), "typ": "transfer-receipt+jws", **headers}
    payload = marker.model_copy(update={"signature": None}).to_bytes()
    return jwt.PyJWS().encode(payload, key, algorithm="ES256", headers=named)


@dataclass(frozen=True)
class Forgery:
    forged: Callable[[], CompleteMarker]
    error: type[ReceiptRefusedError]


FORGERIES = {
    "other signer": Forgery(lambda: signed(MARKER, signer="did:web:other", at=AT, key=KEY), ReceiptSignerUnknownError),
    "other key": Forgery(
        lambda: signed(MARKER, signer="did:web:them", at=AT, key=key_of("other")), ReceiptSignerUnknownError
    ),
    "other key under our id": Forgery(
        lambda: SIGNED.model_copy(update={"signature": _token(SIGNED, key_of("other"))}), ReceiptSignatureError
    ),
    "signature of something else": Forgery(
        lambda: SIGNED.model_copy(update={"signature": _token(SIGNED.model_copy(update={"pages": 7}))}),
        ReceiptSignatureError,
    ),
    "token of a message": Forgery(
        lambda: SIGNED.model_copy(update={"signature": _token(SIGNED, typ="JWT")}), ReceiptSignatureError
    ),
    "no json": Forgery(
        lambda: SIGNED.model_copy(
            update={
                "signature": jwt.PyJWS().encode(b"{", KEY, algorithm="ES256", headers={"kid": key_id(KEY.public_key())})
            }
        ),
        ReceiptSignatureError,
    ),
    "unsigned token": Forgery(
        lambda: SIGNED.model_copy(
            update={
                "signature": jwt.PyJWS().encode(b"{}", "", algorithm="none", headers={"kid": key_id(KEY.public_key())})
            }
        ),
        ReceiptSignatureError,
    ),
    "garbage": Forgery(lambda: SIGNED.model_copy(update={"signature": "a.b.c"}), ReceiptSignatureError),
    "nothing": Forgery(lambda: SIGNED.model_copy(update={"signature": ""}), ReceiptSignatureError),
}


@pytest.mark.parametrize("case", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forgery_is_refused(case: Forgery) -> None:
    with pytest.raises(case.error) as refused:
        check(case.forged())
    assert "n-1" not in refused.value.message


def test_keys_are_read_as_the_vault_and_the_configuration_hold_them() -> None:
    assert key_id(signing_key(private_pem(KEY), name="k").public_key()) == key_id(KEY.public_key())
    assert key_id(verification_key(public_pem(KEY), name="k")) == key_id(KEY.public_key())


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_a_key_that_is_none_is_named_and_not_shown() -> None:
    other_curve = private_pem(ec.generate_private_key(ec.SECP384R1()))
    other_kind = _rsa().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for pem in ("planted-key", other_curve, other_kind):
        with pytest.raises(ReceiptKeyError, match="my-alias") as refused:
            signing_key(pem, name="my-alias")
        assert pem not in refused.value.message
    public = _rsa().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for pem in ("planted-key", public):
        with pytest.raises(ReceiptKeyError, match="their-key"):
            verification_key(pem, name="their-key")
