"""Files that prove an identity: read whole, without white space around, and never shown."""

from pathlib import Path

import pytest

from connector_spi.errors import ConfigurationError
from entra_identity.client_secrets import LONGEST_PROOF, read_proof


def test_white_space_around_is_not_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("  the secret \n")
    assert read_proof(tmp_path / "secret", key="key") == "the secret"


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"planted \xff", b"planted" + b"x" * LONGEST_PROOF],
    ids=["empty", "blank", "no text", "too long"],
)
def test_what_cannot_be_a_secret_is_refused_by_its_setting(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"some\.setting") as raised:
        read_proof(tmp_path / "secret", key="some.setting")
    assert "planted" not in str(raised.value)


def test_a_folder_is_not_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="directory"):
        read_proof(tmp_path, key="some.setting")
