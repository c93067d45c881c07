# Runs after the README's snippet: what it counted, as CSV. Minutes are counted too.
counted = per_minute.groupby(["home", "label_device"]).sum()
for (home, device), row in counted.iterrows():
    print(f"{home},{device},{row['count']},{row['sum']}")
assert packets.time.dt.year.eq(2026).all(), packets.time.head()
assert len(per_minute) > len(counted), "one minute only"
