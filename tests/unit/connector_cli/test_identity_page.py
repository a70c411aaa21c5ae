"""The configurations that docs/identity.md shows are taken as they stand there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from connector_cli.checks import check_for_connector
from connector_cli.configuration import InvalidConfigurationError, load_settings
from tests.architecture.source_tree import ROOT
from tests.unit.connector_cli.conftest import MINIMAL

PAGE: Final = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
SHOWN: Final = dict(re.findall(r"^## ([^\n]+)\n.*?^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
MODES: Final = {
    "key": "key",
    "oauth2": "oauth2",
    "dcp-id-token": "dcp-id-token",
    "client-id: for labs only": "client-id",
    "Your own": "dcp",
}
US: Final = MINIMAL.replace('"consumer"', '"did:web:us.example"')


def test_every_mode_has_an_example() -> None:
    assert set(SHOWN) == set(MODES)


@pytest.mark.parametrize("heading", MODES)
def test_an_example_is_a_configuration(heading: str, written: Callable[..., Path]) -> None:
    settings = load_settings(written(US + SHOWN[heading]))
    assert settings.identity.mode == MODES[heading]
    if heading != "Your own":
        check_for_connector(settings)
        return
    with pytest.raises(InvalidConfigurationError, match="'dcp', which nobody serves"):
        check_for_connector(settings)
