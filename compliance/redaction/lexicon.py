"""Words of spoken numbers, letters and addresses, and everyday words that are never taken for a name."""

from __future__ import annotations

from pathlib import Path


def words(text: str) -> frozenset[str]:
    """The words of ``text``, which white space parts."""
    return frozenset(text.split())


DIGITS = {
    "zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0",
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "fife": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "niner": "9",
}  # fmt: skip

MISHEARD_DIGITS = {
    "to": "2", "too": "2", "tu": "2", "for": "4", "fore": "4", "won": "1", "wan": "1", "ate": "8", "tree": "3",
    "free": "3", "sex": "6", "sicks": "6", "sics": "6", "nein": "9", "non": "9", "owe": "0", "ohh": "0", "hero": "0",
    "fine": "9", "sax": "6", "fire": "5", "hive": "5",
}  # fmt: skip
"""What a recogniser writes for a digit; believed only among other digits."""

TEENS = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
REPEATS = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
ORDINALS = words(
    """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth
    """
)
MONTHS = words(
    """
    january february march april may june july august september october november december jan feb mar
    apr jun jul aug sept sep oct nov dec
    """
)

FILLERS = words(
    """
    uh um uhm er erm hmm hm mm mhm ah like okay ok so then dash hyphen minus slash stroke space sorry wait comma yeah
    yes right and
    """
)
"""May stand between two digits of one number. ``and`` is believed only next to ``then``."""

NATO = {
    "alpha": "a", "alfa": "a", "bravo": "b", "charlie": "c", "delta": "d", "echo": "e", "foxtrot": "f", "golf": "g",
    "hotel": "h", "india": "i", "juliet": "j", "juliett": "j", "kilo": "k", "lima": "l", "mike": "m", "november": "n",
    "oscar": "o", "papa": "p", "quebec": "q", "romeo": "r", "sierra": "s", "tango": "t", "uniform": "u", "victor": "v",
    "whiskey": "w", "whisky": "w", "xray": "x", "x-ray": "x", "yankee": "y", "zulu": "z",
}  # fmt: skip
LETTER_NAMES = {
    "bee": "b", "see": "c", "sea": "c", "dee": "d", "gee": "g", "aitch": "h", "haitch": "h", "eye": "i", "jay": "j",
    "kay": "k", "ell": "l", "el": "l", "em": "m", "en": "n", "pee": "p", "queue": "q", "cue": "q", "are": "r",
    "ess": "s", "tee": "t", "tea": "t", "you": "u", "vee": "v", "ex": "x", "why": "y", "zed": "z", "zee": "z",
    "eff": "f",
}  # fmt: skip
"""What a recogniser writes for a letter; believed only among other letters."""

ACRONYMS = words(
    """
    atm usa usd gbp eur cad aud inr ibm bbc nhs gdp ceo ac ai mba phd pm am dvd tv vip
    faq pdf dob ssn cvv cvc vpn apr ok id uk us usb gps irs fm it pin cd asap
    diy hr pc sms url wifi sim ups tba eta iban
    """
)

ADDRESS_JOINTS = {
    "dot": ".", "point": ".", "period": ".", "underscore": "_", "dash": "-", "hyphen": "-", "minus": "-", "plus": "+",
}  # fmt: skip
TOP_LEVEL_DOMAINS = words(
    """
    com net org edu gov io co uk us info biz de fr ca au in me eu ie es it nl nz
    """
)
MAIL_PROVIDERS = words(
    """
    gmail googlemail yahoo hotmail outlook icloud aol protonmail proton gmx live msn comcast verizon
    """
)

STREET_WORDS = words(
    """
    street avenue road drive lane court boulevard terrace crescent parkway gardens grove mews highway
    plaza close
    """
)
"""Second halves of street names that are rarely anything else after a house number."""

PLACE_WORDS = words(
    """
    street avenue road drive lane court boulevard way place terrace circle square close crescent gardens row
    apartment apt unit suite flat floor building house north south east west city town county state england
    scotland wales ireland london york california texas florida ohio virginia washington carolina dakota
    jersey mexico hampshire illinois michigan georgia arizona nevada oregon utah colorado
    """
)
"""What stands in addresses besides names."""

COMMON = words(
    """
    mum mom dad mother father wife husband son daughter brother sister friend boss partner parents behalf
    a about above account accounts actually address after afternoon again agent agents ago ah all almost
    already also always am an and another answer any anybody anyone anything apartment app are around as
    ask asked at avenue away back bad bank be because been before being best better between bill billing
    birth box bring broken business but buy by bye call called calling calls came can can't cancel
    cannot card cards care change changed charge charged charges check checked city close code come
    company complaint confirm connection contact correct cost could couldn't country credit customer
    damn date day days deal debit delay delayed deliver delivered delivery did didn't different
    difference digit digits do does doesn't don't done dot double driver each ear early easy either else
    email emails end engineer enough even evening ever every everything exactly expect expiry explain
    faith far few final find fine first fix fixed flat follow for forget found friday from full furious
    gave get gets getting give given go goes going gone good goodbye got great had happen happened happy
    hard has have haven't having he hear hello help her here hey hi him his hold home hope hour hours
    house how however i i'd i'll i'm i've if important in information inside instead internet into is
    isn't issue it it's item its just keep kept kind know known lane last late later least leave left
    less let letter letters like line listen listening little live long look looking lost lot machine
    made mail make man many may maybe me mean message middle might mind mine minute minutes missing
    moment monday money month months more morning most move much must my name named names near need
    needs neighbour neighbours never new next nice night no nobody none nope not nothing now number
    numbers of off office often oh ok okay old on once one online only open opening or order ordered
    orders other our out over own package paid parcel part password pay payment people per perfect
    person phone pick place plan please plus point policy possible post postcode premium price problem
    product promise pull put question questions quick quickly quite rather ready real really reason
    receive received record refund repeat replace replacement reply right ridiculous road safe said same
    saturday say saying says script second security see send sending sent service several shall she ship
    shipped shipping shop should shouldn't show side since sir so some somebody someone something
    sometimes somewhere soon sorry speak speaking spell spelled spelling spoke spoken standard start
    started state statement stay still stop store street stuff such sunday supervisor supposed sure
    surname system table take taken talk talking tax team tell terrible than thank thanks that that's
    the their them then there there's these they they're thing things think third this those though
    thought three through thursday time times to today together told tomorrow tonight too took transfer
    tried trouble true try trying tuesday turn two type uh um under understand until up update upgrade
    upset us use used using very visa wait waiting want wanted wants warranty was washing wasn't way we
    we're website wednesday week weekend weeks well went were what what's when where where's which while
    who whole why will with without won't wonderful word work worked working works would wouldn't write
    wrong yeah year years yep yes yesterday yet you you're your yours zip unit suite floor building town
    village county gmail yahoo hotmail outlook com net org underscore dash capital lower upper case
    small big ma'am madam mister missus calm angry basic brilliant cheers lovely absolutely certainly
    definitely agree agreed alright anyway apparently basically currently especially finally honestly
    hopefully immediately literally obviously perhaps possibly probably seriously simply totally usually
    human robot representative manager operator department technical support sales return returned
    returning returns exchange discount subscription contract device phone's laptop router modem
    television kitchen fridge saving savings checking dollars dollar pounds pence euros cents percent seconds waited
    """
)
"""Words around a name: where one of these stands a name ends. Lower case."""

EVERYDAY = COMMON | words(
    "\n".join(
        line
        for line in (Path(__file__).parent / "everyday.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
)
"""Everyday words of people who call: an answer made of these holds no name. Lower case."""

CLAUSE = words(
    """
    i me my mine we our us you your they them their he him his she her i'm i've i'll i'd you're we're they're
    do does did don't doesn't didn't am is isn't are aren't was wasn't were be been being have haven't has
    hasn't had can can't cannot could couldn't will won't would wouldn't should shouldn't must might what
    what's why when where where's who how how's which whose not no never none want need like think know get
    got make made give take took tell told see say said let let's if because but than about with from into
    without after before until please there here this these those any some all want wants need needs
    trying try anything something
    """
)
"""What makes a sentence of words: pronouns, auxiliaries, question words. An answer is rarely a sentence."""

NAMES_TOO = words(
    """
    april banks bean best bill black booth branch bright case cook cross crystal day faith good grace green
    hill hope house joy june key king lane little long love mark may miles moon park price read rich rose
    short small snow sue swift watch weeks west white will wood woods young field fields stone bush rice page
    ball hunter mason carter cooper parker baker brown gray grey ray rob pat dale glen cliff frank art gene
    jack dawn bond penny ruby pearl amber autumn summer winter sky sandy dean earl duke prince chance drew
    guy lance pierce rusty wade ward
    """
)
"""Everyday words that are names as well: believed when a name was asked for."""

NEVER_A_NAME = words(
    """
    yes yeah yep no nope okay ok sure hello hi hey thanks thank please sorry what pardon hold wait moment second
    minute again repeat correct right wrong nothing none nobody
    """
)

BACK_CHANNELS = words(
    """
    mhm mm hmm uh huh um yes yeah yep ok okay right sure go ahead got it i see thanks thank you great
    perfect alright continue please carry on take your time no problem and listening still here i'm one
    moment of course
    """
)
"""An utterance made only of these neither asks nor states anything."""
