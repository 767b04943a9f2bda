"""What Hydra is told besides the user's words, and how a sweep is named by them."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.artifacts import sha256_json
from stages.core.sweep.figures import OBJECTIVES

#: Hydra's own files are left out: the records say what ran.
_HYDRA = ("hydra.output_subdir=null", "hydra.sweep.subdir=.", "hydra/job_logging=none")
#: The launcher for Ray sets this memory, which only who starts a cluster may do.
_OF_A_CLUSTER = "+hydra.launcher.ray.init.object_store_memory=null"
#: Of Optuna's sampler: a seed, so that a sweep that is resumed asks for the same jobs; and few jobs at random, as a
#: pipeline run is dear.
_SAMPLER = ("hydra.sweeper.sampler.seed=1", "hydra.sweeper.sampler.n_startup_trials=4")
_SEARCH = f"hydra.sweeper.direction=[{','.join(OBJECTIVES.values())}]"
#: Optuna loads a library that tells each of its plug-ins.
_QUIET = "+hydra.hydra_logging.loggers.alembic.level=WARNING"
#: What says how a sweep runs, and not what it tries.
_MANNER = ("hydra/launcher", "hydra.launcher", "hydra.sweeper.n_trials")


def defaults_of(words: Sequence[str], joins: bool) -> list[str]:
    """Return the settings of Hydra that a sweep has unless it is given others.

    Parameters
    ----------
    words : sequence of str
        What the user gave.
    joins : bool
        Whether Ray finds the address of a cluster in its environment.
    """
    defaults = [*_HYDRA]
    joins = joins or any("ray.init.address=" in word for word in words)
    if joins and "hydra/launcher=ray" in words:
        defaults.append(_OF_A_CLUSTER)
    if "hydra/sweeper=optuna" in words:
        chosen = any(word.startswith("hydra/sweeper/sampler=") for word in words)
        defaults += [_SEARCH, _QUIET, *(() if chosen else _SAMPLER)]
    return defaults


def name_of(words: Sequence[str]) -> str:
    """Name a sweep by what it tries, so that the same command goes on with it, on whatever and however far it ran."""
    return sha256_json(sorted(word for word in words if "=" in word and not word.lstrip("+").startswith(_MANNER)))[:8]
