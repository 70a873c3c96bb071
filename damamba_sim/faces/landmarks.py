"""MediaPipe's landmark numbers, by the part of the face that they outline.

Rings are nested, innermost first. In a pair, index 0 is the viewer's left side.

Source:
    mediapipe/modules/face_geometry/data/canonical_face_model_uv_visualization.png.
"""

import numpy as np

UPPER_LIP = np.array(
    [
        [191, 80, 81, 82, 13, 312, 311, 310, 415],
        [183, 42, 41, 38, 12, 268, 271, 272, 407],
        [184, 74, 73, 72, 11, 302, 303, 304, 408],
        [185, 40, 39, 37, 0, 267, 269, 270, 409],
    ]
)
LOWER_LIP = np.array(
    [
        [95, 88, 178, 87, 14, 317, 402, 318, 324],
        [96, 89, 179, 86, 15, 316, 403, 319, 325],
        [77, 90, 180, 85, 16, 315, 404, 320, 307],
        [146, 91, 181, 84, 17, 314, 405, 321, 375],
    ]
)
MOUTH_CORNERS = np.array([[78, 62, 76, 61], [308, 292, 306, 291]])
UPPER_LIDS = np.array(
    [
        [[246, 161, 160, 159, 158, 157, 173], [247, 30, 29, 27, 28, 56, 190], [113, 225, 224, 223, 222, 221, 189]],
        [[466, 388, 387, 386, 385, 384, 398], [467, 260, 259, 257, 258, 286, 414], [342, 445, 444, 443, 442, 441, 413]],
    ]
)
LOWER_LIDS = np.array(
    [
        [[7, 163, 144, 145, 153, 154, 155], [25, 110, 24, 23, 22, 26, 112]],
        [[249, 390, 373, 374, 380, 381, 382], [255, 339, 254, 253, 252, 256, 341]],
    ]
)
EYE_CORNERS = np.array([[33, 133], [263, 362]])
BROWS = np.array(
    [[[46, 53, 52, 65, 55], [70, 63, 105, 66, 107]], [[276, 283, 282, 295, 285], [300, 293, 334, 296, 336]]]
)
FACE_OVAL = np.concatenate(
    [
        [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377],
        [152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109],
    ]
)
NOSTRILS = np.array([[79, 166, 75, 60, 20, 238], [309, 392, 305, 290, 250, 458]])
NOSE_WINGS = np.array([[129, 102, 64], [358, 331, 294]])
SMILE_LINES = np.array([[129, 203, 206, 216, 212], [358, 423, 426, 436, 432]])
CHEEKS = (50, 280)
NOSE_TIP, UNDER_NOSE, UNDER_LIP, LOWER_LIP_MIDDLE = 4, 2, 18, 16
MOUTH_OPENING = np.concatenate([UPPER_LIP[0], LOWER_LIP[0], MOUTH_CORNERS[:, 0]])
EYE_OPENINGS = np.concatenate([UPPER_LIDS[:, 0], LOWER_LIDS[:, 0], EYE_CORNERS], axis=1)
LIPS_OUTLINE = np.concatenate([[61], UPPER_LIP[3], [291], LOWER_LIP[3][::-1]])
UPPER_LIP_OUTLINE = np.concatenate([[61], UPPER_LIP[3], [291], UPPER_LIP[0][::-1]])
LIP_SEAM = np.concatenate([[61], UPPER_LIP[0], [291]])
