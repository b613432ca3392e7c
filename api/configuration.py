"""Configuration: the stores behind everything that decides, for the resources that read and change it."""

from __future__ import annotations

from dataclasses import dataclass

from streams.adapters.audit_samples import AuditSamples
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.host_lists import HostList, development_hosts, device_teams
from streams.adapters.rule_store import RuleStore
from streams.adapters.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Configuration:
    """None asks the database before it is asked."""

    rules: RuleStore
    hosts: HostList
    teams: HostList
    keys: ConfigStore
    audit: ConfigAudit
    samples: AuditSamples

    @classmethod
    def on(cls, transactions: Transactions) -> Configuration:
        return cls(
            rules=RuleStore(transactions),
            hosts=development_hosts(transactions),
            teams=device_teams(transactions),
            keys=ConfigStore(transactions),
            audit=ConfigAudit(transactions),
            samples=AuditSamples(transactions),
        )
