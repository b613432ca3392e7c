"""A Prometheus of the test's own: Debian's program, on loopback, with its data in the test's folder."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ops.devstack.layout import free_port

PROGRAM = shutil.which("prometheus") or shutil.which("prometheus", path="/usr/bin:/usr/local/bin")

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{jobs}]
"""
_JOB = "{{job_name: {name}, static_configs: [{{targets: [{targets}], labels: {{environment: test}}}}]}}"


@contextmanager
def prometheus(folder: Path, ports: Sequence[int] | Mapping[str, int]) -> Iterator[str]:
    """Its address, once it answers; it scrapes these ports of the loopback every second, by job where they have one."""
    assert PROGRAM is not None
    config, port = folder / "prometheus.yml", free_port()
    jobs = {name: [port] for name, port in ports.items()} if isinstance(ports, Mapping) else {"mutt": ports}
    config.write_text(_CONFIG.format(jobs=", ".join(_job(name, targets) for name, targets in jobs.items())))
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "prometheus",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    child = subprocess.Popen([PROGRAM, *(f"--{name}={value}" for name, value in options.items())])
    try:
        deadline = time.monotonic() + 60
        while not _ready(port):
            assert child.poll() is None, "Prometheus has ended"
            assert time.monotonic() < deadline, "Prometheus does not answer"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def _job(name: str, ports: Sequence[int]) -> str:
    return _JOB.format(name=name, targets=", ".join(f'"127.0.0.1:{port}"' for port in ports))


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
