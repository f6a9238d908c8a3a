"""Pixels are upright, eight bits and right whatever the file's mode; everything else is a sentence."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from affectspace.errors import InputError, MediaError
from affectspace.media import as_colour, image_info, pixels_sha256, read_image
from affectspace.media.packed import packed_image, packed_rows

LOSSLESS = ["png", "bmp", "tiff", "webp", "ppm"]
ALL = [*LOSSLESS, "jpeg", "gif"]


def scene(height=20, width=30, seed=0):
    """Smooth colours that differ in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y * 8, x * 8, np.full_like(x, 40 + seed)], axis=2).astype(np.uint8)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **({"lossless": True} if kind == "webp" else {}), **options)
    return buffer.getvalue()


def saved(path, image, **options):
    path.write_bytes(encoded(image, path.suffix[1:], **options))
    return path


# ---- what is read


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_back_their_pixels(tmp_path, kind):
    path = saved(tmp_path / f"a.{kind}", Image.fromarray(scene()))
    assert np.array_equal(read_image(path), scene())
    assert np.array_equal(read_image(path, "grey"), as_colour(scene(), "rgb", "grey"))
    assert read_image(path).dtype == np.uint8
    assert read_image(path).flags.writeable


@pytest.mark.parametrize("kind", ALL)
def test_the_header_tells_the_shape(tmp_path, kind):
    path = saved(tmp_path / f"a.{kind}", Image.fromarray(scene()))
    info = image_info(path)
    assert (info.height, info.width, 3) == read_image(path).shape


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, kind, orientation):
    # How an upright image is stored under each orientation, told in array operations instead of Pillow's.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[:, ::-1],
    }[orientation](scene(24, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    options = {"quality": 100, "subsampling": 0} if kind == "jpeg" else {}
    path = saved(tmp_path / f"a.{kind}", image, exif=exif, **options)
    assert np.abs(read_image(path).astype(int) - scene(24, 32)).max() <= (3 if kind == "jpeg" else 0)
    assert (image_info(path).height, image_info(path).width) == (24, 32)


def test_broken_exif_data_leave_the_pixels_whole(tmp_path):
    path = saved(tmp_path / "a.webp", Image.fromarray(scene()), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(read_image(path), scene())


def test_one_bit_grey_palette_and_cmyk(tmp_path):
    grey = scene()[..., :1].copy()
    as_rgb = np.repeat(grey, 3, axis=2)
    path = saved(tmp_path / "grey.png", Image.fromarray(grey[..., 0]))
    assert np.array_equal(read_image(path, "grey"), grey)
    assert np.array_equal(read_image(path), as_rgb)
    bit = saved(tmp_path / "bit.png", Image.fromarray(grey[..., 0] > 80))
    assert np.array_equal(read_image(bit, "grey"), np.where(grey > 80, 255, 0))
    palette = saved(tmp_path / "palette.png", Image.fromarray(grey[..., 0]).convert("P"))
    assert np.array_equal(read_image(palette), as_rgb)
    cyan = saved(tmp_path / "cmyk.tiff", Image.new("CMYK", (2, 2), (255, 0, 0, 0)))
    assert read_image(cyan)[0, 0].tolist() == [0, 255, 255]
    cyan = saved(tmp_path / "cmyk.jpeg", Image.new("CMYK", (8, 8), (255, 0, 0, 0)), quality=100)
    assert np.abs(read_image(cyan)[0, 0].astype(int) - [0, 255, 255]).max() <= 2


@pytest.mark.parametrize("factor", [256, 257])
@pytest.mark.parametrize("kind", ["png", "tiff", "ppm"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path, kind, factor):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    path = saved(tmp_path / f"a.{kind}", Image.fromarray(levels * factor))
    assert np.array_equal(read_image(path, "grey")[..., 0], levels)


@pytest.mark.parametrize(("dtype", "what"), [(np.int32, "whole numbers of 32 bits"), (np.float32, "floating-point")])
def test_numbers_without_a_known_scale_are_refused(tmp_path, dtype, what):
    path = saved(tmp_path / "a.tiff", Image.fromarray(scene()[..., 0].astype(dtype)))
    with pytest.raises(MediaError, match=rf"a\.tiff holds its pixels as {what}.*save it with 8 or 16 bits"):
        read_image(path)


def test_what_is_transparent_lies_on_white(tmp_path):
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = [0, 128, 255]
    for kind in ("png", "tiff", "webp"):
        path = saved(tmp_path / f"a.{kind}", Image.fromarray(rgba), **({"exact": True} if kind == "webp" else {}))
        seen = read_image(path)[0].astype(int)
        assert seen[0].tolist() == [255, 255, 255]
        assert seen[2].tolist() == [200, 0, 0]
        assert np.abs(seen[1] - [227, 127, 127]).max() <= 1
    grey = saved(tmp_path / "la.png", Image.fromarray(rgba).convert("LA"))
    assert read_image(grey, "grey")[0, 0].tolist() == [255]
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    palette.putpalette([9, 9, 9, 90, 90, 90])
    path = saved(tmp_path / "a.gif", palette, transparency=0)
    assert read_image(path)[0].tolist() == [[255, 255, 255], [90, 90, 90]]


@pytest.mark.parametrize("kind", ["gif", "tiff", "webp", "png", "mpo"])
def test_the_first_frame_of_several(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black", "white")]
    path = saved(tmp_path / f"a.{kind}", frames[0], save_all=True, append_images=frames[1:])
    assert (read_image(path) == 255).all()


# ---- what is refused


def bomb(width, height):
    """A PNG that promises many pixels and holds none."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b"\0"), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(10_000, 10_000))  # whose pixels, which are not there, would be another error
    with pytest.raises(MediaError, match=r"bomb\.png has 10000 x 10000 pixels and at most 50,000,000 are read"):
        read_image(path)
    path.write_bytes(bomb(60_000, 60_000))
    with pytest.raises(MediaError, match=r"bomb\.png has more than 178,956,970 pixels, too many to read"):
        read_image(path)
    small = saved(tmp_path / "a.png", Image.fromarray(scene()))
    with pytest.raises(MediaError, match="has 30 x 20 pixels and at most 599 are read"):
        read_image(small, max_pixels=599)
    assert read_image(small, max_pixels=600).shape == (20, 30, 3)


@pytest.mark.parametrize("kind", ALL)
def test_half_a_file_is_truncated(tmp_path, kind):
    path = saved(tmp_path / f"a.{kind}", Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), "u1")))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"truncated or corrupt: .*; copy it anew|not an image that can be read"):
        read_image(path)


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "page.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    (tmp_path / "icon.png").write_bytes(encoded(Image.new("RGB", (16, 16)), "ico"))
    for read in (read_image, image_info):
        with pytest.raises(MediaError, match=r"there is no file .*absent\.png; check the path in the table"):
            read(tmp_path / "absent.png")
        with pytest.raises(MediaError, match=r"empty\.png is an empty file of 0 bytes; copy it anew"):
            read(tmp_path / "empty.png")
        with pytest.raises(MediaError, match="cannot be opened: Is a directory"):
            read(tmp_path)
        with pytest.raises(MediaError, match="cannot be opened: embedded null byte"):
            read("a\0.png")
        for name in ("text.png", "page.png", "icon.png"):
            with pytest.raises(MediaError, match=rf"{name} is not an image that can be read; convert it to PNG"):
                read(tmp_path / name)
    with pytest.raises(ValueError, match="colour is 'bgr'; legal: 'rgb', 'grey'"):
        read_image(tmp_path / "text.png", "bgr")


@settings(deadline=None, max_examples=30)
@given(kind=st.sampled_from(ALL), flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8))
def test_broken_bytes_are_pixels_or_a_sentence(tmp_path_factory, kind, flips):
    content = bytearray(encoded(Image.fromarray(scene()), kind))
    for place, value in flips:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / f"fuzz.{kind}"
    path.write_bytes(content)
    try:
        pixels, told = read_image(path), None
    except MediaError as error:
        pixels, told = None, str(error)
    assert told is None or str(path) in told
    assert pixels is None or (pixels.dtype == np.uint8 and pixels.shape[2] == 3)


# ---- colours and hashes


def test_colours_against_pillow_and_each_other():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    grey = as_colour(pixels, given="rgb", wanted="grey")
    assert np.array_equal(grey[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))
    swapped = as_colour(pixels, given="rgb", wanted="bgr")
    assert np.array_equal(as_colour(swapped, given="bgr", wanted="rgb"), pixels)
    assert np.array_equal(as_colour(swapped, given="bgr", wanted="grey"), grey)
    spread = as_colour(grey, given="grey", wanted="bgr")
    assert np.array_equal(as_colour(spread, given="rgb", wanted="grey"), grey)
    assert as_colour(pixels, given="rgb", wanted="rgb") is pixels


@pytest.mark.parametrize(
    ("pixels", "given", "message"),
    [
        (np.zeros((2, 2, 3)), "rgb", "pixels are float64"),
        (np.zeros((2, 2), np.uint8), "grey", r"shape \(2, 2\); grey pixels are uint8 of shape \(height, width, 1\)"),
        (np.zeros((2, 2, 4), np.uint8), "rgb", r"shape \(2, 2, 4\); rgb pixels"),
    ],
)
def test_pixels_of_another_kind_are_refused(pixels, given, message):
    with pytest.raises(InputError, match=message):
        as_colour(pixels, given, "rgb")
    with pytest.raises(ValueError, match="a colour is 'gray'; legal: 'rgb', 'bgr', 'grey'"):
        as_colour(pixels, "gray", "rgb")


def test_hashes_know_one_image_by_its_pixels(tmp_path):
    hashes = {pixels_sha256(read_image(saved(tmp_path / f"a.{kind}", Image.fromarray(scene())))) for kind in LOSSLESS}
    assert hashes == {pixels_sha256(scene())}
    assert pixels_sha256(scene()[:, ::-1]) == pixels_sha256(np.ascontiguousarray(scene()[:, ::-1]))
    assert pixels_sha256(scene()) != pixels_sha256(scene().reshape(30, 20, 3))
    with pytest.raises(InputError, match="pixels are float64"):
        pixels_sha256(scene().astype(float))


# ---- rows of tables


@pytest.mark.parametrize("struct_column", [False, True])
@pytest.mark.parametrize("group", [1, 3, 100])
def test_rows_of_a_parquet_file(tmp_path, struct_column, group):
    faces = [scene(seed=row) for row in range(7)]
    cells = [encoded(Image.fromarray(face), "png") for face in faces]
    if struct_column:
        cells = [{"bytes": cell, "path": None} for cell in cells]
    path = tmp_path / "faces.parquet"
    pq.write_table(pa.table({"n": range(7), "image": cells}), path, row_group_size=group)
    assert packed_rows(path) == 7
    for row in (6, 0, 3, 3, 5):
        assert np.array_equal(read_image(f"{path}#{row}"), faces[row])
    assert (image_info(f"{path}#2").width, image_info(f"{path}#2").height) == (30, 20)


def test_rows_of_a_csv_file_as_a_csv_reader_counts_them(tmp_path):
    path = tmp_path / "fer.csv"
    lines = [
        "\ufeffemotion, pixels,Usage",
        '0,"1 2 3 4",Training',
        "",
        '1,5 6 7 8,"two\nlines"',
        "2,9 10 11 12,x",
        "\n",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert packed_rows(path) == 3
    assert [packed_image(path, row).ravel().tolist() for row in (2, 0, 1)] == [
        [9, 10, 11, 12],
        [1, 2, 3, 4],
        [5, 6, 7, 8],
    ]
    assert read_image(f"{path}#1").tolist() == [[[5] * 3, [6] * 3], [[7] * 3, [8] * 3]]
    assert read_image(f"{path}#1", "grey").shape == (2, 2, 1)


@pytest.mark.parametrize("cell", ["1 2 3", "1 2 3 256", "1 2 3 -4", "1 2 3 x", "", "1 2 3 4.5"])
def test_cells_that_hold_no_square_of_levels(tmp_path, cell):
    (tmp_path / "a.csv").write_text(f"emotion,pixels\n0,{cell}\n")
    with pytest.raises(MediaError, match=r"row 0 of .*a\.csv holds (no grey levels; pixels are|\d pixels, which make)"):
        read_image(tmp_path / "a.csv#0")


def test_references_that_lead_nowhere(tmp_path):
    png = encoded(Image.fromarray(scene()), "png")
    pq.write_table(pa.table({"image": [png, None, b"text", png[:60]]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"image": ["a.png"]}), tmp_path / "names.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "numbers.parquet")
    (tmp_path / "text.parquet").write_text("text")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "n.csv").write_text("n\n1\n")
    (tmp_path / "header.csv").write_text("emotion,pixels\n")
    for reference, message in {
        "a.parquet#4": r"there is no row 4 in .*a\.parquet, whose rows run from 0 to 3; check the reference",
        "a.parquet#1": r"row 1 of .*a\.parquet holds no image; remove the item",
        "a.parquet#2": r"a\.parquet#2 is not an image that can be read",
        "a.parquet#3": r"a\.parquet#3 is truncated or corrupt",
        "names.parquet#0": "names.parquet has a column image of string; images are encoded bytes",
        "numbers.parquet#0": "numbers.parquet has no column image; images are encoded bytes",
        "text.parquet#0": "text.parquet is not a Parquet file that can be read",
        "absent.parquet#0": "there is no file .*absent.parquet; check the path",
        "absent.csv#0": "there is no file .*absent.csv; check the path",
        "empty.csv#0": "empty.csv is an empty file of 0 bytes",
        "n.csv#0": "n.csv has no column pixels; it has: n",
        "header.csv#0": "there is no row 0 in .*header.csv",
    }.items():
        for _ in range(2):  # the second time from memory
            with pytest.raises(MediaError, match=message):
                read_image(tmp_path / reference)


def test_broken_tables_are_pixels_or_a_sentence(tmp_path):
    generator = np.random.default_rng(0)
    cells = [encoded(Image.fromarray(scene(seed=seed)), "png") for seed in range(6)]
    pq.write_table(pa.table({"image": cells}), tmp_path / "whole.parquet", row_group_size=4)
    whole = (tmp_path / "whole.parquet").read_bytes()
    footer = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8  # which says where everything lies
    told = 0
    for number in range(60):
        content = bytearray(whole)
        for place in generator.integers(footer if number % 2 else 0, len(whole), 3):
            content[place] = generator.integers(256)
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(content)
        for row in (0, 5):
            try:
                assert read_image(f"{path}#{row}").shape[2] == 3
            except MediaError:
                told += 1
    assert told > 20


def test_a_quote_that_never_ends_is_read_in_one_pass(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('emotion,pixels\n0,1 2 3 4\n1,"5 6 7 8\n' + "2,9 9 9 9\n" * 20_000)
    assert packed_rows(path) == 2
    assert packed_image(path, 0).ravel().tolist() == [1, 2, 3, 4]
    with pytest.raises(MediaError, match=r"row 1 of .* holds no grey levels"):
        packed_image(path, 1)


def test_a_table_that_is_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "a.parquet"
    for seed in range(3):
        pq.write_table(pa.table({"image": [encoded(Image.fromarray(scene(seed=seed)), "png")] * (seed + 1)}), path)
        assert read_image(f"{path}#{seed}")[0, 0, 2] == 40 + seed


@pytest.mark.real
def test_faces_of_a_real_table_one_after_the_other(real_data):
    path = real_data / "faces/ferplus/ferplus_train12k_publictest.parquet"
    if not path.is_file():
        pytest.skip("FER+ is not there")
    assert packed_rows(path) == 15580
    shapes = {read_image(f"{path}#{row}", "grey").shape for row in range(0, 15580, 10)}
    assert shapes == {(48, 48, 1)}
