import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.cli.keys import experiment_file
from focalbench.errors import InputError
from focalbench.plan.experiment import KEYS, MOST, MOST_EPOCHS, MOST_UNITS, Experiment
from focalbench.plan.toml import load, to_toml
from focalbench.runs.arm import INITS, Arm, Init, starts_of
from focalbench.runs.arm_choice import (
    ALPHAS,
    BCE,
    GAMMAS,
    QUICK_ARMS,
    ArmOptions,
    chosen_arms,
    plain_arm,
    with_zero_starts,
)
from focalbench.runs.catalogue import RIVALS, SIGMOID
from focalbench.runs.columns import Columns
from focalbench.runs.metric import ThresholdAt
from focalbench.runs.reference import MODELS, Reference
from focalbench.runs.resampling import Method, Resampling
from focalbench.runs.run import Recipe, Run, Training

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
# of a data set, or of a file in the folder of the experiment
NAME = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12).filter(
    lambda n: n != ".."
)
SHARE = st.floats(0, 1)
GAMMA = st.floats(0, 1e3)
RATIO = st.floats(0, 1, exclude_min=True)
OWN_ARM = st.one_of(
    st.just(BCE),
    st.just(Arm("pos_weight")),
    st.builds(Arm, st.just("alpha"), st.one_of(SHARE, st.just("balanced"))),
    st.sampled_from([Arm(name) for name in RIVALS]),
    st.builds(lambda ratio: Arm("ohem", params=(("ratio", ratio),)), st.floats(1e-9, 1e9)),
    st.builds(Arm, st.just("focal"), st.one_of(SHARE, st.none(), st.just("balanced")), GAMMA),
    st.builds(lambda how: Arm("bce", resampling=how), st.builds(Resampling, st.sampled_from(Method), RATIO)),
)


def lists(of: st.SearchStrategy[Any], at_least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=at_least, max_size=4).map(tuple)


def distinct(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def arms(draw: st.DrawFn) -> tuple[Arm, ...]:
    """Distinct arms, with bce at every start that occurs."""
    drawn = draw(st.lists(OWN_ARM, max_size=5))
    some = [replace(plain_arm(arm), init=draw(st.sampled_from(_starts(arm)))) for arm in drawn]
    compared = [replace(BCE, init=init) for init in dict.fromkeys(arm.init for arm in some)]
    return tuple(dict.fromkeys([*compared, *some])) or (BCE,)


def _starts(arm: Arm) -> list[Init]:
    """What resampled rows leave of its starts."""
    return [init for init in starts_of(arm.loss) if not (arm.resampling and init == "learned")]


def up_to(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, most)


EXPERIMENTS = st.builds(
    Experiment,
    datasets=st.lists(NAME, min_size=1, max_size=4, unique_by=lambda name: Path(name).name).map(tuple),
    positive_rates=distinct(st.one_of(st.none(), st.floats(0, 1, exclude_min=True, exclude_max=True))),
    columns=st.builds(
        Columns,
        target=st.one_of(st.none(), TEXT),
        positive=st.one_of(st.none(), TEXT),
        drop=lists(TEXT, 0),
        drop_duplicates=st.booleans(),
    ),
    label_noise=st.floats(0, 0.5, exclude_max=True),
    rows=up_to(MOST["rows"]),
    arms=arms(),
    lrs=distinct(st.floats(0, 1e300, exclude_min=True)),
    first_seed=st.integers(0, 10**9),
    seeds=up_to(MOST["seeds"]),
    steps=up_to(MOST["steps"]),
    epochs=st.one_of(st.none(), up_to(MOST_EPOCHS)),
    batch_size=up_to(MOST["batch_size"]),
    model=st.just("mlp"),
    hidden=lists(up_to(MOST_UNITS)),
    device=st.sampled_from(["cpu", "cuda"]),
    references=st.one_of(st.booleans(), distinct(st.sampled_from([Reference(name) for name in MODELS]))),
    tuned=st.booleans(),
    margin=st.one_of(st.none(), st.floats(0, 1, exclude_min=True, exclude_max=True)),
    smoke_test=st.booleans(),
)
LOGISTIC = EXPERIMENTS.map(lambda e: replace(e, model="logistic", hidden=()))


def written(folder: Path, text: str) -> Path:
    path = folder / "e.toml"
    path.write_text(text, encoding="utf-8")
    return path


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(experiment=st.one_of(EXPERIMENTS, LOGISTIC))
def test_an_experiment_survives_its_file(tmp_path: Path, experiment: Experiment) -> None:
    loaded, checks = load(written(tmp_path, to_toml(experiment)))
    assert loaded == experiment
    assert to_toml(loaded) == to_toml(experiment)  # == does not tell 1 from 1.0, a run's identity does
    assert checks == ()


def test_what_a_file_leaves_out_takes_its_default_and_an_empty_one_is_a_slip(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'datasets = ["mixture"]')) == (Experiment(), ())
    with pytest.raises(InputError, match="is empty; name at least its datasets"):
        load(written(tmp_path, "# to do"))


@pytest.mark.parametrize(
    ("datasets", "rates"),
    [
        (["mixture", "xor:"], (0.0015,)),
        (["long-tail"], (0.0015,)),
        (["census-income"], (None,)),
        (["fraud.csv", "openml:1597"], (None,)),
    ],
)
def test_a_file_without_rates_takes_those_of_a_sweep(
    tmp_path: Path, datasets: list[str], rates: tuple[float | None, ...]
) -> None:
    base, (check,) = load(written(tmp_path, f"datasets = {datasets}\n[[check]]\nepochs = 2\ndatasets = ['xor']"))
    assert base.positive_rates == rates
    assert check.positive_rates == rates  # what a check does not name is as in the file
    assert Experiment(datasets=tuple(datasets)).positive_rates == rates


def test_data_of_two_kinds_have_no_usual_rate(tmp_path: Path) -> None:
    text = 'datasets = ["mixture", "census-income"]\n'
    with pytest.raises(InputError, match=r"have no usual rate in common; give one, such as 0\.0015"):
        load(written(tmp_path, text))
    assert load(written(tmp_path, text + 'positive_rates = ["natural"]'))[0].positive_rates == (None,)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "experiments").glob("*.toml")), ids=str)
def test_the_committed_experiments_state_their_rates(path: Path) -> None:
    assert "positive_rates" in tomllib.loads(path.read_text(encoding="utf-8"))


def test_the_printed_keys_are_an_experiment_of_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, experiment_file())) == (Experiment(), ())
    said = re.findall(r"^(?:# )?(\w+) = ", experiment_file().partition("# [[check]]")[0], re.M)
    assert tuple(said) == KEYS


def test_each_example_among_the_printed_keys_is_read(tmp_path: Path) -> None:
    lines = experiment_file().splitlines()
    examples = [i for i, line in enumerate(lines) if re.match(r"# \w+ = ", line) and i < lines.index("# [[check]]")]
    assert len(examples) == 10
    for i in examples:
        text = "\n".join([*lines[:i], lines[i][2:], *lines[i + 1 :]])
        assert load(written(tmp_path, text))[0] != Experiment()
    tail = [line[2:] for line in lines[lines.index("# [[check]]") :]]
    (check,) = load(written(tmp_path, "\n".join([*lines, *tail])))[1]
    assert (check.seeds, check.epochs) == (1, 3)


def test_whole_numbers_become_the_floats_they_stand_for(tmp_path: Path) -> None:
    text = 'lrs = [1]\n[[arms]]\nloss = "bce"\n[[arms]]\nloss = "focal"\ngamma = 2\nalpha = 1\n'
    loaded, _ = load(written(tmp_path, text))
    assert repr(loaded.lrs) == "(1.0,)"
    assert repr(loaded.arms[1]) == repr(Arm("focal", alpha=1.0, gamma=2.0))


def test_a_check_is_the_experiment_with_other_values(tmp_path: Path) -> None:
    text = 'rows = 900\n[[check]]\nepochs = 3\n[[check]]\nepochs = 2\ndatasets = ["xor"]\n'
    base, checks = load(written(tmp_path, text))
    assert base == Experiment(rows=900)
    assert checks == (replace(base, epochs=3), replace(base, epochs=2, datasets=("xor",)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch = 3", r"unknown key 'epoch'; did you mean epochs\?"),
        ("Positive = 'x'", r"unknown key 'Positive'; did you mean positive"),
        ("xyz = 3", "unknown key 'xyz'; the keys are "),
        ("[[check]]\nepochs = 3\nchecks = 1", r"\[\[check\]\]: unknown key 'checks'"),
        ("check = 3", "write each check as its own"),
        ("check = [3]", "write each check as its own"),
        ("[[check]]\nrows = 900", "at most 5 epochs"),
        ("epochs = 3.0", "epochs must be of the kind int, got 3.0"),
        ("epochs = true", "epochs must be of the kind int, got True"),
        ("references = 1", "references must be true, false or a list of names"),
        ("references = [1]", "references must be of the kind str"),
        ('references = ["nope"]', "e.toml: unknown reference 'nope'; choose one of logistic"),
        ('references = ["Logistic"]', r"unknown reference 'Logistic'; did you mean logistic\?"),
        ('references = ["lightgbm", "lightgbm"]', "references holds an entry twice"),
        ('references = ["mine:MODEL"]', "a model of your own is named on the command line or in Python only"),
        ("label_noise = true", "label_noise must be of the kind float"),
        ('model = ["mlp"]', "model must be of the kind str"),
        ("target = 1", "target must be of the kind str"),
        ("lrs = 0.1", "lrs must be a list"),
        ("lrs = []", "lrs must be a list with at least one entry"),
        ('lrs = ["0.1"]', "lrs must be of the kind float"),
        ("hidden = []", "hidden must name layers of 1 to"),
        ("hidden = [8.5]", "hidden must be of the kind int"),
        ('positive_rates = ["some"]', "positive_rates must be of the kind float"),
        ("arms = [1]", "an arm is a table"),
        ('[[arms]]\nloss = "bce"\nbeta = 1', "an arm is a table"),
        ("[[arms]]\ngamma = 1", "an arm is a table"),
        ("[[arms]]\nloss = 3", "loss must be of the kind str, got 3"),
        ('[[arms]]\nloss = "ohem"\nparams = 3', "params must be a table"),
        ('[[arms]]\nloss = "ohem"\nparams = { ratio = "3" }', "ratio must be of the kind float"),
        ('[[arms]]\nloss = "ohem"\nparams = { ratio = -3 }', "ratio of ohem must lie in"),
        ('[[arms]]\nloss = "ohem"\nparams = { rate = 3 }', "ohem has no hyperparameter 'rate'; it has ratio"),
        ('[[arms]]\nloss = "bce"\nparams = { rate = 3 }', "bce has no hyperparameter 'rate'; it has none"),
        ('[[arms]]\nloss = "focal"\ngamma = "2"', "gamma must be of the kind float"),
        ('[[arms]]\nloss = "focal"\ngamma = nan', "gamma must be a finite number"),
        ('[[arms]]\nloss = "focal"\nalpha = true', "alpha must be of the kind float"),
        ('[[arms]]\nloss = "focal"\nalpha = [1]', "alpha must be of the kind float"),
        ('[[arms]]\nloss = "focal"\nalpha = "some"', "e.toml: `alpha` takes none, balanced or a number"),
        ('[[arms]]\nloss = "focal"\nalpha = nan', "alpha must lie in"),
        ('[[arms]]\nloss = "bce"\ninit = "warm"', "unknown `init` 'warm'"),
        ('[[arms]]\nloss = "bce"\n[[arms]]\nloss = "bce"\ngamma = 0', "arms holds an entry twice"),
        ('[[arms]]\nloss = "pos_weight"', "need bce at the same start"),
        (
            '[[arms]]\nloss = "bce"\n[[arms]]\nloss = "focal"\ngamma = 1\ninit = "zero"',
            "arms started at 'zero' need bce",
        ),
        ("rows = 1\nrows = 2", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(written(tmp_path, text))


BAD: list[tuple[str, Any]] = [
    *((name, 0) for name in ("rows", "seeds", "steps", "epochs", "batch_size")),
    ("epochs", MOST_EPOCHS + 1),
    *(("margin", margin) for margin in (0.0, -0.01, 1.0, float("nan"))),
    ("first_seed", -1),
    *(("lrs", lrs) for lrs in ((), (0.0,), (1e-3, -1.0), (float("nan"),), (float("inf"),))),
    *(("label_noise", noise) for noise in (-0.1, 0.5, float("nan"))),
    *(("positive_rates", (rate,)) for rate in (0.0, 1.0, -0.1, 1.5, float("nan"))),
    *(("hidden", hidden) for hidden in ((), (0,), (8, -1), (10**6,))),
    *((name, most + 1) for name, most in MOST.items()),
    *((name, "nope") for name in ("model", "device")),
    ("arms", (BCE, BCE)),
    ("arms", (Arm("pos_weight"),)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError):
        replace(Experiment(), **{name: value})


def test_every_setting_is_written(tmp_path: Path) -> None:
    at = ThresholdAt.parse("recall=0.5")
    columns = Columns(target="y", positive="1", group="g", weight="w")
    text = to_toml(Experiment(columns=columns, epochs=3, margin=0.02, threshold_at=at))
    text = 'time = "t"\n' + text  # never with a group
    assert set(re.findall(r"^(\w+) =", text.split("[[arms]]")[0], re.M)) == set(KEYS) - {"arms"}


# ---- arms from options


def test_the_default_arms() -> None:
    arms = Experiment().arms
    assert len(arms) == 18
    assert [arm.init for arm in arms] == ["own"] * 15 + ["zero"] * 3
    assert [arm.name for arm in arms[15:]] == ["bce (zero start)", "pos_weight (zero start)", "gamma=2 (zero start)"]
    assert len({arm.name for arm in arms}) == 18
    assert chosen_arms(ArmOptions(losses=tuple(SIGMOID))) == arms
    assert len(Experiment(arms=QUICK_ARMS).arms) == 5


def test_alphas_and_gammas_of_focal_multiply() -> None:
    options = ArmOptions(("focal",), ("none", "0.25", "balanced"), (1.0, 2.0), ("own",))
    pairs = [(arm.alpha, arm.gamma) for arm in chosen_arms(options)[1:]]
    assert pairs == [(alpha, gamma) for alpha in (None, 0.25, "balanced") for gamma in (1.0, 2.0)]


def test_inits_multiply_all_arms_and_replace_the_zero_rows() -> None:
    arms = chosen_arms(ArmOptions(("pos_weight",), inits=("prior", "zero", "prior")))
    assert [(arm.loss, arm.init) for arm in arms] == [
        (loss, init) for init in ("prior", "zero") for loss in ("bce", "pos_weight")
    ]


def test_what_is_not_said_takes_the_default_values() -> None:
    focal = chosen_arms(ArmOptions(("focal",), ("0.5",), inits=("own",)))
    assert [arm.gamma for arm in focal[1:]] == list(GAMMAS)
    alpha = chosen_arms(ArmOptions(("alpha",), inits=("own",)))
    assert [arm.alpha for arm in alpha[1:]] == list(ALPHAS)


def test_balanced_alpha_without_gamma_is_pos_weight() -> None:
    arms = chosen_arms(ArmOptions(("pos_weight", "alpha"), ("balanced", "0.5"), inits=("own",)))
    assert arms == (BCE, Arm("pos_weight"), Arm("alpha", 0.5))


@given(
    losses=st.lists(st.sampled_from(list(SIGMOID)), min_size=1).map(tuple),
    inits=st.lists(st.sampled_from(INITS)).map(tuple),
)
def test_chosen_arms_always_make_an_experiment(losses: tuple[str, ...], inits: tuple[str, ...]) -> None:
    arms = chosen_arms(ArmOptions(losses, inits=inits))
    assert arms[0].loss == "bce"
    assert set(Experiment(arms=arms).arms) == set(arms)
    assert {arm.loss for arm in arms} == {"bce", *losses}
    assert {arm.init for arm in arms} == ({*inits} or {"own", "zero"})


@pytest.mark.parametrize(
    "options",
    [
        ArmOptions(("hing",)),
        ArmOptions(("hinge:margin=1",)),
        ArmOptions(("ohem:ratio",)),
        ArmOptions(("ohem:ratio=1,ratio=2",)),
        ArmOptions(("ohem:ratio=nan",)),
        ArmOptions(("ohem:ratio=0",)),
        ArmOptions(("bce:ratio=1",)),
        ArmOptions(("focal:gamma=2",)),
        ArmOptions(("rivals:ratio=1",)),
        ArmOptions(("asymmetric:margin=0.99999999",)),
        ArmOptions(("smooth_ap:tau=1e-60",)),
        ArmOptions(("my.module:Loss",)),
        ArmOptions(inits=("warm",)),
        ArmOptions(alphas=("some",)),
        ArmOptions(alphas=("1.5",)),
        ArmOptions(alphas=("nan",)),
        ArmOptions(gammas=(-1.0,)),
        ArmOptions(gammas=(float("inf"),)),
        ArmOptions(("bce", "alpha"), gammas=(2.0,)),
        ArmOptions(("bce", "pos_weight"), alphas=("0.5",)),
        ArmOptions(("alpha",), alphas=("none",)),
    ],
)
def test_options_that_nothing_uses_or_knows_are_refused(options: ArmOptions) -> None:
    with pytest.raises(InputError):
        chosen_arms(options)


def test_zero_starts_are_added_for_arms_that_are_there() -> None:
    assert with_zero_starts((BCE,)) == (BCE, replace(BCE, init="zero"))
    assert not ArmOptions().given
    assert ArmOptions(gammas=(0.0,)).given


def test_rivals_are_named_one_by_one_or_all_together() -> None:
    arms = chosen_arms(ArmOptions(("ohem:ratio=1", "ohem", "tversky:alpha=0.1,beta=0.9"), inits=("own",)))
    assert [arm.name for arm in arms] == ["bce", "ohem ratio=1", "ohem", "tversky alpha=0.1 beta=0.9"]
    assert [arm.loss for arm in chosen_arms(ArmOptions(("rivals",), inits=("own",)))] == ["bce", *RIVALS]


def test_settings_that_contradict_one_another_are_refused() -> None:
    for options in (
        {"columns": Columns(group="g", time="t")},
        {"test_prevalence": "other"},
        {"datasets": ("mixture", "mixture:scale=0.7")},
        {"sampler": "quota:600"},
    ):
        with pytest.raises(InputError):
            Experiment(**options)
    assert Experiment(sampler="quota:256").sampler == "balanced"


def test_one_loss_is_one_arm_whatever_it_is_called() -> None:
    texts = ("poly1:epsilon=0", "label_smoothed:smoothing=0", "asymmetric:gamma_positive=2,gamma_negative=2,margin=0")
    dice = ("dice:smooth=3", "tversky:alpha=0.5,beta=0.5,smooth=1.5", "poly1:epsilon=-0.0")
    tversky = ("focal_tversky:gamma=1,alpha=0.5,beta=0.5,smooth=1.5", "focal_tversky:gamma=1", "tversky")
    arms = chosen_arms(ArmOptions((*texts, *dice, *tversky, "focal"), gammas=(2.0,), inits=("own",)))
    assert [arm.name for arm in arms] == ["bce", "gamma=2", "dice smooth=3", "tversky"]


def test_one_own_loss_alone_is_compared_with_bce_and_not_with_the_default_arms() -> None:
    own = Arm("mine:Loss", source="0" * 64)
    assert [arm.name for arm in chosen_arms(ArmOptions(custom=(own,), inits=("own",)))] == ["bce", "mine:Loss"]


def test_one_own_loss_never_comes_from_a_file(tmp_path: Path) -> None:
    own = Experiment(arms=(BCE, Arm("mine:Loss", source="0" * 64)))
    for text in (to_toml(own), 'arms = [{ loss = "bce" }, { loss = "mine:Loss" }]'):
        with pytest.raises(InputError, match="own loss is named on the command line only, as `loss=mine:Loss`"):
            load(written(tmp_path, text))
    with pytest.raises(InputError, match="unknown loss"):
        Arm("mine:Loss")  # nor from anywhere else without its source


def test_a_rivals_hyperparameters_are_part_of_the_identity_and_others_have_none() -> None:
    def identity(arm: Arm) -> str:
        return Run(Recipe("mixture", 10), Training(), arm, 0.1, 0).identity

    assert "params" not in identity(BCE)  # runs stored before there were rivals keep their names
    assert "source" not in identity(BCE)
    assert identity(Arm("ohem")) == identity(Arm("ohem", params=(("ratio", 3.0),)))
    assert identity(Arm("ohem")) != identity(Arm("ohem", params=(("ratio", 2.0),)))
    assert identity(Arm("a:b", source="1")) != identity(Arm("a:b", source="2"))
