#!/usr/bin/env python3
"""Writes features.json: what scipy, numpy and pymannkendall say about fixed series.

usage: python3 features.py > features.json     (scipy 1.17.1, numpy 2.x, pymannkendall 1.4.3)

tests/it/feature_reference.rs holds our statistics against these numbers.
"""
import json
import warnings

import numpy
import pymannkendall
import scipy.stats

warnings.filterwarnings("ignore")


def series():
    rng = numpy.random.default_rng(7)
    n = 60
    t = numpy.arange(n)
    yield "noise", rng.normal(10, 2, n)
    yield "heavy tails", rng.standard_t(1.5, n)
    yield "climb", 5 + 0.3 * t + rng.normal(0, 1, n)
    yield "step", numpy.where(t < 40, 1.0, 6.0) + rng.normal(0, 0.5, n)
    yield "fall", 100 - 2.0 * t + rng.normal(0, 10, n)
    yield "counts with ties", rng.poisson(2, n).astype(float)
    yield "mostly zero", numpy.where(rng.random(n) < 0.85, 0.0, rng.random(n))
    yield "five points", numpy.array([3.0, 1.0, 4.0, 1.0, 5.0])
    yield "nine points", numpy.array([2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0, 2.0])


def best_split(y, least):
    """The split with the largest standardised Mann-Whitney statistic, ties corrected."""
    best = (0, -1.0)
    for k in range(least, len(y) - least + 1):
        p = scipy.stats.mannwhitneyu(y[:k], y[k:], use_continuity=False, method="asymptotic").pvalue
        z = float(scipy.stats.norm.isf(p / 2))
        if z > best[1] + 1e-12:
            best = (k, z)
    return best


def gini(y):
    y = numpy.sort(numpy.abs(y))
    gaps = numpy.abs(y[:, None] - y[None, :]).mean()
    return float(gaps / (2 * y.mean()))


def main():
    out = []
    for name, y in series():
        y = numpy.round(y, 6)
        t = 10.0 * numpy.arange(len(y))
        q = {str(p): float(numpy.quantile(y, p, method="median_unbiased")) for p in (0.1, 0.25, 0.5, 0.75, 0.9)}
        one = {
            "name": name,
            "values": y.tolist(),
            "median": float(numpy.median(y)),
            "quantiles": q,
            "mad": float(scipy.stats.median_abs_deviation(y)),
            "ranks": scipy.stats.rankdata(y).tolist(),
            "gini": gini(y),
        }
        if len(y) >= 4:
            mk = pymannkendall.original_test(y)
            one["theil_sen"] = float(scipy.stats.theilslopes(y, t).slope)
            one["tau"] = float(mk.Tau)
            one["mann_kendall_p"] = float(mk.p)
        if len(y) >= 8:
            k, z = best_split(y, 3)
            one["split"] = {"at": k, "z": z}
        out.append(one)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
