from serval.plots.quantization import QuantizedPoint, save_quantization


def test_the_picture_is_the_same_every_time(tmp_path):
    points = [
        QuantizedPoint(name=f"v{i}", size_mb=10 + i, accuracy=0.8, speed=1 + i, pareto=i == 1)
        for i in range(3)
    ]
    first = save_quantization(points, "title", tmp_path / "a.png").read_bytes()
    assert first == save_quantization(points, "title", tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")
