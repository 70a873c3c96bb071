import pytest
import yaml

from damamba import plugins
from damamba.config import EXTRACTORS, Params, split_run
from damamba.console import InputError
from tests.conftest import FROZEN_PARAMS, frozen_values

TEXT = FROZEN_PARAMS.read_text()


def load(tmp_path, change) -> Params:
    values = frozen_values()
    change(values)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return Params.load(tmp_path / "params.yaml")


def test_the_committed_file_is_valid(tmp_path):
    params = load(tmp_path, lambda values: None)
    assert params.window.frames == 96
    assert {cue.group for cue in params.cues.values()} == {"audio", "visual"}
    params.check_settings()


def test_the_frozen_parameters_have_the_keys_of_params_yaml():
    """Cues and variants are up to the user; entries for architectures and losses are compared where both have them."""

    def keys(values, other, where=""):
        for name, value in values.items():
            if where in ("architectures.", "losses.", "model.") and name not in other:
                continue
            yield f"{where}{name}"
            if isinstance(value, dict) and name not in ("cues", "variants") and where != "corpus.official.":
                yield from keys(value, (other or {}).get(name), f"{where}{name}.")

    current = yaml.safe_load((FROZEN_PARAMS.parents[1] / "params.yaml").read_text())
    frozen = yaml.safe_load(TEXT)
    assert set(keys(frozen, current)) == set(keys(current, frozen)), "add or remove the same keys in tests/params.yaml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["model"].update(lambda_algin=1), r"model\.lambda_algin: .*known keys: .*lambda_align"),
        (lambda v: v.update(modle={}), "modle"),
        (lambda v: v["model"].update(lambda_align="hello"), r"model\.lambda_align: .*'hello'"),
        (lambda v: v["model"].pop("lambda_align"), r"model\.lambda_align: missing"),
        (
            lambda v: v["model"].update(architecture="damamda"),
            r"no .*architectures/damamda\.py; there are .*lstm",
        ),
        (lambda v: v["model"].update(architecture="my_project.none"), "there is no module my_project"),
        (lambda v: v["losses"]["align"].update(temperature=0), r"losses\.align: temperature: .*greater than 0"),
        (lambda v: v["losses"].update(smooth={"loss": "smooth"}), r"model\.lambda_smooth: missing"),
        (lambda v: v["cues"]["clip"].update(corp=1), r"cues\.clip: corp: .*known keys: .*crop"),
        (
            lambda v: v["variants"].update(odd={"architecture": "lstm", "d_state": 4}),
            r"odd: d_state: .*d_fusion",
        ),
        (lambda v: v["architectures"]["da_mamba"].update(d_model=0), r"da_mamba: d_model: .*greater than 0"),
        (lambda v: v["simulate"].update(minutes=0), r"simulate\.minutes"),
        (lambda v: v["window"].update(rate_hz=100, core_frames=30), "core_frames must be a multiple of 4"),
        (lambda v: v["align"].update(rate_hz=25) or v["window"].update(rate_hz=50), "multiple of window.rate_hz"),
        (lambda v: v["variants"]["no_fusion"].update(partner_fussion=False), "partner_fussion"),
        (lambda v: v["variants"].update(smell_only={"cues": ["smell"]}), "no cue 'smell'; there are "),
        (lambda v: v["runs"].append("nobody-0"), "run 'nobody-0' is not VARIANT-SEED"),
        (lambda v: v["cues"]["clip"].update(group="no group"), r"cues\.clip\.group"),
        (lambda v: v["corpus"].update(sources=[]), r"corpus\.sources"),
        (lambda v: v["train"].pop("steps"), r"train\.steps: Field required"),
        (lambda v: v["losses"]["align"].update(temperature=float("nan")), r"losses\.align: temperature"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        load(tmp_path, change)


def test_missing_and_broken_files_are_told(tmp_path):
    with pytest.raises(InputError, match="damamba new FOLDER makes one"):
        Params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1,\n")
    with pytest.raises(InputError, match="not YAML"):
        Params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="expected sections"):
        Params.load(tmp_path / "params.yaml")


def test_runs_are_variant_and_seed():
    assert split_run("no_fusion-12", {"no_fusion": {}}) == ("no_fusion", 12)
    with pytest.raises(ValueError, match="VARIANT-SEED"):
        split_run("no_fusion", {"no_fusion": {}})


def causal(values, *cues) -> None:
    """Make architecture, grid and some cues causal."""
    values["architectures"]["da_mamba"]["causal"] = True
    values["align"]["causal"] = True
    for cue in cues:
        values["cues"][cue]["causal"] = True


def test_a_causal_model_is_refused_on_a_grid_that_looks_ahead(tmp_path):
    def change(values):
        values["variants"]["streaming"] = {"architecture": "lstm", "causal": True}

    with pytest.raises(InputError, match=r"variants streaming: .*align\.causal: true.*docs/design\.md") as refused:
        load(tmp_path, change)
    assert len(str(refused.value).splitlines()) == 1


def test_a_causal_grid_is_refused_for_each_cue_that_depends_on_its_whole_recording(tmp_path):
    with pytest.raises(InputError) as refused:
        load(tmp_path, lambda values: causal(values, "wav2vec2", "flow"))
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    for line, cue in zip(lines, ("emotion", "landmark_flow"), strict=True):
        assert line.startswith(f"params.yaml: cues.{cue}: depends on the whole recording")
        assert f"set cues.{cue}.causal: true" in line


def test_what_a_causal_model_needs_is_accepted(tmp_path):
    params = load(tmp_path, lambda values: causal(values, "wav2vec2", "emotion", "flow", "landmark_flow"))
    assert params.align.causal


def test_a_released_stream_is_causal_where_its_lookahead_is_stated(tmp_path):
    released = {"group": "visual", "extractor": "official", "reads": "corpus", "stream": "openface2"}

    def change(values, **stated):
        causal(values)
        values["cues"] = {"openface": {**released, **stated}}

    with pytest.raises(InputError, match=r"cues\.openface: .*set cues\.openface\.lookahead_s"):
        load(tmp_path, change)
    load(tmp_path, lambda values: change(values, lookahead_s=0.04))


def test_an_extractor_of_ones_own_declares_its_lookahead(tmp_path, monkeypatch):
    own = """
from damamba.config import Section
from damamba.features.extractor import Extractor

class Settings(Section):
    pass

class Own(Extractor[Settings]):
    Params = Settings
    media = "video"
    def extract(self, source):
        raise NotImplementedError
"""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package/own_cue.py").write_text(own)
    monkeypatch.syspath_prepend(tmp_path)

    def change(values):
        causal(values)
        values["cues"] = {"own": {"group": "visual", "extractor": "own_package.own_cue", "reads": "corpus"}}

    with pytest.raises(
        InputError, match=r"cues\.own: .*declare `lookahead_s` in its extractor \(own_package\.own_cue\)"
    ):
        load(tmp_path, change)


def test_every_cue_of_the_folder_can_be_causal():
    """A new extractor states how far it looks ahead, and is in the table of docs/design.md."""
    settings = {
        "audio_model": {"checkpoint": "c", "revision": None, "causal": True},
        "clip": {"checkpoint": "c", "pretrained": None, "crop": 1.0, "batch_frames": 1},
        "egemaps": {"window_s": 1.0, "hop_s": 0.04},
        "emotion": {"checkpoint": "c", "revision": None, "window_s": 1.0, "hop_s": 0.1, "causal": True},
        "expression": {},
        "elapsed": {},
        "flow": {"reduce": "grid", "cells": 6, "side": 112, "causal": True},
        "image_model": {"checkpoint": "c", "revision": None},
        "official": {"stream": "s", "lookahead_s": 0.0},
        "stream": {"stream": "s", "lookahead_s": 0.0},
        "video_model": {"checkpoint": "c", "revision": None, "causal": True},
        "wav2vec2": {"checkpoint": "c", "revision": None, "layer": -1, "causal": True},
    }
    assert set(settings) == set(plugins.names(EXTRACTORS))
    text = (FROZEN_PARAMS.parents[1] / "docs/design.md").read_text()
    for name, own in settings.items():
        ahead = plugins.made(EXTRACTORS, name, own).lookahead_s
        assert ahead is not None
        assert 0 <= ahead < 0.5
        assert f"| `{name}` |" in text[text.index("## Causality") :]


def test_a_variant_may_be_trained_otherwise():
    values = frozen_values()
    values["variants"]["dat"]["train"] = {"learning_rate": 0.123}
    params = Params.model_validate(values)
    assert params.training("dat") == params.train.model_copy(update={"learning_rate": 0.123})
    assert params.training("da_mamba") == params.train
    assert "train" not in params.variant("dat").settings
    for wrong, message in (({"rate": 1}, "rate: "), ({"learning_rate": -1}, "learning_rate"), (3, "keys of")):
        values["variants"]["dat"]["train"] = wrong
        with pytest.raises(InputError, match=rf"variants\.dat\.train.*{message}"):
            Params.model_validate(values).check_settings()
