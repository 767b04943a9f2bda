import pytest

from stages.core.errors import ArtifactError
from stages.core.sweep.records import Record
from stages.sweep import choose


def test_a_job_that_is_not_there_is_said_with_those_that_are():
    records = [Record(f"k{n}", n, {}, {}, 0, [], {}, 1.0, None) for n in (0, 1)]
    assert choose(records, 1).key == "k1"
    with pytest.raises(ArtifactError, match=r"no job 7.*one of 0, 1"):
        choose(records, 7)
