"""One video with several people: who they are, and a conversation in which each of them is a participant."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from damamba.config import FacesParams
from damamba.console import InputError
from damamba.features.regions import find_people
from damamba.files import replace_file
from damamba.predictor.passes import landmarker
from damamba.predictor.videos import Conversation, Person

People = int | Literal["all"]
"""How many people a video shows; all: as many as are found."""
MOST_PEOPLE = 6
"""The landmarker's limit in a picture."""


def people_of(conversation: Conversation, number: People, faces: FacesParams, work: Path) -> Conversation:
    """The same conversation, in which every video stands for all people that it shows.

    They are called ``VIDEO-1``, ``VIDEO-2`` and so on, from left to right. All of them have the sound of the video.

    Args:
        conversation: With one video.
        number: Of people in it.
        faces: Parameters of face tracking.
        work: Folder in which a picture of each is kept, by which they are followed.

    Raises:
        InputError: There are several videos, the video cannot be read, or it does not show so many people.
    """
    if len(conversation.people) != 1:
        names = ", ".join(str(one.video) for one in conversation.people)
        raise InputError(f"{names}: --people is for one video with several people; name one, without partners")
    (video,) = conversation.people
    found = find_people(video.video, landmarker(Path(faces.model)), None if number == "all" else number)
    people: list[Person] = []
    for k, someone in enumerate(found, 1):
        name = f"{video.name[:60]}-{k}"
        picture = work / "people" / conversation.name / f"{name}.png"
        replace_file(picture, someone.picture)
        region, reference = str(someone.region), picture.resolve().as_posix()
        people.append(replace(video, name=name, region=region, reference=reference))
    return Conversation(conversation.name, tuple(people))
