"""What users of the model rely on: any length, any number of partners, missing data, causality, saving."""

import json

import pytest
import torch

from damamba.config import ModelParams
from damamba.console import InputError
from damamba.files import BLANK_SEAL, replace_file
from damamba.model import DAMamba, build_model, load_model
from tests.conftest import frozen_params

CUES = {"audio": {"wav2vec2": 6, "emotion": 5}, "visual": {"clip": 7, "flow": 4}}
WIDTHS = {name: width for group in CUES.values() for name, width in group.items()}
VARIANTS = {
    "da_mamba": {},
    "causal": {"causal": True},
    "no_modality_fusion": {"modality_fusion": False},
    "joint_fusion": {"grouping": "joint"},
    "no_partner_fusion": {"partner_fusion": False},
    "transformer": {"block": "transformer"},
    "causal transformer": {"block": "transformer", "causal": True},
    "dat": {"architecture": "dat"},
    "dat, shared": {"architecture": "dat", "share_partner_weights": True, "position_frames": 7},
    "dat alone": {"architecture": "dat", "partner_fusion": False},
    "lstm": {"architecture": "lstm"},
    "causal lstm": {"architecture": "lstm", "causal": True},
    "ridge": {"architecture": "ridge"},
    "causal ridge": {"architecture": "ridge", "causal": True},
    "mlp": {"architecture": "mlp"},
    "tcn": {"architecture": "tcn"},
    "causal tcn": {"architecture": "tcn", "causal": True},
    "floor": {"floor": "ridge"},
    "causal floor": {"floor": "ridge", "causal": True},
    "two cues": {"cues": ("flow", "emotion")},
}
SMALL = {
    "d_model": 8,
    "headdim": 4,
    "d_state": 4,
    "d_fusion": 16,
    "n_heads": 2,
    "d_align": 4,
    "group_layers": 2,
    "floor": "none",
}
AS_ROUNDED = {"rtol": 0, "atol": 2e-6}  # sums in another order


def variant(changes, small=SMALL) -> ModelParams:
    """Parameters of an architecture, at sizes that it has settings for, with changes."""
    changes = dict(changes)
    architecture, cues = changes.pop("architecture", "da_mamba"), changes.pop("cues", None)
    settings = frozen_params().architectures[architecture]
    settings = settings | {key: value for key, value in small.items() if key in settings} | changes
    return ModelParams(architecture=architecture, cues=cues, settings=settings, weights={})


def make(there=CUES, **changes):
    return build_model(there, variant(changes), rate_hz=25).eval()


def batch(length, participants=3, rows=2, widths=WIDTHS):
    cues = {name: torch.randn(rows, participants, length, width) for name, width in widths.items()}
    valid = {name: torch.rand(rows, participants, length) > 0.3 for name in widths}
    return cues, valid, torch.ones(rows, participants, dtype=torch.bool)


def take(inputs, rows=slice(None), seats=slice(None), frames=slice(None)):
    cues, valid, present = inputs
    return (
        {name: cue[rows][:, seats, frames] for name, cue in cues.items()},
        {name: mask[rows][:, seats, frames] for name, mask in valid.items()},
        present[rows][:, seats],
    )


@pytest.fixture(params=VARIANTS)
def model(request):
    return make(**VARIANTS[request.param])


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("length", [1, 63, 97, 500])
def test_any_length_gives_scores_between_0_and_1(model, length):
    engagement, aligned, _ = model(*batch(length))
    assert engagement.shape == (2, length)
    assert ((engagement >= 0) & (engagement <= 1)).all()
    assert length == 1 or engagement.unique().numel() > 1
    for vectors in aligned.values():
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2, length))


@pytest.mark.slow
def test_long_sessions_run():
    assert make()(*batch(6000, rows=1)).engagement.shape == (1, 6000)


def test_gradients_stay_finite_where_inputs_are_not(model):
    cues, valid, present = batch(40)
    valid["clip"][:] = False
    cues["clip"][:] = torch.nan
    if not any(p.requires_grad for p in model.parameters()):
        return  # a closed form
    with torch.enable_grad():
        model(cues, valid, present).engagement.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("architecture", ["da_mamba", "no_modality_fusion", "transformer", "dat", "lstm"])
@pytest.mark.parametrize("seed", range(3))
def test_missing_frames_do_not_make_the_first_gradient_explode(architecture, seed):
    torch.manual_seed(seed)
    inputs = batch(64, rows=4)
    for mask in inputs[1].values():
        mask[:, :, :20] = False  # nothing at all is seen, as before a recording's first picture
    model = make(**VARIANTS[architecture])
    with torch.enable_grad():
        model(*inputs).engagement.std().backward()
    gradients = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    assert torch.stack(gradients).norm() < 100


def test_rows_of_a_batch_do_not_meet(model):
    inputs = batch(50)
    torch.testing.assert_close(model(*take(inputs, slice(1, 2)))[0], model(*inputs)[0][1:], **AS_ROUNDED)


@pytest.mark.parametrize("architecture", ["da_mamba", "dat"])
def test_partners_matter_unless_fusion_is_off(architecture):
    cues, valid, present = batch(50)
    other = {name: torch.cat((cue[:, :1], cue[:, 1:] + 1), dim=1) for name, cue in cues.items()}
    for fusion in (True, False):
        model = make(architecture=architecture, partner_fusion=fusion)
        changed = model(other, valid, present).engagement - model(cues, valid, present).engagement
        assert (changed.abs().max() > 1e-4) == fusion


def test_partners_answer_within_the_window_of_time():
    # Without context memory in between, a partner's frame reaches the target within ± 0.4 s only.
    model = make(cross_window_s=0.4, dialogue_layers=0)
    for layer in model.partners.context:
        layer.ssm.out_proj.weight.zero_()
    target, partner, valid = torch.randn(1, 90, 16), torch.randn(1, 1, 90, 16), torch.ones(1, 1, 90, dtype=torch.bool)
    before = model.partners(target, valid[:, 0], partner, valid)
    partner[:, :, 45] *= -1
    changed = (model.partners(target, valid[:, 0], partner, valid) - before).abs().amax(-1)[0] > 0
    assert changed.nonzero().flatten().tolist() == list(range(35, 56))


@pytest.mark.parametrize("change", [{}, {"block": "transformer"}, {"architecture": "lstm"}])
def test_causal_models_see_what_changes_and_nothing_before(change):
    model, inputs = make(causal=True, **change), batch(80)
    before = model(*inputs)
    for cue in inputs[0].values():
        cue[:, :, 50:] += 1
    for ours, expected in zip(model(*inputs).tensors(), before.tensors(), strict=True):
        assert torch.equal(ours[:, :50], expected[:, :50])
        assert not torch.equal(ours[:, 50:], expected[:, 50:])


@pytest.mark.parametrize("architecture", ["da_mamba", "dat", "lstm"])
def test_models_that_are_not_causal_use_the_future(architecture):
    model, inputs = make(architecture=architecture), batch(80)
    before = model(*inputs).engagement
    for cue in inputs[0].values():
        cue[:, :, 70:] += 1
    assert (model(*inputs).engagement[:, 40:70] - before[:, 40:70]).abs().max() > 1e-5


@pytest.mark.parametrize("group", CUES)
def test_one_modality_group_is_enough(group):
    model = make({group: CUES[group]})
    output = model(*batch(20, widths=CUES[group]))
    assert set(output.aligned) == {group}


def test_a_third_modality_group_is_a_line_of_parameters():
    there = {**CUES, "text": {"words": 3}}
    widths = {**WIDTHS, "words": 3}
    output = make(there)(*batch(20, widths=widths))
    assert set(output.aligned) == {"audio", "visual", "text"}


@pytest.mark.parametrize("change", [{"modality_fusion": False}, {"grouping": "joint"}])
def test_without_stacks_of_modalities_there_is_nothing_to_align(change):
    assert make(**change)(*batch(20)).aligned == {}


@pytest.mark.parametrize("architecture", ["da_mamba", "dat", "lstm"])
def test_training_starts_at_the_mean_label(architecture):
    at_label_mean = build_model(CUES, variant({"architecture": architecture}), 25, label_mean=0.7)
    at_label_mean.head.weight.zero_()
    torch.testing.assert_close(at_label_mean(*batch(10)).engagement, torch.full((2, 10), 0.7))


def test_cues_are_standardised_and_clipped():
    statistics = {name: (torch.full((width,), 5.0), torch.full((width,), 2.0)) for name, width in WIDTHS.items()}
    statistics["flow"][1][0] = 0  # a constant channel
    plain, scaled = make(), DAMamba(CUES, make().params, 25, statistics).eval()
    scaled.load_state_dict(
        {
            **plain.state_dict(),
            **{k: v for k, v in scaled.state_dict().items() if "stems" in k and k.endswith(("mean", "std"))},
        }
    )
    cues, valid, present = batch(30)
    cues["clip"][0, 0, 0] = 1e6
    raw = {
        name: cue * scaled.groups[group].stems[name].standardise.std + 5.0
        for group in CUES
        for name, cue in cues.items()
        if name in CUES[group]
    }
    raw["clip"][0, 0, 0] = torch.inf
    torch.testing.assert_close(
        scaled(raw, valid, present).engagement, plain(cues, valid, present).engagement, rtol=0, atol=1e-5
    )


def test_a_saved_model_predicts_the_same(model, tmp_path):
    inputs = batch(30)
    expected = model(*inputs)
    model.save(tmp_path / "model", window={"rate_hz": 25})
    loaded = load_model(str(tmp_path / "model"))
    assert type(loaded) is type(model)
    assert torch.equal(loaded(*inputs).engagement, expected.engagement)
    assert json.loads((tmp_path / "model/model.json").read_text())["window"] == {"rate_hz": 25}


def test_loading_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match=r"model\.json: not found"):
        DAMamba.load(tmp_path)
    make(architecture="lstm").save(tmp_path)
    with pytest.raises(InputError, match=r"model\.json: the architecture is lstm, not da_mamba"):
        DAMamba.load(tmp_path)
    make().save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    for key, value, message in (
        ("settings", {**description["settings"], "d_model": 16}, r"model\.safetensors: .* expected from model\.json"),
        ("settings", {**description["settings"], "d_modle": 16}, "d_modle"),
        ("cues", 3, "expected cue widths"),
    ):
        changed = json.dumps({**description, key: value, "seal": BLANK_SEAL})
        replace_file(tmp_path / "model.json", changed.encode(), sealed=True)
        with pytest.raises(InputError, match=message):
            DAMamba.load(tmp_path)
    with pytest.raises(InputError, match="not found"):
        DAMamba.load(tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        DAMamba.load(tmp_path)
    make().save(tmp_path)
    text = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(text.replace('"rate_hz": 25', '"rate_hz": 24'))
    with pytest.raises(InputError, match=r"model\.json: damaged"):
        DAMamba.load(tmp_path)
    make().save(tmp_path)
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"model\.safetensors: damaged"):
        DAMamba.load(tmp_path)


def test_weights_of_another_model_of_the_same_shape_are_refused(tmp_path):
    make().save(tmp_path / "a")
    other = make()
    with torch.no_grad():
        next(other.parameters()).add_(1)
    other.save(tmp_path / "b")
    (tmp_path / "b/model.safetensors").replace(tmp_path / "a/model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: not the weights that model\.json describes"):
        DAMamba.load(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"headdim": 5}, "headdim"),
        ({"n_heads": 5}, "n_heads"),
        ({"architecture": "dat", "n_heads": 5}, "n_heads"),
        ({"architecture": "dat", "causal": True}, "causal"),
        ({"cues": ("clip", "smell")}, r"model\.cues: no cue 'smell'; there are wav2vec2, emotion, clip, flow"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(change, key):
    with pytest.raises(InputError, match=key):
        make(**change)


@pytest.mark.parametrize("architecture", ["da_mamba", "dat", "lstm"])
def test_cues_that_are_not_chosen_need_not_be_there(architecture):
    model = make(architecture=architecture, cues=("clip",))
    cues, valid, present = batch(20)
    expected = model(cues, valid, present)
    assert model.cues == {"visual": {"clip": 7}}
    assert len(expected.aligned) < 2  # nothing to align the face with
    ours = model({"clip": cues["clip"]}, {"clip": valid["clip"]}, present)
    assert torch.equal(ours.engagement, expected.engagement)


@pytest.mark.parametrize("architecture", ["da_mamba", "dat", "lstm"])
def test_autocast_does_not_round_scores(architecture):
    """The loss would see steps of 1/256 near 1."""
    model, inputs = make(architecture=architecture), batch(80)
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(*inputs).engagement
    assert scores.dtype == torch.float32
    assert not torch.equal(scores, scores.bfloat16().float())
    torch.testing.assert_close(scores, model(*inputs).engagement, rtol=0, atol=0.05)
