"""The tables compare with the right rows, and leave out what was not measured."""

from damamba.report.benchmark import memory_table, peers_section, speed_table

PUBLISHED, FUSED = "rival, as published", "rival, fused attention"


def form(variant, **flags):
    return {"variant": variant, "checkpointing": False, "explicit_attention": False, **flags}


def memory(*peaks, forms):
    rows = [
        {"model": model, "frames": frames, "batch": 8, "train_peak_mib": peak, "infer_peak_mib": 10}
        for model, frames, peak in peaks
    ]
    return {
        "device": "cpu",
        "memory_limit_gib": 8,
        "parameters": {"ours": 1_200_000},
        "forms": forms,
        "memory": rows,
        "exponent": {},
    }


PEERS = {
    "setting": {"batch": 32, "frames": 96, "d_inner": 512},
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


def test_training_peaks_are_divided_by_those_of_explicit_attention_where_both_fit():
    forms = {
        "ours": form("ours"),
        PUBLISHED: form("rival", explicit_attention=True),
        FUSED: form("rival"),
        "ours, checkpointing": form("ours", checkpointing=True),
    }
    peaks = [("ours", 96, 300), ("ours", 192, 600), (PUBLISHED, 96, 400), (PUBLISHED, 192, None)]
    text = memory_table(memory(*peaks, forms=forms))
    assert f"training peak / that of {PUBLISHED}" in text
    assert cells(text, "ours", 96)[-1] == "0.75"
    assert cells(text, "ours", 192)[-1] == ""
    assert cells(text, PUBLISHED, 96)[-1] == ""
    assert cells(text, PUBLISHED, 192)[3] == "out of memory"
    assert f"*{FUSED}* is the same model" in text
    assert "*checkpointing* computes each block again" in text


def test_there_is_no_ratio_without_a_model_of_explicit_attention():
    text = memory_table(memory(("ours", 96, 300), forms={"ours": form("ours")}))
    assert "that of" not in text
    assert cells(text, "ours", 96)[3:] == ["300", "10"]


def test_peers_are_listed_where_they_were_measured():
    times = {
        "device": "cpu",
        "steps": [{"model": "ours", "frames": 96, "batch": 8, "train_ms": 2.0, "infer_ms": None}],
        "stream_step_ms": {"ours, a dyad": 5.5},
        "window_read_ms": 0.41,
    }
    assert cells(speed_table(times), "ours", 96)[3:] == ["2", "out of memory"]
    assert "Speed of" not in speed_table(times)
    assert "Speed of" in speed_table({**times, "peers": PEERS})
    text = "\n".join(peers_section(PEERS))
    assert "from 500 frames on" in text
    assert "by a factor of at most 1.10" in text
