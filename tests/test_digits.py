import pytest

from damamba.digits import json_text, rounded, same_results, write_result


def test_numbers_are_rounded_wherever_they_stand_and_nothing_else_is():
    record = {"a": [0.123456, None, 7, "0.123456"], "b": {"c": (-0.00001, True)}}
    assert rounded(record) == {"a": [0.1235, None, 7, "0.123456"], "b": {"c": [0.0, True]}}
    assert "-0.0" not in json_text(record)
    assert rounded(1.23456, 2) == 1.23


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a 0.1234", "a 0.1235", True),
        ("a 0.1234", "a 0.1236", False),
        ("a 0.5", "a 0.5001", True),  # JSON drops zeros at the end
        ("a 0.5", "a 0.6", False),
        ("a 1.0", "a 0.9999", True),
        ("a 0.0", "a -0.0001", True),
        ("a 0.1234", "b 0.1234", False),
        ("12 frames", "13 frames", False),
        ("11160 frames", "11161 frames", False),
        ("34544344.0", "34544240.0", True),  # four digits of a large number
        ("null", "0.0", False),
        ("0.12345678", "0.1235", False),  # a file of more digits than it should have
        ("0.1, 0.2", "0.1", False),
    ],
)
def test_texts_are_the_same_results_to_one_unit_of_the_last_digit(old, new, same):
    assert same_results(old, new) is same


def test_coordinates_are_compared_at_their_own_digits():
    assert same_results("M 1.23 4", "M 1.24 4", decimals=2)
    assert not same_results("M 1.23 4", "M 1.25 4", decimals=2)


def test_a_file_with_the_same_results_is_left_alone(tmp_path):
    path = tmp_path / "new/scores.json"
    write_result(path, '{"ccc": 0.1234}')
    write_result(path, '{"ccc": 0.1235}')
    assert path.read_text() == '{"ccc": 0.1234}'
    write_result(path, '{"ccc": 0.1236}')
    assert path.read_text() == '{"ccc": 0.1236}'
    path.write_bytes(b"\xff\xfe")
    write_result(path, '{"ccc": 0.1236}')
    assert path.read_text() == '{"ccc": 0.1236}'
