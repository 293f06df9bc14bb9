"""Where the mouse points on a photo, and the outline that shows a drag."""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, hypot, pi, sin

import bpy
from bpy_extras import view3d_utils
from mathutils import Matrix, Vector

_COLOR = (1.0, 0.6, 0.1, 1.0)


class Surface:
    """A plane's photo in space: where a ray meets it, and which of its places a point lies before. Places are
    (u, v), v up, beyond 0…1 outside the photo."""

    def __init__(self, plane: bpy.types.Object):
        from ..core.preview import surface_frame
        from .preview import vertices

        right, up, corner = (Vector(row) for row in surface_frame(*vertices(plane.data)))
        axes = Matrix((right, up, right.cross(up).normalized())).transposed().to_4x4()
        axes.translation = corner
        self._plane, self._axes = plane, axes

    @property
    def to_photo(self) -> Matrix:
        """From the world to (u, v, distance from the photo in the plane's own units) as the plane stands now."""
        return (self._plane.matrix_world @ self._axes).inverted_safe()

    def hit(self, origin: Vector, direction: Vector) -> tuple[float, float] | None:
        """Where a ray of the world meets the photo; None where it never does."""
        to_photo = self.to_photo
        start, along = to_photo @ origin, to_photo.to_3x3() @ direction
        if abs(along.z) < 1e-9 * along.length or start.z / along.z > 0:  # edge on, or behind the viewer
            return None
        return tuple((start - along * (start.z / along.z)).xy)

    def foot(self, point: Vector) -> tuple[float, float]:
        """The place that a point of the world lies before, along the photo's normal."""
        return tuple((self.to_photo @ point).xy)


def push(start: tuple[float, float], end: tuple[float, float], photo_size: tuple[int, int]) -> tuple[float, float]:
    """(angle, length) of a drag between two places: 0 right and counter-clockwise; in photo widths."""
    dx, dy = end[0] - start[0], (end[1] - start[1]) * photo_size[1] / photo_size[0]
    return atan2(dy, dx), hypot(dx, dy)


class Viewport:
    """A 3D viewport's main region: rays under the mouse (window coordinates), and an outline over it."""

    def __init__(self, region: bpy.types.Region, view: bpy.types.RegionView3D):
        self._region, self._view = region, view

    @classmethod
    def of(cls, area: bpy.types.Area) -> Viewport:
        region = next(region for region in area.regions if region.type == "WINDOW")
        return cls(region, area.spaces.active.region_3d)

    def ray(self, mouse: tuple[int, int]) -> tuple[Vector, Vector]:
        """(origin, direction) in the world."""
        here = self._local(mouse)
        return (
            view3d_utils.region_2d_to_origin_3d(self._region, self._view, here),
            view3d_utils.region_2d_to_vector_3d(self._region, self._view, here),
        )

    def redraw(self) -> None:
        self._region.tag_redraw()

    def draw(self, shape: str, ends: Callable[[], tuple]) -> object:
        """Show the "ARROW", "BOX" or "CIRCLE" (centre and rim) of a drag between the two places that `ends` gives,
        until `stop_drawing`."""
        return bpy.types.SpaceView3D.draw_handler_add(self._draw, (shape, ends), "WINDOW", "POST_PIXEL")

    def stop_drawing(self, handle: object) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
        self.redraw()

    def _draw(self, shape: str, ends: Callable[[], tuple]) -> None:
        import gpu
        from gpu_extras.batch import batch_for_shader

        places = ends()
        if None in places or bpy.context.region != self._region:
            return
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.uniform_float("color", _COLOR)
        gpu.state.line_width_set(3)
        points = [(*point, 0) for point in outline(shape, *(self._local(p) for p in places))]
        batch_for_shader(shader, "LINE_STRIP", {"pos": points}).draw(shader)
        gpu.state.line_width_set(1)

    def _local(self, mouse: tuple[int, int]) -> tuple[int, int]:
        return mouse[0] - self._region.x, mouse[1] - self._region.y


def outline(shape: str, start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of a line that shows a drag: an arrow, a box between two corners, a circle by centre and rim."""
    (x, y), (to_x, to_y) = start, end
    length, angle = hypot(to_x - x, to_y - y), atan2(to_y - y, to_x - x)

    def around(centre_x: float, centre_y: float, turn: float, radius: float) -> tuple[float, float]:
        return centre_x + radius * cos(turn), centre_y + radius * sin(turn)

    if shape == "BOX":
        return [start, (to_x, y), end, (x, to_y), start]
    if shape == "CIRCLE":
        return [around(x, y, 2 * pi * i / 48, length) for i in range(49)]
    head = min(14.0, length)
    barbs = [around(to_x, to_y, angle + side, head) for side in (0.8 * pi, -0.8 * pi)]
    return [start, end, barbs[0], end, barbs[1]]
