"""The verbs of this room: `serve`, and those of its other modules."""

from __future__ import annotations

from typing import Annotated

import typer

from serving.erase_cli import app as erase_verb
from serving.keys_cli import app as keys_verbs
from serving.tag_cli import BundleOption
from serving.tag_cli import app as tag_verbs

app = typer.Typer()
app.add_typer(tag_verbs)
app.add_typer(erase_verb)
app.add_typer(keys_verbs, name="keys")


@app.command(
    epilog="For example:\n\n"
    "tympan serve\n\n"
    "tympan serve --bundle runs/mine --port 9000\n\n"
    "tympan serve --workers 2\n\n"
    "TYMPAN_HOST=0.0.0.0 TYMPAN_THREADS=4 tympan serve"
)
def serve(
    bundle: BundleOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 if absent.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 8000 if absent, 0 for a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve on that port; 1 if absent.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of the network in each; they share the processors allowed if absent."),
    ] = None,
) -> None:
    """Serve tags over HTTP, until stopped.

    Every option can be set by the environment too: TYMPAN_BUNDLE, TYMPAN_HOST, TYMPAN_PORT, TYMPAN_WORKERS,
    TYMPAN_THREADS, and TYMPAN_MAX_MENTIONS and TYMPAN_MAX_BYTES for the limits of one call. As a model of Label Studio
    (/label-studio) it asks for TYMPAN_LABEL_STUDIO_USER and TYMPAN_LABEL_STUDIO_PASSWORD if they are set, lets
    nobody in without them where others need keys, and keeps events in the folder TYMPAN_STATE.

    TYMPAN_KEYS names the file of the keys that callers need (tympan keys --help). Without it, none is asked for, and
    an address that others than this machine can reach is refused unless TYMPAN_KEYS_OFF=yes.
    """
    from serving.settings import Settings

    settings = Settings.read(bundle=bundle, host=host, port=port, workers=workers, threads=threads)
    if settings.workers > 1:
        from serving.workers import run
    else:
        from serving.server import run
    run(settings, say=typer.echo)
