"""The result of presets depends only on the last preset of each part, and params.yaml keeps its comments."""

import itertools
import random
import re
from functools import cache

import pytest
import yaml
from pydantic import BaseModel

from damamba import plugins
from damamba.config import ARCHITECTURES, LOSSES, ModelSection, Params
from damamba.console import InputError
from damamba.presets import apply
from damamba.presets.apply import OPEN_SECTIONS, preset_names, write_presets
from tests.conftest import FROZEN_PARAMS

NAMES = preset_names()
TEXT = FROZEN_PARAMS.read_text()
VALUES = yaml.safe_load(TEXT)
read_preset = cache(apply.read_preset)
"""Nothing here changes what it returns; to read YAML takes most of the time of a test."""
SIMULATE = {"simulate.seed", "simulate.minutes", "simulate.resolution", "simulate.fps"} | {
    f"simulate.{key}" for key in ("timing", "shared", "flaws", "sessions", "languages")
}
SIZES = {"preset", "window", "architectures", "losses", "model", "variants", "runs", "train", "benchmark"} | {
    "evaluate.bootstrap",
    "evaluate.confidence",
}
CUES = {"cues", "align", "simulate.features_only"}
SOURCE = {"corpus.sources", "evaluate.split"}
RELEASE = {"corpus.official.layout", "corpus.official.annotation", "corpus.official.streams"}
PARTS = {
    "demo": SIZES | SIMULATE,
    "smoke": SIZES | SIMULATE,
    "paper": SIZES,
    "paper-25": SIZES,
    "long": SIZES,
    "channels": SIZES | SIMULATE | CUES | SOURCE,
    "causal": SIZES | SIMULATE | CUES,
    "compact": CUES,
    "real": CUES,
    "upstream": CUES,
    "foundation": CUES,
    "multimediate": SIZES | CUES | SOURCE,
    "multimediate-2026": SIZES | CUES | SOURCE | RELEASE,
    "multimediate-2026-causal": SIZES | CUES | SOURCE | RELEASE,
    "simulated": SOURCE | RELEASE,
}
KINDS: dict[frozenset[str], list[str]] = {}
"""Presets by the parts that they set: those of one kind differ in values alone."""
for _name in NAMES:
    KINDS.setdefault(frozenset(PARTS[_name]), []).append(_name)
PAIRS = [
    (first[j % len(first)], second[(i + 1) % len(second)])
    for (i, first), (j, second) in itertools.product(enumerate(KINDS.values()), repeat=2)
]
"""Every kind before every other, and every preset in both places."""
TRIPLES = random.Random(0).sample(list(itertools.permutations(NAMES, 3)), 6)


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    return path


def at(values, part):
    for key in part.split("."):
        values = values[key]
    return values


def keys(kind, where=""):
    """Dotted paths of all fields of a section and of the sections in it."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{where}{name}.")
        else:
            yield f"{where}{name}"


def leaves(values, where=""):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{where}{name}.")
        else:
            yield f"{where}{name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_sets_every_key_of_its_parts_and_no_other(name):
    preset = read_preset(name)
    closed = {section: values for section, values in preset.items() if section not in OPEN_SECTIONS}
    expected = {
        key
        for key in keys(Params)
        for part in PARTS[name] - set(OPEN_SECTIONS)
        if key == part or key.startswith(f"{part}.")
    }
    assert set(leaves(closed)) == expected | (PARTS[name] & RELEASE)
    assert set(preset) & set(OPEN_SECTIONS) == PARTS[name] & set(OPEN_SECTIONS)


@pytest.mark.parametrize("name", [name for name in NAMES if "architectures" in PARTS[name]])
def test_sizes_set_every_setting_of_architectures_and_losses(name):
    preset = read_preset(name)
    assert set(preset["architectures"]) == set(plugins.names(ARCHITECTURES))
    for architecture, settings in preset["architectures"].items():
        assert set(settings) == set(plugins.settings_of(ARCHITECTURES, architecture).model_fields), architecture
    for loss, settings in preset["losses"].items():
        fields = plugins.settings_of(LOSSES, settings["loss"]).model_fields
        assert set(settings) == {"loss", *fields}, loss
    assert set(preset["model"]) == {*ModelSection.model_fields, *(f"lambda_{loss}" for loss in preset["losses"])}
    variants = [
        variant for variant in preset["variants"] if variant != "elapsed_only"
    ]  # its cue is the release's alone
    assert variants == list(read_preset("demo")["variants"])


def why_not(names):
    """Pattern of the refusal where the grid does not fit the windows or the model, after all presets; else None."""
    sections = {section: VALUES[section] for section in ("align", "window", "architectures")}
    for name in names:
        sections |= {section: values for section, values in read_preset(name).items() if section in sections}
    if sections["align"]["rate_hz"] % sections["window"]["rate_hz"]:
        return r"align\.rate_hz \(\d+\) must be a multiple of window\.rate_hz \(\d+\)"
    if sections["architectures"]["da_mamba"]["causal"] and not sections["align"]["causal"]:
        return r"a model with `causal: true` needs causal cues"
    return None


def check_last_of_each_part_counts(params, names):
    params.write_text(TEXT)
    if refusal := why_not(names):
        with pytest.raises(InputError, match=refusal):
            write_presets(names, params)
        assert params.read_text() == TEXT
        return
    write_presets(names, params)
    before, after = VALUES, yaml.safe_load(params.read_text())
    for part in set().union(*PARTS.values()):
        last = next((name for name in reversed(names) if part in PARTS[name]), None)
        assert at(after, part) == at(read_preset(last) if last else before, part), (part, last)
    kept = ("faces", "extract", "corpus.folder", "corpus.official.root", "corpus.protocol", "corpus.label_slack_s")
    for part in kept:
        assert at(after, part) == at(before, part)
    assert Params.load(params)


def test_every_preset_comes_first_and_last():
    assert {first for first, _ in PAIRS} == {last for _, last in PAIRS} == set(NAMES)


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_of_any_two_kinds_of_presets_the_last_of_each_part_counts(params, names):
    check_last_of_each_part_counts(params, list(names))


def test_of_three_presets_the_last_of_each_part_counts(params):
    for names in TRIPLES:
        check_last_of_each_part_counts(params, list(names))


@pytest.mark.parametrize("names", itertools.permutations(["multimediate", "paper-25", "channels"]))
def test_one_by_one_is_the_same_as_in_one_command(params, names):
    write_presets(list(names), params)
    text = params.read_text()
    params.write_text(TEXT)
    for name in names:
        write_presets([name], params)
    assert params.read_text() == text


def test_presets_without_a_common_part_can_be_written_in_any_order(params):
    texts = set()
    for names in itertools.permutations(["paper-25", "upstream", "simulated"]):
        params.write_text(TEXT)
        write_presets(list(names), params)
        texts.add(params.read_text())
    assert len(texts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_second_time_changes_nothing(params, name):
    write_presets([name], params)
    text = params.read_text()
    assert write_presets([name], params)[0] == f"{params} is already {name}"
    assert params.read_text() == text


@pytest.mark.parametrize("name", NAMES)
def test_the_default_presets_undo_every_other_one(params, name):
    write_presets([name], params)
    write_presets(["demo", "compact", "simulated"], params)
    assert params.read_text() == TEXT


@pytest.mark.parametrize("name", NAMES)
def test_comments_outside_of_the_cues_survive(params, name):
    def comments(text):
        values = re.sub(r"^cues:.*\n(?:[ \n].*\n?)*", "", text, flags=re.MULTILINE)
        return re.findall(r"#.*", values)

    write_presets([name], params)
    assert comments(params.read_text()) == comments(TEXT)


def test_entries_of_ones_own_are_removed_and_no_comment_with_them(params):
    text = TEXT.replace("  lstm: {architecture: lstm}\n", "  lstm: {architecture: lstm}\n  mine: {dropout: 0.5}\n")
    assert text != TEXT
    params.write_text(text)
    assert "variants.mine: removed" in write_presets(["demo"], params)
    assert params.read_text() == TEXT


def test_missing_entries_are_added(params):
    text = TEXT.replace("  lstm: {architecture: lstm}\n", "")
    assert text != TEXT
    params.write_text(text)
    assert "variants.lstm: added: {'architecture': 'lstm'}" in write_presets(["demo"], params)
    assert yaml.safe_load(params.read_text()) == VALUES


def test_presets_that_do_not_fit_are_refused_with_a_reason(params):
    """The channels have 25 rows per second; windows of the preset paper have 100."""
    with pytest.raises(InputError, match=r"with channels paper: .*align\.rate_hz \(25\).*window\.rate_hz \(100\)"):
        write_presets(["channels", "paper"], params)
    assert params.read_text() == TEXT


def test_a_file_that_stays_invalid_is_not_written(params):
    text = TEXT.replace("  jobs: 0", "  jbos: 0")
    params.write_text(text)
    with pytest.raises(InputError, match=r"extract\.jbos"):
        write_presets(["smoke"], params)
    assert params.read_text() == text
    params.write_text("a: [1,\n")
    with pytest.raises(InputError, match="not YAML"):
        write_presets(["smoke"], params)


def test_the_papers_training_is_the_papers(params):
    write_presets(["paper"], params)
    paper = Params.load(params)
    assert (paper.train.learning_rate, paper.train.batch_windows, paper.train.warmup_steps) == (5e-5, 128, 500)
    assert (paper.train.clip_norm, paper.train.ema_decay) == (5.0, 0.999)
    assert (paper.window.rate_hz, paper.window.core_frames, paper.window.context_frames) == (100, 32, 32)
    assert paper.variant("da_mamba").weights == {"ccc": 1.0, "align": 0.4}
    write_presets(["paper-25"], params)
    assert Params.load(params).window.rate_hz == 25
