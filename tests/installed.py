"""mutt as its wheel installs it: an environment of its own that holds nothing of the checkout.

The libraries are those of the environment that runs the tests; its editable mutt is not among them.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = sysconfig.get_path("purelib")
WITHIN_S = 600
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def build_wheel(folder: Path) -> Path:
    """Builds the wheel, offline. Raises subprocess.CalledProcessError."""
    build = [*_PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT]
    subprocess.run(build, check=True, timeout=WITHIN_S)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """Makes the environment and installs the wheel there; the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=WITHIN_S)
    python = environment / "bin" / "python"
    one = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(one, check=True, timeout=WITHIN_S)
    lend_libraries(environment)
    return environment / "bin"


def lend_libraries(environment: Path) -> None:
    """Not before mutt is installed: pip would find the editable one and be content. A path reads no .pth of its own."""
    (where,) = environment.glob("lib/python*/site-packages")
    (where / "libraries.pth").write_text(f"{LIBRARIES}\n")
