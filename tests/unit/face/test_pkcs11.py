"""What a token says of the kinds of keys it makes, from a library of our own whose every answer the test chooses."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from firmware.certificates.pkcs11 import Pins, Token
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.certificates import KeyType

CURVES = {KeyType.EC_P256, KeyType.EC_P384}
# PKCS #11 v2.40, 5.4: sizes in bits of the mechanism for RSA key pairs.
LIBRARY = """
typedef unsigned long U;
U C_GetMechanismInfo(U slot, U kind, U *info) {
    info[0] = 1024;
    info[1] = 3072;
    return kind == 0 ? ANSWER : 0;
}
"""


def token(folder: Path, answer: int) -> Token:
    """A token whose library answers that to the question about RSA."""
    source, library = folder / "token.c", folder / "token.so"
    source.write_text(LIBRARY)
    subprocess.run(["cc", "-shared", "-fPIC", f"-DANSWER={answer:#x}", str(source), "-o", str(library)], check=True)
    return Token(str(library), "lintel", Pins("1", "2"))


def test_a_token_makes_curves_and_rsa_of_the_sizes_that_it_has(tmp_path: Path) -> None:
    assert token(tmp_path, 0x0).kinds() == CURVES | {KeyType.RSA_2048, KeyType.RSA_3072}


@pytest.mark.parametrize("answer", [0x70, 0x54], ids=["mechanism invalid", "function not supported"])
def test_a_token_that_knows_no_rsa_makes_curves_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: int
) -> None:
    with caplog.at_level(logging.WARNING):
        assert token(tmp_path, answer).kinds() == CURVES
    assert "the TPM makes no RSA keys" in caplog.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [(0x5, "the TPM does not answer"), (0x30, "the TPM reports an error"), (0x71, "the token refuses")],
)
def test_a_token_that_fails_at_the_question_is_an_error_and_not_one_without_rsa(
    tmp_path: Path, answer: int, words: str
) -> None:
    with pytest.raises(Unavailable) as failed:
        token(tmp_path, answer).kinds()
    assert str(failed.value) == f"keystore: {words} (C_GetMechanismInfo answered {answer:#x})"
