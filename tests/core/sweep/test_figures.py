import json

from stages.core.sweep.figures import OBJECTIVES, objectives, read_figures


def write(tree, name, value):
    (tree / "models" / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / "models" / name).write_text(json.dumps(value))


def board(emulator, flash, window):
    return {
        "emulator": emulator,
        "arena_bytes": 50,
        "flash_bytes": flash,
        "stream": {"most_instructions_per_window": window},
    }


def test_figures_are_of_the_worst_class_and_the_most_loaded_emulated_board(tmp_path):
    write(tmp_path, "quantize/gate.json", {"selected": "qat"})
    classes = {"a": {"separation": 2.0, "auc": 0.9, "tpr_at_fpr_1": None}, "b": {"separation": 1.0, "auc": 0.95}}
    write(tmp_path, "quantize/metrics.json", {"scores": {"qat": classes, "ptq": {"a": {"separation": 0.1}}}})
    boards = {"native": board(None, 999, None), "m4": board("qemu", 20, 7), "m55": board("qemu", 30, 5)}
    write(tmp_path, "validate/device.json", boards)
    assert read_figures(tmp_path) == {
        "separation": 1.0,
        "auc": 0.9,
        "tpr_at_fpr_1": None,
        "arena_bytes": 50.0,
        "flash_bytes": 30.0,
        "instructions": 7.0,
    }


def test_the_native_board_counts_where_there_is_no_other(tmp_path):
    write(tmp_path, "validate/device.json", {"native": {**board(None, 999, None), "stream": {}}})
    figures = read_figures(tmp_path)
    assert (figures["flash_bytes"], figures["instructions"]) == (999.0, None)


def test_a_run_that_came_to_nothing_has_no_figures(tmp_path):
    assert set(read_figures(tmp_path).values()) == {None}


def test_a_refused_job_counts_for_worse_than_any_released_one():
    figures = dict.fromkeys(OBJECTIVES, 5.0)
    released, refused = objectives(figures, True), objectives(figures, False)
    assert released == (5.0, 5.0, 5.0, 5.0)
    assert refused[0] < released[0]
    assert all(bad > good for bad, good in zip(refused[1:], released[1:], strict=True))
