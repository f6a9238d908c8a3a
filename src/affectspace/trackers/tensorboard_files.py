"""TensorBoard: one event file a run, written without TensorFlow; it is appended to as long as it holds true."""

import html
import struct
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import atomic_path
from affectspace.trackers.record import Record

__all__ = ["TensorBoardFiles", "read_events"]

try:  # its protocol buffers are made as they are loaded, so that no type checker knows them
    Event = import_module("tensorboard.compat.proto.event_pb2").Event
    Summary = import_module("tensorboard.compat.proto.summary_pb2").Summary
    TensorProto = import_module("tensorboard.compat.proto.tensor_pb2").TensorProto
    types = import_module("tensorboard.compat.proto.types_pb2")
    STATUS_SUCCESS = import_module("tensorboard.plugins.hparams.api_pb2").STATUS_SUCCESS
    HParamsPluginData = import_module("tensorboard.plugins.hparams.plugin_data_pb2").HParamsPluginData
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import metadata as hparams
    from tensorboard.plugins.text import metadata as text
    from tensorboard.summary.writer.record_writer import RecordWriter
except ImportError as error:
    raise InputError(
        f"event files are written by tensorboard, which cannot be loaded ({error}); "
        'pip install "affectspace[tensorboard]"'
    ) from error


class TensorBoardFiles:
    """Keeps each run in a folder of its name below ``folder``: figures as scalars, the recipe as text.

    The recipe and its settings are in the tabs TEXT and HPARAMS. A point's time is that at which the run wrote it.

    Args:
        folder: to be given to ``tensorboard --logdir``.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def write(self, record: Record) -> None:
        """See :class:`affectspace.trackers.follow.Tracker`."""
        path = self._path(record)
        stored, end = read_events(path) if path.is_file() else ([], 0)
        told, wanted = [_timeless(event) for event in stored], list(_events(record))
        true = [_timeless(event) for event in wanted]
        if told == true[: len(told)]:
            rest = wanted[len(told) :]
            if rest or end < path.stat().st_size:
                _append(path, rest, end)
        elif true != told[: len(true)] or record.state == "finished":
            with atomic_path(path) as aside:
                _append(aside, wanted, 0)

    def _path(self, record: Record) -> Path:
        """The run's event file; where another run has the folder of its name, one whose name ends with its id."""
        name = f"events.out.tfevents.affectspace.{record.id}"
        for folder in (self.folder / record.name, self.folder / f"{record.name}-{record.id[:8]}"):
            others = [path for path in folder.glob("events.out.tfevents.*") if path.name != name]
            if not others:
                break
        return folder / name


def read_events(path: Path) -> tuple[list[Any], int]:
    """The whole events of a file, and where they end: what a killed writer has left behind them is no event.

    A record is the length as 8 bytes, 4 of checksum, the event, and 4 of checksum.

    Raises:
        InputError: a record that is no event.
    """
    content = path.read_bytes()
    events, end = [], 0
    while end + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, end)
        if end + 16 + length > len(content):
            break
        try:
            events.append(Event.FromString(content[end + 12 : end + 12 + length]))
        except DecodeError:
            raise InputError(
                f"{path} is damaged: what stands at byte {end:,} is no event; remove the file, and the same command "
                "writes it anew"
            ) from None
        end += 16 + length
    return events, end


def _append(path: Path, events: Sequence[Any], end: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(end)
        file.seek(end)
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString(deterministic=True))


def _timeless(event: Any) -> bytes:
    """The event as bytes, but for when it was written."""
    copy = Event()
    copy.CopyFrom(event)
    copy.wall_time = 0
    return copy.SerializeToString(deterministic=True)


def _events(record: Record) -> Iterator[Any]:
    """All that is told of a run, in an order in which more can only follow."""
    yield Event(wall_time=record.begun, file_version="brain.Event:2")
    yield Event(wall_time=record.begun, summary=Summary(value=[_begins(record), *_texts(record)]))
    for epoch, figures in record.points.items():
        if figures:
            yield Event(wall_time=record.told, step=epoch, summary=Summary(value=_scalars(figures)))
    if record.state == "finished":
        values = [*_scalars(record.final), _ends()]
        yield Event(wall_time=record.told, step=record.selected, summary=Summary(value=values))


def _scalars(figures: dict[str, float]) -> list[Any]:
    """Of 32 bits, as the data server of TensorBoard shows nothing of others."""
    return [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]


def _begins(record: Record) -> Any:
    """The summary by which the tab HPARAMS knows a run and its settings."""
    data = HParamsPluginData(session_start_info={})
    for name, value in record.settings.items():
        kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
        setattr(data.session_start_info.hparams[name], f"{kind}_value", value)
    return _of_session(hparams.SESSION_START_INFO_TAG, data)


def _ends() -> Any:
    """The summary by which it knows that the run is finished."""
    return _of_session(hparams.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info={"status": STATUS_SUCCESS}))


def _of_session(tag: str, data: Any) -> Any:
    metadata = hparams.create_summary_metadata(data)
    metadata.plugin_data.content = data.SerializeToString(deterministic=True)  # settings have no order of their own
    return Summary.Value(tag=tag, metadata=metadata, tensor=hparams.NULL_TENSOR)


def _texts(record: Record) -> list[Any]:
    """Markdown: what the run is of, and its settings."""
    metadata = text.create_summary_metadata(display_name="", description="")
    tables = {"run": _table(record.tags), "settings": _table(record.settings)}
    return [
        Summary.Value(
            tag=f"{tag}/text_summary",
            metadata=metadata,
            tensor=TensorProto(dtype=types.DT_STRING, string_val=[table.encode()]),
        )
        for tag, table in tables.items()
    ]


def _table(rows: dict[str, Any]) -> str:
    cells = [[html.escape(str(cell)).replace("|", "&#124;") for cell in row] for row in rows.items()]
    lines = [f"| {name} | {' '.join(value.split())} |" for name, value in cells]
    return "\n".join(["| | |", "| --- | --- |", *lines])
