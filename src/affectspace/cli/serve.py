"""``affectspace serve``"""

import gc
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.tell import next_commands
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.files import json_text

SHAPES = "256"  # as many as the layers of a net of pictures have for the batches that are common
NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "threadpoolctl")


def serve(
    run: Path,
    *,
    space: Path | None = None,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    allow_host: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = (),
    api_key_file: Path | None = None,
    max_megabytes: float = 20.0,
    max_seconds: float = 60.0,
    max_pixels: Whole = 25_000_000,
    timeout: float = 30.0,
    max_waiting: Whole = 64,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Answer over HTTP what a run's model hears, sees or reads in uploads, where they lie, and what is near.

    Ends with exit code 0 when it is asked to (Ctrl-C or SIGTERM), once what is in flight is answered.

    Parameters
    ----------
    run
        A finished run folder, or a model folder.
    space
        A Parquet file that affectspace embed wrote by this run, or the run folder: what is searched.
    host
        Address to listen on. Any but this machine's own loopback needs --allow-host and an API key.
    port
        Port to listen on; 0 finds one that is free.
    allow_host
        Names by which clients may call the service, as they stand in its address, such as speech.example.org.
    api_key_file
        File that holds the API key, which else is looked for in AFFECTSPACE_API_KEY.
    max_megabytes
        Largest request.
    max_seconds
        Longest recording.
    max_pixels
        Largest picture, width times height.
    timeout
        Seconds in which a request must have come, and then be answered.
    max_waiting
        Requests that may wait for their answers; more are told to come back (429).
    as_json
        Print the address as JSON, for machines.
    """
    refuse_missing("serve", "affectspace serve needs", *NEEDED)
    # oneDNN keeps what it has made for each shape, 0.1 MB of it, and packed clips have a new one in every batch.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", SHAPES)
    import torch
    from threadpoolctl import threadpool_limits

    from affectspace.app.hosts import loopback_hosts
    from affectspace.app.listen import address_of, bound, is_loopback, serve_on
    from affectspace.app.service.api_key import read_key
    from affectspace.app.service.asked_model import AskedModel
    from affectspace.app.service.limits import Limits
    from affectspace.app.service.own_log import own_log
    from affectspace.app.service.routes import make_service
    from affectspace.app.service.searched_space import SearchedSpace

    limits = Limits(
        megabytes=max_megabytes, seconds=max_seconds, pixels=max_pixels, timeout=timeout, waiting=max_waiting
    )
    key = read_key(api_key_file)
    if not is_loopback(host) and (not allow_host or key is None):
        lacks = ", and ".join(
            each
            for each, missing in (
                ("--allow-host NAME, by which clients call it", not allow_host),
                ("an API key, in AFFECTSPACE_API_KEY or --api-key-file (openssl rand -hex 24 makes one)", key is None),
            )
            if missing
        )
        raise InputError(f"--host {host} is reached by other machines, so give {lacks}; or leave --host out")
    torch.set_num_threads(1)  # items are prepared side by side, and one thread runs small nets as fast as several
    with bound(host, port) as taken, threadpool_limits(1, user_api="blas"):
        asked = AskedModel(run)
        searched = None if space is None else SearchedSpace(space, asked)
        address = address_of(taken)
        number = taken.getsockname()[1]
        named = {name for each in allow_host for name in (each.lower(), f"{each.lower()}:{number}")}
        app = make_service(asked, searched, limits, loopback_hosts(number) | named, key)

        def ready() -> None:
            if as_json:
                told = {"address": address, "run": str(run), "reads": asked.medium, "classes": asked.model.classes}
                print(json_text(told), flush=True)
                return
            searching = "" if searched is None else f", and searches {len(searched):,} items"
            print(f"{address} answers for {run}{searching}; Ctrl-C ends it")
            next_commands(*_examples(address, asked.medium, key is not None, searched is not None))
            print(end="", flush=True)

        # What is there now is there until the end: to look through it for garbage would hold up all clients at once.
        gc.collect()
        gc.freeze()
        with own_log():
            serve_on(taken, app, timeout, ready)
    if not as_json:
        print("stopped; what was in flight has been answered")


def _examples(address: str, medium: str, keyed: bool, searches: bool) -> list[str]:
    key = ' --header "Authorization: Bearer $AFFECTSPACE_API_KEY"' if keyed else ""
    body = {
        "audio": "--form file=@clip.wav",
        "image": "--form file=@face.png",
        "text": """--json '{"text": ["what a day"]}'""",
    }[medium]
    one = body.replace('["what a day"]', '"what a day"')
    return [
        f"curl{key} {body} {address}/predict",
        *([f"curl{key} {one} '{address}/search?count=5'"] if searches else []),
        f"curl{key} {address}/openapi.json",
    ]
