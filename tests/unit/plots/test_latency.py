from serval.plots.latency import LatencyCurve, save_latency


def test_the_picture_is_the_same_every_time(tmp_path):
    curves = [
        LatencyCurve(name=f"m{i}", seconds=[1, 2], median_s=[0.1, 0.2], p95_s=[0.2, 0.3])
        for i in range(10)
    ]
    first = save_latency(curves, "title", tmp_path / "a.png").read_bytes()
    assert first == save_latency(curves, "title", tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")
