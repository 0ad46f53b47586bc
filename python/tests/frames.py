"""The wheel from pandas, polars and pyarrow: python python/tests/frames.py [FOLDER]

Needs the wheel of python/build, polars, pyarrow and pandas.
"""
import json, os, sys
import pandas, polars, pyarrow
import rootline

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
folder = sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/fixtures/incidents/pool-exhaustion"

found = rootline.diagnose(folder)
assert isinstance(found, dict) and found["hypotheses"], found.keys()
first = found["hypotheses"][0]
print(rootline.__version__, found["verdict"], first["signature"], "on", first["entity"]["name"])
truth = f"{folder}/truth.toml"
if os.path.exists(truth):
    assert f'"{first["signature"]}"' in open(truth).read(), first["signature"]
json.dumps(found)

frames = rootline.frames(folder)
assert set(frames) == {"series", "operations", "calls"}
for name, frame in frames.items():
    print(name, frame)
    lazy, table = polars.DataFrame(frame), pyarrow.table(frame)
    table.validate(full=True)
    plain = pandas.DataFrame.from_arrow(frame) if hasattr(pandas.DataFrame, "from_arrow") else table.to_pandas()
    # Handed over three times, the same each time.
    assert lazy.columns == table.column_names == list(plain.columns) == frame.columns
    assert lazy.height == table.num_rows == len(plain) == len(frame)
    number = [c for c in frame.columns if str(lazy.schema[c]) == "Float64"]
    for column in number:
        total = table[column].to_numpy().sum()
        assert abs(lazy[column].sum() - total) <= 1e-9 * abs(total) and abs(plain[column].sum() - total) <= 1e-9 * abs(total)
series = polars.DataFrame(frames["series"])
assert series.height > 0 and series["time"].is_null().sum() == 0
usual = series.group_by("subject", "signal").agg(polars.col("value").mean()).sort("subject", "signal")
print(usual.head(8))

for bad, error in (("/nowhere/at/all", ValueError), (os.path.join(ROOT, "python", "src"), ValueError)):
    try:
        rootline.diagnose(bad)
    except error as e:
        print("refused:", e)
    else:
        raise AssertionError(bad)
