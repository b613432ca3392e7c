"""Who the audit says made a change."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from api.authors import author_of
from schemas.scopes import ALL_SCOPES, Client


@pytest.mark.parametrize(
    ("client", "actor"),
    [
        (Client("grafana", "dashboards of the NOC", ALL_SCOPES), "api:grafana (dashboards of the NOC)"),
        (Client("grafana", "grafana", ALL_SCOPES), "api:grafana"),
        (Client("grafana", "", ALL_SCOPES), "api:grafana"),
    ],
)
def test_the_id_is_named_and_the_name_where_it_says_more(client: Client, actor: str) -> None:
    state = {"client": client, "correlation_id": "c1", "request_id": "r1"}
    author = author_of(Request({"type": "http", "state": state}), "why")
    assert (author.actor, author.client_id, author.reason) == (actor, "grafana", "why")
    assert (author.correlation_id, author.request_id) == ("c1", "r1")
