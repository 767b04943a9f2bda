import pytest

from stages.core.sweep.words import defaults_of, name_of


def test_a_sweep_keeps_its_name_on_another_launcher_and_with_more_trials():
    name = name_of(["-m", "train.lr=1,2"])
    assert name_of(["-m", "train.lr=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]) == name
    assert name_of(["-m", "train.lr=1,2", "+hydra.launcher.ray.init.num_cpus=2", "hydra.sweeper.n_trials=9"]) == name
    assert name_of(["-m", "train.lr=1,3"]) != name


def test_a_search_has_a_seed_unless_its_sampler_is_another():
    assert "hydra.sweeper.sampler.seed=1" in defaults_of(["hydra/sweeper=optuna"], False)
    other = defaults_of(["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid"], False)
    assert not any("sampler" in word for word in other)
    assert not any("sweeper" in word for word in defaults_of(["train.lr=1,2"], False))


@pytest.mark.parametrize("words", [["hydra.launcher.ray.init.address=auto"], ["+hydra.launcher.ray.init.address=x:1"]])
def test_who_joins_a_cluster_of_ray_asks_for_no_memory(words):
    memory = "+hydra.launcher.ray.init.object_store_memory=null"
    assert memory in defaults_of(["hydra/launcher=ray", *words], False)
    assert memory in defaults_of(["hydra/launcher=ray"], True)
    assert memory not in defaults_of(["hydra/launcher=ray"], False)
    assert memory not in defaults_of(["hydra/launcher=joblib"], True)
