# Runs after the README's snippet: each window is a run of packets of one home, in order, as the export has them; the homes of
# the test are not among those learned from; a loader hands out each window once.
SIZE = 100


def check(windows, homes):
    at = 0
    for home in homes:
        p = packets[packets.home == home].sort_values("frame")
        for k in range(len(p) // SIZE):
            x, y = windows[at]
            part = p.iloc[k * SIZE:(k + 1) * SIZE]
            assert x.shape == (SIZE, 3) and x.dtype == torch.float32 and y.dtype == torch.int64
            assert x[:, 0].tolist() == part.dir.tolist() and x[:, 1].tolist() == part.length.tolist(), (home, k)
            since = part.ts_ns.to_numpy()[1:] - part.ts_ns.to_numpy()[:-1]
            assert np.allclose(10.0 ** x[1:, 2].numpy() * 1e9, np.maximum(since, 1), rtol=1e-4), (home, k)
            assert [classes[c] for c in y.tolist()] == part.label_class.tolist(), (home, k)
            at += 1
    assert at == len(windows) > 0, (at, len(windows))


homes = sorted(packets.home.unique())
check(test, [h for h in homes if h % 5 == 0])
check(train, [h for h in homes if h % 5 != 0])
given = sum(len(x) for x, _ in torch.utils.data.DataLoader(train, batch_size=64, shuffle=True))
assert given == len(train), (given, len(train))
assert x.shape[1:] == (SIZE, 3) and y.shape[1:] == (SIZE,)  # the snippet's own last batch
print(len(homes), len(train) + len(test))
