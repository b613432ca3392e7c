"""compose.kafka.yml: valid, closed, and nothing in it that mutt or the repository does not have."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ops.cli.ready import Served
from ops.devstack import kafka
from schemas.secret_names import DatabaseRole, all_groups
from schemas.settings import Settings
from schemas.versions import MUTT_VERSION
from streams.adapters.secrets import is_open
from streams.core.login_rotation import other_login
from streams.core.secret_rules import SHORTEST_PEPPER
from tests.architecture.documents import ROOT, tracked
from tests.ops.deploy.compose import FILE, VARIABLE, Service, launches, ours, published, services, whole
from tests.ops.deploy.launches import USER, WORKERS, is_ours, settings_by_variable, text_of

ONCE = {"roles", "migrate", "topics", "grafana-role"}
BY_HAND = "operator"
"""Runs where somebody asks for it."""
CORE = {
    "kafka",
    "postgres",
    "roles",
    "migrate",
    "topics",
    "match-1",
    "match-2",
    "forward",
    "dead-letters",
    "api",
    "sink",
}
LOOPBACK = "127.0.0.1"
NEW_SECRETS = ROOT / "ops" / "compose" / "new-secrets"

each_service = pytest.mark.parametrize("name", services())


def test_it_is_a_compose_file() -> None:
    schema = resources.files("check_jsonschema.builtin_schemas").joinpath("vendor/compose-spec.json").read_text()
    found = jsonschema.Draft7Validator(json.loads(schema)).iter_errors(whole())
    assert [f"{error.json_path}: {error.message}" for error in found] == []


@pytest.mark.parametrize("launch", launches(), ids=lambda launch: launch.where)
def test_mutt_has_what_is_started(launch: Any) -> None:
    assert launch.problems() == []


def test_every_role_is_there_and_asked_for_its_health() -> None:
    started = [launch.service for launch in launches() if launch.service]
    assert sorted(started) == sorted([*Served, Served.MATCH])
    for name, service in ours().items():
        role = next((launch.service for launch in launches() if launch.where == name), None)
        if role is not None:
            assert service["healthcheck"]["test"] == ["CMD", "mutt", "ready", role], name


def test_workers_of_each_role_scale_apart() -> None:
    commands = [tuple(service.get("command", ())) for service in services().values()]
    assert {("mutt", "worker", role) for role in WORKERS} <= set(commands)


def test_variables_have_defaults_and_cannot_be_taken_for_settings() -> None:
    named = dict(VARIABLE.findall(text_of(FILE)))
    assert len(named) > 5
    assert [name for name in named if f"${{{name}}}" in text_of(FILE)] == []
    assert [name for name in named if name.startswith("MUTT_")] == []
    assert set(re.findall(r"\$\{?(\w+)", text_of(FILE))) == set(named)


def test_every_variable_that_is_set_is_a_setting() -> None:
    given = {variable for service in ours().values() for variable in service.get("environment", {})}
    assert given - settings_by_variable() <= {"SNMPTRAPD_CONF"}


def test_images_of_ours_have_our_version() -> None:
    assert {service["image"].partition(":")[2] for service in services().values() if "build" in service} == {
        MUTT_VERSION
    }


@each_service
@pytest.mark.checks("HOST_1")
def test_a_container_is_closed(name: str) -> None:
    service = services()[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    if "build" in service:
        assert service["user"] == f"{USER}:{USER}"


@each_service
def test_a_container_is_watched_or_ends(name: str) -> None:
    service = services()[name]
    assert ("healthcheck" in service) is (name not in {*ONCE, BY_HAND})
    restarts = {BY_HAND: "no"} | dict.fromkeys(ONCE, "on-failure:5")
    assert service["restart"] == restarts.get(name, "unless-stopped")
    for other, wanted in service.get("depends_on", {}).items():
        ends = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert wanted == {"condition": ends}, other


@each_service
def test_a_service_belongs_to_a_profile(name: str) -> None:
    everywhere = ["core", "full"] if name in CORE else ["full"]
    assert services()[name]["profiles"] == ([BY_HAND] if name == BY_HAND else everywhere)


@each_service
@pytest.mark.checks("SURFACE_1")
def test_ports_are_published_on_loopback(name: str) -> None:
    assert {address for address, _, _ in published(services()[name])} <= {LOOPBACK}


def listens_at(name: str) -> set[int]:
    """Ports that a service is known to listen at."""
    launched = [launch for launch in launches() if launch.where == name and launch.service]
    known = {inside for _, _, inside in published(services()[name])} | {19092 if name == "kafka" else 0}
    return known | {getattr(Settings(), f"{launch.service.replace('-', '_')}_port") for launch in launched}  # type: ignore[union-attr]


def test_addresses_lead_to_services_that_listen_there() -> None:
    texts = [text for service in ours().values() for text in service.get("environment", {}).values()]
    found = {(host, int(port)) for text in texts for host, port in re.findall(r"([a-z0-9-]+):(\d+)", text)}
    assert {host for host, _ in found} == {"kafka", "postgres", "sink"}
    assert [(host, port) for host, port in found if port not in listens_at(host)] == []


@pytest.mark.parametrize("file", [file for file in tracked() if file.startswith("ops/compose/targets/")])
def test_prometheus_is_led_to_services_that_listen_there(file: str) -> None:
    for address in yaml.safe_load(text_of(file))[0]["targets"]:
        host, _, port = address.partition(":")
        assert int(port) in listens_at(host)
    assert is_ours("ops/compose/targets/match.yml")


def test_the_targets_are_files_that_prometheus_reads() -> None:
    wanted = set(re.findall(r"targets/[\w-]+\.yml", text_of("ops/prometheus/prometheus.yml")))
    there = {file.removeprefix("ops/compose/") for file in tracked() if file.startswith("ops/compose/targets/")}
    assert there <= wanted
    exporters = {"targets/postgresql.yml", "targets/kafka.yml", "targets/retention.yml"}
    assert wanted - there == exporters  # where there are any


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_files_that_a_server_is_told_to_read_are_mounted(name: str) -> None:
    service = services()[name]
    told = {word.split("=", 1)[1] for word in service["command"] if word.split("=", 1)[1].startswith("/")}
    assert told <= {target for _, target in mounts(service)}


def test_rsyslog_is_given_variables_that_its_script_knows() -> None:
    script = text_of("ops/rsyslog/mutt-rsyslog")
    image = re.search(r"^ENV (RSYSLOG_.*)$", text_of("Dockerfile"), re.MULTILINE)
    assert image
    given = {*services()["rsyslog"]["environment"], *re.findall(r"(RSYSLOG_\w+)=", image[1])}
    assert [name for name in given if f'export {name}="' not in script] == []
    assert "RSYSLOG_PORT=5514" in image[1]
    assert {inside for _, _, inside in published(services()["rsyslog"])} == {5514}
    assert [target for _, target in mounts(services()["rsyslog"])] == [image[1].partition("RSYSLOG_SPOOL=")[2]]


def test_the_api_answers_to_the_name_that_prometheus_calls_it() -> None:
    settings = Settings.from_env(services()["api"]["environment"])
    assert "api" in settings.hosts_allowed


def known_secrets() -> set[str]:
    """Names of secrets that mutt reads."""
    return {name for group in all_groups() for name in group.names}


def given(service: Service) -> dict[str, str]:
    """The secrets of a service: which one lies there, by the name of its file."""
    found: dict[str, str] = {}
    for secret in service.get("secrets", ()):
        source, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
        found[target] = source
    return found


def test_secrets_are_files_that_mutt_reads_by_name() -> None:
    used = {source for service in services().values() for source in given(service).values()}
    assert set(whole()["secrets"]) == used
    for name, service in services().items():
        others = {"snmptrapd.conf", "mutt_grafana_password", "grafana_admin_password"}
        assert set(given(service)) - known_secrets() <= (set(DatabaseRole) if name == "roles" else others), name
    for name, secret in whole()["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    for service in ours().values():
        folder = service.get("environment", {}).get("MUTT_SECRETS_DIR", "/run/secrets")
        assert folder == "/run/secrets"


def test_each_service_logs_in_at_postgresql_as_its_role() -> None:
    """The administrator's password is with PostgreSQL itself and with those that make roles."""
    roles = {"migrate": "migrate", "api": "api", "operator": "operator"} | dict.fromkeys(
        ("match-1", "match-2", "forward", "dead-letters"), "worker"
    )
    for name, role in roles.items():
        service = services()[name]
        settings = Settings.from_env(service["environment"])
        login = other_login(DatabaseRole(role), "")
        assert settings.database_url == f"postgresql://{login}@postgres:5432/mutt", name
        assert given(service)["DB_PASS_CURRENT"] == f"login_{role}", name
    made = {target: source for target, source in given(services()["roles"]).items() if target != "DB_PASS_CURRENT"}
    assert made == {role: f"login_{role}" for role in roles.values()}
    holders = {name for name, service in services().items() if "DB_PASS_CURRENT" in given(service).values()}
    assert holders == {"postgres", "roles", "grafana-role"}


def test_nobody_is_given_a_secret_in_a_variable() -> None:
    variables = {name for service in services().values() for name in service.get("environment", {})}
    assert [name for name in variables if re.search("PASS|SECRET|TOKEN|KEY|PEPPER", name)] == [
        *(name for name in variables if name.endswith(("_FILE", "_DIR")))
    ]


def mounts(service: Service) -> list[tuple[str, str]]:
    return [tuple(volume.split(":")[:2]) for volume in service.get("volumes", ())]  # type: ignore[misc]


@each_service
def test_what_is_mounted_is_there(name: str) -> None:
    for source, target in mounts(services()[name]):
        assert source in whole()["volumes"] or is_ours(source.removeprefix("./")), (source, target)


def test_grafana_is_given_what_its_provisioning_names() -> None:
    folder = "ops/grafana/provisioning"
    texts = [text_of(file) for file in tracked() if file.startswith(folder)]
    named = {name for text in texts for name in re.findall(r"\$([A-Z][A-Z_]+)", text)}
    grafana = services()["grafana"]
    assert named <= set(grafana["environment"])
    files = {path for text in texts for path in re.findall(r"\$__file\{/run/secrets/(\w+)\}", text)}
    assert files <= set(grafana["secrets"])
    mounted = {target for _, target in mounts(grafana)}
    paths = {path for text in texts for path in re.findall(r"path: (/\S+)", text)}
    assert paths <= mounted
    role = services()["grafana-role"]
    assert set(role["command"]) == {target for _, target in mounts(role)}


def test_openbao_is_told_where_its_service_is() -> None:
    service, told = services()["openbao"], text_of("ops/compose/openbao.hcl")
    assert set(re.findall(r'api_addr +=? *"http://(\w+):(\d+)"', told)) == {("openbao", "8200")}
    assert {inside for _, _, inside in published(service)} == {8200}
    assert {target for _, target in mounts(service)} >= {
        *re.findall(r'path +=? *"([^"]+)"', told),
        service["command"][1].partition("=")[2],
    }


def test_volumes_are_used() -> None:
    used = {source for service in services().values() for source, _ in mounts(service)}
    assert set(whole()["volumes"]) <= used


def test_kafka_is_set_as_in_the_stack_that_the_tests_use() -> None:
    given = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for name, value in services()["kafka"]["environment"].items()
    }
    lines = kafka._PROPERTIES.format(
        controller=2, among="", listens="", advertised="", data="", message_bytes=5 * kafka.MIB, guard=""
    )
    tested = dict(line.split("=", 1) for line in lines.split() if "=" in line)
    same = {name for name in given.keys() & tested.keys() if "listener" not in name and name != "log.dirs"}
    assert len(same) > 8
    assert {name: given[name] for name in same - {"controller.quorum.voters"}} == {
        name: tested[name] for name in same - {"controller.quorum.voters"}
    }


def test_new_secrets_makes_each_file_once_for_the_group_of_the_images(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    done = subprocess.run([NEW_SECRETS, folder], capture_output=True, text=True, check=False, timeout=60)
    if os.geteuid() != 0:
        assert (done.returncode, folder.exists()) == (77, False)
        return
    assert done.returncode == 0, done.stderr
    made = {path.name: path for path in folder.iterdir()}
    assert set(whole()["secrets"]) <= set(made)
    for path in made.values():
        assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (0, USER, 0o640)
        assert not is_open(path.stat(), reader=USER)
    contents = {name: path.read_bytes() for name, path in made.items()}
    assert len(set(contents.values())) == len(contents)
    assert len(contents["API_PEPPER"].strip()) >= SHORTEST_PEPPER
    assert contents["WEBHOOK_SIGNING_SECRET"].startswith(b"whsec_")
    subprocess.run([NEW_SECRETS, folder], check=True, timeout=60)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents


def test_the_folder_of_secrets_is_neither_tracked_nor_in_an_image() -> None:
    assert "secrets/" in text_of(".gitignore").splitlines()
    assert "!secrets" not in text_of(".dockerignore")
