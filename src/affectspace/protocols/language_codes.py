"""Names of languages as ISO 639 has them: which of them are one language."""

import re

import pandas as pd

__all__ = ["is_code", "language_notes", "same_language"]

CODE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")  # and what may follow: zh-Hant
# ISO 639-2 to 639-1, of languages in which emotional speech has been recorded; others keep the code that they have.
SHORT = {
    "afr": "af", "amh": "am", "ara": "ar", "ben": "bn", "bul": "bg", "cat": "ca", "ces": "cs", "chi": "zh", "cmn": "zh",
    "cze": "cs", "dan": "da", "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "est": "et", "eus": "eu", "fas": "fa",
    "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gle": "ga", "gre": "el", "guj": "gu", "heb": "he", "hin": "hi",
    "hrv": "hr", "hun": "hu", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kan": "kn", "kor": "ko", "lav": "lv",
    "lit": "lt", "mal": "ml", "mar": "mr", "may": "ms", "msa": "ms", "nep": "ne", "nld": "nl", "nor": "no", "pan": "pa",
    "per": "fa", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl",
    "som": "so", "spa": "es", "sqi": "sq", "srp": "sr", "swa": "sw", "swe": "sv", "tam": "ta", "tel": "te", "tha": "th",
    "tur": "tr", "ukr": "uk", "urd": "ur", "vie": "vi", "xho": "xh", "zho": "zh", "zul": "zu",
}  # fmt: skip
# ISO 639-1, all of it; of three letters there are thousands.
TWO_LETTERS = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su "
    "sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)


def is_code(name: str) -> bool:
    """Whether a name has the form of a code, with or without a region.

    Example:
        >>> is_code("en-US"), is_code("German")
        (True, False)
    """
    return CODE.fullmatch(name) is not None


def same_language(name: str) -> str:
    """What two names of one language have in common: no case, no region, the shorter code.

    Example:
        >>> same_language("en_GB"), same_language("DEU"), same_language("yue"), same_language("German")
        ('en', 'de', 'yue', 'german')
    """
    plain = name.strip().casefold()
    if not is_code(plain):
        return plain
    primary = re.split("[-_]", plain)[0]
    return SHORT.get(primary, primary)


def language_notes(items: pd.DataFrame) -> list[str]:
    """A sentence for what will be missed, or refused, where a corpus trains beside others of several languages.

    Args:
        items: of one corpus, of which ``id``, ``language``, and the media that are heard or read are looked at.

    Example:
        >>> items = pd.DataFrame({"id": ["1", "2"], "audio": None, "text": "yes", "language": ["zz", None]})
        >>> for note in language_notes(items.astype("string")):
        ...     print(note)
        1 of 2 items names no language, such as 2; fill the column language, or give corpus.toml one for them
        language 'zz' is no code of ISO 639; write its code, such as 'de' for German, as other corpora will
    """
    languages, told = items["language"], []
    blank = languages.isna().to_numpy(bool)
    if not items[["audio", "text"]].notna().to_numpy(bool).any():
        return told
    if blank.all():
        told.append(
            "no item names its language, by which languages that were never heard are tested; write it into "
            'corpus.toml, such as language = "de" for German'
        )
    elif blank.any():
        told.append(
            f"{blank.sum()} of {len(items)} items {'names' if blank.sum() == 1 else 'name'} no language, such as "
            f"{items['id'].fillna('').iloc[int(blank.argmax())]}; fill the column language, or "
            "give corpus.toml one for them"
        )
    told += [
        f"language {name!r} is no code of ISO 639; write its code, such as 'de' for German, as other corpora will"
        for name in sorted(languages.dropna().unique())
        if not _known(name)
    ]
    return told


def _known(name: str) -> bool:
    """Whether a name is a code, as far as is known: of those of three letters the form alone is."""
    primary = re.split("[-_]", name.casefold())[0]
    return is_code(name) and (len(primary) == 3 or primary in TWO_LETTERS.split())
