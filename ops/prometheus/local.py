"""Prometheus and Alertmanager on this machine, as ops/prometheus says but at another pace: for tests and the demo."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ops.devstack.authority import Certified
from ops.devstack.layout import free_port
from ops.devstack.processes import Child, spawn, wait_until
from ops.prometheus.rules import rules_file
from schemas.errors import Refused
from schemas.slo import objectives

READY_WITHIN_S = 60.0
_EVERYWHERE = "/usr/bin:/usr/local/bin:/usr/sbin"

PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
"""As Debian names them, and as their makers do."""

MISSING = "is not installed: on Debian, apt-get install prometheus prometheus-alertmanager"


class Monitoring:
    """Both programs with their data below `folder`. `pager` is the address that pages and tickets are posted to."""

    def __init__(
        self,
        folder: Path,
        *,
        pager: str,
        pace: float,
        every: str,
        children: dict[str, Child] | None = None,
        certified: Certified | None = None,
    ) -> None:
        """`pace` shortens the windows of the burn rates; `every` is how often is scraped and looked at, like 250ms.
        `children` is where the processes are added, when somebody else ends them. With `certified` all of it is TLS:
        both show that certificate to whom they ask and to who asks them, and answer who shows one too.

        Raises Refused when one of the programs is not installed.
        """
        self._folder = folder
        self._pager = pager
        self._pace = pace
        self._every = every
        self._programs = {name: program(name) for name in PROGRAMS}
        self._ports = {name: free_port() for name in PROGRAMS}
        self._children: dict[str, Child] = {} if children is None else children
        self._certified = certified
        self._context = None if certified is None else certified.context()

    @property
    def prometheus_url(self) -> str:
        return self._url("prometheus", "")

    def _url(self, name: str, path: str) -> str:
        return f"http{'s' if self._certified else ''}://127.0.0.1:{self._ports[name]}{path}"

    def start(self) -> None:
        """Returns when both answer. Raises StackFailed."""
        self.show("alertmanager", [self._ports["alertmanager"]])
        if self._certified is not None:
            self._write("web.yml", _answering(self._certified))
        self._write("prometheus.yml", self._scrapes())
        self._write("alertmanager.yml", self._routes())
        (self._folder / "mutt.rules.yml").write_text(rules_file(objectives(), pace=self._pace))
        self._run("alertmanager", {"storage.path": self._folder / "alertmanager", "cluster.listen-address": ""})
        self._run("prometheus", {"storage.tsdb.path": self._folder / "prometheus"})

    def show(self, role: str, ports: Iterable[int]) -> None:
        """Tells Prometheus where the processes of a role are: match, forward, dead-letters, api, snmp-bridge."""
        targets = [f"127.0.0.1:{port}" for port in ports]
        file = self._folder / "targets" / f"{role}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps([{"targets": targets}]))
        fresh.replace(file)

    def ask(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """What a query comes to now: labels and value. Raises OSError."""
        question = urllib.parse.urlencode({"query": query})
        with self._get("prometheus", f"/api/v1/query?{question}") as answer:
            found = json.load(answer)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def stop(self) -> None:
        for child in (self._children[name] for name in PROGRAMS if name in self._children):
            child.process.kill()  # nobody needs what they would tidy up
            child.process.wait()

    def _run(self, name: str, options: Mapping[str, object]) -> None:
        address = f"127.0.0.1:{self._ports[name]}"
        given = {"config.file": self._folder / f"{name}.yml", "web.listen-address": address, "log.level": "warn"}
        if self._certified is not None:
            given["web.config.file"] = self._folder / "web.yml"
        arguments = [f"--{option}={value}" for option, value in {**given, **options}.items()]
        child = spawn(name, [self._programs[name], *arguments], log=self._folder / f"{name}.log")
        self._children[name] = child
        wait_until(lambda: self._ready(name), what=name, child=child, deadline_s=READY_WITHIN_S)

    def _write(self, name: str, config: Any) -> None:
        (self._folder / name).write_text(yaml.safe_dump(config))

    def _scrapes(self) -> Any:
        config = _committed("ops.prometheus", "prometheus.yml")
        config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), self._every)
        for place in (*config["scrape_configs"], *config["alerting"]["alertmanagers"]):
            for files in place["file_sd_configs"]:
                files["refresh_interval"] = "1s"
            if self._certified is not None:
                place |= {"scheme": "https", "tls_config": _asking(self._certified)}
        return config

    def _routes(self) -> Any:
        config = _committed("ops.alertmanager", "alertmanager.yml")
        for route in (config["route"], *config["route"]["routes"]):
            route.update(group_wait="100ms", group_interval="500ms")
        for receiver in config["receivers"]:
            for hook in receiver["webhook_configs"]:
                hook["url"] = self._pager
                if self._certified is not None:
                    hook["http_config"] = {"tls_config": _asking(self._certified)}
        return config

    def _get(self, name: str, path: str) -> Any:
        return urllib.request.urlopen(self._url(name, path), timeout=5, context=self._context)  # noqa: S310 - loopback

    def _ready(self, name: str) -> bool:
        try:
            with self._get(name, "/-/ready") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def program(name: str, *, also: str = _EVERYWHERE) -> str:
    """Where it is installed, on PATH or in one of the folders of `also`. Raises Refused."""
    for candidate in PROGRAMS[name]:
        if found := shutil.which(candidate) or shutil.which(candidate, path=also):
            return found
    raise Refused(f"{name} {MISSING}")


def require_programs() -> None:
    """Raises Refused, which says what to install."""
    for name in PROGRAMS:
        program(name)


def installed() -> bool:
    try:
        require_programs()
    except Refused:
        return False
    return True


def _committed(package: str, name: str) -> Any:
    return yaml.safe_load(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def _asking(certified: Certified) -> Any:
    """As both programs have it for whom they ask."""
    shows = {"cert_file": str(certified.pair.certificate), "key_file": str(certified.pair.key)}
    return shows | {"ca_file": str(certified.authorities)}


def _answering(certified: Certified) -> Any:
    """As both programs have it for who asks them."""
    shows = {"cert_file": str(certified.pair.certificate), "key_file": str(certified.pair.key)}
    wants = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": str(certified.authorities)}
    return {"tls_server_config": shows | wants}
