"""Settings from the environment: typed, bounded, misspelt names refused (BAD-INPUTS C4)."""

from __future__ import annotations

import pytest

from schemas.errors import SettingsRefused
from schemas.settings import Settings, is_setting


def refused(**environ: str) -> str:
    with pytest.raises(SettingsRefused) as error:
        Settings.from_env(environ)
    return str(error.value)


def test_what_is_set_and_what_is_not() -> None:
    settings = Settings.from_env({"MUTT_API_PORT": "0", "MUTT_DRAIN_TIMEOUT": "2.5", "MUTT_HOME": "", "PATH": "/bin"})
    assert (settings.api_port, settings.drain_timeout, settings.home) == (0, 2.5, ".mutt")


def test_settings_survive_the_way_to_a_child_process() -> None:
    settings = Settings(home="/a b", debug=True, webhook_timeout=0.5, kafka_bootstrap="a:1,b:2")
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize("variable", ["MUTT_HOME", "MUTT_HOEM", "VAULT_ADDR", "PROMETHEUS_URL"])
def test_variables_that_mutt_looks_at(variable: str) -> None:
    assert is_setting(variable)
    assert not is_setting(f"X_{variable}")


def test_everything_wrong_is_named_at_once() -> None:
    message = refused(MUTT_HOEM="x", MUTT_API_PORT="70000", MUTT_BATCH_RECORDS="many", MUTT_DRAIN_TIMEOUT="0")
    assert "MUTT_HOEM is no setting of mutt; did you mean MUTT_HOME?" in message
    assert "MUTT_API_PORT='70000': Expected `int` <= 65535" in message
    assert "MUTT_BATCH_RECORDS='many': Expected `int`" in message
    assert "MUTT_DRAIN_TIMEOUT='0': Expected `float` > 0.0" in message


@pytest.mark.parametrize("value", ["h", "h:9092", "127.0.0.1:1,[::1]:2", "a.b,c:3"])
def test_brokers_that_are_taken(value: str) -> None:
    assert Settings.from_env({"MUTT_KAFKA_BOOTSTRAP": value}).kafka_bootstrap == value


@pytest.mark.parametrize("value", [":9092", "h:port", "h:", "a:1,,b:2", "a:1,", "a b:1", "kafka://h:9092"])
def test_brokers_that_are_refused(value: str) -> None:
    assert "MUTT_KAFKA_BOOTSTRAP" in refused(MUTT_KAFKA_BOOTSTRAP=value)


def test_the_database_is_named_by_a_postgresql_address() -> None:
    assert Settings.from_env({"MUTT_DATABASE_URL": "postgres://h/d"}).database_url == "postgres://h/d"
    assert "MUTT_DATABASE_URL='h:5432'" in refused(MUTT_DATABASE_URL="h:5432")


def test_I9_a_refused_address_is_not_repeated_when_it_may_hold_a_password() -> None:
    assert "s3cret" not in refused(MUTT_DATABASE_URL="mysql://u:s3cret@h/d")


def test_prometheus_is_named_as_other_tools_name_it() -> None:
    settings = Settings.from_env({"PROMETHEUS_URL": "https://prom.example:9090/base"})
    assert settings.prometheus_url == "https://prom.example:9090/base"
    assert settings.to_env()["PROMETHEUS_URL"] == settings.prometheus_url
    assert Settings.from_env({"PROMETHEUS_URL": ""}).prometheus_url is None


@pytest.mark.parametrize("value", ["prom:9090", "ftp://prom", "https://u:s3cret@prom", "http://prom/?x=1", "http://"])
def test_other_addresses_of_prometheus_are_refused(value: str) -> None:
    message = refused(PROMETHEUS_URL=value)
    assert "PROMETHEUS_URL" in message
    assert "s3cret" not in message


def test_names_and_sites_that_may_ask_the_api() -> None:
    settings = Settings.from_env(
        {"MUTT_ALLOWED_HOSTS": "mutt.example,*.lan", "MUTT_CORS_ORIGINS": "https://a.example,http://b:8080"}
    )
    assert settings.hosts_allowed == ("mutt.example", "*.lan")
    assert settings.origins_allowed == ("https://a.example", "http://b:8080")
    assert (Settings().hosts_allowed, Settings().origins_allowed) == ((), ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUTT_ALLOWED_HOSTS", "*"),
        ("MUTT_ALLOWED_HOSTS", "https://a"),
        ("MUTT_ALLOWED_HOSTS", "a:80"),
        ("MUTT_ALLOWED_HOSTS", "a,,b"),
        ("MUTT_ALLOWED_HOSTS", "a.*.b"),
        ("MUTT_CORS_ORIGINS", "*"),
        ("MUTT_CORS_ORIGINS", "a.example"),
        ("MUTT_CORS_ORIGINS", "https://a.example/"),
        ("MUTT_CORS_ORIGINS", "https://*.example"),
        ("MUTT_CORS_ORIGINS", "null"),
    ],
)
def test_names_and_sites_that_are_refused(name: str, value: str) -> None:
    assert name in refused(**{name: value})
