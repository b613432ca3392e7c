"""What every store of secrets does under the keeper: one suite for files and for the real server."""

from __future__ import annotations

from typing import Protocol

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from schemas.errors import SettingsRefused
from schemas.secret_names import WEBHOOK, DatabaseRole, database_group
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secrets import SecretStore
from streams.metrics import SecretMetrics

WORKER = database_group(DatabaseRole.WORKER)
SIGNING = "whsec_" + "a" * 44
OTHER_SIGNING = "whsec_" + "b" * 44


class World(Protocol):
    """A store that a test can fill and break."""

    store: SecretStore

    def put(self, **values: str) -> None:
        """These are what the groups hold from now on, and nothing else."""

    def break_off(self) -> None:
        """Nothing can be read any more."""

    def mend(self) -> None: ...


def keeper(world: World) -> SecretKeeper:
    made = SecretKeeper(world.store, (WORKER, WEBHOOK), every_s=0)
    made.start()
    return made


def shown(secrets: SecretKeeper, *names: str) -> list[str | None]:
    return [secret.reveal() if (secret := secrets.get(name)) else None for name in names]


class SecretStoreContract:
    """Subclasses give the fixture `world`."""

    def test_what_is_there_by_name(self, world: World) -> None:
        world.put(DB_PASS_CURRENT="one", MOOG_API_KEY="token")
        secrets = keeper(world)
        assert shown(secrets, "DB_PASS_CURRENT", "MOOG_API_KEY", "API_PEPPER") == ["one", "token", None]
        assert secrets.troubles == {}

    def test_a_change_is_seen_whole_and_told_once(self, world: World) -> None:
        world.put(DB_PASS_CURRENT="one")
        secrets, told = keeper(world), []
        secrets.subscribe(lambda: told.append(shown(secrets, "DB_USER_CURRENT", "DB_PASS_CURRENT")))
        secrets.refresh()
        world.put(DB_USER_CURRENT="b", DB_PASS_CURRENT="two", MOOG_API_KEY="token")
        secrets.refresh()
        secrets.refresh()
        assert told == [["b", "two"]]
        assert shown(secrets, "MOOG_API_KEY") == ["token"]

    @pytest.mark.parametrize(
        "half",
        [
            {"DB_USER_CURRENT": "b", "DB_PASS_CURRENT": "x", "DB_USER_NEXT": "c"},
            {"DB_USER_CURRENT": "b", "DB_PASS_CURRENT": ""},
            {"DB_USER_CURRENT": "b", "DB_PASS_CURRENT": "hunter2\0hunter2"},
            {"DB_PASS_CURRENT": "x"},
        ],
    )
    def test_half_a_secret_replaces_nothing_and_raises_the_alarm(self, world: World, half: dict[str, str]) -> None:
        world.put(DB_USER_CURRENT="a", DB_PASS_CURRENT="one")
        secrets = keeper(world)
        metrics, registry = SecretMetrics(), CollectorRegistry()
        metrics.register(registry)
        secrets.shown_by(metrics)
        world.put(**half)
        secrets.refresh()
        assert shown(secrets, "DB_USER_CURRENT", "DB_PASS_CURRENT", "DB_USER_NEXT") == ["a", "one", None]
        assert secrets.troubles == {WORKER.path: "refused"}
        assert b'mutt_secrets_stale{reason="refused"} 1.0' in generate_latest(registry)
        world.put(DB_USER_CURRENT="b", DB_PASS_CURRENT="two")
        secrets.refresh()
        assert shown(secrets, "DB_USER_CURRENT", "DB_PASS_CURRENT") == ["b", "two"]
        assert secrets.troubles == {}
        assert b'mutt_secrets_stale{reason="refused"} 0.0' in generate_latest(registry)

    def test_the_second_of_two_comes_and_goes(self, world: World) -> None:
        world.put(DB_PASS_CURRENT="one", WEBHOOK_SIGNING_SECRET=SIGNING)
        secrets = keeper(world)
        names = ("WEBHOOK_SIGNING_SECRET", "WEBHOOK_SIGNING_SECRET_NEXT")
        world.put(DB_PASS_CURRENT="one", WEBHOOK_SIGNING_SECRET=SIGNING, WEBHOOK_SIGNING_SECRET_NEXT=OTHER_SIGNING)
        secrets.refresh()
        assert shown(secrets, *names) == [SIGNING, OTHER_SIGNING]
        world.put(DB_PASS_CURRENT="one", WEBHOOK_SIGNING_SECRET=OTHER_SIGNING)
        secrets.refresh()
        assert shown(secrets, *names) == [OTHER_SIGNING, None]

    def test_what_cannot_be_read_replaces_nothing(self, world: World) -> None:
        world.put(DB_PASS_CURRENT="one", MOOG_API_KEY="token")
        secrets = keeper(world)
        world.break_off()
        secrets.refresh()
        assert shown(secrets, "DB_PASS_CURRENT", "MOOG_API_KEY") == ["one", "token"]
        assert set(secrets.troubles) == {WORKER.path, WEBHOOK.path}
        world.mend()
        secrets.refresh()
        assert secrets.troubles == {}

    def test_a_fresh_start_fails_closed_and_tells_no_value(self, world: World) -> None:
        world.put(DB_PASS_CURRENT="hunter2", DB_USER_NEXT="hunter2")
        with pytest.raises(SettingsRefused, match="without DB_PASS_NEXT") as refused:
            keeper(world)
        assert "hunter2" not in str(refused.value)
        world.break_off()
        with pytest.raises(SettingsRefused, match="secrets at database/worker"):
            keeper(world)
        world.mend()
