"""How simulated people look: the face as a mesh, its skin, hair and clothes, a room, and a camera."""
