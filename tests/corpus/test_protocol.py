import pytest
from pydantic import ValidationError

from damamba.config import ProtocolParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.corpus.protocol import apply_protocol


def person(corpus, session, name, split, person=None, label="x.csv"):
    who = person or f"{corpus}-{session}-{name}"
    return Participant(corpus, session, name, name, split, "en", who, "", "", label)


def dyads(n, split="train", corpus="noxi"):
    return [person(corpus, f"{k:03d}", role, split) for k in range(n) for role in ("expert", "novice")]


def splits(rows):
    return {f"{p.corpus}/{p.session}": p.split for p in rows}


def protocol(**changes):
    return ProtocolParams(**{"adapt": (), "folds": 0, "fold": 0, **changes})


def test_splits_stay_as_given_by_default():
    rows = dyads(3) + dyads(2, "val", "mpiigi")
    assert apply_protocol(rows, protocol()) == tuple(rows)
    assert protocol().name == "as given"


def test_adaptation_makes_named_validation_sessions_training_data():
    rows = dyads(2) + dyads(3, "val", "mpiigi")
    adapted = protocol(adapt=("mpiigi/000", "mpiigi/002"))
    assigned = splits(apply_protocol(rows, adapted))
    assert (assigned["mpiigi/000"], assigned["mpiigi/001"], assigned["mpiigi/002"]) == ("train", "val", "train")
    assert assigned["noxi/000"] == "train"
    assert "mpiigi/000" in adapted.name


@pytest.mark.parametrize(
    ("adapt", "expected"),
    [
        ("mpiigi/099", r"mpiigi/099 does not exist; expected validation sessions: mpiigi/000"),
        ("noxi/000", r"noxi/000 is of the split train"),
    ],
)
def test_adaptation_on_anything_else_is_refused(adapt, expected):
    with pytest.raises(InputError, match=expected):
        apply_protocol(dyads(1) + dyads(1, "val", "mpiigi"), protocol(adapt=(adapt,)))


def test_adaptation_does_not_put_a_person_into_two_splits():
    rows = [person("mpiigi", s, "a", "val", "anna") for s in ("008", "009")]
    with pytest.raises(InputError, match="person anna of mpiigi is in the splits train and val"):
        apply_protocol(rows, protocol(adapt=("mpiigi/008",)))


def test_every_labelled_session_is_tested_in_exactly_one_fold():
    rows = dyads(11) + dyads(6, "val", "mpiigi")
    tested = []
    for fold in range(5):
        assigned = splits(apply_protocol(rows, protocol(folds=5, fold=fold)))
        assert set(assigned.values()) == {"train", "val", "test"}
        tested += [session for session, split in assigned.items() if split == "test"]
    assert sorted(tested) == sorted(splits(rows))


def test_sessions_that_share_a_person_stay_in_one_fold():
    chain = [("001", "a", "p"), ("001", "b", "q"), ("002", "a", "q"), ("002", "b", "r"), ("003", "a", "r")]
    rows = [person("noxi", s, name, "train", who) for s, name, who in chain] + dyads(0)
    rows += [person("noxi", f"{k}", "a", "train") for k in range(10, 16)]
    for fold in range(3):
        assigned = splits(apply_protocol(rows, protocol(folds=3, fold=fold)))
        assert len({assigned[f"noxi/{s}"] for s in ("001", "002", "003")}) == 1


def test_sessions_without_labels_stay_in_the_test_split():
    rows = [*dyads(6), person("noxi", "900", "a", "test", label="")]
    assert splits(apply_protocol(rows, protocol(folds=3, fold=1)))["noxi/900"] == "test"


def test_more_folds_than_groups_of_people_are_refused():
    with pytest.raises(InputError, match="5 folds, but there are only 3 groups of sessions without a common person"):
        apply_protocol(dyads(3), protocol(folds=5))


@pytest.mark.parametrize("wrong", [{"folds": 2}, {"folds": 3, "fold": 3}, {"folds": 3, "adapt": ("a/b",)}])
def test_protocols_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(ValidationError):
        protocol(**wrong)
