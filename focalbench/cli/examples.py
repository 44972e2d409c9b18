"""Command lines to begin with, shown under the help of each command."""

EXAMPLES = {
    "": (
        "focalbench sweep --pos-rate 0.0015",
        "focalbench sweep fraud.csv --target is_fraud",
        "focalbench plot results/fraud",
    ),
    "sweep": (
        "focalbench sweep --pos-rate 0.0015",
        "focalbench sweep fraud.csv --target is_fraud --quick --report live.html",
        "focalbench sweep fraud.csv --target is_fraud --loss focal --gamma 1 --gamma 2",
        "focalbench sweep animals.csv --task multiclass --target species",
    ),
    "advise": (
        "focalbench advise fraud.csv --target is_fraud",
        "focalbench advise fraud.csv --target is_fraud --cost 1:50 --save fraud.skops",
        "focalbench advise fraud.csv --target is_fraud --time day --capacity 50/day",
    ),
    "predict": ("focalbench predict fraud.skops new.csv --keep transaction --out scored.csv",),
    "run": (
        "focalbench run --keys > mine.toml",
        "focalbench run experiments/headline.toml --dry-run",
        "focalbench run results/fraud/experiment.toml",
    ),
    "compare": (
        "focalbench compare scores.csv --target is_fraud --score mine --score theirs",
        "focalbench compare a.csv b.csv --target is_fraud --id tx --metric cost=1:50",
    ),
    "table": ("focalbench table results/fraud", "focalbench table results/fraud --format latex > fraud.tex"),
    "plot": (
        "focalbench plot results/fraud",
        "focalbench plot results/fraud differences gamma --format pdf",
        "focalbench plot --formulas",
    ),
    "report": ("focalbench report results/fraud", "focalbench report results --out all.html"),
    "check": ("focalbench check results/headline",),
    "datasets": (
        "focalbench datasets",
        "focalbench datasets mixture:hard=0.1",
        "focalbench datasets fraud.csv --target is_fraud",
    ),
    "losses": ("focalbench losses | less",),
    "audit": ("focalbench audit", "focalbench audit --no-speed --format markdown > audit.md"),
    "bench": ("focalbench bench --part waiting", "focalbench bench --rounds 3 --out results/bench/mine"),
}


def examples(command: str) -> str:
    """What stands under the help of a command; "" is the program's own."""
    return "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES[command])])
