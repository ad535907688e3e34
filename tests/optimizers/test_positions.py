"""Positions: the unit cube and back, and which of them are one.

Shape suffixes: N positions, D coordinates.
"""

from dataclasses import replace

import numpy as np

from support.optimizer_runs import space
from swarm.optimizers.positions import distinct_rows, from_unit_cube, to_unit_cube


def test_the_way_to_the_unit_cube_and_back_makes_no_new_position():
    where = space(5, low=-0.3, high=1.4)
    x_ND = np.random.default_rng(0).uniform(-0.3, 1.4, size=(500, 5))
    back_ND = from_unit_cube(where, to_unit_cube(where, x_ND))
    assert not np.array_equal(back_ND, x_ND)
    assert len(distinct_rows(np.vstack([x_ND, back_ND]))) == 500


def test_the_first_of_equal_rows_stays_in_its_place():
    x_ND = np.array([[0.3, 0.0], [0.1, 1.0], [0.1 + 0.2, -0.0], [0.1, 1.0], [0.0, 0.0]])
    assert distinct_rows(x_ND).tolist() == [0, 1, 4]


def test_a_step_of_an_optimizer_makes_a_new_position_and_an_error_of_rounding_does_not():
    x_D = np.random.default_rng(1).uniform(size=4)
    assert len(distinct_rows(np.stack([x_D, x_D + 1e-15]))) == 1
    assert len(distinct_rows(np.stack([x_D, x_D + 1e-8]))) == 2


def test_a_coordinate_whose_bounds_are_equal_is_at_the_cubes_corner():
    where = replace(space(2), high_D=np.array([1.5, -0.5]))
    assert to_unit_cube(where, np.array([[0.5, -0.5]])).tolist() == [[0.5, 0.0]]
