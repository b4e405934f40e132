"""Words of invented speech that tell nothing of anybody; where a model might learn them by heart, by split."""
# ruff: noqa: E501, SIM905 - lists of words read as words

from __future__ import annotations

from compliance.redaction.training.people import Split


def _by_split(train: str, dev: str, test: str) -> dict[Split, tuple[str, ...]]:
    def words(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(","))

    return {"train": words(train), "dev": words(dev), "test": words(test)}


STREETS = _by_split(
    "maple, oak, cedar, elm, pine, washington, park, main, lake, hill, sunset, river, church, station, victoria, high,"
    " mill, green, spring, walnut, north, west end, grange, manor, bridge end, canal, castle, cherry, chestnut, clarence",
    "ash, beech, london, lincoln, valley, market, queen anne, hawthorn, priory, railway",
    "birch, willow, jefferson, ridge, meadow, chapel, harbour, garfield, orchard, poplar, kings, queens, abbey, laurel",
)
TOWNS = _by_split(
    "leeds, bristol, austin, denver, portland, boston, glasgow, cardiff, oxford, reading, chicago, houston, phoenix,"
    " dallas, cork, galway, brighton, norwich, plymouth, exeter, tulsa, omaha, fresno, tampa, mesa, aurora, madison,"
    " swansea, dundee, luton, derby, hull, bath, york, lancaster, springfield, salem, fairview, clinton, georgetown,"
    " franklin, greenville, arlington, ashland, burlington, new york, los angeles, san diego, milton keynes, st albans,"
    " kings lynn, burton on trent, salt lake city, kansas city, el paso, baton rouge, santa fe, little rock, des moines",
    "nottingham, seattle, limerick, stockport, memphis, wakefield, sacramento, preston, boise, san jose, great yarmouth",
    "sheffield, atlanta, liverpool, tucson, waterford, ipswich, oakland, poole, raleigh, dover, spokane, telford,"
    " blackpool, colorado springs, bury st edmunds, san antonio, halifax, toledo, lincoln, crewe",
)
BRANDS = _by_split(
    "amazon, netflix, tesco, walmart, spotify, paypal, apple pay, google pay, uber, costco, target, visa, mastercard,"
    " american express, microsoft, samsung, british gas, verizon, comcast, ikea, argos, boots, nike, adidas, sony, dell,"
    " john lewis, marks and spencer, wendy's, macy's, kellogg's, disney, hilton, marriott, ryanair, delta, chase",
    "aldi, lidl, starbucks, philips, vodafone, wells fargo, calvin klein, sainsbury's, expedia, lego",
    "ebay, asda, bosch, airbnb, morrisons, ralph lauren, dyson, fedex, hermes, domino's, t mobile, barclays, etsy",
)
"""Some sound like people on purpose."""

VENUES = tuple(
    "kitchen grill cafe bar house garden tavern inn bistro diner pizzeria deli brasserie hotel school park stadium".split()
)
RELATIONS = tuple(
    part.strip()
    for part in """cousin, uncle, aunt, flatmate, landlord, colleague, assistant, neighbour, sister, grandmother, grandson,
    accountant, nephew, niece, stepson, fiance, fiancee, roommate, carer, secretary, mate, tenant, solicitor, partner, mum, dad,
    father, sister in law, co owner, business partner, client, dentist, teacher, trainer, supervisor, driver""".split(
        ","
    )
)
DEEDS = tuple(
    part.strip()
    for part in """paid for it, opened the account, is on holiday, lost the keys, has the same number, signed the form,
    called twice, will pick it up, wants to cancel, did not get the letter, is the account holder, booked it for us, moved out,
    needs a new password, owes me money, is coming tomorrow, can't log in, was charged too, made the complaint, has the receipt,
    took the message, is waiting outside, said it was free, sent it back, passed away, is not answering, gave me this number,
    ordered the wrong size, would like a refund, has to confirm, asked for a copy, forgot the code, never arrived""".split(
        ","
    )
)
THINGS = tuple(
    part.strip()
    for part in """the order, a refund, the invoice, my bill, the meeting, the contract, our trip, the delivery, a loan, the keys,
    the complaint, an appointment, the rent, the leak, the upgrade, the photos, the policy, dinner, the school run, the form, the
    new phone, a parcel, the flat, the car, the money""".split(",")
)
"""Of training alone: the other splits say theirs in their patterns."""
