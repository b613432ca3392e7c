"""ops/kubernetes: valid, restricted, and nothing in it that mutt or the repository does not have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml

from ops.cli.ready import Served
from ops.vault.bootstrap import ROLE_ID, SECRET_ID
from schemas.secret_names import Service
from schemas.settings import Settings
from schemas.topics import INGEST, topics_by_name
from schemas.versions import MUTT_VERSION
from streams.adapters.vault_login import AppRole, login_of
from tests.architecture.documents import ROOT, tracked
from tests.ops.deploy.kube import (
    FOLDER,
    OVERLAYS,
    Document,
    containers,
    environment,
    launches,
    of_kind,
    pods,
    ports,
    rendered,
    secrets_of,
    with_kubectl,
)
from tests.ops.deploy.launches import USER, WORKERS, settings_by_variable
from tests.ops.deploy.test_compose import known_secrets

VERSIONS = ("1.31", "1.37")
"""Of Kubernetes: the oldest and the newest that what is rendered must fit."""
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NAMED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": {"type": "string"}},
}
# What we use of kinds that Kubernetes itself does not know.
OTHERS: dict[str, dict[str, Any]] = {
    "ServiceMonitor": {
        "jobLabel": {"type": "string"},
        "selector": {"type": "object", "properties": {"matchLabels": STRINGS}, "additionalProperties": False},
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["port"],
                "properties": {
                    name: {"type": "string"} for name in ("port", "path", "interval", "scrapeTimeout", "scheme")
                },
            },
        },
    },
    "ScaledObject": {
        "scaleTargetRef": NAMED,
        "minReplicaCount": {"type": "integer", "minimum": 1},
        "maxReplicaCount": {"type": "integer"},
        "pollingInterval": {"type": "integer"},
        "advanced": {"type": "object"},
        "triggers": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "metadata"],
                "properties": {"type": {"const": "kafka"}, "metadata": STRINGS},
            },
        },
    },
}

SECRETS = "/run/secrets/mutt"
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
pytestmark = with_kubectl


def schema_problems(document: Document, version: str) -> list[str]:
    if document["kind"] in OTHERS:
        schema = {"type": "object", "additionalProperties": False, "properties": OTHERS[document["kind"]]}
        return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document["spec"])]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error)]
    return []


@each_overlay
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_what_is_rendered(overlay: str, version: str) -> None:
    found = {(item["kind"], item["metadata"]["name"]): schema_problems(item, version) for item in rendered(overlay)}
    assert {key: problems for key, problems in found.items() if problems} == {}


def test_kubernetes_refuses_what_is_wrong() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"nmae": "a"}]}}
    assert schema_problems(pod, VERSIONS[0])
    assert schema_problems({"kind": "ScaledObject", "spec": {"triggers": [{"type": "kafka"}]}}, VERSIONS[0])


@each_overlay
def test_mutt_has_what_is_started(overlay: str) -> None:
    assert [problem for launch in launches(overlay) for problem in launch.problems()] == []


def test_every_role_is_a_deployment_of_its_own() -> None:
    started = {launch.where: launch.service for launch in launches("overlays/production") if launch.service}
    assert set(started.values()) == set(Served)
    assert {f"mutt-{role}/mutt" for role in Served} == set(started)
    assert {launch.service for launch in launches("base")} >= set(WORKERS)


@each_overlay
def test_every_variable_is_a_setting(overlay: str) -> None:
    for pod in pods(overlay).values():
        for container in containers(pod):
            variables = set(environment(overlay, container))
            assert variables - settings_by_variable() <= {"SNMPTRAPD_CONF"}
            assert Settings.from_env(environment(overlay, container)).host == "0.0.0.0"


@each_overlay
@pytest.mark.checks("HOST_1")
def test_pods_are_restricted(overlay: str) -> None:
    """As the policy "restricted" of Kubernetes wants it, and a root that nobody writes to."""
    for name, pod in pods(overlay).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert {spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {USER}
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        kinds = {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]}
        assert kinds - {"emptyDir", "projected"} == ({"persistentVolumeClaim"} if name == "mutt-retention" else set())
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert "memory" in container["resources"]["limits"], name
            assert {"cpu", "memory"} == set(container["resources"]["requests"]), name


@each_overlay
def test_kubernetes_sets_no_variables_of_its_own(overlay: str) -> None:
    """MUTT_API_PORT would be the address of the service mutt-api, which mutt refuses as a port."""
    assert "mutt-api" in of_kind(overlay, "Service")
    assert {pod["spec"]["enableServiceLinks"] for pod in pods(overlay).values()} == {False}


@each_overlay
def test_services_wait_for_the_schema_and_are_asked_how_they_are(overlay: str) -> None:
    for name, deployment in of_kind(overlay, "Deployment").items():
        pod = deployment["spec"]["template"]
        first = [container["command"] for container in pod["spec"].get("initContainers", ())]
        assert first == ([] if name == "mutt-snmp-bridge" else [["mutt", "migrate", "--check"]])
        (container,) = pod["spec"]["containers"]
        asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert asked["readinessProbe"] == {"path": "/ready", "port": "http"}
        assert asked["startupProbe"] == asked["livenessProbe"] == {"path": "/health", "port": "http"}
        assert pod["spec"]["terminationGracePeriodSeconds"] > Settings().drain_timeout + 10


@each_overlay
def test_selectors_find_pods_and_ports_are_open_there(overlay: str) -> None:
    labelled = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}
    for name, service in of_kind(overlay, "Service").items():
        found = [pod for pod, labels in labelled.items() if service["spec"]["selector"].items() <= labels.items()]
        assert len(found) == 1, name
        (container,) = pods(overlay)[found[0]]["spec"]["containers"]
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports(container), name
    for name, budget in of_kind(overlay, "PodDisruptionBudget").items():
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        assert [pod for pod, labels in labelled.items() if wanted <= labels.items()] == [name]
    assert set(of_kind(overlay, "PodDisruptionBudget")) == set(of_kind(overlay, "Deployment"))


@each_overlay
def test_nothing_is_reached_that_no_policy_names(overlay: str) -> None:
    policies = of_kind(overlay, "NetworkPolicy")
    everybody = policies["mutt"]["spec"]
    assert everybody["policyTypes"] == ["Ingress", "Egress"]
    for pod in pods(overlay).values():
        assert everybody["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods(overlay).values()}
    for policy in policies.values():
        selector = policy["spec"]["podSelector"]
        chosen = {selector.get("matchLabels", {}).get("app.kubernetes.io/name", "mutt-api")}
        chosen |= {value for term in selector.get("matchExpressions", ()) for value in term["values"]}
        assert chosen <= names


LOGINS = {
    f"mutt-{name}": [f"mutt-login-{role}"]
    for role, names in {
        "worker": ("match", "forward", "dead-letters"), "api": ("api",), "migrate": ("migrate", "topics"),
        "retention": ("retention",),
    }.items()
    for name in names
}  # fmt: skip
"""The secret of each pod with its login at PostgreSQL."""


@pytest.mark.parametrize("overlay", ["base", "overlays/production"])
def test_secrets_are_files_that_root_gives_to_the_group(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        for container in containers(pod):
            given = set(secrets_of(pod, container, SECRETS))
            assert ("mutt-receiver" in given) is (name == "mutt-forward")
            assert ("mutt-api" in given) is (name == "mutt-api")
            assert [each for each in given if each.startswith("mutt-login-")] == LOGINS.get(name, [])


@each_overlay
def test_no_secret_is_among_what_is_rendered(overlay: str) -> None:
    assert [document for document in rendered(overlay) if document["kind"] == "Secret"] == []


def test_with_vault_each_service_has_its_own_approle_and_no_secret_but_that() -> None:
    vault = "overlays/vault"
    told = (ROOT / FOLDER / "components" / "vault" / "kustomization.yaml").read_text()
    for name, pod in pods(vault).items():
        for container in containers(pod):
            job = "mutt-migrate" if container["name"] == "schema" or name == "mutt-topics" else name
            identity = f"mutt-vault-{Service(job.removeprefix('mutt-'))}"
            others = {"mutt-snmptrapd"} if name == "mutt-snmp-bridge" else set()
            assert set(secrets_of(pod, container, SECRETS)) == {identity} | others
            assert identity in told
            settings = Settings.from_env(environment(vault, container))
            assert isinstance(login_of(settings), AppRole)
            assert settings.vault_role_id == f"{identity}.{ROLE_ID}"
            assert settings.vault_secret_id_file == f"{SECRETS}/{SECRET_ID}"


def test_vault_is_reached_where_it_is_used_and_nowhere_else() -> None:
    with_it, without = (of_kind(overlay, "NetworkPolicy") for overlay in ("overlays/vault", "overlays/production"))
    assert set(with_it) - set(without) == {"mutt-vault"}
    address = urlsplit(of_kind("overlays/vault", "ConfigMap").popitem()[1]["data"]["VAULT_ADDR"])
    (egress,) = with_it["mutt-vault"]["spec"]["egress"]
    assert [port["port"] for port in egress["ports"]] == [address.port]
    assert not [line for line in repr(rendered("overlays/production")).split() if "VAULT" in line.upper()]


def test_the_secrets_that_must_be_there_are_named() -> None:
    told = " ".join((ROOT / FOLDER / "base" / "kustomization.yaml").read_text().split("apiVersion")[0].split())
    for pod in pods("base").values():
        for volume in pod["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", ()):
                assert source["secret"]["name"] in told
    named = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", told))
    assert named == {"DB_USER_CURRENT", "DB_PASS_CURRENT", "MOOG_API_KEY", "WEBHOOK_SIGNING_SECRET", "API_PEPPER"}
    assert named <= known_secrets()


@each_overlay
def test_archives_lie_on_a_volume_that_is_there(overlay: str) -> None:
    pod = pods(overlay)["mutt-retention"]
    (container,) = containers(pod)
    (claim,) = [volume for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    assert claim["persistentVolumeClaim"]["claimName"] in of_kind(overlay, "PersistentVolumeClaim")
    mounted = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == claim["name"]}
    assert mounted == {environment(overlay, container)["MUTT_ARCHIVE_DIR"]}


@each_overlay
def test_images_are_of_this_version(overlay: str) -> None:
    images = {container["image"].rpartition("/")[2] for pod in pods(overlay).values() for container in containers(pod)}
    assert images <= {f"mutt:{MUTT_VERSION}", f"mutt-snmptrapd:{MUTT_VERSION}"}


def test_the_namespace_takes_restricted_pods_alone() -> None:
    (namespace,) = of_kind("overlays/production", "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_match_workers_grow_with_the_lag_of_their_group() -> None:
    production = "overlays/production"
    (scaled,) = of_kind(production, "ScaledObject").values()
    (worker,) = [deployment for name, deployment in of_kind(production, "Deployment").items() if name == "mutt-match"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "mutt-match"
    assert "replicas" not in worker["spec"]
    watched = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    assert {metadata["topic"] for metadata in watched} == {topic.name for topic in INGEST}
    topics = topics_by_name()
    assert scaled["spec"]["maxReplicaCount"] == max(topics[metadata["topic"]].partitions for metadata in watched)
    given = environment(production, worker["spec"]["template"]["spec"]["containers"][0])
    for metadata in watched:
        assert metadata["consumerGroup"] == "mutt-match"
        assert metadata["bootstrapServers"] == given["MUTT_KAFKA_BOOTSTRAP"]
        assert set(metadata) == {"bootstrapServers", "consumerGroup", "topic", "lagThreshold", "offsetResetPolicy"}


def test_prometheus_finds_every_service_by_the_name_of_its_job() -> None:
    production = "overlays/production"
    (monitor,) = of_kind(production, "ServiceMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    jobs = {
        service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        for service in of_kind(production, "Service").values()
        if wanted <= service["metadata"]["labels"].items()
        and endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    }
    assert jobs == {f"mutt-{role}" for role in Served}


def test_every_file_is_part_of_what_is_rendered() -> None:
    used = set()
    for file in tracked():
        if file.startswith(f"{FOLDER}/") and file.endswith("kustomization.yaml"):
            folder, listed = Path(file).parent, yaml.safe_load((ROOT / file).read_text())
            paths = [*listed.get("resources", ()), *(patch.get("path", "") for patch in listed.get("patches", ()))]
            used |= {file, *(str(folder / path) for path in paths)}
    assert [file for file in tracked() if file.startswith(f"{FOLDER}/") and file not in used] == []
