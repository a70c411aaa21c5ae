"""Writes docs/troubleshooting.md from the classes of the errors, so that page and API say the same: `make docs`."""

from typing import Final

from connector_cli.error_catalogue import Entry, by_area
from tests.architecture.source_tree import ROOT

PAGE: Final = ROOT / "docs" / "troubleshooting.md"

_INTRODUCTION: Final = """\
# Troubleshooting

Every error with its code, its cause and its remedy. Written from the code by `make docs`; a test fails when this page
is out of date. `connector explain CODE` prints an entry.

Where a code is found: in the answers of the management API (`code`), as `errorCode` of a transfer process, in the log
(`code`, `error_code`), and behind what commands print. The API shows the remedy beside the message, or within it. A
counterparty gets code and message, without a remedy that concerns this side alone.

**Retried** errors are tried again with growing pauses, until the deadline of the step; transfers wait meanwhile and
go on by themselves. **Final** errors end the process: mend the cause, then start a new transfer.

## What you see, and where to look

| what you see | code |
|---|---|
"""

SYMPTOMS: Final = (
    ("a container that is not found", ("ContainerNotFound", "ResourceNotFound")),
    ("403 AuthenticationFailed of Azure Storage", ("AuthenticationFailed", "SasSignatureMismatch", "SasRevoked")),
    ("403 AuthorizationPermissionMismatch", ("AuthorizationPermissionMismatch",)),
    ("403 although key or signature are right", ("AuthorizationFailure", "InsufficientAccountPermissions")),
    ("a key was rotated", ("AccountKeyAwaited", "AuthenticationFailed", "SasSignatureMismatch")),
    ("a clock is wrong", ("SasNotYetValid", "SasExpired", "Unauthenticated")),
    ("the vault is sealed", ("VaultSealed",)),
    ("the vault's token has ended", ("VaultLoginLost", "VaultForbidden")),
    ("a secret is not found", ("SecretNotFound",)),
    ("an address inside the own network is refused", ("ForbiddenAddress",)),
    ("a receipt is refused", ("ReceiptUnsigned", "ReceiptSignerUnknown", "ReceiptSignature", "ReceiptMissing")),
    ("a port is taken, a setting is refused", ("Configuration",)),
    ("a transfer that does not move", ("NoProgress", "CredentialExpired", "EvidenceMissing", "DiskFull")),
    ("a counterparty that answers 401 or 403", ("PeerRefused", "Unauthenticated")),
    ("the database does not answer", ("StoreUnavailable",)),
)
"""What people see, in their words, and the codes that it may be, the likeliest first."""


def page() -> str:
    """The whole page."""
    rows = "".join(f"| {seen} | {', '.join(_link(code) for code in codes)} |\n" for seen, codes in SYMPTOMS)
    sections = (f"\n## {area.title}\n" + "".join(map(_told, found)) for area, found in by_area())
    return _INTRODUCTION + rows + "".join(sections)


def _link(code: str) -> str:
    return f"[{code}](#{code.lower()})"


def _told(found: Entry) -> str:
    kind = "Retried" if found.retried else "Final"
    checks = "".join(f"\n* {check}" for check in found.checks)
    cause = found.cause[0].upper() + found.cause[1:]
    return f"\n### {found.code}\n\n*{kind}.* {cause}.\n\n{found.remedy}\n" + (f"{checks}\n" if checks else "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
