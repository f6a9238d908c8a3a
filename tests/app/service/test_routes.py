"""The routes: what they answer, what they refuse, and that nothing of an upload is kept or opened."""

import json
import re
import threading

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from affectspace.app.service import uploads
from affectspace.app.service.asked_model import AskedModel
from affectspace.app.service.batching import Batching
from affectspace.app.service.limits import Limits
from affectspace.app.service.searched_space import SearchedSpace
from affectspace.errors import InputError
from affectspace.space import Space
from affectspace.training.predict_files import predict_files


def first(heard):
    return heard / "alva" / pd.read_csv(heard / "alva/items.csv")["audio"][0]


def send(asks, route, *contents, **more):
    files = [("file", (f"{number}.bin", content)) for number, content in enumerate(contents)]
    return asks.post(route, files=files, **more)


def told(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def test_predict_answers_what_the_command_does(client, heard, ears):
    path = first(heard)
    (alone,) = predict_files(heard / "run", [path]).answers
    expected = json.loads(json.dumps(alone.told(ears.model.classes))) | {"file": "clip.flac"}
    with client() as asks:
        answer = asks.post("/predict", files={"file": ("clip.flac", path.read_bytes(), "audio/flac")})
    assert answer.status_code == 200
    (found,) = answer.json()["files"]
    assert answer.json()["unread"] == []
    for name in ("probabilities", "distances"):
        assert found.pop(name) == pytest.approx(expected.pop(name), abs=1e-4)
    for here, there in zip(found.pop("nearest"), expected.pop("nearest"), strict=True):
        assert here.pop("distance") == pytest.approx(there.pop("distance"), abs=1e-4)
        assert here == there
    assert found == expected


def test_several_files_are_answered_in_their_order_and_the_unread_are_named(client, make_sound, make_picture):
    with client() as asks:
        answer = send(asks, "/predict", make_sound(1.0), make_picture(), make_sound(2.0), make_sound(0.1))
        assert answer.status_code == 200
        assert [each["file"] for each in answer.json()["files"]] == ["0.bin", "2.bin"]
        assert answer.json()["unread"] == [
            {
                "file": "1.bin",
                "reason": "1.bin is a PNG picture; legal: recordings (WAV, FLAC, Ogg, MP3, AIFF, AU, CAF)",
            },
            {
                "file": "3.bin",
                "reason": "3.bin is 0.1 s long, too short to hear an expression in; legal: 0.3 to 60 s, so give the "
                "whole utterance",
            },
        ]
        none = send(asks, "/predict", make_picture(), make_sound(0.1))
    assert told(none, 415).startswith("none of the 2 files can be used; the first: 0.bin is a PNG picture")


def test_answers_of_one_request_are_those_of_single_ones(client, make_sound):
    clips = [make_sound(0.4 + 0.3 * number, seed=number) for number in range(8)]
    with client() as asks:
        together = send(asks, "/embed", *clips).json()["files"]
        alone = [send(asks, "/embed", clip).json()["files"][0] for clip in clips]
    for one, many in zip(alone, together, strict=True):
        assert one["vector"] == pytest.approx(many["vector"], abs=1e-5)
        assert one["prediction"] == many["prediction"]


def test_pictures_and_texts(client, seen, read, make_picture, make_sound):
    with client(AskedModel(seen / "run")) as asks:
        assert send(asks, "/predict", make_picture(30, 20, "JPEG")).json()["files"][0]["prediction"]
        assert told(send(asks, "/predict", make_sound()), 415).startswith("0.bin is a WAV recording; legal: pictures")
        assert len(send(asks, "/embed", make_picture()).json()["files"][0]["vector"]) == 6
    with client(AskedModel(read / "run"), limits=Limits(files=3, characters=20)) as asks:
        found = asks.post("/predict", json={"text": ["w1 w2", "unknown", "w3"]}).json()
        assert [each["file"] for each in found["files"]] == ["w1 w2", "w3"]
        assert found["unread"][0]["reason"].startswith("the text 'unknown' has no vector: none of its 1 words is in")
        assert found["files"][0]["far"] is None
        assert told(asks.post("/predict", json={"text": ["w1"] * 4}), 413) == "the body has 4 texts; legal: 1 to 3"
        assert told(asks.post("/predict", json={"text": ["w1 " * 7]}), 413).startswith("a text has 21 characters")
        lone = asks.post("/predict", content=b'{"text": ["\\ud800"]}', headers={"content-type": "application/json"})
        assert told(lone, 422)
        for body in ({"text": "w1"}, {"texts": ["w1"]}, {"text": []}, {"text": [1]}, {}):
            assert told(asks.post("/predict", json=body), 422)
        assert told(send(asks, "/predict", make_sound()), 415).endswith("legal: application/json")


def test_limits_are_said(client, make_sound):
    with client(limits=Limits(megabytes=0.05, files=2, seconds=1.5)) as asks:
        assert told(send(asks, "/predict", make_sound(1.6)), 413).startswith("the request has")
        assert told(send(asks, "/predict", make_sound(1.51, kind="FLAC", rate=8000)), 413) == (
            "0.bin is 1.5 s long; legal here: up to 1.5 s, so cut it"
        )
        many = send(asks, "/predict", *[make_sound(0.4, rate=8000)] * 3)
        assert told(many, 413) == "the form holds more than 2 files; legal: 2, so ask twice"


def test_a_request_beyond_those_that_may_wait_is_told_to_come_back(client, make_sound):
    with client(limits=Limits(waiting=1)) as asks:
        with asks.app.state.service.admission.waiting():
            answer = send(asks, "/predict", make_sound())
        assert told(answer, 429) == "1 requests wait for their answers, as many as may; ask again in a second"
        assert answer.headers["retry-after"] == "1"
        assert send(asks, "/predict", make_sound()).status_code == 200


def test_no_answer_in_time_is_told(client, make_sound):
    with client(limits=Limits(timeout=0.05)) as asks:
        service = asks.app.state.service
        stuck = service.batching
        try:
            service.batching = Batching(lambda item: item, _never, workers=1)
            answer = send(asks, "/predict", make_sound())
        finally:
            NEVER.set()
            service.batching.close()
            service.batching = stuck
    assert told(answer, 503).startswith("no answer within 0.05 s; ask again")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\x00b", "x" * 5000, "faces.parquet#0"])
def test_no_name_of_a_client_is_ever_opened(client, make_sound, monkeypatch, name):
    opened = []
    kept = uploads.as_file

    def watched(content):
        held = kept(content)
        opened.append(content)
        return held

    monkeypatch.setattr("affectspace.app.service.routes.as_file", watched)
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n\r\n' + make_sound()
    )
    with client() as asks:
        answer = asks.post(
            "/predict", content=body + b"\r\n--x--\r\n", headers={"content-type": "multipart/form-data; boundary=x"}
        )
    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        assert answer.json()["files"][0]["file"] == name[:100]
        assert opened == [bytearray(make_sound())]


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/predict/../../etc", "/%2e%2e/%2e%2e/etc/passwd", "/docs", "/"])
def test_a_path_that_leads_elsewhere_gets_nowhere(client, path):
    with client() as asks:
        answer = asks.get(path)
    assert "there is nothing at" in told(answer, 404)


def test_other_methods_are_told(client):
    with client() as asks:
        assert told(asks.get("/predict"), 405) == "/predict does not answer GET; /openapi.json tells what does"


def test_a_fault_of_ours_is_no_traceback(client, make_sound, monkeypatch, caplog):
    def at_fault(*given):
        raise ValueError("a client's words in /home/somebody")

    with client() as asks:  # which would raise what reaches the server, and the server would log it with all it says
        monkeypatch.setattr(asks.app.state.service, "_items", at_fault)
        assert told(send(asks, "/predict", make_sound()), 500).startswith("a fault of the service")
        assert 'affectspace_requests_total{route="/predict",status="500"} 1.0' in asks.get("/metrics").text
    (logged,) = [record for record in caplog.records if record.name == "affectspace.service"]
    assert logged.getMessage().startswith("a fault of the service (/predict): ValueError at ")
    assert "test_routes.py" in logged.getMessage()
    assert "(at_fault)" in logged.getMessage()
    assert logged.exc_info is None
    assert "client's words" not in caplog.text
    assert "/home/somebody" not in caplog.text


@pytest.mark.parametrize("name", ["prepare", "answers"])
def test_a_fault_in_reading_or_in_the_net_is_told_without_what_was_sent(client, read, monkeypatch, caplog, name):
    asked = AskedModel(read / "run")

    def at_fault(given):
        raise KeyError(f"{given}")

    monkeypatch.setattr(asked, name, at_fault)
    with client(asked) as asks:
        answer = asks.post("/predict", json={"text": ["w1 zebra", "w2"]})
        assert told(answer, 500).startswith("a fault of the service")
    assert caplog.text.count("KeyError at ") == 1
    assert "(at_fault)" in caplog.text
    assert "zebra" not in caplog.text


def test_a_space_is_searched_by_upload_and_by_id(client, heard, ears, tmp_path):
    items = pd.read_csv(heard / "alva/items.csv")
    ids = [f"alva/{item}" for item in items["id"]]
    clips = [(heard / "alva" / path).read_bytes() for path in items["audio"]]
    found = ears.answers([ears.prepare(str(heard / "alva" / path)) for path in items["audio"]])
    vectors = np.stack([each.embedding for each in found])
    Space(pd.DataFrame({"id": ids}), vectors, ears.model.classes).save(tmp_path / "space.parquet")
    searched = SearchedSpace(tmp_path / "space.parquet", ears)
    with client(searched=searched) as asks:
        by_upload = send(asks, "/search?count=4", clips[3]).json()
        assert by_upload["query"] == "0.bin"
        assert by_upload["searched"] == len(ids)
        assert by_upload["found"][0]["id"] == ids[3]
        assert by_upload["found"][0]["distance"] == pytest.approx(0, abs=1e-4)
        by_id = asks.post("/search?count=3", json={"id": ids[3]}).json()
        assert [each["id"] for each in by_id["found"]] == [each["id"] for each in by_upload["found"][1:]]
        assert told(asks.post("/search", json={"id": "nobody"}), 404).startswith(
            "no item of the space has the id 'nobody'"
        )
        for body in ({"id": 3}, {"id": "a", "b": 1}, {"text": "a"}):
            assert told(asks.post("/search", json=body), 422).startswith("the body is another object; legal: ")
        assert told(asks.post("/search?count=0", json={"id": ids[0]}), 422).startswith("count is '0': input should be")
        assert len(asks.post("/search?count=100", json={"id": ids[0]}).json()["found"]) == len(ids) - 1
        assert asks.get("/model").json()["space"] == len(ids)
    with client() as asks:
        assert told(asks.post("/search", json={"id": ids[0]}), 404).startswith(
            "no space is served; start the service with"
        )


def test_a_space_of_another_model_or_a_broken_one_is_refused(heard, ears, tmp_path):
    path = tmp_path / "space.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot be read as a space"):
        SearchedSpace(path, ears)
    Space(pd.DataFrame({"id": ["a"]}), np.ones((1, 3)), ()).save(path)
    with pytest.raises(
        InputError, match=r"has 3 dimensions and the model of .* gives 8; embed the items by this model"
    ):
        SearchedSpace(path, ears)
    known = ears.known
    Space(pd.DataFrame({"id": list(known.ids)}), known.embeddings.astype(np.float32), ()).save(path)
    assert len(SearchedSpace(path, ears)) == len(known)
    Space(pd.DataFrame({"id": list(known.ids)}), known.embeddings.astype(np.float32)[::-1] + 1, ()).save(path)
    with pytest.raises(InputError, match="place the same training items elsewhere, so another model has embedded it"):
        SearchedSpace(path, ears)


def test_what_the_model_is_and_whether_it_is_well(client, ears):
    with client() as asks:
        card = asks.get("/model").json()
        assert card["classes"] == ["angry", "happy", "neutral", "sad"]
        assert (card["reads"], card["dimensions"], card["known"], card["space"]) == ("audio", 8, len(ears.known), None)
        assert card["limits"]["seconds"] == 60
        assert asks.get("/health").json() == {"status": "ready"}
        service = asks.app.state.service
        batching, service.batching = service.batching, None
        assert told(asks.get("/health"), 503) == "the service is not at work; start it anew"
        service.batching = batching


def test_figures_count_what_was_answered(client, make_sound):
    with client(limits=Limits(megabytes=0.1)) as asks:
        for _ in range(3):
            send(asks, "/predict", make_sound())
        send(asks, "/embed", bytes(200_000))
        asks.get("/etc/passwd")
        answer = asks.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    figures = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert figures["affectspace_requests_total", "/predict", "200"] == 3
    assert figures["affectspace_requests_total", "/embed", "413"] == 1
    assert figures["affectspace_requests_total", "404", "other"] == 1
    assert figures["affectspace_rejected_total", "413"] == 1
    assert figures["affectspace_batch_items_sum",] == 3
    assert figures["affectspace_request_seconds_count", "/predict"] == 3
    assert (figures["affectspace_waiting",], figures["affectspace_held_bytes",]) == (0, 0)


def test_every_route_and_status_is_described(client):
    with client() as asks:
        described = asks.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/embed", "/search", "/model", "/health", "/metrics"}
    for path in ("/predict", "/embed", "/search"):
        post = described["paths"][path]["post"]
        assert {"200", "401", "408", "413", "415", "421", "422", "429", "500", "503"} <= set(post["responses"])
        assert re.fullmatch("multipart/form-data", next(iter(post["requestBody"]["content"]))) or path == "/search"


NEVER = threading.Event()


def _never(items):
    NEVER.wait()
    return items
