from collections.abc import Callable
from pathlib import Path

import pytest

from connector_cli.checks import check_for_connector, check_for_data_plane
from connector_cli.composition import control_plane_settings
from connector_cli.configuration import InvalidConfigurationError, counterparties_of, load_settings
from connector_cli.settings import ConnectorSettings
from tests.unit.connector_cli.conftest import MINIMAL, PUBLIC_KEY
from vault_adapters.settings import LocalVaultSettings

Written = Callable[..., Path]


def problems_of(load: Callable[[], object]) -> dict[str, str]:
    """Key -> what is said about it."""
    with pytest.raises(InvalidConfigurationError) as refused:
        load()
    return {problem.key: problem.message for problem in refused.value.problems}


def test_a_minimal_file_does(written: Written) -> None:
    settings = load_settings(written())
    assert settings.participant is not None
    assert settings.participant.id == "consumer"
    assert (settings.management.host, settings.management.path) == ("127.0.0.1", "/management")
    check_for_connector(settings)


def test_every_problem_is_named_at_once_with_its_key(written: Written) -> None:
    text = MINIMAL.replace('id = "consumer"', "") + (
        '[management]\nport = "many"\nprt = 1\n[logging]\nlevel = "LOUD"\n[[counterparties]]\nid = "p"\n'
        'public_key = "x"\npublic_key_file = "p.pem"\n'
    )
    problems = problems_of(lambda: load_settings(written(text)))
    assert set(problems) == {
        "participant.id",
        "management.port",
        "management.prt",
        "logging.level",
        "counterparties[0]",
    }
    assert "is missing" in problems["participant.id"]
    assert "Did you mean 'port'?" in problems["management.prt"]
    assert "only one of public_key and public_key_file" in problems["counterparties[0]"]


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ("[managment]\nport = 1", "managment", "Did you mean 'management'?"),
        ("[management]\nport = 70000", "management.port", "65535"),
        ("[management]\nhost = '0.0.0.0'\ninsecure_no_auth = true", "management", "loopback"),
        ("[protocol]\nhost = '0.0.0.0'", "protocol", "public_url"),
        ("[protocol]\npublic_url = 'provider.example'", "protocol.public_url", "pattern"),
        ("[database]\nurl = 'mysql://db'", "database.url", "pattern"),
        ("[data_plane.storage]\ndevelopment = true", "data_plane", "[storage]"),
        ("[data_plane]\nmax_flws = 1", "data_plane.max_flws", "max_flows"),
        ("[[data_planes]]\nurl = 'http://127.0.0.1:1'", "data_planes[0].id", "is missing"),
        ("[[data_planes]]\nid = 'd'\ntoken_alias = ''", "data_planes[0]", "loopback"),
        ("[transfer]\nlease_seconds = -1", "transfer.lease_seconds", "greater than 0"),
    ],
)
def test_what_is_wrong_in_a_table_is_said(written: Written, table: str, key: str, said: str) -> None:
    problems = problems_of(lambda: load_settings(written(MINIMAL + table)))
    assert list(problems) == [key]
    assert said in problems[key]


@pytest.mark.parametrize(
    ("vault", "key"),
    [
        ("", "vault"),
        ("[vault]\ntype = 'paper'", "vault"),
        ("[vault]\ntype = 'local'\nkey_file = 'k'", "vault.file"),
        ("[vault]\ntype = 'local'\nfile = 'v'\nkey_fil = 'k'", "vault.key_fil"),
        ("[vault]\ntype = 'local'\nfile = 'v'", "vault"),
    ],
)
def test_vault_settings_are_named_without_the_kind_in_between(written: Written, vault: str, key: str) -> None:
    assert key in problems_of(lambda: load_settings(written("[participant]\nid = 'p'\n" + vault)))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[participant", "is not TOML"), (b"\xff", "is not UTF-8"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "connector.toml"
    if content is not None:
        file.write_bytes(content)
    problems = problems_of(lambda: load_settings(file))
    assert list(problems) == [str(file)]
    assert said in problems[str(file)]


def test_paths_are_relative_to_the_file(written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "provider.pem").write_text(PUBLIC_KEY)
    text = MINIMAL + "[[counterparties]]\nid = 'provider'\npublic_key_file = 'provider.pem'\n"
    settings = load_settings(written(text))
    assert isinstance(settings.vault, LocalVaultSettings)
    assert settings.vault.file == tmp_path / "vault.bin"
    assert settings.vault.key_file == tmp_path / "vault.key"
    assert settings.database.url == f"sqlite:///{tmp_path}/connector.db"
    assert settings.data_plane.database_url == f"sqlite:///{tmp_path}/data-plane.db"
    assert counterparties_of(settings)[0].public_key == PUBLIC_KEY


@pytest.mark.parametrize("url", ["sqlite:////var/lib/connector.db", "postgresql://u@host/name", "memory://"])
def test_database_addresses_that_hold_no_relative_path_stay(written: Written, url: str) -> None:
    assert load_settings(written(MINIMAL + f"[database]\nurl = '{url}'")).database.url == url


def test_the_environment_counts_before_the_file(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_MANAGEMENT__PORT", "8181")
    monkeypatch.setenv("CONNECTOR_PARTICIPANT__ID", "other")
    monkeypatch.setenv("CONNECTOR_EMBEDDED_DATA_PLANE", "true")
    monkeypatch.setenv("CONNECTOR_VAULT__FILE", "elsewhere.bin")
    monkeypatch.setenv("CONNECTOR_URL", "http://not.a.setting")
    settings = load_settings(written(MINIMAL + "[management]\nport = 1\npath = '/m'"))
    assert (settings.management.port, settings.management.path) == (8181, "/m")
    assert settings.participant is not None
    assert settings.participant.id == "other"
    assert settings.embedded_data_plane
    assert isinstance(settings.vault, LocalVaultSettings)
    assert settings.vault.file.name == "elsewhere.bin"


def test_misspelt_variables_are_not_lost(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_MANAGMENT__PORT", "8181")
    monkeypatch.setenv("CONNECTOR_MANAGEMENT__PROT", "8181")
    problems = problems_of(lambda: load_settings(written()))
    assert "MANAGEMENT" in problems["CONNECTOR_MANAGMENT__PORT"]
    monkeypatch.delenv("CONNECTOR_MANAGMENT__PORT")
    assert set(problems_of(lambda: load_settings(written()))) == {"management.prot"}


def test_a_list_in_a_variable_that_is_not_json_is_told(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_COUNTERPARTIES", "[oops")
    assert "JSON" in problems_of(lambda: load_settings(written()))["environment"]


def test_what_only_shows_together_is_named_at_once(written: Written) -> None:
    text = """
embedded_data_plane = true
[vault]
type = "memory"
[management]
port = 7000
[protocol]
port = 7000
[storage]
endpoint_template = "https://one.account"
[outbound]
allowed_networks = ["10.0.0.1/8"]
[[counterparties]]
id = "p"
public_key = "no key"
[[counterparties]]
id = "p"
public_key_file = "missing.pem"
[[data_planes]]
id = "embedded"
url = "http://127.0.0.1:1"
"""
    settings = load_settings(written(text))
    problems = problems_of(lambda: check_for_connector(settings))
    assert set(problems) == {
        "participant.id",
        "protocol.port",
        "storage.endpoint_template",
        "outbound.allowed_networks[0]",
        "counterparties[1].public_key_file",
        "data_planes[0].id",
    }


@pytest.mark.parametrize(("host", "refused"), [("127.0.0.1", False), ("10.1.2.3", True)])
def test_a_data_plane_without_a_token_is_believed_on_this_machine_alone(
    written: Written, host: str, *, refused: bool
) -> None:
    open_plane = '[[data_planes]]\nid = "open"\nurl = "http://127.0.0.1:1"\ntoken_alias = ""\n'
    settings = load_settings(written(f'{MINIMAL}\n[signaling]\nhost = "{host}"\n{open_plane}'))
    if not refused:
        check_for_connector(settings)
        return
    problems = problems_of(lambda: check_for_connector(settings))
    assert set(problems) == {"data_planes[0].token_alias"}


@pytest.mark.parametrize("key", ["no key", PUBLIC_KEY[:60]])
def test_a_key_that_is_none_is_refused(written: Written, key: str) -> None:
    text = MINIMAL + f"[[counterparties]]\nid = 'p'\npublic_key = '''{key}'''\n"
    settings = load_settings(written(text))
    assert "P-256" in problems_of(lambda: check_for_connector(settings))["counterparties[0].public_key"]


def test_a_counterparty_is_named_once(written: Written) -> None:
    table = f"[[counterparties]]\nid = 'p'\npublic_key = '''{PUBLIC_KEY}'''\n"
    settings = load_settings(written(MINIMAL + table * 2))
    assert set(problems_of(lambda: check_for_connector(settings))) == {"counterparties[1].id"}


def test_the_control_plane_gets_what_the_file_says(written: Written) -> None:
    text = MINIMAL + (
        f"[[counterparties]]\nid = 'p'\npublic_key = '''{PUBLIC_KEY}'''\n"
        "[protocol]\npublic_url = 'https://consumer.example/dsp/'\n[signaling]\nport = 7001\n"
        "[transfer]\nlease_seconds = 7\n[negotiation]\nmanual_decisions = true\n"
    )
    settings = control_plane_settings(load_settings(written(text)))
    assert settings.participant_id == "consumer"
    assert settings.protocol_url == "https://consumer.example/dsp"
    assert settings.signaling_url == "http://127.0.0.1:7001"
    assert settings.transfer.lease_seconds == 7
    assert settings.negotiation.manual_decisions
    assert [peer.id for peer in settings.counterparties] == ["p"]


def test_the_data_plane_gets_the_storage_of_the_file(written: Written) -> None:
    text = MINIMAL + "[storage]\nendpoint_template = 'http://127.0.0.1:1/{account}'\n[data_plane]\nmax_flows = 3\n"
    settings = load_settings(written(text))
    own = settings.data_plane.to_data_plane(settings.storage)
    assert (own.storage.endpoint_template, own.max_flows) == ("http://127.0.0.1:1/{account}", 3)


def test_every_setting_has_a_place_of_one_word(written: Written) -> None:
    """Environment variables split at two underscores, so no key may hold them."""
    settings = load_settings(written())
    assert not [name for name in ConnectorSettings.model_fields if "__" in name]
    for name in ConnectorSettings.model_fields:
        value = getattr(settings, name)
        assert not [key for key in getattr(type(value), "model_fields", ()) if "__" in key]


def test_an_embedded_data_plane_serves_public_on_a_listener_of_its_own(written: Written) -> None:
    text = "embedded_data_plane = true\n" + MINIMAL
    alone = load_settings(written(text + "[data_plane]\npublic_url = 'https://data.example'\n"))
    assert set(problems_of(lambda: check_for_connector(alone))) == {"data_plane.public_url"}
    taken = load_settings(written(text + "[data_plane.public]\nport = 19194\n"))
    assert set(problems_of(lambda: check_for_connector(taken))) == {"data_plane.public.port"}
    settings = load_settings(written(text + "[data_plane.public]\nport = 19196\n"))
    check_for_connector(settings)
    assert settings.data_plane.to_data_plane(settings.storage).public_url == "http://127.0.0.1:19196"
    everywhere = text + "[data_plane.public]\nhost = '0.0.0.0'\nport = 19196\n"
    assert "public_url is needed" in problems_of(lambda: load_settings(written(everywhere)))["data_plane"]


def test_a_data_plane_of_its_own_has_two_listeners_that_differ(written: Written) -> None:
    settings = load_settings(written(MINIMAL + "[data_plane]\nport = 7000\n[data_plane.public]\nport = 7000\n"))
    assert set(problems_of(lambda: check_for_data_plane(settings))) == {"data_plane.public.port"}
