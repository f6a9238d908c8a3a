"""A small space with sound, pictures and words, and a client that has the explorer's token."""

import os
import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from affectspace.app.explorer.background import Later
from affectspace.app.explorer.explored import explore_spaces
from affectspace.app.explorer.routes import KINDS, PAGE, make_explorer
from affectspace.space import Space

CLASSES = ("happy", "sad")
PORT = 8765
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = "told-to-the-owner"


@pytest.fixture
def corpus(tmp_path):
    """A folder with media; rows 0 to 19 of the space are recordings, 20 to 23 pictures."""
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "0.wav", np.sin(np.arange(16_000) / 10) / 2, 16_000)
    for row in range(1, 20):
        shutil.copyfile(folder / "0.wav", folder / f"{row}.wav")
    for row in range(20, 24):
        Image.new("RGB", (30, 20), (row, 0, 255)).save(folder / f"{row}.png")
    return folder


@pytest.fixture
def classes():
    """Happy and sad; a test may name more behind them, which no item has."""
    return CLASSES


@pytest.fixture
def labels():
    """Item 3 bears the label of the other cloud, and item 5 none; a test may give others."""
    return ["sad" if row == 3 or row > 11 else None if row == 5 else "happy" for row in range(24)]


@pytest.fixture
def other_labels():
    """Labels that are none of the classes, by row; a test may give some to items that have no label otherwise."""
    return {}


@pytest.fixture
def space(corpus, classes, labels, other_labels):
    """Two clouds, of happy and of sad."""
    rows = np.arange(24)
    nobody = [0.0] * len(classes[2:])
    target = [[0.5, 0.5, *nobody] if row == 5 else [float(label == classes[0]), float(label == classes[1]), *nobody]
              for row, label in enumerate(labels)]  # fmt: skip
    items = pd.DataFrame(
        {
            "id": [f"mine/{row:02}" for row in rows],
            "corpus": "mine",
            "label": labels,
            "target": target,
            "prediction": [classes[int(row >= 12)] for row in rows],
            "probabilities": [[0.75, 0.25, *nobody] if row < 12 else [0.125, 0.875, *nobody] for row in rows],
            "speaker": [f"<img src=x onerror=alert({row % 3})>" for row in rows],
            "audio": [str(corpus / f"{row}.wav") if row < 20 else None for row in rows],
            "image": [str(corpus / f"{row}.png") if row >= 20 else None for row in rows],
            "text": [f"words of {row}" if row % 2 else None for row in rows],
            "age": [20.5 + row for row in rows],
            "take": [row % 4 for row in rows],
        }
    )
    if other_labels:
        items["other_label"] = [other_labels.get(row) for row in rows]
        items.loc[list(other_labels), "target"] = None
    if not any(labels):
        items = items.drop(columns="target")
    vectors = np.random.default_rng(0).normal(size=(24, 6)) + 6 * (rows < 12)[:, None]
    return Space(items, vectors, classes, {"corpora": {"mine": str(corpus)}})


@pytest.fixture
def explored(space, tmp_path):
    return explore_spaces([space], ["mine"], None, "ann", tmp_path / "maps")


@pytest.fixture
def stranger(explored, tmp_path):
    """A client of the explorer without its token."""
    library = tmp_path / "points.js"
    library.write_text("// draws")
    return TestClient(make_explorer(explored, TOKEN, PORT, library), base_url=HOME)


@pytest.fixture
def client(stranger):
    stranger.get("/", params={"token": TOKEN})
    stranger.headers["origin"] = HOME
    return stranger


CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--autoplay-policy=no-user-gesture-required",
    # The graphics card is imitated by the processor, which without it draws faster.
    "--disable-gpu-rasterization", "--disable-gpu-compositing",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window, of the machine; nothing is downloaded.

    Of one module, as Playwright keeps an event loop in this thread: while it runs, no other test may start one.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"{CHROMIUM} is no browser; CHROMIUM names one")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def scripts(browser):
    """A page that can import the explorer's modules, and has its colours, without a server and what is explored."""
    page = browser.new_page()
    page.set_default_timeout(60_000)

    def answer(route):
        name = route.request.url.rsplit("/", 1)[-1]
        if not name:
            return route.fulfill(content_type="text/html", body='<link rel="stylesheet" href="/page/theme.css">')
        return route.fulfill(content_type=KINDS[Path(name).suffix], body=(PAGE / name).read_bytes())

    page.route("**/*", answer)
    page.goto("http://page.test/")
    yield page
    page.close()


@pytest.fixture(scope="module")
def listening():
    """A server that listens on a port of its own: the port, and what is served, of which the last answers."""
    uvicorn = pytest.importorskip("uvicorn")
    served = []

    async def answer(scope, receive, send):
        await served[-1](scope, receive, send)

    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(answer, lifespan="off", log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: server.run(sockets=[place]), daemon=True)
    thread.start()
    yield place.getsockname()[1], served
    server.should_exit = True
    thread.join(timeout=10)
    place.close()


@dataclass(frozen=True)
class Home:
    """Where the explorer is served: its port, where the items lie on its map, and what serves one space or two."""

    port: int
    points: np.ndarray
    start: Callable[[int], None]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def home(listening, space, explored, tmp_path):
    """The explorer of this test's space; its maps are given, and need not be computed."""
    scatter_library = pytest.importorskip("affectspace.app.explorer.scatter_library").scatter_library
    pytest.importorskip("pydeck")
    points = space.vectors[:, :2] - space.vectors[:, :2].mean(0)
    points = (points / np.abs(points).max()).astype(np.float32)
    port, served = listening

    def start(spaces: int) -> None:
        two = explore_spaces([space, space], ["mine", "theirs"], None, "ann", tmp_path) if spaces == 2 else explored
        two.maps = Later(lambda: [points, -points], "drawing the map")
        served.append(make_explorer(two, TOKEN, port, scatter_library()))

    return Home(port, points, start)


@pytest.fixture(scope="module")
def new_page(browser, listening):
    """``new_page(own=False, color_scheme="dark")``: an empty page that has the explorer's cookie and nothing kept.

    Pages with the same options are opened by one that stays, whose process they share: another takes as long to start
    as the explorer to load. They also share what the browser keeps of answers; a page of its own finds nothing.
    """
    address = f"http://127.0.0.1:{listening[0]}"
    contexts, openers = [], {}

    def begin(options):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}, **options))
        contexts[-1].add_cookies([{"name": f"affectspace-{listening[0]}", "value": TOKEN, "url": address}])
        return contexts[-1].new_page()

    def new_page(own, **options):
        if own:
            return begin(options)
        if (key := str(options)) not in openers:
            openers[key] = begin(options)
            openers[key].goto(f"{address}/page/icon.svg")
        opener = openers[key]
        opener.context.set_offline(False)
        opener.evaluate("localStorage.clear()")
        with opener.expect_popup() as opened:
            opener.evaluate("void open('about:blank')")
        return opened.value

    yield new_page
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(new_page, home):
    """Open the page at a part of its address: the page, its map drawn, and a list of what goes wrong in it."""
    pages = []

    def opened(hash="", before=lambda page: None, spaces=1, own=False, **options):
        home.start(spaces)
        page = new_page(own, **options)
        pages.append(page)
        page.set_default_timeout(60_000)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))

        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        before(page)
        page.goto(f"{home.address}/{hash}")
        page.locator("[data-painter]").first.wait_for()
        page.locator(".shown-count").wait_for()
        return page, faults

    yield opened
    for page in pages:
        page.close()
