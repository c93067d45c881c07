"""pandas.py PACKETS.csv: reads an export, and prints how many packets each device has, and the columns' types."""
import sys

sys.path.pop(0)  # this file's own directory, which would hide the library
import pandas as pd

packets = pd.read_csv(sys.argv[1], dtype={"label_event": "Int64", "label_lan_frame": "Int64"}, keep_default_na=False, na_values={"label_event": "", "label_lan_frame": ""})
for device, n in packets.groupby("label_device").size().items():
    print(f"{device},{n}")
print(packets["ts_ns"].dtype, packets["label_event"].dtype, packets["label_lost"].dtype, packets["ts_ns"].iloc[-1], packets["label_event"].isna().sum())
