"""Prometheus and Alertmanager among certificates: both show one and ask for one, and scrape what opens with one."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ops.devstack import authority
from ops.devstack.processes import wait_until
from ops.prometheus.local import Monitoring, installed
from schemas.settings import Settings
from streams.adapters.listening import front_of
from streams.health import HealthServer
from tests.certificates import Authority, needs_openssl

pytestmark = [
    needs_openssl,
    pytest.mark.timeout(200),
    pytest.mark.skipif(not installed(), reason="prometheus or prometheus-alertmanager is not installed"),
]


async def test_metrics_are_scraped_with_a_certificate_and_nobody_without_one_is_answered(tmp_path: Path) -> None:
    vouches = Authority(tmp_path / "authority")
    worker, scraper = vouches.issue("worker"), vouches.issue("prometheus")
    settings = Settings(
        tls_cert=str(worker.certificate), tls_key=str(worker.key), metrics_client_ca=str(vouches.certificate)
    )
    certified = authority.Certified(vouches.certificate, authority.Pair(scraper.certificate, scraper.key))
    server = HealthServer("match", CollectorRegistry(), dict, front=front_of(settings))
    await server.start("127.0.0.1", 0)
    watch = Monitoring(tmp_path, pager="https://127.0.0.1:1/pages", pace=300, every="250ms", certified=certified)
    try:
        assert server.address is not None
        watch.show("match", [server.address[1]])
        await asyncio.to_thread(watch.start)
        up = [({"job": "mutt-match"}, 1.0)]
        await asyncio.to_thread(wait_until, lambda: seen(watch) == up, what="the worker is scraped")
        for bare in (watch.prometheus_url, f"https://127.0.0.1:{server.address[1]}/metrics"):
            assert not await asyncio.to_thread(is_answered, bare, vouches.certificate)
    finally:
        watch.stop()
        await server.close()


def seen(watch: Monitoring) -> object:
    return watch.ask('sum by (job) (up{job="mutt-match"})')


def is_answered(url: str, authorities: Path) -> bool:
    """Without a certificate."""
    context = ssl.create_default_context(cafile=authorities)
    try:
        with urllib.request.urlopen(url, timeout=30, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
