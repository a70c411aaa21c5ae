"""The signature of a marker: a JWS (RFC 7515, ES256) whose payload is the marker without its signature, byte for byte.

The payload travels inside the signature, so that nothing has to be written again in a canonical form to check it:
the signed bytes are read, and have to say the same as the marker around them. The header's `typ` keeps the signature
apart from everything else that the participant's key signs; its `kid` is the key's thumbprint (RFC 7638).
"""

import base64
import hashlib
import json
from datetime import datetime
from typing import Final, TypeVar

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import ECAlgorithm

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import SignedMarker
from azure_storage.receipt_errors import ReceiptSignatureError, ReceiptSignerUnknownError
from azure_storage.wire_model import parsed
from connector_spi.errors import PermanentError

_ALGORITHM: Final = "ES256"
_TYPE: Final = "transfer-receipt+jws"

Marker = TypeVar("Marker", bound=SignedMarker)


class ReceiptKeyError(PermanentError):
    """A key cannot be used for receipts. Never shows the key."""

    code = "ReceiptKey"
    cause = "a key for receipts is not the PEM of a P-256 key"
    remedy = (
        "Make one with `connector identity create --config FILE`; counterparties get what `connector identity show` "
        "prints, as `public_key_file` of `[[counterparties]]`."
    )


def signing_key(pem: str, *, name: str) -> EllipticCurvePrivateKey:
    """The private key; `name` (a vault alias) says in errors which one it is.

    Raises:
        ReceiptKeyError: it is not the PEM of a P-256 private key.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        remedy = "`connector identity create` makes one that is."
        raise ReceiptKeyError(f"The secret under the alias {name!r} is not a P-256 private key in PEM. {remedy}")
    return key


def verification_key(pem: str, *, name: str) -> EllipticCurvePublicKey:
    """The public key; `name` (a file, or a participant) says in errors which one it is.

    Raises:
        ReceiptKeyError: it is not the PEM of a P-256 public key.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        remedy = "Use what `connector identity show` prints at its owner."
        raise ReceiptKeyError(f"The key of {name} is not a P-256 public key in PEM. {remedy}")
    return key


def signed(marker: Marker, *, signer: str, at: datetime, key: EllipticCurvePrivateKey) -> Marker:
    """The marker with its signature; `signer` is the participant whose key it is."""
    unsigned = marker.model_copy(update={"signer": signer, "signed_at": at, "signature": None})
    headers = {"kid": key_id(key.public_key()), "typ": _TYPE}
    signature = jwt.PyJWS().encode(unsigned.to_bytes(), key, algorithm=_ALGORITHM, headers=headers)
    return unsigned.model_copy(update={"signature": signature})


def check_signature(marker: SignedMarker, *, signer: str, key: EllipticCurvePublicKey) -> None:
    """Check that `signer`, whose key this is, signed exactly this marker. There has to be a signature.

    Raises:
        ReceiptSignerUnknownError: it names another participant, or another key.
        ReceiptSignatureError: it is none, or not of this marker.
    """
    if marker.signer != signer:
        raise ReceiptSignerUnknownError(f"The receipt is signed by another participant than {signer!r}.")
    try:
        header = jwt.get_unverified_header(marker.signature or "")
        if header.get("kid") != key_id(key):
            raise ReceiptSignerUnknownError(
                f"The receipt is signed with another key of {signer!r} than the one that is configured here: "
                f"expected {key_id(key)}. If the key was replaced, configure the new one."
            )
        found = jwt.PyJWS().decode_complete(marker.signature or "", key, algorithms=[_ALGORITHM])
        said = parsed(type(marker), "the signed part", found["payload"])
    except (jwt.PyJWTError, MarkerMalformedError):
        raise ReceiptSignatureError("The receipt's signature is not valid.") from None
    if found["header"].get("typ") != _TYPE or said.model_copy(update={"signature": marker.signature}) != marker:
        raise ReceiptSignatureError("The receipt's signature is that of something else.")


def key_id(key: EllipticCurvePublicKey) -> str:
    """The key's thumbprint (RFC 7638): SHA-256 over its required members, base64url."""
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
