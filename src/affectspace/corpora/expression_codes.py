"""The two letters by which JAFFE and BU-3DFE tell in the name of a file which expression a face shows."""

from affectspace.labels.emotions import shared_emotion

__all__ = ["CODES", "EXPRESSIONS", "LABEL_MAP"]

EXPRESSIONS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
CODES = "|".join(EXPRESSIONS)
"""Any of them, for the pattern of a name."""

LABEL_MAP = {expression: shared_emotion(expression) for expression in EXPRESSIONS.values()}
"""Own name to shared name, as a card has it."""
