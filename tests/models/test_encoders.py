"""Contract 4: what an encoder must have, what of it learns, and the check that comes with the package."""

import copy

import pytest
import torch
from bundles import paper_encoder, small_encoder
from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.base import MEMBERS, Encoder, check_members, learning
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.testing import check_encoder

RATE, FRAME = 16000, 400


class Projected(Encoder):
    """Frames through a projection that never learns, and a dense layer that learns."""

    sample_rate, min_samples, embedding_size = RATE, FRAME, 4

    def __init__(self, bands: int = 3):
        super().__init__()
        self.settings = {"bands": bands}
        self.frozen = nn.Parameter(torch.linspace(-1, 1, FRAME * bands).view(FRAME, bands), requires_grad=False)
        self.dense = nn.Linear(bands, 4)

    def fixed(self, waveforms, n_samples):
        return waveforms.unfold(-1, FRAME, FRAME) @ self.frozen, n_samples // FRAME

    def learned(self, fixed, lengths):
        valid = torch.arange(fixed.shape[1]) < lengths.unsqueeze(1)
        return self.dense((fixed * valid.unsqueeze(-1)).sum(1) / lengths.unsqueeze(1))

    def parameter_groups(self):
        return {"lr": list(self.dense.parameters())}


class Scaled(LogPowerSpectrogram):
    """The paper's features, each bin with a scale that learns."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.scale = nn.Parameter(torch.ones(self.n_features))

    def forward(self, waveforms, n_samples):
        features, n_frames = super().forward(waveforms, n_samples)
        return features * self.scale, n_frames


# Members


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_that_is_missing_is_named_with_the_class(member):
    encoder = Projected()
    if member == "settings":
        del encoder.settings
    else:
        encoder = type("Mine", (Projected,), {member: None})()
    with pytest.raises(InputError, match=rf"\.{type(encoder).__name__}: has no {member}: an encoder needs sample_rate, min_samples"):
        check_members(encoder)


def test_an_encoder_without_a_part_that_learns_is_told_what_to_give():
    with pytest.raises(InputError, match=r"Mine: has no learned: give it learned\(fixed, lengths\)"):
        check_members(type("Mine", (Projected,), {"learned": Encoder.learned})())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"sample_rate": 16000.0}, "sample_rate is 16000.0, and must be a whole number above 0"),
        ({"min_samples": 0}, "min_samples is 0, and must be a whole number above 0"),
        ({"embedding_size": "4"}, "embedding_size is '4', and must be a whole number above 0"),
        ({"parameter_groups": lambda self: list(self.parameters())}, "parameter_groups must return a dictionary"),
        ({"parameter_groups": lambda self: {"upstream": []}}, "from settings that begin with 'lr' to parameters"),
    ],
)
def test_a_member_of_another_kind_is_named_with_its_value(members, message):
    with pytest.raises(InputError, match=message) as raised:
        check_members(type("Mine", (Projected,), members)())
    assert ".Mine: " in str(raised.value)


def test_settings_that_are_no_arguments_by_name_are_named():
    encoder = Projected()
    encoder.settings = ["bands"]
    with pytest.raises(InputError, match=r"settings is \['bands'\], and must be a dictionary with the arguments of its constructor"):
        check_members(encoder)


def test_a_module_that_is_no_encoder_is_told_what_to_be():
    with pytest.raises(InputError, match="torch.nn.modules.linear.Linear: is no encoder: it must be a subclass of mlee_sb.models.encoders"):
        check_members(nn.Linear(2, 2))


@pytest.mark.parametrize("make", [paper_encoder, Projected, lambda: FrozenEncoders([small_encoder()])])
def test_what_has_all_members_is_taken(make):
    check_members(make())


# What learns, and what does not


def test_by_default_the_fixed_part_is_the_waveform_and_nothing_is_kept():
    encoder, waveforms, lengths = small_encoder(), torch.randn(2, 8000), torch.tensor([8000, 5000])
    values, n = encoder.fixed(waveforms, lengths)
    assert values is waveforms and n is lengths and not encoder.keeps_fixed
    assert Projected().keeps_fixed and FrozenEncoders([encoder]).keeps_fixed


def test_an_embedding_is_the_learned_part_of_the_fixed_part():
    encoder, waveforms, lengths = Projected(), torch.randn(2, 4000), torch.tensor([4000, 1000])
    assert torch.equal(encoder(waveforms, lengths), encoder.learned(*encoder.fixed(waveforms, lengths)))


def test_of_an_encoder_all_learns_unless_its_groups_leave_it_out():
    assert set(learning(paper := small_encoder())) == set(paper.parameters()) != set()
    projected = Projected()
    assert set(learning(projected)) == set(projected.dense.parameters())
    assert list(learning(FrozenEncoders([projected]))) == []


def test_a_front_end_with_parameters_learns():
    encoder = paper_encoder(channels=[2, 3, 4], lstm_size=6, attention_size=5)
    encoder.front_end = Scaled(**encoder.front_end.settings)
    encoder.normalizer.mean.fill_(-12.0)
    encoder.train()(0.1 * torch.randn(2, RATE), torch.tensor([RATE, 9000])).square().sum().backward()
    gradient = encoder.front_end.scale.grad
    assert gradient.isfinite().all() and (gradient != 0).any()
    assert any(parameter is encoder.front_end.scale for parameter in learning(encoder))


def test_frozen_encoders_hand_on_their_embeddings_side_by_side_and_stay_in_eval_mode():
    first, second = small_encoder(), Projected()
    frozen = FrozenEncoders([first, second]).train()
    assert not any(module.training for module in frozen.modules())
    waveforms, lengths = torch.randn(2, 8000), torch.tensor([8000, 5000])
    values, n = frozen.fixed(waveforms, lengths)
    assert n.tolist() == [frozen.embedding_size] * 2 == [first.embedding_size + second.embedding_size] * 2
    assert torch.equal(values, torch.cat([first(waveforms, lengths), second(waveforms, lengths)], dim=1))
    assert torch.equal(frozen.learned(values, n), values) and not values.requires_grad
    assert frozen.min_samples == max(first.min_samples, second.min_samples) and frozen.parts == [first, second]


def test_encoders_of_other_sample_rates_are_no_fusion():
    with pytest.raises(InputError, match="must share one sample rate"):
        FrozenEncoders([Projected(), type("Mine", (Projected,), {"sample_rate": 8000})()])


# The check that comes with the package


@pytest.mark.parametrize("make", [small_encoder, Projected], ids=["paper", "projected"])
def test_an_encoder_that_keeps_the_contract_passes_and_is_left_as_it_was(make):
    encoder = make()
    before = copy.deepcopy(encoder.state_dict())
    check_encoder(encoder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


class SeesPadding(Projected):
    def learned(self, fixed, lengths):
        return self.dense(fixed.mean(1))


class FixedThatLearns(Projected):
    def fixed(self, waveforms, n_samples):
        return super().fixed(nn.functional.dropout(waveforms, training=self.training), n_samples)


class LeavesOneOut(Projected):
    def parameter_groups(self):
        return {"lr": [self.dense.weight]}


class TakesOneTwice(Projected):
    def parameter_groups(self):
        return {"lr": list(self.dense.parameters()), "lr_dense": [self.dense.bias]}


class HasADeadParameter(Projected):
    def __init__(self, bands=3):
        super().__init__(bands)
        self.dead = nn.Parameter(torch.ones(1))

    def parameter_groups(self):
        return {"lr": [*self.dense.parameters(), self.dead]}


class ForgetsASetting(Projected):
    def __init__(self, bands=3, scale=2.0):
        super().__init__(bands)
        self.scale = scale

    def learned(self, fixed, lengths):
        return self.scale * super().learned(fixed, lengths)


class HasATuple(Projected):
    def __init__(self, bands=(3,)):
        super().__init__(*bands)
        self.settings = {"bands": tuple(bands)}


class LengthsOfSamples(Projected):
    def fixed(self, waveforms, n_samples):
        return super().fixed(waveforms, n_samples)[0], n_samples


class NotANumber(Projected):
    def learned(self, fixed, lengths):
        return super().learned(fixed, lengths) / 0


class OtherSize(Projected):
    def learned(self, fixed, lengths):
        return super().learned(fixed, lengths)[:, :2]


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (SeesPadding, "has another embedding alone than in a batch"),
        (FixedThatLearns, "fixed gives other values in training"),
        (LeavesOneOut, "dense.bias is in none of its parameter_groups"),
        (TakesOneTwice, "a parameter is in two of its parameter_groups"),
        (HasADeadParameter, r"a parameter \[1\] of the group 'lr' has no gradient"),
        (lambda: ForgetsASetting(scale=3.0), "built from its settings and loaded its weights has other embeddings"),
        (HasATuple, "its settings change when they are written as JSON"),
        (LengthsOfSamples, "each length from 1 to steps"),
        (NotANumber, "embeddings are not finite"),
        (OtherSize, r"embeddings are \[4, 2\]"),
    ],
)
def test_an_encoder_that_breaks_the_contract_is_named_with_what_it_does(encoder, message):
    with pytest.raises(AssertionError, match=message) as raised:
        check_encoder(encoder())
    assert f"{__name__}." in str(raised.value)


def test_an_encoder_that_lacks_a_member_does_not_pass():
    with pytest.raises(InputError, match="has no embedding_size"):
        check_encoder(type("Mine", (Projected,), {"embedding_size": None})())


def test_a_front_end_that_learns_passes_the_check():
    encoder = small_encoder()
    encoder.front_end = Scaled(**encoder.front_end.settings)
    check_encoder(encoder)


# Level


@pytest.mark.parametrize("gain", [0.01, 3.0])
def test_with_a_level_an_encoder_hears_no_loudness_alone_or_in_a_batch(gain):
    encoder, lengths = paper_encoder(front_end={"level_db": -25}).eval(), torch.tensor([16000, 9000])
    waveforms = torch.randn(2, 16000)
    check_encoder(encoder)
    with torch.no_grad():
        torch.testing.assert_close(encoder(gain * waveforms, lengths), encoder(waveforms, lengths), atol=1e-5, rtol=0)
        assert encoder(torch.zeros(1, 16000), torch.tensor([16000])).isfinite().all()


def test_a_level_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"level_db 25: it must be a number from -90 to 0"):
        paper_encoder(front_end={"level_db": 25})


@pytest.mark.parametrize("changed", [{"strides": [[1, 1], [1], [1, 1]]}, {"kernels": [[3, 3], [3, 3], []]}, {"channels": [4]}])
def test_layers_without_all_their_numbers_are_refused(changed):
    with pytest.raises(InputError, match=r"encoder: .*for (every|each) CNN layer"):
        paper_encoder(**changed)
