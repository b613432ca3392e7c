"""Keeps the secrets of a service in memory and current: what cannot be read, or is none, replaces nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from schemas.errors import SecretRefused, SecretsUnavailable, SettingsRefused
from schemas.secret_names import NO_SECRETS, SecretGroup
from schemas.secrets import Secret
from streams.adapters.bounded import within
from streams.adapters.secrets import Loaded, SecretStore
from streams.core.secret_rules import kept_whole
from streams.core.vault import Trouble
from streams.logs import hide
from streams.metrics import SecretMetrics

log = structlog.get_logger()
_SILENT = structlog.wrap_logger(structlog.ReturnLogger())

START_S = 9.0
"""Bound on the first look: a service that has no secrets ends within ten seconds."""
AGAIN_AFTER_S = 1.0
"""Whoever asks for a look within this time after the last one gets that one."""


class SecretKeeper:
    """Implements SecretSource over a store. `start` first; `follow` then looks every `every_s` seconds for ever."""

    def __init__(
        self,
        store: SecretStore,
        groups: Sequence[SecretGroup],
        *,
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
        silent: bool = False,
    ) -> None:
        """`silent`: no line in the log, for commands, whose errors are their one line."""
        self._log = _SILENT if silent else log
        self._store = store
        self._groups = groups
        self._every_s = every_s
        self._clock = clock
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._values: dict[str, Secret] = {}
        self._troubles: dict[SecretGroup, str] = {}
        self._subscribers: list[Callable[[], None]] = []
        self._metrics: list[SecretMetrics] = []
        self.loaded: dict[SecretGroup, Loaded] = {}

    def get(self, name: str) -> Secret | None:
        return self._values.get(name)

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def shown_by(self, metrics: SecretMetrics) -> None:
        """The metrics tell of every look from now on."""
        self._metrics.append(metrics)
        metrics.looked(self._troubles.values(), time.time())

    @property
    def troubles(self) -> dict[str, str]:
        """Why the newest of a group is not in use, by path."""
        return {group.path: trouble for group, trouble in self._troubles.items()}

    def start(self, within_s: float = START_S) -> None:
        """The first look. Raises SettingsRefused, with every fault, where not all could be read: there is no old."""
        try:
            within(within_s, self._first, "secrets")
        except TimeoutError:
            raise SettingsRefused(f"secrets: the store gave no answer within {within_s:.0f} s") from None

    def _first(self) -> None:
        problems = []
        for group in self._groups:
            try:
                self.loaded[group] = self._store.load(group)
            except SecretRefused as refused:
                problems += [f"secrets at {group.path}: {problem}" for problem in refused.problems]
            except SecretsUnavailable as fault:
                problems.append(f"secrets at {group.path}: {fault}")
                if fault.trouble not in (Trouble.DENIED, Trouble.MISSING):
                    break  # the others would say the same
        if problems:
            raise SettingsRefused(problems)
        self._publish()
        self._looked = self._clock()

    def follow(self, on_death: Callable[[BaseException], None]) -> None:
        """Looks again and again, in a thread that keeps no process alive. A defect is handed to `on_death`."""
        threading.Thread(target=self._follow, args=(on_death,), name="secrets", daemon=True).start()

    def _follow(self, on_death: Callable[[BaseException], None]) -> None:
        never = threading.Event()  # waits by the clock that no one can set, which time.sleep does not everywhere
        try:
            while not never.wait(self._every_s):
                self.refresh()
        except Exception as error:  # noqa: BLE001 - told, and the process ends
            on_death(error)

    def refresh(self) -> None:
        with self._looking:
            if self._clock() - self._looked < min(AGAIN_AFTER_S, self._every_s / 2):
                return
            changed = [group for group in self._groups if self._look(group)]
            self._looked = self._clock()
            if changed:
                self._publish()
        for metrics in self._metrics:
            metrics.looked(self._troubles.values(), time.time())
        for tell in self._subscribers if changed else ():
            tell()

    def _look(self, group: SecretGroup) -> bool:
        """Whether something changed."""
        old = self.loaded[group]
        try:
            new = self._store.load(group)
            kept_whole(old.values, new.values)
        except SecretsUnavailable as fault:
            return self._alarm(group, fault.trouble, str(fault))
        except SecretRefused as refused:
            return self._alarm(group, Trouble.REFUSED, str(refused))
        if self._troubles.pop(group, None):
            self._log.info("secrets can be read again", secrets=group.path, version=new.version)
        self.loaded[group] = new
        changed = _revealed(old) != _revealed(new)
        if changed:
            self._log.info("secrets changed", secrets=group.path, version=new.version, names=sorted(new.values))
        return changed

    def _alarm(self, group: SecretGroup, trouble: str, why: str) -> bool:
        if self._troubles.get(group) != trouble:
            self._log.error(
                "secrets cannot be read, the last good ones stay", secrets=group.path, trouble=trouble, why=why
            )
        self._troubles[group] = trouble
        return False

    def _publish(self) -> None:
        values = {name: value for loaded in self.loaded.values() for name, value in loaded.values.items()}
        hide(value for name, value in values.items() if name not in NO_SECRETS)
        self._values = values


def _revealed(loaded: Loaded) -> dict[str, str]:
    return {name: value.reveal() for name, value in loaded.values.items()}
