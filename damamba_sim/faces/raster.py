"""A small software renderer: pose and light the vertices, then fill triangles behind a depth buffer.

Three compiled kernels do the work of a frame. They write into buffers of the caller, and the last one returns the
rectangle that it changed, so only the person has to be drawn, not the room behind.
"""

import numpy as np
from numpy.typing import NDArray

from damamba_sim.compiled import kernel

WRAP = np.array([0.45, 0.34, 0.28], np.float32)  # how far key light reaches around the body: red furthest, as in skin


@kernel
def vertex_normals(vertices: NDArray, triangles: NDArray, out: NDArray) -> None:
    """Write the unit normals of `vertices` (n, 3) into `out` (n, 3), weighted by the triangles' areas."""
    out[:] = 0.0
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            out[corner, 0] += nx
            out[corner, 1] += ny
            out[corner, 2] += nz
    for i in range(out.shape[0]):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + np.float32(1e-9)
        for k in range(3):
            out[i, k] /= length


@kernel
def pose_and_light(
    vertices: NDArray,
    normals: NDArray,
    weights: NDArray,
    shade: NDArray,
    motions: NDArray,
    light: NDArray,
    camera: NDArray,
    screen: NDArray,
    colour: NDArray,
) -> None:
    """Move every vertex with its bones, light it, and project it.

    Args:
        vertices: (n, 3) at rest, cm.
        normals: (n, 3) at rest.
        weights: (n, 3): share of the head's motion (the rest is the torso's), share of the jaw's motion, which is
            applied first, and share of directional light (the rest is flat).
        shade: (n,) precomputed light that reaches the vertex.
        motions: (3, 3, 4) affine motions of head, torso and jaw; that of the jaw is in the head frame.
        light: (3, 3): unit direction to the key light, colour of the key light, colour of the ambient light.
        camera: (4,): focal length (px), distance along z (cm), image centre x and y (px).
        screen: (n, 3) output: x, y (px) and 1 / depth.
        colour: (n, 3) output: light, a factor on the texture.
    """
    head, torso, jaw = motions[0], motions[1], motions[2]
    focal_px, distance_cm, centre_x, centre_y = camera[0], camera[1], camera[2], camera[3]
    m = np.empty((3, 4), np.float32)
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        on_head, on_jaw, directed = weights[i, 0], weights[i, 1], weights[i, 2]
        if on_jaw > 0:
            jx = jaw[0, 0] * x + jaw[0, 1] * y + jaw[0, 2] * z + jaw[0, 3]
            jy = jaw[1, 0] * x + jaw[1, 1] * y + jaw[1, 2] * z + jaw[1, 3]
            jz = jaw[2, 0] * x + jaw[2, 1] * y + jaw[2, 2] * z + jaw[2, 3]
            x, y, z = x + on_jaw * (jx - x), y + on_jaw * (jy - y), z + on_jaw * (jz - z)
        for row in range(3):
            for column in range(4):
                m[row, column] = torso[row, column] + on_head * (head[row, column] - torso[row, column])
        px = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
        py = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
        pz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        nearness = 1 / (distance_cm - pz)
        screen[i, 0] = centre_x + focal_px * px * nearness
        screen[i, 1] = centre_y - focal_px * py * nearness
        screen[i, 2] = nearness

        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        wx = m[0, 0] * nx + m[0, 1] * ny + m[0, 2] * nz
        wy = m[1, 0] * nx + m[1, 1] * ny + m[1, 2] * nz
        wz = m[2, 0] * nx + m[2, 1] * ny + m[2, 2] * nz
        facing = wx * light[0, 0] + wy * light[0, 1] + wz * light[0, 2]
        for k in range(3):
            key = min(max((facing + WRAP[k]) / (1 + WRAP[k]), 0.0), 1.0)
            lit = key * light[1, k] + (0.85 + 0.15 * wy) * light[2, k]
            flat = 0.55 * light[1, k] + light[2, k]
            colour[i, k] = shade[i] * (directed * lit + (1 - directed) * flat)


@kernel
def fill_triangles(
    triangles: NDArray,
    two_sided: NDArray,
    screen: NDArray,
    colour: NDArray,
    texel: NDArray,
    atlas: NDArray,
    image: NDArray,
    depth: NDArray,
) -> tuple[int, int, int, int]:
    """Fill textured triangles into `image`, nearer ones over farther ones.

    Texture coordinates are interpolated in the image, not in space; the triangles are so small that this is invisible.

    Args:
        triangles: (n, 3) vertex indices, counter-clockwise seen from outside; their order affects only the speed.
        two_sided: (n,) whether the back is drawn, too.
        screen: (n_vertices, 3): x, y (px), 1 / depth.
        colour: (n_vertices, 3) light.
        texel: (n_vertices, 2) position in `atlas`, texels.
        atlas: (rows, columns, 4) uint8 RGBA; texels with alpha below 128 are holes.
        image: (H, W, 3) uint8, painted over.
        depth: (H, W) 1 / depth so far; 0 = empty.

    Returns:
        The changed rectangle: first row, last row + 1, first column, last column + 1.
    """
    n_rows, n_columns = depth.shape
    first_row, last_row, first_column, last_column = n_rows, 0, n_columns, 0
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        ax, ay = np.float64(screen[a, 0]), np.float64(screen[a, 1])
        bx, by, cx, cy = screen[b, 0] - ax, screen[b, 1] - ay, screen[c, 0] - ax, screen[c, 1] - ay
        area = bx * cy - by * cx
        if abs(area) < 1e-6 or (area > 0 and not two_sided[i]):
            continue
        top = max(0, int(np.ceil(ay + min(0.0, by, cy))))
        bottom = min(n_rows - 1, int(np.floor(ay + max(0.0, by, cy))))
        if bottom < top:
            continue
        left, right = ax + min(0.0, bx, cx), ax + max(0.0, bx, cx)
        if right < 0 or left > n_columns - 1:
            continue
        # barycentric weights of b and c are linear in x and y: w = slope_x * (x - ax) + slope_y * (y - ay)
        wb_x, wb_y, wc_x, wc_y = cy / area, -cx / area, -by / area, bx / area
        za, zb, zc = screen[a, 2], screen[b, 2] - screen[a, 2], screen[c, 2] - screen[a, 2]
        ua, ub, uc = texel[a, 0], texel[b, 0] - texel[a, 0], texel[c, 0] - texel[a, 0]
        va, vb, vc = texel[a, 1], texel[b, 1] - texel[a, 1], texel[c, 1] - texel[a, 1]
        ra, rb, rc = colour[a, 0], colour[b, 0] - colour[a, 0], colour[c, 0] - colour[a, 0]
        ga, gb, gc = colour[a, 1], colour[b, 1] - colour[a, 1], colour[c, 1] - colour[a, 1]
        ba, bb, bc = colour[a, 2], colour[b, 2] - colour[a, 2], colour[c, 2] - colour[a, 2]
        z_step, u_step, v_step = wb_x * zb + wc_x * zc, wb_x * ub + wc_x * uc, wb_x * vb + wc_x * vc
        r_step, g_step, b_step = wb_x * rb + wc_x * rc, wb_x * gb + wc_x * gc, wb_x * bb + wc_x * bc
        for y in range(top, bottom + 1):
            dy = y - ay
            low, high = left, right
            for edge in range(3):  # clip the row where one of the three weights turns negative
                if edge == 0:
                    slope, offset = wb_x, wb_y * dy - wb_x * ax
                elif edge == 1:
                    slope, offset = wc_x, wc_y * dy - wc_x * ax
                else:
                    slope, offset = -wb_x - wc_x, 1 - (wb_y + wc_y) * dy + (wb_x + wc_x) * ax
                if slope > 1e-12:
                    low = max(low, -offset / slope)
                elif slope < -1e-12:
                    high = min(high, -offset / slope)
                elif offset < 0:
                    high = low - 1
            start, stop = max(0, int(np.ceil(low - 1e-6))), min(n_columns - 1, int(np.floor(high + 1e-6)))
            if stop < start:
                continue
            first_row, last_row = min(first_row, y), max(last_row, y)
            first_column, last_column = min(first_column, start), max(last_column, stop)
            dx = start - ax
            wb, wc = wb_x * dx + wb_y * dy, wc_x * dx + wc_y * dy
            z, u, v = za + wb * zb + wc * zc, ua + wb * ub + wc * uc, va + wb * vb + wc * vc
            red, green, blue = ra + wb * rb + wc * rc, ga + wb * gb + wc * gc, ba + wb * bb + wc * bc
            for x in range(start, stop + 1):
                if z > depth[y, x]:
                    row, column = int(v), int(u)
                    if atlas[row, column, 3] > 127:
                        depth[y, x] = z
                        image[y, x, 0] = min(int(atlas[row, column, 0] * red), 255)
                        image[y, x, 1] = min(int(atlas[row, column, 1] * green), 255)
                        image[y, x, 2] = min(int(atlas[row, column, 2] * blue), 255)
                z, u, v = z + z_step, u + u_step, v + v_step
                red, green, blue = red + r_step, green + g_step, blue + b_step
    return first_row, last_row + 1, first_column, last_column + 1
