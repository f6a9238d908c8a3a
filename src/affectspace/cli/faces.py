"""``affectspace faces``"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.files import json_text

SHOWN = 10  # of what is left out; the table has all


def faces(
    source: Path,
    *,
    out: Path | None = None,
    find: Annotated[Literal["largest", "all"], Parameter(name="--faces")] = "largest",
    finder: str = "cascade",
    side: Whole = 128,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find the faces of pictures and videos and write them as a corpus of crops.

    Of a video three pictures a second are looked at; one without a face takes the last face that was found. Labels,
    splits, speakers and ratings of a corpus go with its faces; of folders named after classes, the names become labels.
    What gives no face is listed with its reason, in quarantine.csv too, and the rest goes on. The same command goes on
    where it was ended, and looks only at what is new.

    Parameters
    ----------
    source
        A folder of pictures and videos, one file, or a corpus whose items have an image or a video.
    out
        The folder for items.csv, corpus.toml, quarantine.csv and the crops [default: NAME-faces beside the source; of
        one picture or video where you are, unless that is in its own folder, which may be that of a class].
    find
        The largest face of each picture or frame, or all of them.
    finder
        cascade, for upright frontal faces, or a YuNet file of yours (.onnx), which also levels the eyes.
    side
        Of the square crops, in pixels.
    as_json
        Print what was done as JSON, for machines.
    """
    folder = new_folder(out or _place(source))

    from affectspace.faces import make_faces
    from affectspace.studies.words import counted

    try:
        made = make_faces(source, folder, faces=find, finder=finder, side=side, quiet=as_json)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where it stopped") from None
    aside = made.quarantine.to_dict("records")
    frames = made.items[made.items["source_time"].notna()].drop_duplicates(["source", "source_time"])
    carried = int(frames["carried"].sum())
    if as_json:
        counts = {"sources": made.sources, "faces": len(made.items), "frames": len(frames), "carried": carried}
        print(json_text({"out": str(folder), **counts, "quarantine": aside, "not_looked_at": made.others}))
        return
    print(f"{counted(len(made.items), 'face')} in {counted(made.sources, 'source')} -> {folder / 'items.csv'}")
    if len(frames):
        print(f"{carried} of {len(frames)} frames of videos have no face of their own and take over another's")
    for row in aside[:SHOWN]:
        print(f"left out: {row['source']}: {row['reason']}")
    if len(aside) > SHOWN:
        print(f"... and {len(aside) - SHOWN} more in {folder / 'quarantine.csv'}")
    if made.others:
        told = ", ".join(f"{count} {ending}" for ending, count in sorted(made.others.items()))
        print(f"not looked at: files {told}")
    next_commands(f"affectspace check {quoted(folder)}")


def _place(source: Path) -> Path:
    """Where crops go that nobody has named a folder for: never among pictures that a corpus of folders would count."""
    from affectspace.corpora.layout import IMAGE_ENDINGS, VIDEO_ENDINGS

    named = source if source.name not in {"", ".."} else source.resolve()
    name = f"{named.stem if named.is_file() else named.name}-faces"
    if not named.is_file() or not named.name.lower().endswith(IMAGE_ENDINGS + VIDEO_ENDINGS):
        return named.with_name(name)
    folder = Path(name)
    if named.resolve().parent in folder.resolve().parents:
        raise InputError(f"{folder} would lie among the files beside {source}; name another folder with --out")
    return folder
