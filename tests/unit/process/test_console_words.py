"""Verbs at the device itself, misspelt, or where there is none: one line with its place, or with the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.cli.console import place_of
from firmware.cli.main import run
from firmware.core.errors import Unavailable
from firmware.paths import RuntimeDir, StateDir


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["restrat"], 2, "did you mean 'restart'"),
        (["port-chek", "127.0.0.1", "80"], 2, "did you mean 'port-check'"),
        (["factory_default"], 2, "did you mean 'factory-default'"),
        (["restore"], 1, "no device runs in"),
        (["factory-default"], 1, "no device runs in"),
        (["rollback"], 1, "no device runs in"),
        (["upgrade"], 1, "FILE"),
        (["upgrade", "nothing.raucb"], 1, "there is no file 'nothing.raucb'"),
        (["upgrade", "there.zip", "--mode", "standart"], 1, "did you mean 'standard'"),
        (["upgrade", "there.zip", "--mode", "factory_default"], 1, "no device runs in"),
        (["locate", "--for", "0"], 1, "--for"),
        (["restart", "--yess"], 1, "unknown option '--yess'"),
        (["status", "now"], 1, "unknown word 'now'"),
        (["report", "kept.rar"], 1, "'kept.rar' is no kind of report"),
        (["report", "there.zip"], 1, "'there.zip' is there already"),
        (["ping"], 1, "HOST"),
        (["port-check", "127.0.0.1", "0"], 1, "port"),
        (["port-check", "127.0.0.1", "http"], 1, "PORT"),
        (["restart", "--state", "nowhere"], 1, "no device runs in"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    words: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for variable in ("LINTEL_RUNTIME", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    Path("there.zip").write_bytes(b"")
    assert run(words) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_the_device_that_is_meant_is_the_named_one_the_one_here_or_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("LINTEL_RUNTIME", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    monkeypatch.setattr("firmware.cli.console.INSTALLED_RUNTIME", run_folder)
    monkeypatch.setattr("firmware.paths.INSTALLED_RUNTIME", run_folder)
    assert place_of(Path("other")).root == tmp_path / "other"
    assert place_of(None).root == Path("/var/lib/lintel")
    assert RuntimeDir.of(place_of(None)).link == run_folder / "link"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "bench.addr").write_text(str(tmp_path / "sockets" / "bench"))
    assert place_of(None).root == Path("/var/lib/lintel"), "nothing runs there any more"
    (tmp_path / "sockets").mkdir()
    (tmp_path / "sockets" / "bench").touch()
    assert place_of(None).root == tmp_path / "state"
    assert RuntimeDir.of(place_of(None)).link == tmp_path / "sockets" / "link"
    with pytest.raises(Unavailable, match="no device runs"):
        RuntimeDir.of(StateDir(tmp_path / "other"))
