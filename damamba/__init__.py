"""DA-Mamba: frame-level engagement from the video and audio of a conversation.

Dimensions, used in every shape of this package (order is always batch, participant, time, channel):

| letter | meaning |
|---|---|
| B | windows in a batch |
| P | participants of a session; index 0 is the target, padded seats have ``present == False`` |
| T | frames of the grid that the model runs on (``window.rate_hz``) |
| L | labels of a window (25 Hz) |
| N | rows of one stream at its own rate, before alignment |
| D | channels of one cue; ``d_model`` after projection |
| G | modality groups · H heads · S chunk length of local attention |

Words: *session* a recorded conversation · *participant* a seat or role in it · *target* the one whose
engagement is predicted, *partners* the others · *cue* one feature stream · *modality group* audio or
visual · *window* = context + core + context frames · *variant* a row of the ablation.

Masks are True where something was observed. Times are seconds on the session's clock.
"""

__version__ = "0.1.0"
