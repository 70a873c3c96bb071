"""How simulated people look: a face as a mesh, its skin, hair and clothes, a room, and a camera."""
