"""What every setting of an experiment means: the help of `focalbench sweep`, and the keys of an experiment file."""

ABOUT = {
    "task": "binary, multiclass, or multilabel (several columns of 0 and 1).",
    "datasets": "CSV or Parquet files, or names that focalbench datasets lists.",
    "positive_rates": "Exact positive rate, of the rarest class where there are several. Default: 0.0015 for synthetic "
    "data, the natural rate of a table.",
    "own_rates": "Rates of some of the data sets, instead of positive_rates: by name, a list for each.",
    "target": "The column to predict.",
    "labels": "A column of 0 and 1 to predict, where the task is multilabel.",
    "positive": "The target value that counts as positive, or names the rare class.",
    "drop": "A column to leave out.",
    "drop_duplicates": "Remove rows that repeat an earlier one; else equal rows are kept in one split.",
    "category": "A column of codes, to be read as categories though they look like numbers.",
    "group": "The column whose rows belong together, such as a patient or a day.",
    "time": "The column to split by: the latest rows are the test.",
    "weight": "The column that says what a row counts for.",
    "test_prevalence": "How a test comes to the rate asked for: weight its positives (all of a table's, 2,000 of "
    "synthetic data), or thin them to it. At the natural rate, and with several classes, neither is needed.",
    "label_noise": "Share of positives whose label is swapped with a negative's, in [0, 0.5).",
    "rows": "Training rows.",
    "arms": "Losses to compare, with the one that they are compared with. Default: those of focalbench sweep.",
    "lrs": "The optimiser's learning rate; of several, each arm takes its best on validation.",
    "first_seed": "The first seed.",
    "seeds": "Number of seeds.",
    "steps": "Budget of every run in optimiser steps; at least 20 epochs are trained.",
    "epochs": "Passes over the training rows, instead of a budget of steps.",
    "batch_size": "Rows in a batch.",
    "sampler": "random, stratified, balanced, quota:K (positives a batch), weighted-quota:K (the same, weighted "
    "back to the rate), hard (negatives) or groups.",
    "optimizer": "adam, or sgd (with momentum 0.9), whose learning rates are larger, such as 0.1.",
    "lr_schedule": "constant, or cosine (down to 0 at the last step); resnet always has the cosine.",
    "model": "logistic (linear), mlp (a small network) or resnet (a stronger, slower one for tables, with layers and a "
    "learning rate schedule of its own).",
    "hidden": "Units of the MLP's hidden layers.",
    "device": "Where to train: cpu or cuda.",
    "references": "Models beside the networks: true for scikit-learn's logistic regression and boosting, false for "
    "none, or a list of logistic, boosting, lightgbm, xgboost and catboost.",
    "tuned": "Also a row for the best arm of every family, each family with as many candidates.",
    "metric": "What validation chooses by and verdicts rest on: average_precision, recall_at_fpr=F, precision_at=K "
    "(rows of the test, or a share such as 1%), recall_at_precision=P, net_benefit=T, cost=FP:FN or log_loss.",
    "threshold_at": "Where to put a threshold, chosen on validation, to see what it does on the test: cost=FP:FN, "
    "capacity=50/day (with a time of dates; or a share of the rows, 1%), precision=P or recall=R.",
    "recalibrate": "Also measure probabilities by Platt and by isotonic regression on validation, beside those of the "
    "loss's inverse.",
    "margin": "The difference in the metric that matters to you. Default: 0.01 on synthetic data; on tables, and of "
    "costs and losses, a tenth of what the baseline gains on no skill, at most what it lacks to the best, or 0.01.",
    "smoke_test": "Whether the table only shows that everything runs; it says so, and tests nothing.",
}
