"""All malformed inputs: each makes its files in an empty folder, and has the line that `damamba` prints about them."""

from tests.badinput.annotations import ELAN, NOVA
from tests.badinput.labels import LABELS
from tests.badinput.manifests import MANIFESTS
from tests.badinput.media import MEDIA
from tests.badinput.predictions import PREDICTIONS

CASES = [*LABELS, *NOVA, *ELAN, *MANIFESTS, *PREDICTIONS, *MEDIA]
