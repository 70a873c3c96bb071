"""The memory table compares with DAT, and leaves out what was not measured."""

from damamba.report.benchmark import memory_table, speed_section


def measured(**more):
    def row(model, frames, peak):
        return {
            "model": model,
            "frames": frames,
            "batch": 8,
            "train_peak_mib": peak,
            "infer_peak_mib": 10.0,
            "train_ms": None if peak is None else 2.0,
            "infer_ms": 1.0,
        }

    return {
        "device": "cpu",
        "threads": 1,
        "memory_limit_gib": 8,
        "parameters": {"da_mamba": 1_200_000},
        "memory": [
            row("da_mamba", 96, 300.0),
            row("da_mamba", 192, 600.0),
            row("dat, as published", 96, 400.0),
            row("dat, as published", 192, None),
        ],
        "exponent": {},
        "stream_step_ms": {"a dyad": 5.5},
        "window_read_ms": 0.41,
        **more,
    }


SPEED = {
    "speed_setting": {"batch": 32, "frames": 96, "d_inner": 512},
    "ms": {},
    "speedup": {},
    "us_per_frame": [
        {"frames": 96, "ours": 40.0, "nn.TransformerEncoderLayer": 30.0},
        {"frames": 768, "ours": 44.0, "nn.TransformerEncoderLayer": 50.0},
        {"frames": 6144, "ours": 42.0, "nn.TransformerEncoderLayer": 170.0},
    ],
    "crossover_frames": 500,
}


def cells(text, model, frames):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return next(row for row in rows if row[:2] == [model, str(frames)])


def test_training_peaks_stand_beside_dat_where_both_fit():
    text = memory_table(measured())
    assert cells(text, "da_mamba", 96)[-1] == "0.75"
    assert cells(text, "da_mamba", 192)[-1] == ""
    assert cells(text, "dat, as published", 96)[-1] == ""
    assert cells(text, "dat, as published", 192)[3] == "out of memory"


def test_speed_is_in_the_table_where_it_was_measured():
    assert "Speed of" not in memory_table(measured())
    assert "Speed of" in memory_table(measured(**SPEED))
    text = "\n".join(speed_section(SPEED))
    assert "from 500 frames on" in text
    assert "at most 1.10 times what it costs at best" in text
