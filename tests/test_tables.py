"""Every way in which a table that people bring is no table, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.tables import empty_cells, read_table


def table(folder, text: str | bytes, name: str = "items.csv"):
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(folder / name)


def test_cells_stay_as_they_are_written(tmp_path):
    read = table(tmp_path, '\ufeffid,speaker,text\n1,03,"a, b"\n2,,NA\n')
    assert read.fillna("missing").values.tolist() == [["1", "03", "a, b"], ["2", "missing", "NA"]]


def test_blanks_behind_commas_are_no_part_of_a_cell(tmp_path):
    read = table(tmp_path, 'id, audio, text\na, a.wav, "b, c"\n')
    assert read.to_dict("list") == {"id": ["a"], "audio": ["a.wav"], "text": ["b, c"]}


def test_a_comma_at_the_end_of_rows_moves_no_value(tmp_path):
    read = table(tmp_path, "id,audio,label\na,a.wav,x,\nb,b.wav,y,\n")
    assert read.to_dict("list") == {"id": ["a", "b"], "audio": ["a.wav", "b.wav"], "label": ["x", "y"]}


def test_columns_without_a_name_may_be_several(tmp_path):
    assert table(tmp_path, "id,,\na,1,2\n").shape == (1, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id;audio\na;a.wav\n", r"one column, 'id;audio', and seems to be separated by ';'; .*, so save it anew$"),
        ("id\taudio\na\ta.wav\n", r"seems to be separated by '\\t'; .*, so save it anew or rename it \.tsv$"),
        ("id,audio,label\na,a.wav,x,z\nb,b.wav,y\n", r"rows have more cells than its header names; quote"),
        ("id,audio,label\na,a.wav,x\nb,b.wav,y,z\n", r"Expected 3 fields in line 3, saw 4"),
        ("id,label, label\na,x,y\n", r"has 2 columns named 'label'"),
        (b"PK\x03\x04\x14\x00\x06\x00", r"is an Excel workbook or another zip archive, not the CSV .*; save it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"is an old Excel workbook"),
        ("id,audio\na,a.wav\n".encode("utf-16"), r"is UTF-16.*iconv -f utf-16 -t utf-8 items\.csv"),
        ("id,audio\na,ä.wav\n".encode("latin-1"), r"not UTF-8 \(byte 0xe4 in line 2\).*iconv -f latin1"),
        (
            "",
            r"items\.csv is empty; the first line of a table names its columns, and each further line is a row",
        ),
        (" \n\n", r"items\.csv is empty; .*, or copy it again from where it is whole$"),
        ('id,audio\na,"a.wav\n', r"cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        table(tmp_path, content)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"ends in '\.xlsx'; a table is \.csv, \.tsv or \.parquet"):
        table(tmp_path, b"PK", "items.xlsx")
    with pytest.raises(InputError, match="cannot be read as a table"):
        table(tmp_path, "hello", "items.parquet")
    with pytest.raises(InputError, match="there is no table"):
        read_table(tmp_path)


def test_tabs_separate_a_tsv(tmp_path):
    assert table(tmp_path, "id\ttext\na\tb, c\n", "items.tsv").to_dict("list") == {"id": ["a"], "text": ["b, c"]}


def test_what_holds_no_number():
    assert empty_cells(pd.Series(["", " \t", "nan", " NaN ", None, pd.NA], dtype=object)).all()
    assert not empty_cells(pd.Series(["0", "na", "inf", "nano", "-"])).any()
    assert empty_cells(pd.Series([1.5, np.nan])).tolist() == [False, True]
