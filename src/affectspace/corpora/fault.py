"""What can be wrong with a corpus, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

from affectspace.labels.naming import meaning

__all__ = ["PROBLEMS", "Fault", "of_copy"]

PROBLEMS = {
    "missing-id": "an item has no id",
    "duplicate-id": "two items have one id",
    "no-media": "an item has neither audio nor image nor video nor text",
    "outside-root": "a path leaves the corpus's folder, by .. or by a link",
    "missing-file": "a file, or the row of a table that holds an image, is not there",
    "empty-file": "a file has no bytes",
    "unreadable": "a recording, image or video cannot be decoded, is truncated, or holds samples that are not finite",
    "silent": "a recording never gets louder than -70 dB of full scale",
    "clipped": "one sample in a hundred or more is at full scale",
    "sample-rate": "a recording has another sample rate than most",
    "identical-audio": "two items have the same samples",
    "blank-image": "all pixels of an image have one value",
    "identical-image": "two items have the same pixels, and do not share a file within one session on purpose",
    "contradicting-copy": "two items have the same pixels or samples and, without ratings, different labels",
    "bad-times": "start or end lies outside the recording or the video, or the end is not after the start",
    "bad-box": "a box is not left, top, width and height, has no pixel, or lies outside the image",
    "unknown-item": "a rating is of an item that is not in the table",
    "bad-count": "a column that counts votes holds something else than a whole number from 0",
    "missing-value": "a rating has no value",
    "repeated-rating": "a rater gives one item two ratings on a scale, or the same category twice",
    "not-a-number": "a rating or label on a scale is no number",
    "infinite": "a label among numbers, for which no scale is declared, is infinite",
    "off-scale": "a rating or label lies outside its scale",
}
"""The codes of ``Fault.problem`` and what each means."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        row: the row of data, from 1 and not counting the header: of the ratings where ``column``
            begins with ``ratings.``, else of the items; counted through where a table is in several
            files. It is the position in ``corpus.items`` or ``corpus.ratings`` plus one; for a
            ``bad-count`` in the table of counts.
        item: the item's id, empty where it has none.
        column: which cell, such as ``audio`` or ``ratings.value``.
        value: what stands there, empty where nothing does.
        problem: one of ``PROBLEMS``.
        message: a sentence with what is wrong and what to do.
    """

    row: int
    item: str
    column: str
    value: str
    problem: str
    message: str


def of_copy(
    kind: str, what: str, row: int, item: str, labels: tuple[str, str], label_map: Mapping[str, str]
) -> tuple[str, str]:
    """Problem and message of an item that is a copy of an earlier one: harmless, but for labels that contradict.

    Args:
        kind: ``identical-image`` or ``identical-audio``.
        what: the copy and what it shares, as in ``b.png has the same pixels``.
        row: of the earlier item, from 1.
        item: its id.
        labels: its own label and that of the copy, empty where there is none.
        label_map: of the corpus, by which two labels may be one.
    """
    if all(labels) and meaning(labels[0], label_map) != meaning(labels[1], label_map):
        told = f"{what} as row {row} ({item}), which is labelled {labels[0]!r} and this {labels[1]!r}"
        return "contradicting-copy", f"{told}; one must be wrong: correct it, or leave both out"
    return kind, f"{what} as row {row} ({item}); keep one, or keep them on one side of a split"
