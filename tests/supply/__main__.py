"""`python -m tests.supply`: what is known to be wrong with what mutt runs on, its list, and what is odd in our code."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.run import ROOT
from tests.supply import licences
from tests.supply.findings import explanations_in, findings_in, judged, unexplained

FOLDER = ROOT / ".venv-audit"
LOCK = ROOT / "requirements-audit.lock"
SBOM = ROOT / "dist" / "mutt.cdx.json"
ACCEPTED = Path(__file__).with_name("accepted.toml")
EXPLAINED = Path(__file__).with_name("explained.toml")
OURS = ("schemas", "streams", "api", "ops")


class Failed(Exception):  # noqa: N818 - reads as what happened
    """One step did not do what it is for; the text says why."""


def tool(name: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
    """What a program of the audit's own environment prints. Raises Failed."""
    _prepare()
    done = subprocess.run([FOLDER / "bin" / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in accept:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise Failed(f"{name} ended with {done.returncode}: {lines[-1] if lines else 'it says nothing'}")
    return done.stdout


def _prepare() -> None:
    """The environment, made anew when its lock changed."""
    stamp = FOLDER / "lock"
    if stamp.exists() and stamp.read_text() == LOCK.read_text():
        return
    venv.create(FOLDER, with_pip=True, clear=True)
    pip = [FOLDER / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", LOCK]
    if subprocess.run(pip, check=False).returncode:
        raise Failed("the tools of the audit cannot be installed")
    stamp.write_text(LOCK.read_text())


def vulnerabilities() -> str:
    """Asks the index for what is known of every package of the lock."""
    arguments = (
        "--require-hashes",
        "--disable-pip",
        "-r",
        "requirements.lock",
        "-f",
        "json",
        "--progress-spinner",
        "off",
    )
    try:
        told = json.loads(tool("pip-audit", *arguments, accept=(0, 1)))
    except json.JSONDecodeError:
        raise Failed("pip-audit cannot reach its database, so nothing is known; ask again where it can") from None
    return judged_vulnerabilities(told["dependencies"], tomllib.loads(ACCEPTED.read_text()))


def judged_vulnerabilities(packages: list[dict[str, Any]], accepted: dict[str, str]) -> str:
    """From pip-audit's JSON. It calls a package fine that it could not ask about: we do not. Raises Failed."""
    if skipped := [package for package in packages if "skip_reason" in package]:
        why = str(skipped[0]["skip_reason"]).partition(":")[0]
        raise Failed(f"of {len(skipped)} of {len(packages)} packages nothing is known; of the first: {why}")
    known = [(package, each["id"]) for package in packages for each in package.get("vulns", ())]
    wrong = [f"{one['name']} {one['version']}: {identity}" for one, identity in known if identity not in accepted]
    wrong += [f"accepted, but known no more: {one}" for one in sorted(set(accepted) - {one for _, one in known})]
    if wrong:
        raise Failed("; ".join(wrong))
    return f"{len(packages)} packages, {len(known)} vulnerabilities known, each with its reason"


def sbom() -> str:
    """Writes dist/mutt.cdx.json (CycloneDX)."""
    SBOM.parent.mkdir(exist_ok=True)
    tool(
        "cyclonedx-py", "requirements", "requirements.lock", "--pyproject", "pyproject.toml",
        "--output-reproducible", "--of", "JSON", "-o", str(SBOM),
    )  # fmt: skip
    components = {each["name"] for each in json.loads(SBOM.read_text())["components"]}
    missing = [name for name, _ in licences.locked() if name not in components]
    if missing:
        raise Failed(f"not in the list: {', '.join(missing)}")
    return f"{len(components)} components in {SBOM.relative_to(ROOT)}"


def listed_licences() -> str:
    """Writes docs/LICENCES.md."""
    licences.DOCUMENT.write_text(licences.document(), encoding="utf-8")
    return f"{len(licences.locked())} packages in {licences.DOCUMENT.relative_to(ROOT)}"


def static() -> str:
    """bandit over our own code, beside ruff's rules of the same numbers."""
    found = findings_in(tool("bandit", "-q", "-r", *OURS, "-f", "json", accept=(0, 1)))
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ignored = frozenset(code[1:] for code in config["tool"]["ruff"]["lint"]["ignore"] if code.startswith("S"))
    if wrong := judged(unexplained(found, ROOT, ignored), explanations_in(EXPLAINED.read_text())):
        raise Failed(f"{len(wrong)} without a reason: {'; '.join(wrong[:20])}")
    return f"{len(found)} findings, each with its reason"


STEPS: dict[str, Callable[[], str]] = {
    "vulnerabilities": vulnerabilities,
    "sbom": sbom,
    "licences": listed_licences,
    "static": static,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.supply")
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS], help="all of them if none is named")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    told: dict[str, object] = {"ok": True}
    for name in given.steps or STEPS:
        try:
            said, ok = STEPS[name](), True
        except Failed as failed:
            said, ok = str(failed), False
        told[name] = said
        told["ok"] = bool(told["ok"] and ok)
        print(f"{name:<16} {'ok' if ok else 'FAILED'}  {said}", flush=True)
    if given.json:
        print(json.dumps(told))
    return 0 if told["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
