"""How simulated people sound: phrases, espeak-ng voices, prosody, rooms and microphones."""
