# Trains scikit-learn's random forest on the rows that main.go has drawn: forest.py DIR. Prints JSON: what, seconds, accuracy.
import json, sys, time
from pathlib import Path
import numpy as np
from sklearn.ensemble import RandomForestClassifier

read = lambda name, kind: np.fromfile(Path(sys.argv[1]) / name, dtype=kind)
x, xt = read("x", "<f4").reshape(-1, 16), read("xt", "<f4").reshape(-1, 16)
y, yt = read("y", "u1"), read("yt", "u1")
out = []
for what, leaf in (("scikit-learn, as it comes", 1), ("scikit-learn, leaves of 20 rows or more", 20)):
    model = RandomForestClassifier(n_estimators=100, n_jobs=2, min_samples_leaf=leaf, random_state=1)
    began = time.perf_counter()
    model.fit(x, y)
    seconds = time.perf_counter() - began
    out.append({"what": what, "seconds": seconds, "accuracy": float((model.predict(xt) == yt).mean())})
print(json.dumps(out))
