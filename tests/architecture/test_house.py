"""The house keeps its own rules: names, docstrings, nothing of one machine or registry in tracked files."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from tests.architecture.documents import ROOT, tracked

PACKAGES = ("schemas", "streams", "api", "ops")

# Written in pieces, so that this file does not hold what it looks for.
MACHINES = re.compile(r"(?<![\w.{])/(wo" + r"rk|ho" + r"me|Use" + r"rs|ro" + r"ot)/\w")
REGISTRIES = re.compile(
    r"pypi\.|python" + r"hosted\.|npmjs\.|maven\.(org|apache)|artifact" + r"ory|--(extra-)?ind" + r"ex-url[ =]"
)


def text_of(file: str) -> str:
    return (ROOT / file).read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_our_names(package: str) -> None:
    assert {owner.lower() for owner in packages_distributions().get(package, [])} <= {"mutt"}
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


def test_the_wheel_holds_these_packages_and_no_other() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    assert tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES


def test_every_module_says_what_lives_in_it() -> None:
    modules = [file for file in tracked() if file.endswith(".py")]
    ours = [file for file in modules if file.startswith(PACKAGES) or not file.endswith("__init__.py")]
    assert [file for file in ours if not ast.get_docstring(ast.parse(text_of(file)))] == []


def test_every_metric_is_moved_somewhere() -> None:
    """One that nobody moves is a panel that says 0 whatever happens."""
    named = [name for name in vars(metrics) if isinstance(getattr(metrics, name), MetricWrapperBase)]
    product = "".join(text_of(file) for file in tracked() if file.endswith(".py") and file.startswith(PACKAGES))
    assert len(named) > 40
    assert [name for name in named if len(re.findall(rf"\b{name}\b", product)) < 2] == []


def test_every_folder_of_modules_is_a_package() -> None:
    examples = "docs/"  # programs of their own, to be copied
    folders = {str(Path(file).parent) for file in tracked() if file.endswith(".py") and not file.startswith(examples)}
    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("pattern", [MACHINES, REGISTRIES], ids=["machines", "registries"])
def test_tracked_files_name_no_machine_and_no_registry(pattern: re.Pattern[str]) -> None:
    found = {file: pattern.search(text_of(file)) for file in tracked()}
    assert {file: match.group() for file, match in found.items() if match} == {}


def test_a_machine_and_a_registry_are_noticed() -> None:
    assert MACHINES.search("cd /wo" + "rk/x")
    assert REGISTRIES.search("https://py" + "pi.org/simple")


@pytest.mark.parametrize(
    ("lock", "least"), [("requirements.lock", 20), ("requirements-dev.lock", 20), ("requirements-build.lock", 3)]
)
def test_every_locked_package_has_hashes(lock: str, least: int) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", text_of(lock))
    packages = [entry for entry in entries if "==" in entry.split("\n", 1)[0]]
    assert len(packages) > least
    assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []


def test_what_the_driver_overrides_is_pinned_exactly() -> None:
    wanted = {"faust-streaming", "aiokafka", "mode-streaming"}
    dependencies = tomllib.loads(text_of("pyproject.toml"))["project"]["dependencies"]
    exact = {name for name, _, version in (line.partition("==") for line in dependencies) if version}
    assert wanted <= exact
