"""An authority and certificates of it, made with openssl: for the right name, for another, and past their time."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Pair:
    """Files: the certificate and its key."""

    certificate: Path
    key: Path

    def both(self, target: Path) -> Path:
        """One file with the key and then the certificate, as Kafka reads them."""
        target.write_text(self.key.read_text() + self.certificate.read_text())
        return target


class Authority:
    """Vouches for what it issues."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _run(
            "req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate
        )

    def issue(self, name: str, alternative: str = "IP:127.0.0.1", *, days: int = 2) -> Pair:
        """For a common name and a subjectAltName; with -1 days it ended yesterday."""
        pair, request = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key"), self._folder / f"{name}.csr"
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}")
        _run("req", *_KEY, *subject, "-keyout", pair.key, "-out", request)
        _run(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-days", str(days),
            "-copy_extensions", "copy", "-out", pair.certificate,
        )  # fmt: skip
        pair.key.chmod(0o600)
        return pair


def _run(*arguments: str | Path) -> None:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
