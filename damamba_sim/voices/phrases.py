"""Text to speak: small sentence grammars and backchannels in seven languages.

A slot such as ``{thing}`` is filled with any entry of that name, which may contain slots again. Articles are part of
the nouns, so nothing has to agree. ``[[...]]`` are espeak phonemes: "mhm" would be spelt out letter by letter.
The wording is our own and has not been checked by native speakers; it carries rhythm and sound, not meaning.
"""

import re

import numpy as np

from damamba.console import InputError

Grammar = dict[str, tuple[str, ...]]
SLOT = re.compile(r"\{(\w+)\}")

GRAMMARS: dict[str, Grammar] = {
    "en": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "{question}?",
            "{opener}, {clause} {time}, {link} {clause}.",
        ),
        "clause": (
            "{subject} {verb} {thing}",
            "{subject} {verb} {thing} {place}",
            "{thing} is {quality}",
            "{thing} was really {quality}",
            "{subject} never {verb} {thing}",
        ),
        "question": ("do you like {thing}", "have you seen {thing}", "what about {thing}", "was {thing} {quality}"),
        "subject": ("I", "we", "they", "you", "some people", "my friends"),
        "verb": ("saw", "moved", "wanted", "painted", "carried", "remember", "talked about"),
        "thing": (
            "the blue boat",
            "that old garden",
            "the next meeting",
            "a small table",
            "the long road",
            "my first bicycle",
            "this plan",
            "the other house",
        ),
        "quality": ("slow", "too expensive", "a bit strange", "better than before", "quite useful"),
        "place": ("near the river", "at home", "with my sister", "in the kitchen"),
        "time": ("yesterday", "last summer", "every morning", "for two hours"),
        "link": ("and", "but", "because", "so"),
        "opener": ("well", "you know", "actually", "I mean"),
        "backchannel": ("[[m-h'm]]", "yeah", "right", "okay", "oh really", "[[V-h'V]]"),
    },
    "fr": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "{question} ?",
            "{opener}, {clause} {time}, {link} {clause}.",
        ),
        "clause": (
            "{subject} {thing}",
            "{subject} {thing} {place}",
            "{thing}, c'est {quality}",
            "{thing}, c'était {quality}",
        ),
        "question": ("est-ce que {clause}", "et {thing}", "vous avez vu {thing}"),
        "subject": ("on a vu", "j'ai porté", "nous cherchons", "ils ont peint", "je voulais", "elle garde"),
        "thing": (
            "le bateau bleu",
            "ce vieux jardin",
            "la réunion",
            "une petite table",
            "la longue route",
            "mon premier vélo",
            "l'autre maison",
        ),
        "quality": ("lent", "trop cher", "un peu bizarre", "plutôt utile", "mieux qu'avant"),
        "place": ("près du fleuve", "à la maison", "avec ma sœur", "dans la cuisine"),
        "time": ("hier", "l'été dernier", "chaque matin", "pendant deux heures"),
        "link": ("et", "mais", "parce que", "alors"),
        "opener": ("ben", "tu sais", "en fait", "enfin"),
        "backchannel": ("oui", "d'accord", "ah bon", "[[m-h'm]]", "voilà", "ouais"),
    },
    "de": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, und {clause}.",
            "{clause}.",
            "{question}?",
            "{opener}, {clause}, aber {clause}.",
        ),
        "clause": (
            "{subject} {verb} {thing}",
            "{subject} {verb} {time} {thing}",
            "{thing} ist {quality}",
            "{thing} war {time} {quality}",
        ),
        "question": ("kennst du {thing}", "wie war {thing}", "ist {thing} {quality}"),
        "subject": ("ich", "mein Freund", "meine Schwester"),
        "verb": ("brauchte", "wollte", "suchte", "malte"),
        "thing": (
            "das blaue Boot",
            "die kleine Stadt",
            "das alte Haus",
            "die lange Straße",
            "das erste Fahrrad",
            "die nächste Sitzung",
        ),
        "quality": ("langsam", "zu teuer", "ein bisschen seltsam", "ganz nützlich", "besser als früher"),
        "time": ("gestern", "jeden Morgen", "letzten Sommer", "am Fluss", "zu Hause"),
        "opener": ("also", "weißt du", "eigentlich", "na ja"),
        "backchannel": ("ja", "[[m-h'm]]", "genau", "ach so", "okay", "stimmt"),
    },
    "ar": {
        "sentence": (
            "{opener}، {clause}.",
            "{clause}، {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "{question}؟",
        ),
        "clause": ("{subject} {thing}", "{subject} {thing} {place}", "{thing} {quality}"),
        "question": ("هل {subject} {thing}", "ما رأيك في {thing}", "أين {thing}"),
        "subject": ("رَأَيْنا", "أُريدُ", "وَجَدْتُ", "نُحِبُّ", "حَمَلوا"),
        "thing": ("البَيْتَ القَديم", "القارِبَ الأَزْرَق", "السوقَ الكَبير", "الكِتابَ الأوَّل", "الطَريقَ الطَويل"),
        "quality": ("جَميلٌ جِدّاً", "بَعيدٌ قَليلاً", "أَفْضَلُ مِنْ قَبْل", "غالٍ"),
        "place": ("قُرْبَ النَهْر", "في البَيْت", "مَعَ أُخْتي", "في المَدينة"),
        "time": ("أَمْسِ", "كُلَّ صَباح", "في الصَيْف"),
        "link": ("وَ", "لَكِنْ", "لِأَنَّ"),
        "opener": ("يَعْني", "طيب", "في الحَقيقة"),
        "backchannel": ("نَعَم", "آه", "طيب", "صحيح", "أَيْوَه", "[[m-h'm]]"),
    },
    "it": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "{question}?",
        ),
        "clause": ("{subject} {thing}", "{subject} {thing} {place}", "{thing}, secondo me, è {quality}"),
        "question": ("hai visto {thing}", "ti piace {thing}", "e {thing}"),
        "subject": ("abbiamo visto", "ho portato", "cercavano", "volevo", "ricordo bene"),
        "thing": (
            "la barca blu",
            "quel vecchio giardino",
            "la riunione",
            "un piccolo tavolo",
            "la strada lunga",
            "la mia prima bicicletta",
            "l'altra casa",
        ),
        "quality": ("interessante", "un po' strano", "meglio di prima", "abbastanza utile"),
        "place": ("vicino al fiume", "a casa", "con mia sorella", "in cucina"),
        "time": ("ieri", "l'estate scorsa", "ogni mattina", "per due ore"),
        "link": ("e", "ma", "perché", "quindi"),
        "opener": ("allora", "sai", "in realtà", "cioè"),
        "backchannel": ("sì", "certo", "ah", "esatto", "va bene", "[[m-h'm]]"),
    },
    "id": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "{question}?",
        ),
        "clause": ("{subject} {verb} {thing}", "{subject} {verb} {thing} {place}", "{thing} itu {quality}"),
        "question": ("apakah kamu {verb} {thing}", "di mana {thing}", "bagaimana {thing}"),
        "subject": ("saya", "kami", "mereka", "teman saya", "kita"),
        "verb": ("melihat", "membawa", "mencari", "suka", "mengingat"),
        "thing": (
            "perahu biru",
            "kebun tua",
            "rapat besok",
            "meja kecil",
            "jalan panjang",
            "sepeda pertama",
            "rumah yang lain",
        ),
        "quality": ("lambat", "terlalu mahal", "agak aneh", "cukup berguna", "lebih baik"),
        "place": ("dekat sungai", "di rumah", "dengan kakak saya", "di dapur"),
        "time": ("kemarin", "setiap pagi", "selama dua jam", "tahun lalu"),
        "link": ("dan", "tapi", "karena", "jadi"),
        "opener": ("begini", "sebenarnya", "kamu tahu"),
        "backchannel": ("iya", "oh begitu", "betul", "oke", "[[m-h'm]]", "ya ya"),
    },
    "es": {
        "sentence": (
            "{opener}, {clause}.",
            "{clause}, {link} {clause}.",
            "{clause} {time}.",
            "{clause}.",
            "¿{question}?",
        ),
        "clause": ("{subject} {thing}", "{subject} {thing} {place}", "{thing} me parece {quality}"),
        "question": ("has visto {thing}", "te gusta {thing}", "y {thing}"),
        "subject": ("vimos", "llevé", "buscaban", "quería", "recuerdo bien", "pintamos"),
        "thing": (
            "el barco azul",
            "ese jardín viejo",
            "la reunión",
            "una mesa pequeña",
            "el camino largo",
            "mi primera bicicleta",
            "la otra casa",
        ),
        "quality": ("interesante", "un poco raro", "mejor que antes", "bastante útil"),
        "place": ("cerca del río", "en casa", "con mi hermana", "en la cocina"),
        "time": ("ayer", "el verano pasado", "cada mañana", "durante dos horas"),
        "link": ("y", "pero", "porque", "así que"),
        "opener": ("bueno", "sabes", "en realidad", "o sea"),
        "backchannel": ("sí", "claro", "ajá", "vale", "ya", "[[m-h'm]]"),
    },
}


def fill(language: str, slot: str, rng: np.random.Generator) -> str:
    """One expansion of a slot.

    Raises:
        InputError: There is no grammar for this language.
    """
    if language not in GRAMMARS:
        raise InputError(f"simulate: no phrases in language {language!r}; use one of {', '.join(GRAMMARS)}")
    grammar = GRAMMARS[language]
    text = "{" + slot + "}"
    while match := SLOT.search(text):
        entries = grammar[match[1]]
        text = text[: match.start()] + entries[rng.integers(len(entries))] + text[match.end() :]
    return text


def backchannel(language: str, rng: np.random.Generator) -> str:
    """A listener's words that do not take the floor."""
    return fill(language, "backchannel", rng)


def line(language: str, letters: float, complete: bool, rng: np.random.Generator, draws: int = 16) -> str:
    """A text of about `letters` letters: the best of `draws` random ones.

    A complete line ends with a full stop, which espeak speaks with falling pitch (about 4 semitones; less in French),
    an incomplete one with a comma, with about half of that.
    """
    shapes = ("sentence",) if letters > 30 else ("sentence", "clause", "thing", "opener")
    drawn = [fill(language, shapes[i % len(shapes)], rng) for i in range(draws)]
    text = min(drawn, key=lambda candidate: abs(len(candidate) - letters))
    text = text.strip(" .?¿؟")
    return text[0].upper() + text[1:] + ("." if complete else ",")
