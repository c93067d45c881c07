"""Your own model in three steps: scikit-learn's random forest on HomeMole's eleven numbers a packet.

    glasshouse dataset export learn --csv -o learn.csv
    glasshouse dataset export unseen --csv -o unseen.csv
    python3 scikit.py learn.csv unseen.csv guesses.csv
    glasshouse score --predictions guesses.csv unseen

or as one of the attackers of a sweep, which makes the files, without labels in the second:

    glasshouse sweep noisy-vpn --vary devices=2,12,30 --model-command "python3 scikit.py" -o fusion

Homes that it learns from do not judge it: they are other data sets. Needs pandas and scikit-learn (Debian: python3-sklearn,
python3-pandas).
"""
import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

STARTUP = 15e9  # ns; warm_up_ns in manifest.json: packets of a home's start-up are not scored, nor learned from


def features(packets):
    """The numbers of each packet. Intervals never cross homes; they are taken of whole numbers, as differences of times in ns as
    pandas makes them are 256 ns apart."""
    p = packets
    flags = [p.ip_proto != 0, p.ip_proto == 6, p.ip_proto == 17, p.app_proto == "tls", p.app_proto == "http",
             p.app_proto == "dns", ~p.ip_proto.isin([6, 17])]
    interval = p.groupby("home").ts_ns.transform(lambda t: t - t.shift(fill_value=t.iloc[0])) / 1e9
    return np.stack([p.remote_port, *flags, p.dir, p.length, interval], axis=1).astype("float32")


def main(learn, unseen, out):
    packets = pd.read_csv(learn)
    x = features(packets)
    settled = packets.ts_ns >= packets.groupby("home").ts_ns.transform("min") + STARTUP
    # what the gateway itself sends is not scored; in a sweep only some packets have a class, as many of each
    counts = settled & packets.label_class.notna() & ~packets.label_class.isin(["gateway", "internet"])
    x, y = x[counts], packets.label_class[counts]
    leaf = min(max(len(y) // 10_000, 2), 50)  # smaller leaves learn the moments of their own homes
    model = RandomForestClassifier(n_estimators=60, min_samples_leaf=leaf, max_depth=24, n_jobs=-1, random_state=1).fit(x, y)

    packets = pd.read_csv(unseen)
    probabilities = model.predict_proba(features(packets))
    guesses = packets[["home", "frame"]].assign(
        **{"class": model.classes_[probabilities.argmax(axis=1)], "probability": probabilities.max(axis=1)})
    guesses.to_csv(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
