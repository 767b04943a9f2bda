"""Records as stages leave them, and what MLflow made of them."""

from dataclasses import replace

from stages.core.tracking.record import Pipeline, StageRecord

BEGAN_MS = 1_700_000_000_000
PIPELINE = Pipeline("feedc0de", BEGAN_MS, {"train.epochs": "3"})


def stage_record(stage="train", number=0, **changes):
    """A record that began `number` seconds after the pipeline."""
    start = BEGAN_MS + 1000 * number
    record = StageRecord(
        id=f"{start}-{stage}-{number:08d}",
        stage=stage,
        task="vibration",
        commit="c0ffee" * 6 + "c0ff",
        start_ms=start,
        end_ms=start + 900,
        error=None,
        pipeline=PIPELINE,
        params={"lr": "0.01"},
        metrics=[("loss", 1 / (1 + epoch), start + epoch, epoch) for epoch in range(3)],
        headline={"auc": 0.5 + number / 100},
        outputs={f"models/{stage}/x.bin": f"{number:064x}"},
    )
    return replace(record, **changes)


def runs(client):
    """Every run on record, by name."""
    found = client.search_runs([each.experiment_id for each in client.search_experiments()])
    return {run.info.run_name: run for run in found}
