"""Claims as an experiment file writes them."""

from pathlib import Path

import pytest

from focalbench.errors import InputError
from focalbench.plan.claims import Axis, Claims, Condition, Direction, Pair
from focalbench.plan.toml import load, load_claims

HEAD = """
datasets = ["mixture"]
seeds = 6
arms = [{ loss = "bce" }, { loss = "focal", gamma = 2.0 }, { loss = "focal", gamma = 5.0 }]
"""
PARTS = """
[[parts]]
name = "small"
batch_size = 128

[[parts]]
name = "large"
"""
CLAIM = """
[[claims]]
id = "C1"
sentence = "The best gamma falls"
said_by = "tutorials"
"""
CONDITION = """
[[claims.conditions]]
arms = ["gamma=2"]
against = ["bce"]
direction = "above"
"""


def read(tmp_path: Path, text: str) -> Claims:
    (tmp_path / "e.toml").write_text(text)
    found = load_claims(tmp_path / "e.toml")
    assert found is not None
    return found


def test_parts_are_the_experiment_with_some_keys_changed(tmp_path: Path) -> None:
    claims = read(tmp_path, HEAD + PARTS + CLAIM + CONDITION + 'slope_on = "log2_positives_per_batch"\nmargins = 0.2\n')
    assert [(name, part.batch_size, part.seeds) for name, part in claims.parts] == [
        ("small", 128, 6),
        ("large", 512, 6),
    ]
    (claim,) = claims.claims
    pair = Pair(("gamma=2",), ("bce",))
    assert claim.conditions == (Condition((pair,), Direction.ABOVE, slope_on=Axis.PER_BATCH, margins=0.2),)
    assert load(tmp_path / "e.toml")[0].batch_size == 512


def test_a_file_without_parts_is_one_part_and_one_without_claims_claims_nothing(tmp_path: Path) -> None:
    assert [name for name, _ in read(tmp_path, HEAD + CLAIM + CONDITION).parts] == ["all"]
    (tmp_path / "e.toml").write_text(HEAD)
    assert load_claims(tmp_path / "e.toml") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + PARTS, "there are none"),
        (HEAD + CLAIM, "conditions"),
        (HEAD + CLAIM.replace('id = "C1"', "id = 1") + CONDITION, "id is a text"),
        (HEAD + CLAIM + "who = 'x'\n" + CONDITION, "unknown key 'who'"),
        (HEAD + CLAIM + CONDITION + "where = 1\n", "unknown key 'where'"),
        (HEAD + CLAIM + CONDITION.replace('"above"', '"up"'), "above, below, not_below, within"),
        (HEAD + CLAIM + CONDITION.replace('direction = "above"', ""), "say the direction"),
        (HEAD + CLAIM + CONDITION.replace("gamma=2", "gamma=3"), "no arm 'gamma=3'; it has bce, gamma=2"),
        (HEAD + CLAIM + CONDITION + 'parts = ["huge"]\n', "no part 'huge'"),
        (HEAD + CLAIM + CONDITION + "margin = -1\n", "at least 0"),
        (HEAD + CLAIM + CONDITION + "margins = -1\n", "above 0"),
        (HEAD + CLAIM + CONDITION + "margin = nan\n", "finite"),
        (HEAD + CLAIM + CONDITION + "margin = true\n", "finite"),
        (HEAD + CLAIM + CONDITION + "margin = 0.1\nmargins = 2\n", "give one"),
        (HEAD + CLAIM + CONDITION + f"margin = {'9' * 400}\n", "finite"),
        (HEAD + CLAIM + CONDITION.replace('"bce"', '"gamma=2"'), "the same"),
        (HEAD + CLAIM + CONDITION.replace('["gamma=2"]', '["gamma=2", "gamma=5"]'), "more candidates"),
        (
            HEAD + CLAIM + CONDITION + 'measure = "recovered_log_loss_skill"\nmargin = 1\nepochs = "half"\n',
            "end of the",
        ),
        (
            HEAD + CLAIM + CONDITION.replace("arms = ", "pairs = [{ arms = ['bce'], aginst = ['bce'] }]\nx = "),
            "unknown key",
        ),
        (HEAD + PARTS + 'lr_schedule = "cosine"\n' + CLAIM + CONDITION + 'epochs = "half"\n', "schedule"),
        (HEAD + PARTS + CLAIM + CONDITION + 'parts = ["small", "small"]\nweights = [1, -1]\n', "a part twice"),
        (HEAD + PARTS + CLAIM + CONDITION + CONDITION + 'parts = ["small"]\n', "rest on different data"),
        (
            HEAD + PARTS + "label_noise = 0.1\n" + CLAIM + CONDITION + 'slope_on = "log10_positive_rate"\n',
            "two different",
        ),
        (HEAD + CLAIM + CONDITION + 'measure = "accuracy"\n', "measure is one of"),
        (HEAD + CLAIM + CONDITION + 'measure = "recovered_log_loss_skill"\n', "margin: say what matters"),
        (HEAD + CLAIM + CONDITION + 'slope_on = "x"\n', "slope_on is one of"),
        (HEAD + CLAIM + CONDITION + "pairs = [{ arms = ['bce'] }]\n", "or several pairs"),
        (HEAD + CLAIM + CONDITION.replace('arms = ["gamma=2"]\nagainst = ["bce"]', "pairs = []"), "pairs is a list"),
        (HEAD + CLAIM + CONDITION.replace('arms = ["gamma=2"]', "arms = []"), "needs arms"),
        (HEAD + PARTS + CLAIM + CONDITION + 'parts = ["small", "large"]\nweights = [1]\n', "a number for each"),
        (HEAD + PARTS + CLAIM + CONDITION + 'parts = ["small", "large"]\nweights = [1, 1]\n', "add up to 0"),
        (HEAD + PARTS.replace('"large"', '"small"') + CLAIM + CONDITION, "two of the parts are called 'small'"),
        (HEAD + PARTS.replace('name = "large"', "rows = 5") + CLAIM + CONDITION, "has a name"),
        (HEAD + PARTS + "seeds = 7\n" + CLAIM + CONDITION + 'slope_on = "label_noise"\n', "different seeds"),
        (HEAD + PARTS + CLAIM + CONDITION + 'slope_on = "label_noise"\n', "two different places on label_noise"),
        (HEAD + CLAIM + CONDITION + 'slope_on = "gamma"\n', "two different places on gamma"),
        (
            HEAD
            + PARTS
            + "positive_rates = [0.01, 0.02]\n"
            + CLAIM
            + CONDITION
            + 'parts = ["small", "large"]\nweights = [1, -1]\n',
            "the same data and rates",
        ),
        (HEAD + CLAIM + CONDITION + CLAIM + CONDITION, "two of the claims are called 'C1'"),
        (HEAD + "claims = 3\n", "claims"),
        (HEAD + CLAIM.replace("C1", "C 1") + CONDITION, "id of a claim"),
        (HEAD + PARTS + "label_noise = 0.7\n" + CLAIM + CONDITION, "part large: label noise"),
        (HEAD + "smoke_test = true\n" + CLAIM + CONDITION, "smoke test"),
        (HEAD + "parts = 3\n" + CLAIM + CONDITION, "parts"),
        (HEAD + "parts = []\n" + CLAIM + CONDITION, "each part as its own"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"e\.toml") as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
