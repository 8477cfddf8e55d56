"""STOP, START and HELP: every form people write is found, and nothing else is taken for one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from bellwire.domain.keywords import Kind, Match, Rule, classify
from hypothesis import given
from hypothesis import strategies as st

# country → the stop words of its people, spaces part the words, a `+` joins two
STOP_WORDS = {
    "US": "stop stopall stop+all unsubscribe unsub cancel end quit revoke optout opt+out opt-out remove "
    "remove+me stop+it delete+me no+more",
    "CO": "baja alto parar cancelar no+mas no+más salir detener desuscribir eliminar",
    "HR": "odjava odjavi stop prekid ne+želim ne+zelim",
    "UZ": "стоп отписка отписаться отмена отказ удалить стор toxta to'xta to'xtatish bekor bekor+qilish rad yo'q+kerak+emas "
    "тўхта тўхтатиш бекор бекор+қилиш рад",
    "CN": "t td n r 退订 退訂 取消 拒收 停止 stop",
    "CA": "arret arrêt arrete arreter stop",
    "DE": "stopp abmelden abbestellen stop",
    "BR": "parar sair cancelar remover stop",
}


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "as a sentence": lambda text: text.capitalize() + ".",
    "shouted": lambda text: f"  {text.upper()}!!! ",
    "in quotes": lambda text: f"“{text}”",
    "with an emoji": lambda text: f"{text} 🛑\ufe0f🙏🏽",
    "with invisible marks": lambda text: "\u200f\ufeff" + "\u200b".join(text) + "\u202c",
    "full width": full_width,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "on two lines": lambda text: f"\n{text}\r\n\n",
}
FORMS = [
    (country, word.replace("+", " "), how) for country, words in STOP_WORDS.items() for word in words.split() for how in WRITTEN
]

# label, country, text, rule
STOPS = [
    ("accents left out", "HR", "ne zelim", Rule.EXACT),
    ("accents put in", "CA", "ARRÊTER", Rule.EXACT),
    ("no Uzbek keyboard: an ordinary у", "UZ", "ТУХТА", Rule.EXACT),
    ("no Uzbek keyboard: an ordinary к", "UZ", "бекор килиш", Rule.EXACT),
    ("turned comma U+02BB", "UZ", "TOʻXTA", Rule.EXACT),
    ("modifier apostrophe U+02BC", "UZ", "toʼxta", Rule.EXACT),
    ("opening quote U+2018", "UZ", "To‘xta", Rule.EXACT),
    ("closing quote U+2019", "UZ", "To’xtatish", Rule.EXACT),
    ("grave accent", "UZ", "TO`XTA", Rule.EXACT),
    ("acute accent", "UZ", "TO´XTA", Rule.EXACT),
    ("no apostrophe", "UZ", "TOXTATISH", Rule.EXACT),
    ("Cyrillic С in a Latin word", "US", "ЅTOP", Rule.EXACT),
    ("Cyrillic Т, О and Р in a Latin word", "US", "SТОР", Rule.EXACT),
    ("a Latin word in Cyrillic letters that look like it", "UZ", "СТОР", Rule.EXACT),
    ("a Cyrillic word with Latin С, Т and О", "UZ", "CTOП", Rule.EXACT),
    ("a Cyrillic word with one Latin letter", "UZ", "ОTКАЗ", Rule.EXACT),
    ("TOXTA in Cyrillic letters", "UZ", "ТОХТА", Rule.EXACT),
    ("Turkish dotted capital I", "US", "UNSUBSCRİBE", Rule.EXACT),
    ("Turkish dotless i", "US", "quıt", Rule.EXACT),
    ("bold mathematical letters", "US", "𝐒𝐓𝐎𝐏", Rule.EXACT),
    ("letters in circles", "US", "Ⓢⓣⓞⓟ", Rule.EXACT),
    ("drawn out", "US", "Stoppppp!", Rule.EXACT),
    ("letters apart", "US", "S T O P", Rule.EXACT),
    ("letters with dots", "US", "s.t.o.p.", Rule.EXACT),
    ("misspelt", "US", "STPO", Rule.EXACT),
    ("misspelt unsubscribe", "US", "Unsuscribe", Rule.EXACT),
    ("Spanish in the US", "US", "BAJA", Rule.EXACT),
    ("Chinese anywhere", "US", "退订", Rule.EXACT),
    ("Russian anywhere", "DE", "стоп", Rule.EXACT),
    ("nothing known of the country", "", "Abmelden", Rule.EXACT),
    ("politely", "US", "STOP PLEASE", Rule.FIRST_WORD),
    ("cancel all", "US", "cancel all texts", Rule.FIRST_WORD),
    ("again and again", "US", "STOP STOP STOP", Rule.FIRST_WORD),
    ("with the short code", "US", "STOP 24680", Rule.FIRST_WORD),
    ("with a signature", "US", "Stop\n\nSent from my iPhone", Rule.FIRST_WORD),
    ("five words", "US", "stop sending me these messages", Rule.FIRST_WORD),
    ("two words of the keyword and more", "US", "opt-out please", Rule.FIRST_WORD),
    ("politely in Spanish", "MX", "Baja por favor", Rule.FIRST_WORD),
    ("no more, in Spanish", "CO", "No más mensajes", Rule.FIRST_WORD),
    ("politely in Russian", "UZ", "Стоп, пожалуйста", Rule.FIRST_WORD),
    ("politely in Uzbek", "UZ", "TO‘XTATING iltimos", Rule.FIRST_WORD),
    ("politely in German", "DE", "Stopp bitte", Rule.FIRST_WORD),
    ("STOP SMS in French", "FR", "ARRET SMS", Rule.FIRST_WORD),
    ("a sentence of six words", "US", "Please stop sending me these texts", Rule.INTENT),
    ("stop at the end", "US", "ok guys seriously, please stop", Rule.INTENT),
    ("remove me", "US", "Could you remove me from this list?", Rule.INTENT),
    ("take me off", "US", "Take me off your list right now please", Rule.INTENT),
    ("leave me alone", "US", "would you all just leave me alone", Rule.INTENT),
    ("wrong number", "US", "Sorry, wrong number", Rule.INTENT),
    ("no more messages", "US", "I want no more messages from you", Rule.INTENT),
    ("an opt-out in a sentence", "US", "Hi, I would like to opt out of this", Rule.INTENT),
    ("don't text me", "US", "Don’t text me anymore", Rule.INTENT),
    ("not interested, then stop", "US", "I am not interested, stop texting me already", Rule.INTENT),
    ("the same without a comma", "US", "I am not interested stop texting me already", Rule.INTENT),
    ("consent revoked", "US", "I hereby revoke my consent to be contacted", Rule.INTENT),
    ("Spanish: don't write to me", "CO", "Por favor no me escriban más", Rule.INTENT),
    ("Spanish: wrong number", "MX", "Disculpe, número equivocado", Rule.INTENT),
    ("Spanish: leave off", "CO", "Ya dejen de mandarme publicidad", Rule.INTENT),
    ("Croatian: don't send", "HR", "Molim vas, ne šaljite mi više poruke", Rule.INTENT),
    ("Russian: don't send", "UZ", "Пожалуйста, не присылайте больше ничего", Rule.INTENT),
    ("Russian: wrong number", "UZ", "Вы ошиблись номером", Rule.INTENT),
    ("Uzbek: don't send", "UZ", "Iltimos menga boshqa yubormang", Rule.INTENT),
    ("Uzbek in Cyrillic: don't send", "UZ", "Илтимос бошқа юборманг", Rule.INTENT),
    ("Chinese: don't send", "CN", "请不要再发了", Rule.INTENT),
    ("French: don't send", "FR", "Merci, ne m’envoyez plus de messages", Rule.INTENT),
    ("German: no more texts", "DE", "Ich möchte keine SMS mehr bekommen", Rule.INTENT),
    ("Portuguese: wrong number", "BR", "Desculpe, número errado", Rule.INTENT),
]

# label, country, text
ORDINARY = [
    ("empty", "US", ""),
    ("spaces", "US", "  \n\u200b "),
    ("only emoji", "US", "👍🏽🛑"),
    ("only punctuation", "US", "?!"),
    ("don't stop", "US", "don't stop"),
    ("don't stop, curly", "US", "Don’t stop!"),
    ("don't stop, long", "US", "please don't ever stop texting me these offers"),
    ("never stop", "US", "never stop sending me discounts haha"),
    ("why did you stop", "US", "Why did you stop texting me? I miss the offers"),
    ("non-stop", "US", "non-stop"),
    ("nonstop", "US", "is it a nonstop flight?"),
    ("stop-motion", "US", "stop-motion film night?"),
    ("a word that begins with stop", "US", "stopped by yesterday"),
    ("stop inside a sentence", "US", "which bus stop is nearest to you"),
    ("an order to cancel, long", "US", "cancel my order 1234 please and send it to the other address"),
    ("the end of a long sentence", "US", "thanks, that was the end of it"),
    ("no", "US", "no"),
    ("No.", "CO", "No."),
    ("yes", "US", "YES"),
    ("sí", "CO", "Sí"),
    ("si", "ES", "si"),
    ("da", "HR", "da"),
    ("да", "UZ", "Да"),
    ("ha", "UZ", "ha"),
    ("ҳа", "UZ", "Ҳа"),
    ("n outside China", "US", "N"),
    ("t outside China", "HK", "T"),
    ("r outside China", "UZ", "R"),
    ("td outside China", "US", "TD"),
    ("нет", "UZ", "нет"),
    ("yo'q", "UZ", "yo'q"),
    ("work, in Croatian", "HR", "rad"),
    ("glad, in Russian far from Uzbekistan", "DE", "рад"),
    ("glad to, in Russian in Uzbekistan", "UZ", "Рад помочь"),
    ("thanks", "US", "Thank you!"),
    ("a question", "US", "When will my order arrive?"),
    ("a wrong number of things", "US", "You sent the wrong number of items"),
    ("on hold", "US", "you can take me off hold now"),
    ("a tap on our text", "US", "Liked “Sale today! Reply STOP to opt out”"),
    ("another tap", "US", "Laughed at “No more messages? Reply STOP”"),
    ("a tap from Android", "US", "👍 to “Reply STOP to unsubscribe me”"),
    ("a tap with a chosen emoji", "US", "Reacted 😂 to “STOP”"),
    ("a tap in Russian", "UZ", "Понравилось «Отписка: СТОП»"),
    ("unstoppable", "US", "UNSTOPPABLE"),
    ("a name", "HR", "Stopić"),
    ("a help that is none", "US", "can you help me with my order"),
    ("a start that is none", "US", "when do you start tomorrow"),
    ("a French beginning, far from France", "UZ", "debut"),
    ("a German word, far from Germany", "US", "Hilfe"),
    ("no more pickles", "US", "no more pickles please"),
    ("no quiero más azúcar", "CO", "no quiero más azúcar en el café"),
    ("don't want this colour", "HR", "ne želim ovu boju"),
    ("don't want to wait longer", "HR", "ne želim više čekati"),
    ("send it after Monday", "UZ", "не отправляйте заказ до понедельника"),
    ("cancel an order in Chinese", "CN", "取消订单可以吗"),
    ("an order number", "US", "12345"),
    ("a link", "US", "https://example.com/stop"),
    ("baja inside a sentence", "CO", "vivo en la planta baja"),
    ("don't leave off", "CO", "no dejen de enviarme ofertas"),
]


def test_the_table_is_wide_enough() -> None:
    assert len(FORMS) + len(STOPS) >= 800
    assert len(ORDINARY) >= 50


@pytest.mark.parametrize(("country", "word", "how"), FORMS, ids=[f"{word}, {how}" for _, word, how in FORMS])
def test_every_stop_word_however_written(country: str, word: str, how: str) -> None:
    found = classify(WRITTEN[how](word), country=country)
    assert (found.kind, found.rule, found.review) == (Kind.STOP, Rule.EXACT, False)


@pytest.mark.parametrize(("label", "country", "text", "rule"), STOPS, ids=[row[0] for row in STOPS])
def test_stop(label: str, country: str, text: str, rule: Rule) -> None:
    found = classify(text, country=country)
    assert (found.kind, found.rule) == (Kind.STOP, rule)
    assert found.review == (rule is Rule.INTENT)
    assert found.keyword


@pytest.mark.parametrize(("label", "country", "text"), ORDINARY, ids=[row[0] for row in ORDINARY])
def test_ordinary_replies_stay_ordinary(label: str, country: str, text: str) -> None:
    found = classify(text, country=country)
    assert (found.kind, found.rule, found.review) == (None, None, False)


# label, country, languages, text, kind
OTHERS = [
    ("start", "US", (), "Start", Kind.START),
    ("unstop", "US", (), "UNSTOP", Kind.START),
    ("opt in", "US", (), "opt-in", Kind.START),
    ("alta", "CO", (), "Alta", Kind.START),
    ("prijava", "HR", (), "prijava!", Kind.START),
    ("старт", "UZ", (), "Старт", Kind.START),
    ("boshlash", "UZ", (), "BOSHLASH", Kind.START),
    ("бошлаш", "UZ", (), "бошлаш", Kind.START),
    ("开始", "CN", (), "开始", Kind.START),
    ("début where French is spoken", "CA", (), "DÉBUT", Kind.START),
    ("début for somebody who wants French", "US", ("fr-CA",), "debut", Kind.START),
    ("début where nobody knows what is spoken", "FR", ("en",), "debut", Kind.START),
    ("anmelden", "DE", (), "Anmelden", Kind.START),
    ("iniciar", "BR", (), "iniciar", Kind.START),
    ("help", "US", (), "HELP?", Kind.HELP),
    ("info with a Turkish capital", "US", (), "İNFO", Kind.HELP),
    ("ayuda", "MX", (), "ayuda", Kind.HELP),
    ("pomoc without an accent", "HR", (), "pomoc", Kind.HELP),
    ("помощь", "UZ", (), "Помощь", Kind.HELP),
    ("yordam", "UZ", (), "yordam", Kind.HELP),
    ("帮助", "CN", (), "帮助", Kind.HELP),
    ("aide", "CA", (), "AIDE", Kind.HELP),
    ("ajuda", "BR", (), "ajuda", Kind.HELP),
]


@pytest.mark.parametrize(("label", "country", "languages", "text", "kind"), OTHERS, ids=[row[0] for row in OTHERS])
def test_start_and_help(label: str, country: str, languages: tuple[str, ...], text: str, kind: Kind) -> None:
    found = classify(text, country=country, languages=languages)
    assert (found.kind, found.rule) == (kind, Rule.EXACT)


@pytest.mark.parametrize("text", ["YES", "yes!", "Sí", "SI", "DA", "Да", "ha", "Ҳа", "START"])
def test_a_yes_counts_only_when_we_asked(text: str) -> None:
    assert classify(text, country="UZ", asked=True) == Match(
        kind=Kind.START,
        rule=Rule.ANSWER,
        keyword=classify(text, country="UZ", asked=True).keyword,
        normalised=text.lower().strip("!"),
    )
    found = classify(text, country="UZ")
    assert found.kind is (Kind.START if text == "START" else None)
    # the answer may stand among a conversation's options as well
    assert classify(text, asked=True, awaiting=["YES", "SI", "DA", "HA", "ДА", "ҲА", "START"]).rule is Rule.ANSWER


def test_no_is_never_a_stop_not_even_when_we_asked() -> None:
    assert classify("NO", asked=True).kind is None
    assert classify("STOP", asked=True).kind is Kind.STOP


@pytest.mark.parametrize("text", ["CANCEL", "cancel!", "Cancel please", "END", "QUIT", "NO", "cancelar", "INFO", "help"])
def test_a_conversation_wins_over_soft_words(text: str) -> None:
    options = ["CANCEL", "end", "QUIT", "NO", "Cancelar", "INFO", "HELP"]
    assert classify(text, country="US", awaiting=options).kind is None


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop all",
        "STOPALL",
        "Unsubscribe",
        "opt-out",
        "OPTOUT",
        "REVOKE",
        "Baja",
        "СТОП",
        "CTOП",
        "退订",
        "退訂",
        "STOP please",
    ],
)
def test_a_conversation_never_wins_over_hard_words(text: str) -> None:
    assert classify(text, awaiting=[text, text.lower(), "STOP", "?"]).kind is Kind.STOP


def test_a_conversation_takes_only_its_own_options() -> None:
    assert classify("CANCEL", awaiting=["YES"]).kind is Kind.STOP
    assert classify("remove me from this list please, thanks", awaiting=["?", "YES"]).rule is Rule.INTENT
    assert classify("remove me", awaiting=["REMOVE ME"]).kind is None


def test_a_tenants_own_words_are_added_and_take_nothing_away() -> None:
    extra = {"stop": ["FUERA", "  "], "start": ["QUIERO", "STOP"], "help": ["¿Qué?"], "nonsense": ["x"]}
    assert classify("fuera", extra=extra).kind is Kind.STOP
    assert classify("Fuera por favor", country="CO", extra=extra).rule is Rule.FIRST_WORD
    assert classify("quiero", extra=extra).kind is Kind.START
    assert classify("que", extra=extra).kind is Kind.HELP
    assert classify("stop", extra=extra).kind is Kind.STOP
    assert classify("x", extra=extra).kind is None
    assert classify("fuera").kind is None


@given(st.text(max_size=400))
def test_any_text_is_judged_and_the_same_each_time(text: str) -> None:
    assert classify(text, country="UZ") == classify(text, country="UZ")


@given(
    st.sampled_from(["STOP", "UNSUBSCRIBE", "BAJA", "СТОП", "退订"]),
    st.text(alphabet=" .!?,\u200b\ufe0f🛑\u00a0\n-\"'", max_size=20),
)
def test_nothing_around_a_hard_word_hides_it(word: str, around: str) -> None:
    assert classify(around + word + around).kind is Kind.STOP


def test_a_long_reply_is_cut_and_takes_no_time() -> None:
    assert classify("a" * 10_000_000).kind is None
    assert classify("!" * 1_000_000 + "STOP").kind is None
    assert classify("STOP " + "x " * 1_000_000).kind is None
