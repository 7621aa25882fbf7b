"""Row 42: nothing that ships gives a text to a shell, and every program is started with its arguments as a list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "spawnlp", "execlp"}
STARTS = {"run", "Popen", "call", "check_call", "check_output"}
EVALUATE = {"eval", "exec"}


def calls(source: str) -> list[tuple[int, str]]:
    """What in a source could give outside text to a shell or an interpreter: line, and why."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
        if owner in ("os", "subprocess", "asyncio", "commands") and name in SHELLS:
            found.append((node.lineno, f"{owner}.{name}"))
        if not owner and isinstance(called, ast.Name) and name in EVALUATE:
            found.append((node.lineno, name))
        if any(word.arg == "shell" and not is_false(word.value) for word in node.keywords):
            found.append((node.lineno, "shell="))
        if owner == "subprocess" and name in STARTS and node.args and is_text(node.args[0]):
            found.append((node.lineno, f"{owner}.{name} of a text"))
    return found


def is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def test_row_42_nothing_that_ships_knows_a_shell() -> None:
    sources = [path for folder in ("firmware", "hal", "boards") for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 300
    found = {str(path.relative_to(ROOT)): where for path in sources if (where := calls(path.read_text()))}
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "os.system(x)", "os.popen(x)", "subprocess.run(x, shell=True)", "subprocess.run(x, shell=flag)",
        "subprocess.getoutput(x)", 'subprocess.run(f"ping {host}")', "asyncio.create_subprocess_shell(x)", "eval(x)",
    ],
)  # fmt: skip
def test_row_42_a_shell_would_be_found(source: str) -> None:
    assert calls(source)
    assert not calls('subprocess.run(["ping", host], shell=False)')
