"""Faces that are drawn: what moves is what the numbers say, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from affectspace.media.drawn_face import Expression, Look, Pose, draw_face

REST = draw_face(Look(), Expression()).astype(int)


def changed(expression):
    """First and last row, and first and last column, of the pixels that are others than at rest."""
    rows, columns = np.nonzero(abs(draw_face(Look(), expression).astype(int) - REST).max(axis=2) > 6)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("side", [16, 17, 48, 96])
def test_a_picture_of_any_side(side):
    pixels = draw_face(Look(), Expression(), side=side)
    assert (pixels.shape, pixels.dtype) == ((side, side, 3), np.uint8)


def test_too_small_a_side():
    with pytest.raises(ValueError, match="side is 8; a face needs 16 pixels at least"):
        draw_face(Look(), Expression(), side=8)


@pytest.mark.parametrize("expression", [Expression(smile=1), Expression(smile=-1), Expression(opening=1)])
def test_the_mouth_moves_in_the_lower_half(expression):
    assert changed(expression)[0] > 25
    if expression.smile <= 0:  # a smile lifts the lower lids, too
        assert changed(expression)[0] > 50


@pytest.mark.parametrize("moves", [{"frown": 1}, {"frown": -1}, {"lift": 1}, {"eyes": 1}])
def test_brows_and_eyes_move_in_the_upper_half(moves):
    assert changed(Expression(**moves))[1] < 45


def test_corners_of_the_mouth_go_up_in_a_smile_and_down_without():
    """Rows of the reddest pixels near the corners, relative to the middle of the mouth."""

    def corners(smile):
        pixels = draw_face(Look(), Expression(smile=smile), side=96).astype(float)
        red = (pixels[..., 0] - pixels[..., 1])[55:85] / pixels[55:85].sum(axis=2)
        return red[:, 39].argmax() - red[:, 48].argmax()

    assert corners(0.9) < corners(0.0) < corners(-0.9)


def test_a_face_is_the_same_on_both_sides_but_for_the_light():
    pixels = draw_face(Look(), Expression(smile=0.5, frown=0.4), Pose(0.5, 0.5)).astype(int)
    assert abs(pixels - pixels[:, ::-1]).max() < 40
    assert abs(pixels - pixels[:, ::-1]).mean() < 5


def test_a_pose_moves_the_face_along():
    here, there = (draw_face(Look(), Expression(smile=0.5), Pose(x, 0.5, 0.3)) for x in (0.4, 0.6))
    assert abs(here[:, 4:60].astype(int) - there[:, 20:76]).max() <= 2


def test_people_differ_and_pictures_do_not_depend_on_the_moment():
    other = draw_face(replace(Look(), skin=(0.47, 0.31, 0.22), width=0.7), Expression()).astype(int)
    assert abs(other - REST).mean() > 10
    assert np.array_equal(draw_face(Look(), Expression()), REST)


def test_a_face_that_leaves_the_picture_is_no_fault():
    assert draw_face(Look(), Expression(), Pose(x=3.0), side=32).shape == (32, 32, 3)
