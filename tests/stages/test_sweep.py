import pytest

from stages.core.errors import ArtifactError
from stages.core.sweep.records import Record
from stages.sweep import choose, defaults_of, name_of


def test_a_sweep_keeps_its_name_on_another_launcher_and_with_more_trials():
    name = name_of(["-m", "train.lr=1,2"])
    assert name_of(["-m", "train.lr=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]) == name
    assert name_of(["-m", "train.lr=1,2", "+hydra.launcher.ray.init.num_cpus=2", "hydra.sweeper.n_trials=9"]) == name
    assert name_of(["-m", "train.lr=1,3"]) != name


def test_a_search_has_a_seed_unless_its_sampler_is_another():
    assert "hydra.sweeper.sampler.seed=1" in defaults_of(["hydra/sweeper=optuna"])
    other = defaults_of(["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid"])
    assert not any("sampler" in word for word in other)
    assert not any("sweeper" in word for word in defaults_of(["train.lr=1,2"]))


@pytest.mark.parametrize("words", [["hydra.launcher.ray.init.address=auto"], ["+hydra.launcher.ray.init.address=x:1"]])
def test_who_joins_a_cluster_of_ray_asks_for_no_memory(words, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    memory = "+hydra.launcher.ray.init.object_store_memory=null"
    assert memory in defaults_of(["hydra/launcher=ray", *words])
    assert memory not in defaults_of(["hydra/launcher=ray"])


def test_a_job_that_is_not_there_is_said_with_those_that_are():
    records = [Record(f"k{n}", n, {}, {}, 0, [], {}, 1.0, None) for n in (0, 1)]
    assert choose(records, 1).key == "k1"
    with pytest.raises(ArtifactError, match=r"no job 7.*one of 0, 1"):
        choose(records, 7)
