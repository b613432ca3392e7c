"""`mutt doctor --security`: what services would refuse to start with, asked without starting one."""

from __future__ import annotations

import json

from tests.integration.commands import run_text
from tests.programs import bare_environment


def test_the_doctor_tells_what_a_start_would_refuse() -> None:
    unsafe = {"MUTT_HOST": "0.0.0.0", "MUTT_WEBHOOK_URL": "http://alerts.example/"}
    done = run_text("mutt", "doctor", "--security", "--json", environment=bare_environment(**unsafe))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert not told["ok"]
    wrong = [each["subject"] for each in told["findings"] if each["verdict"] == "wrong"]
    assert wrong == ["address", "metrics", "keys", "receiver"]
    refused = run_text("mutt", "worker", "forward", environment=bare_environment(**unsafe))
    assert refused.returncode == 78
    for each in told["findings"]:
        assert (each["says"] in refused.stderr) is (each["verdict"] == "wrong" and each["subject"] != "keys")


def test_settings_as_they_are_by_themselves_are_safe() -> None:
    done = run_text("mutt", "doctor", "--security", environment=bare_environment())
    assert (done.returncode, "wrong" in done.stdout) == (0, False)
