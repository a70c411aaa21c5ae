"""Only Maven's own word that the registry has no kit counts as "not to be had"; everything else is a failure."""

import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.tck import dps_kit, dsp_kit, java_kit

FOLDER_VARIABLES = {dps_kit: "DPS_TCK_LIB", dsp_kit: "DSP_TCK_LIB"}
ABSENT = (
    "[ERROR] Failed to execute goal on project conformance-kits: Could not resolve dependencies for project "
    "dataspace-connector:conformance-kits:jar:1: Could not find artifact "
    "org.eclipse.dataspacetck.dps:dps-tck:jar:1.2.0 in central -> [Help 1]"
)
UNREACHABLE = (
    "[ERROR] Could not transfer artifact org.eclipse.dataspacetck.dps:dps-tck:pom:1.2.0 from/to central: "
    "Connection refused"
)
ANOTHER_ABSENT = "[ERROR] Could not find artifact com.squareup.okhttp3:okhttp-jvm:jar:5.4.0 in central"


@pytest.fixture
def pom(tmp_path: Path) -> Path:
    written = tmp_path / "pom.xml"
    written.write_text("<project/>")
    return written


@pytest.fixture(params=FOLDER_VARIABLES, ids=lambda kit: kit.__name__)
def kit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program of a kit that has not been fetched."""
    program: ModuleType = request.param
    monkeypatch.delenv(FOLDER_VARIABLES[program], raising=False)
    monkeypatch.setattr(program, "RUN", tmp_path / "run")
    return program


def maven_that_says(words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, status: int = 1) -> None:
    """Put a program `mvn` first on the path."""
    commands = folder / "commands"
    commands.mkdir()
    (commands / "words").write_text(words)
    (commands / "mvn").write_text(f'#!/bin/sh\ncat "{commands}/words"\nexit {status}\n')
    (commands / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")


def test_a_kit_that_the_registry_does_not_hold(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maven_that_says(ABSENT, tmp_path, monkeypatch)
    assert kit.main() == 3
    said = capsys.readouterr().err
    assert "does not hold org.eclipse.dataspacetck.dps:dps-tck:jar:1.2.0" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [UNREACHABLE, ANOTHER_ABSENT, "[ERROR] Non-parseable POM"])
def test_whatever_else_maven_says_is_a_failure(
    words: str, kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maven_that_says(words, tmp_path, monkeypatch)
    assert kit.main() == 1
    assert words in capsys.readouterr().err


def test_without_maven_it_is_a_failure(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kit.main() == 1
    assert "Maven is needed" in capsys.readouterr().err


def test_a_kit_that_was_fetched_is_not_fetched_again(
    pom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    maven_that_says("", tmp_path, monkeypatch, status=0)
    assert java_kit.fetched(pom, library, given_by="A_FOLDER") == library
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java_kit.fetched(pom, library, given_by="A_FOLDER") == library


def test_a_given_folder_without_jars_is_a_failure(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLES[kit], str(tmp_path))
    assert kit.main() == 1
    assert FOLDER_VARIABLES[kit] in capsys.readouterr().err
