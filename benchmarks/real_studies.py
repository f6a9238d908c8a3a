"""The studies on real corpora: prepares their inputs, runs them, keeps their tables.

    python benchmarks/real_studies.py [NAME ...] [--out FOLDER]     # of studies/ and SHARED; default all

The corpora lie in $AFFECTSPACE_DATA (default ../shared/data). Studies go on where they stopped. What is made of the
corpora (settings with paths, sentence vectors) stays in FOLDER (default runs/studies); tables are printed.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
DATA = Path(os.environ.get("AFFECTSPACE_DATA", HERE.parents[1] / "shared" / "data")).resolve()
NAMES = (
    "speech", "iemocap", "text", "small", "cross", "few_labels", "few_labels_in_class", "few_labels_tuned",
    "ablation", "unlabelled_size", "meld_ami", "zero_shot", "zero_shot_upper_bound",
)  # fmt: skip
# Of recipes/, as users have them; they name no place of the data of this project.
SHARED = ("zero_shot", "zero_shot_upper_bound", "cross_language", "cross_language_log_mel")
IEMOCAP = """name = "iemocap"
root = "{root}"
items = "{items}"
language = "en"
columns = {{ id = "utterance_id", label = "label4" }}
mean_ratings = {{ valence = "valence", activation = "activation" }}
scales = {{ valence = {{ low = 1, high = 5 }}, activation = {{ low = 1, high = 5 }} }}
"""
# Raters say how the writer feels; how they feel as readers is left out, as IEMOCAP has no such ratings. The category of
# a text (letters, fiction, ...) stands as its session, which validation and inner splits leave out.
EMOBANK = """name = "emobank"
root = "{root}"
items = "emobank_items.parquet"
ratings = "emobank_ratings.parquet"
language = "en"
columns.session = "category"
ratings_columns = {{ valence = "V", activation = "A" }}
scales = {{ valence = {{ low = 1, high = 5 }}, activation = {{ low = 1, high = 5 }} }}
"""


MELD = """name = "meld"
root = "{root}"
items = "meld_train_dev.parquet"
language = "en"
columns = {{ id = ["split", "dialogue", "utterance"], session = ["split", "dialogue"] }}
"""
AMI = """name = "ami"
root = "{root}"
items = "ami_sentences.parquet"
language = "en"
columns = {{ id = ["meeting", "speaker", "order"], speaker = ["meeting", "speaker"], session = "meeting" }}
"""


def prepare(folder: Path) -> None:
    """Corpus files with their paths, a tenth of IEMOCAP, EmoBank's ratings of one kind, and mean word vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    sessions = [pd.read_parquet(path) for path in sorted((DATA / "multimodal/iemocap").glob("*_session*.parquet"))]
    pd.concat([table.iloc[::10] for table in sessions]).to_parquet(folder / "iemocap_tenth.parquet", index=False)
    classes = [table[table["label4"].notna()] for table in sessions]
    pd.concat(classes).to_parquet(folder / "iemocap_four.parquet", index=False)
    whole, tenth = (DATA / "multimodal/iemocap", "iemocap_session*.parquet"), (folder, "iemocap_tenth.parquet")
    four = (folder, "iemocap_four.parquet")
    for name, (root, items) in (("iemocap", whole), ("iemocap_tenth", tenth), ("iemocap_four", four)):
        (folder / f"{name}.toml").write_text(IEMOCAP.format(root=root, items=items))
    emobank = pd.read_parquet(DATA / "text/emobank/emobank_train_dev.parquet")
    ratings = pd.read_parquet(DATA / "text/emobank/ratings_train_dev.parquet")
    emobank.to_parquet(folder / "emobank_items.parquet", index=False)
    ratings[ratings["perspective"] == "writer"].to_parquet(folder / "emobank_ratings.parquet", index=False)
    (folder / "emobank.toml").write_text(EMOBANK.format(root=folder))
    (folder / "meld.toml").write_text(MELD.format(root=DATA / "text/meld"))
    (folder / "ami.toml").write_text(AMI.format(root=DATA / "text/ami_text"))
    shutil.copyfile(DATA / "text/word_vectors/ppmi_svd100.npz", folder / "ppmi_svd100.npz")  # below data, as it must be
    if not (folder / "text_vectors.parquet").exists():
        texts = {f"iemocap/{row.utterance_id}": row.text for table in sessions for row in table.itertuples()}
        texts |= {f"emobank/{row.id}": row.text for row in emobank.itertuples()}
        vectors = text_vectors(texts)
        print(f"{len(vectors):,} of {len(texts):,} texts have a known word", file=sys.stderr)
        vectors.to_parquet(folder / "text_vectors.parquet", index=False)


def text_vectors(texts: dict[str, str]) -> pd.DataFrame:
    """The mean vector of a text's known words; a text without any has no row."""
    with np.load(DATA / "text/word_vectors/ppmi_svd100.npz") as table:
        place = {str(word): number for number, word in enumerate(table["words"])}
        known = table["vectors"]
    rows, ids = [], []
    for name, text in texts.items():
        words = [place[word] for word in re.findall(r"[a-z]+(?:'[a-z]+)?", str(text).lower()) if word in place]
        if words:
            ids.append(name)
            rows.append(known[words].mean(0))
    columns = [f"v{number}" for number in range(known.shape[1])]
    return pd.DataFrame(np.stack(rows), columns=columns).assign(id=ids)


def fill(folder: Path, prepared: Path) -> None:
    """Writes every study and its recipes to a folder, with the places of the data in them."""
    for path in [*(HERE / "studies").glob("*.toml"), *(HERE / "studies/recipes").glob("*.toml")]:
        target = folder / path.relative_to(HERE / "studies")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8").replace("@DATA@", str(DATA)).replace("@PREPARED@", str(prepared))
        target.write_text(text, encoding="utf-8")
    for name in SHARED:
        text = (HERE.parent / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        text = text.replace('data = "corpora"', f'data = "{DATA / "speech"}"')
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def main(names: list[str], out: Path) -> None:
    if unknown := set(names) - set(NAMES):
        sys.exit(f"there is no study {min(unknown)!r}; legal: {', '.join(NAMES)}")
    settings, prepared = out / "settings", out / "prepared"
    prepare(prepared)
    fill(settings, prepared)
    for name in names or NAMES:
        command = ["affectspace", "study", str(settings / f"{name}.toml"), "--out", str(out / name)]
        print(" ".join(command), file=sys.stderr)
        subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], check=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    place = arguments.index("--out") if "--out" in arguments else None
    folder = Path(arguments[place + 1]) if place is not None else Path("runs/studies")
    main(arguments if place is None else [*arguments[:place], *arguments[place + 2 :]], folder.resolve())
