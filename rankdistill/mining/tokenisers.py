"""What counts as a word for BM25, by name, and whether a collection's script suits it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

import bm25s
import Stemmer

from rankdistill.errors import ConfigError

Tokeniser = Callable[[list[str]], list[list[str]]]
"""Texts -> the words of each, in their order."""

DEFAULT, WORDS, CJK = "english", "words", "cjk"

SAMPLED_TEXTS, SAMPLED_CHARACTERS = 200, 500
"""Of a collection, whose letters show its script."""

_CJK_RANGES = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u3041-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"  # Hangul
)
_CJK_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA")
_UNDIVIDED = (*_CJK_SCRIPTS, "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts, by the first word of their letters' names in Unicode, in which no space stands between words (of Hangul:
between a word and its particles)."""

_SCRIPTS_OF = {
    "arabic": ("ARABIC",),
    "armenian": ("ARMENIAN",),
    "greek": ("GREEK",),
    "hindi": ("DEVANAGARI",),
    "nepali": ("DEVANAGARI",),
    "persian": ("ARABIC",),
    "russian": ("CYRILLIC",),
    "serbian": ("CYRILLIC", "LATIN"),
    "tamil": ("TAMIL",),
    "yiddish": ("HEBREW",),
}
"""Languages that are not written in Latin letters."""


def names() -> list[str]:
    """`english`, the other languages that Snowball has stems of, `words` and `cjk`."""
    return [DEFAULT, *sorted(set(Stemmer.algorithms()) - {DEFAULT}), WORDS, CJK]


def named(name: str) -> Tokeniser:
    """The tokeniser of that name.

    - `english`: that of published figures. Lower case, words of two letters or more, stop words, Snowball stems.
    - another language: the same with its stems, and its stop words where bm25s has any.
    - `words`: every word, also of one letter or digit; no stop words, no stems.
    - `cjk`: Chinese, Japanese and Korean, as Lucene's CJKAnalyzer takes them apart: each two neighbouring characters
      are a word, and so is one that stands alone; what is of another script is taken as by `words`.

    All but `english` take compatibility forms (full width, half width) for the letters that they stand for (NFKC), and
    vowel signs and accents as part of a word.

    Raises:
        ConfigError: there is none.
    """
    if name == DEFAULT:
        return _english
    if name == WORDS:
        return lambda texts: [list(_words(text)) for text in texts]
    if name == CJK:
        return lambda texts: [list(_bigrams(text)) for text in texts]
    if name in Stemmer.algorithms():
        return _of_language(name)
    raise ConfigError(
        expected=f"a tokeniser: {', '.join(names())}",
        got=repr(name),
        consequence="nothing was searched",
        remedy="name one of those",
    )


def script_note(name: str, texts: Iterable[str]) -> str | None:
    """What to tell of a collection most of whose letters are not of the tokeniser's script; None where they are.

    Args:
        name: of the tokeniser.
        texts: of the collection; only the first are looked at.
    """
    letters = Counter(
        _script(letter)
        for text in islice(texts, SAMPLED_TEXTS)
        for letter in text[:SAMPLED_CHARACTERS]
        if letter.isalpha()
    )
    if not letters:
        return None
    most, count = letters.most_common(1)[0]
    shown = most if most == "CJK" else most.title()
    if name != CJK and 2 * sum(letters[script] for script in _UNDIVIDED) > letters.total():
        remedy = f"take the tokeniser {CJK}" if most in _CJK_SCRIPTS else "no tokeniser here takes it apart"
        return (
            f"most letters are {shown}, which has no spaces between words: {name} takes sentences for words; {remedy}"
        )
    suited = _SCRIPTS_OF.get(name, ("LATIN",))
    if name in (WORDS, CJK) or most in suited or 2 * count <= letters.total():
        return None
    fitting = [language for language, scripts in _SCRIPTS_OF.items() if most in scripts] or [WORDS]
    return f"most letters are {shown}: {name} stems words of another script; take the tokeniser {' or '.join(fitting)}"


def suited(texts: Iterable[str]) -> str:
    """The tokeniser for the script that most letters of a collection have: `english` for Latin letters.

    Which language Latin letters are of is not looked at; where a script has several, or no, languages with stems here,
    it is `words`.
    """
    sample = list(islice(texts, SAMPLED_TEXTS))
    if script_note(DEFAULT, sample) is None:
        return DEFAULT
    if script_note(WORDS, sample) is not None:
        return CJK
    fitting = [name for name, scripts in _SCRIPTS_OF.items() if len(scripts) == 1 and script_note(name, sample) is None]
    return fitting[0] if len(fitting) == 1 else WORDS


def _english(texts: list[str]) -> list[list[str]]:
    stemmer = Stemmer.Stemmer("english")
    return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)


def _of_language(name: str) -> Tokeniser:
    stop = frozenset(_stop_words(name))

    def tokenise(texts: list[str]) -> list[list[str]]:
        stem = Stemmer.Stemmer(name).stemWords
        return [stem([word for word in _words(text) if len(word) > 1 and word not in stop]) for text in texts]

    return tokenise


def _stop_words(name: str) -> Sequence[str]:
    from bm25s import stopwords

    return getattr(stopwords, f"STOPWORDS_{name.split('_')[0].upper()}", ())


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in _word().finditer(unicodedata.normalize("NFKC", text).lower()))


def _bigrams(text: str) -> Iterator[str]:
    for word in _words(text):
        for run in _RUNS.findall(word):
            if not _IS_CJK.match(run) or len(run) == 1:
                yield run
            else:
                yield from (run[place : place + 2] for place in range(len(run) - 1))


_RUNS, _IS_CJK = re.compile(f"[{_CJK_RANGES}]+|[^{_CJK_RANGES}]+"), re.compile(f"[{_CJK_RANGES}]")


@cache
def _word() -> re.Pattern[str]:
    r"""Letters, digits and the marks on them, which `\w` leaves out: a vowel sign would end an Indic word."""
    marks = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    return re.compile(rf"[\w{''.join(marks)}]+")


def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").split()[0]
