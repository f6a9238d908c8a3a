"""Names of languages as ISO 639 has them: which of them are one language."""

import re

__all__ = ["is_code", "same_language"]

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
