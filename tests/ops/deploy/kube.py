"""Renders ops/kubernetes as `kubectl apply --kustomize` would, and reads what comes out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from tests.architecture.documents import ROOT
from tests.ops.deploy.launches import Launch

FOLDER = "ops/kubernetes"
OVERLAYS = ("base", "overlays/production", "overlays/vault")
KUBECTL = shutil.which("kubectl")

with_kubectl = pytest.mark.skipif(
    KUBECTL is None, reason="kubectl is not installed; what is checked is what it renders"
)

Document = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Document, ...]:
    done = subprocess.run(
        [str(KUBECTL), "kustomize", ROOT / FOLDER / overlay], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, Document]:
    return {document["metadata"]["name"]: document for document in rendered(overlay) if document["kind"] in kinds}


def pods(overlay: str) -> dict[str, Document]:
    """The pod template of every deployment and job, and of the jobs that a clock starts."""
    specs = {name: document["spec"] for name, document in of_kind(overlay, "Deployment", "Job", "CronJob").items()}
    return {name: spec.get("jobTemplate", {"spec": spec})["spec"]["template"] for name, spec in specs.items()}


def containers(pod: Document) -> list[Document]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def environment(overlay: str, container: Document) -> dict[str, str]:
    maps = of_kind(overlay, "ConfigMap")
    given: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        given |= maps[source["configMapRef"]["name"]]["data"]
    return given | {variable["name"]: value_of(variable) for variable in container.get("env", ())}


def value_of(variable: Document) -> str:
    """As it stands there; of one that comes from a secret, which."""
    if "value" in variable:
        return str(variable["value"])
    source = variable["valueFrom"]["secretKeyRef"]
    return f"{source['name']}.{source['key']}"


def secrets_of(pod: Document, container: Document, folder: str) -> list[str]:
    """The secrets whose keys are files in the folder."""
    (name,) = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == folder]
    (volume,) = [volume["projected"] for volume in pod["spec"]["volumes"] if volume["name"] == name]
    assert volume["defaultMode"] == 0o440
    return [source["secret"]["name"] for source in volume["sources"]]


def ports(container: Document) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container.get("ports", ())}


def launches(overlay: str) -> Iterator[Launch]:
    for name, pod in pods(overlay).items():
        for container in containers(pod):
            http = {port for label, port in ports(container).items() if label == "http"}
            where = f"{name}/{container['name']}"
            yield Launch(where, tuple(container["command"]), environment(overlay, container), frozenset(http))
