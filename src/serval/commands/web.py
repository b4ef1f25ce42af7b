"""`serval web`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from serval.commands.options import contract_options
from serval.commands.terminal import say
from serval.web import SiteServer, WebOptions, write_site
from serval.web.site import FETCH

DEFAULTS = WebOptions()
PORT = 8000


@click.command("web")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--model", "-m", "named", multiple=True, help="The same as MODEL.")
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where to write the site.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Serve it to this machine until Ctrl-C.")
@click.option("--port", default=PORT, show_default=True, metavar="N",
              help="Of --serve; 0 for any that is free.")  # fmt: skip
@click.option("--parity-clips", "clips", default=DEFAULTS.clips, show_default=True, metavar="N",
              help="Demo clips that the page compares with Python, up to 64.")  # fmt: skip
@click.option("--trace", is_flag=True,
              help="Let the page name a node that differs from Python.")  # fmt: skip
@click.option("--webgpu", type=click.Path(path_type=Path), metavar="PACKAGE.tgz",
              help=f"Compute on the GPU where there is one; fetch it once: {FETCH}.")  # fmt: skip
@contract_options
def web_command(
    models: tuple[str, ...],
    named: tuple[str, ...],
    output: Path | None,
    port: int,
    *,
    serve: bool,
    **flags: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Make a page on which a model hears, answers and times itself, in any browser.

    MODEL is an .onnx file, a built-in name, or hf:ORG/NAME/FILE.onnx, by default serval-tiny; of
    several, which the page times in turn, the first answers. The folder holds static files for any
    web host; a microphone needs one with https, or --serve.

    \b
    serval web model.int8.onnx -o site/
    serval web model.onnx model.int8.onnx --serve
    """  # noqa: D301 - click wants that backspace
    if output is None and not serve:
        raise click.UsageError("name a folder with --output, or --serve the page from here")
    if port != PORT and not serve:
        raise click.UsageError("--port is of --serve, which is not given; leave it out")
    options = WebOptions(**flags)
    models = (*models, *named) or ("serval-tiny",)
    if output is not None:
        _make(models, output, options, port if serve else None)
        return
    with tempfile.TemporaryDirectory(prefix="serval-web-") as folder:
        _make(models, Path(folder) / "site", options, port)


def _make(models: tuple[str, ...], folder: Path, options: WebOptions, port: int | None) -> None:
    """Write the site and, where there is a port, serve it until told to stop."""
    site = write_site(models, folder, options)
    for note in site.notes:
        say(f"serval: {note}", err=True)
    gpu = "" if site.gpu_mb is None else f" ({site.gpu_mb:.1f} MB where there is a GPU)"
    first = f"{site.first_mb:.1f} MB of them before the first answer{gpu}"
    say(f"{site.size_mb:.1f} MB, {first}", err=True)
    if port is None:
        say(folder)
        say(
            "a browser opens no page of this kind from a disk: put the folder on a web host, or "
            f'try it with python -m http.server --bind 127.0.0.1 --directory "{folder}"',
            err=True,
        )
        return
    with SiteServer(folder, port) as server:
        say(f"{server.address}  Ctrl-C ends it")
        server.serve_forever()
