"""Smart encoding and transliteration: all or nothing, links untouched, and who forces UCS-2."""

import pytest
from bellwire.domain.alphabet import GSM7
from bellwire.domain.segments import guilty, measure, smart
from bellwire.domain.smart import TYPOGRAPHIC, Guilty
from bellwire.domain.transliteration import transliterate
from hypothesis import given
from hypothesis import strategies as st

SMART = [
    ("curly quotes and apostrophes", "“Hello” ‘world’ don’t", "\"Hello\" 'world' don't"),
    ("dashes", "5–7 working days — free", "5-7 working days - free"),
    ("ellipsis, bullet, signs", "Wait… • № 5 ½ Brand™", "Wait... - No. 5 1/2 BrandTM"),
    ("a no-break space is one space, a tab is one too", "10\u00a0000\tUZS", "10 000 UZS"),
    ("the Uzbek letter marks", "Oʻzbekiston, maʼno, boʻlim", "O'zbekiston, ma'no, bo'lim"),
    ("the backtick spelling", "O`zbekiston to`lov", "O'zbekiston to'lov"),
    ("full-width forms", "ＡＢＣ１２３！", "ABC123!"),
    ("invisible characters go", "\ufeffa\u200bb\u00adc", "abc"),
    ("decomposed letters are composed", "cafe\u0301", "café"),
    ("nothing to do", "Grüße, 5 €", "Grüße, 5 €"),
    ("an emoji keeps the text in UCS-2, so nothing changes", "“Hi” 😀", "“Hi” 😀"),
    ("so does a letter", "«Привет» – всем", "«Привет» – всем"),
    ("Chinese punctuation in a Chinese text stays", "您好，世界！", "您好，世界！"),
    ("accents are letters: no business of this level", "Su código – aquí", "Su código – aquí"),
    ("a link in a swapped text stays as it is", "“Track”: https://ex.am/t?a=[1]&b=~x", '"Track": https://ex.am/t?a=[1]&b=~x'),
    ("a link that needs UCS-2 stops the swap", "“Track”: https://ex.am/a–b", "“Track”: https://ex.am/a–b"),
    ("a quote that closes behind a link is no part of it", "“see https://ex.am/t”", '"see https://ex.am/t"'),
]


@pytest.mark.parametrize(("label", "text", "expected"), SMART, ids=[label for label, _, _ in SMART])
def test_smart(label: str, text: str, expected: str) -> None:
    assert smart(text) == expected, label


def test_verbatim_strings_are_not_touched() -> None:
    assert smart("“Hi” AB–12", verbatim=["AB–12"]) == "“Hi” AB–12"
    assert smart("“Hi” AB-12", verbatim=["AB-12", ""]) == '"Hi" AB-12'


@given(st.text(st.one_of(st.characters(max_codepoint=0x24F), st.sampled_from(sorted(TYPOGRAPHIC)), st.sampled_from("яñ😀"))))
def test_smart_is_all_or_nothing(text: str) -> None:
    swapped = smart(text)
    assert GSM7.fits(swapped) or swapped == text
    assert smart(swapped) == swapped
    if GSM7.fits(text):
        assert swapped == text


def test_every_replacement_is_gsm7_and_no_gsm7_character_is_replaced() -> None:
    assert all(GSM7.fits(text) for text in TYPOGRAPHIC.values())
    assert not any(GSM7.fits(char) for char in TYPOGRAPHIC)


def test_guilty_names_each_character_once_in_order() -> None:
    assert guilty("“Oʻ” 😀😀 \x85") == (
        Guilty(char="“", codepoint="U+201C", name="LEFT DOUBLE QUOTATION MARK", count=1, suggestion='"'),
        Guilty(char="ʻ", codepoint="U+02BB", name="MODIFIER LETTER TURNED COMMA", count=1, suggestion="'"),
        Guilty(char="”", codepoint="U+201D", name="RIGHT DOUBLE QUOTATION MARK", count=1, suggestion='"'),
        Guilty(char="😀", codepoint="U+1F600", name="GRINNING FACE", count=2, suggestion=None),
        Guilty(char="\x85", codepoint="U+0085", name="NEXT LINE", count=1, suggestion="\n"),
    )


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\t", "CHARACTER TABULATION"),
        ("\x00", "CONTROL CHARACTER"),
        ("\ud83d", "LONE SURROGATE"),
        ("\ue000", "PRIVATE USE CHARACTER"),
    ],
    ids=lambda value: ascii(value),
)
def test_guilty_names_the_nameless(char: str, name: str) -> None:
    assert [one.name for one in guilty(char)] == [name]


@given(st.text())
def test_a_text_has_someone_guilty_exactly_when_it_is_ucs2(text: str) -> None:
    assert bool(guilty(text)) == (measure(text).encoding == "ucs2")


SPELLED = [
    (
        "accents go, letters of the alphabet stay",
        ["diacritics"],
        "Su código está aquí, señor. ¿Qué tal, Zürich?",
        "Su codigo esta aqui, señor. ¿Qué tal, Zürich?",
    ),
    ("strokes and ligatures too", ["diacritics"], "Łódź, Œuvre, Þór", "Lodz, OEuvre, Thor"),
    ("letters with several marks", ["diacritics"], "Mã xác thực của bạn", "Ma xac thuc cua ban"),
    ("Croatian", ["croatian"], "Vaša narudžba, Đorđe ĐURĐA", "Vasa narudzba, Djordje DJURDJA"),
    ("Croatian digraphs of one code point", ["croatian"], "ǆep ǅep ǈubav Ǌ", "dzep Dzep Ljubav NJ"),
    (
        "Uzbek: е at the start and after a vowel, ц by place",
        ["uzbek"],
        "Ер, Европа, поезд, мен. Цирк, акция, полиция",
        "Yer, Yevropa, poyezd, men. Sirk, aksiya, politsiya",
    ),
    ("Uzbek capitals", ["uzbek"], "ШАРҚ Шарқ ЎЗБЕК Ўзбек МУЪЖИЗА", "SHARQ Sharq O'ZBEK O'zbek MU'JIZA"),
    ("Uzbek with quotes of its own", ["uzbek"], "«Ҳурматли мижоз» – 5 та", '"Hurmatli mijoz" - 5 ta'),
    ("Russian", ["russian"], "Ваш заказ №5 ещё в пути, ЩУКА Щука", "Vash zakaz No.5 eshche v puti, SHCHUKA Shchuka"),
    ("what the first kind leaves, the next one takes", ["uzbek", "russian"], "Ўзбек борщ", "O'zbek borshch"),
    ("a later kind is not used when the first suffices", ["croatian", "diacritics"], "Đuro", "Djuro"),
    ("the level below comes first: no spelling changes for a quote", ["diacritics"], "“Hi”", '"Hi"'),
    ("an emoji makes it pointless", ["russian"], "Привет 😀", "Привет 😀"),
    ("a kind that is not enough changes nothing", ["croatian"], "Vaša pošta – почта", "Vaša pošta – почта"),
    ("no kind, no change", [], "Привет", "Привет"),
    ("GSM-7 already", ["diacritics"], "Mañana", "Mañana"),
    ("a link is not respelled", ["diacritics"], "está https://ex.am/é", "esta https://ex.am/é"),
    ("a link that needs UCS-2 stops it", ["diacritics"], "está https://ex.am/á", "está https://ex.am/á"),
]


@pytest.mark.parametrize(("label", "kinds", "text", "expected"), SPELLED, ids=[row[0] for row in SPELLED])
def test_transliterate(label: str, kinds: list[str], text: str, expected: str) -> None:
    assert transliterate(text, kinds) == expected, label


def test_dj_is_the_tenants_choice() -> None:
    assert transliterate("Đorđe", ["croatian"], dj="d") == "Dorde"
    with pytest.raises(ValueError, match="use one of dj, d"):
        transliterate("Đorđe", ["croatian"], dj="gj")


def test_an_unknown_kind_is_refused_whatever_the_text() -> None:
    with pytest.raises(ValueError, match="klingon"):
        transliterate("plain", ["klingon"])


def test_verbatim_strings_keep_their_spelling() -> None:
    assert transliterate("está SEÑAL", ["diacritics"], verbatim=["SEÑAL"]) == "esta SEÑAL"
    assert transliterate("está KÓD", ["diacritics"], verbatim=["KÓD"]) == "está KÓD"


KINDS = st.lists(st.sampled_from(["diacritics", "croatian", "uzbek", "russian"]), unique=True)


@given(st.text(st.characters(max_codepoint=0x52F)), KINDS)
def test_transliteration_is_all_or_nothing(text: str, kinds: list[str]) -> None:
    spelled = transliterate(text, kinds)
    assert GSM7.fits(spelled) or spelled == text
    if GSM7.fits(text):
        assert spelled == text
