"""What callers of a help line say, from templates: training text for the language model.

Written without the shipped callers' lines, but for the shortest, such as "thank you bye" (a test compares).
Word lists are the domain's vocabulary.
"""

from __future__ import annotations

import random
import re

_LISTS = {
    "digit": "zero|oh|one|two|three|four|five|six|seven|eight|nine",
    "letter": "a.|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z",
    "number": "two|three|four|five|six|seven|eight|ten|twelve|fifteen|twenty|thirty|forty|fifty",
    "period": "minutes|hours|days|weeks|months",
    "thing": "order|parcel|package|delivery|invoice|bill|refund|subscription|account|card|payment|router|phone"
    "|laptop|tablet|jacket|charger|printer|dishwasher|washing machine|coffee machine|internet connection"
    "|booking|ticket|contract|replacement|headset|shoes",
    "trouble": "is late|is broken|is missing|is wrong|is blocked|was lost|was cancelled|was damaged|never came"
    "|never arrived|has not arrived|does not work|stopped working|keeps crashing|is leaking|got locked",
    "day": "monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|yesterday",
    "daytime": "morning|afternoon|evening",
    "month": "january|february|march|april|may|june|july|august|september|october|november|december",
    "first": "james|mary|robert|linda|michael|susan|david|karen|mark|laura|peter|emma|paul|julia|john|anna",
    "last": "taylor|brown|wilson|walker|young|baker|carter|green|harris|martin|cooper|morgan|smith|parker",
    "mail": "gmail|yahoo|hotmail|outlook|example",
    "street": "maple|oak|main|park|church|mill|station|river",
    "colour": "red|green|blue|black|white|orange",
    "plan": "basic|premium|family|business|student",
    "person": "human|person|real person|manager|supervisor|agent|representative|colleague|human being",
    "spoken": "a. as in alpha|b as in bravo|c as in charlie|d as in delta|e as in echo|f as in foxtrot"
    "|g as in golf|h as in hotel|i as in india|j as in juliet|k as in kilo|l as in lima|m as in mike"
    "|n as in november|o as in oscar|p as in papa|q as in quebec|r as in romeo|s as in sierra|t as in tango"
    "|u as in uniform|v as in victor|w as in whiskey|y as in yankee|z as in zulu",
}
_LISTS["digits"] = "<digit> <digit>|<digit> <digit> <digit>|<digit> <digit> <digit> <digit>"
_LISTS["letters"] = "<letter> <letter>|<letter> <letter> <letter>|<letter> <letter> <letter> <letter>"
_LISTS["please"] = "please||||"
_LISTS["hello"] = "hello|hi|good morning|good evening|hi there|hello there|||"
_LISTS["my"] = "my|the|this|our"

_TEMPLATES = """
<hello> i am calling about <my> <thing>
<hello> i'm calling because my <thing> <trouble>
<hello> i have a question about <my> <thing>
<hello> there is a problem with <my> <thing>
<hello> i'd like to ask about <my> <thing>
<hello> i would like to know when my <thing> will arrive
my <thing> <trouble>
the <colour> <thing> <trouble> and i need a new one
i think <my> <thing> <trouble>
where is my <thing>
can you tell me where my <thing> is
can you check <my> <thing> <please>
could you look up my <thing> <please>
i want to check the status of my <thing>
the order number is <digits> <digits>
my order number is <digits> <digits>
order number <digits> <digits>
it is <digits> <digits>
the number is <digits> <digits>
<digits> <digits>
<digits> <digits> <digits>
my card number is <digits> <digits> <digits> <digits>
the card ends in <digits>
it expires in <month> twenty <digit>
the security code is <digit> <digit> <digit>
i'd like to pay the <thing> with my card
can i pay with my card
my phone number is <digits> <digits> <digits>
you can reach me on <digits> <digits> <digits>
please call me back on <digits> <digits>
call me back <day> <daytime>
my name is <first> <last>
this is <first> <last>
the account is in the name of <first> <last>
my email address is <letters> <letters> at <mail> dot com
my email is <first> dot <last> at <mail> dot com
it is <letters> dot <letters> <letters> at <mail> dot com
<letters> <letters> dot <letters> at <mail> dot com
<letters> <letters> at <mail> dot com
at <mail> dot com
that is spelled <letters> <letters>
no it is <spoken> <spoken> <spoken>
<spoken>
<spoken> <spoken> <spoken> <spoken>
i need to change my email address
i need to change my phone number
i moved and need to update my address
my new address is <digits> <street> street
i live at <number> <street> road
the zip code is <digits> <digit>
the post code is <letters> <digits>
can you change the delivery to <day> <daytime>
can you move the delivery date to next <day>
please deliver it on <day> <daytime>
it was supposed to come on <day>
it was supposed to arrive on <day> <daytime>
it should have been here last <day>
the driver never came on <day>
the driver left it in front of the door
i stayed home on <day> and nobody came
i ordered a <colour> <thing> <number> <period> ago
i ordered the <thing> <number> <period> ago and it <trouble>
i sent it back <number> <period> ago
it was returned <number> <period> ago
the website says that it was delivered
your website says it has been delivered but it is not here
i have asked the neighbours and nobody has it
and then nobody called me back
somebody told me that it would come on <day>
i was told it would be here on <day>
when will i get it
so when will i get my money
please send me a new one
can you send someone <day> <daytime>
how much does the <plan> plan cost
what is the price of the <plan> plan per month
can you explain the <plan> plan to me
what is the difference between <plan> and <plan>
i only want to know what it costs
what are your opening hours on <day>
are you open on <day>
when do you open on <day>
when do you close on <day> <daytime>
i cannot log in to my account
i forgot my password
could somebody check <my> <thing>
please cancel my <thing>
i want to cancel <my> <thing>
i want to return the <thing>
i want a refund for <my> <thing>
i want my money back
give me my money back right now
you charged me <number> times for one <thing>
i was charged twice for this <thing>
you took the money twice from my card
i have been waiting for <number> <period>
i am still waiting for <my> <thing>
this is the second time that i call
this is the fourth time i call about this
i have called <number> times and nobody helps me
why does nobody call me back
why does nobody answer
nobody in your company knows anything
this is unacceptable
this is ridiculous
this is a joke
i am sick and tired of this
i don't care about your rules
i don't care what your system says
you are not helping me
you are not listening
are you listening to me
stop reading from a script
stop saying that
you say the same thing again and again
i already told you that
i already told you <number> times
no that is not what i said
that is not what i want
no i will not do that
i will not wait
i cannot wait any longer
hold on
hold on a second
wait a minute
wait wait
stop stop
let me speak to a <person> <please>
get me a <person>
get me your <person> now
can i speak to a <person> <please>
can i talk to a <person> <please>
i want to talk to a <person>
i don't want to talk to a computer
transfer me to a <person> <please>
just put me through to a <person>
are you there
are you still there
i am still here
hello can you hear me
sorry the line is very bad
sorry i cannot hear you
sorry can you say that again
sorry what did you say
yes
yes please
yes that is right
yes that's right
yes that's correct
yes i can wait
yes that is fine
that is correct
no
no thank you
no that is wrong
no that's not right
okay
okay thank you
okay please do that
okay thank you very much
okay thank you for your help
thank you
thank you bye
thank you goodbye
thanks
thanks a lot
thanks that is all
thank you that is all
great thank you
great thanks bye
that is all i need
that is enough
goodbye
bye
bye bye
hello
good morning
"""

_SLOT = re.compile(r"<(\w+)>")


def support_sentences(*, rounds: int = 100, seed: int = 1) -> list[tuple[str, ...]]:
    """Every template filled ``rounds`` times; the same sentences for the same ``seed``."""
    rng = random.Random(seed)
    templates = _TEMPLATES.strip().splitlines()
    return [tuple(_filled(template, rng).split()) for _ in range(rounds) for template in templates]


def _filled(text: str, rng: random.Random) -> str:
    while _SLOT.search(text):
        text = _SLOT.sub(lambda slot: rng.choice(_LISTS[slot[1]].split("|")), text)
    return text
