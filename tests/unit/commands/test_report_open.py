import webbrowser

from pages import evaluated, spoken_set


def test_the_page_is_opened_on_request_and_where_that_fails_it_is_named(
    serval, tmp_path, monkeypatch
):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 2)).folder
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    done = serval("report", run, "--open", "--audio", "none")
    assert (done.returncode, done.stderr.count("no browser")) == (0, 0), done.stderr
    assert opened == [(run / "report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    done = serval("report", run, "--open", "--quiet", "--audio", "none")
    assert done.stderr.splitlines()[-1].startswith("no browser was found here; open ")
