"""Two processes that end stages at the same time, into one database, lose none and make none twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.tracking.records import runs

ROOT = Path(__file__).parents[3]
EACH = 8
STAGES = f"""
import sys
from stages.core.tracking import track
for number in range({EACH}):
    with track(f"{{sys.argv[1]}}{{number}}", {{"number": number}}) as record:
        record.metrics({{"loss": number}})
"""


@pytest.mark.slow
@pytest.mark.parametrize("spools", [("one", "one"), ("one", "two")], ids=["one spool", "two spools"])
def test_two_writers_lose_no_run(client, place, spools):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STAGES, name], env={**environment, "TAILGATE_TRACKING": str(place / spool)}
        )
        for name, spool in zip("ab", spools, strict=True)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    left = [path for spool in set(spools) for path in (place / spool / "unsent").iterdir()]
    found = client.search_runs([client.get_experiment_by_name("tailgate").experiment_id])
    assert left == []
    assert len(found) == len(runs(client)) == 2 * EACH
    assert {run.info.status for run in found} == {"FINISHED"}
