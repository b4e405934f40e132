"""A retail support line, written by us: what callers say, after what the agent asked, and whether that takes a tool.

``{n}`` is a number read out, ``{item}``, ``{day}``, ``{letters}``, ``{plan}`` and ``{amount}`` are filled at random. A
whole line, not a filling of it, is held out for testing.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OPENERS = (
    "",
    "Hello, how can I help you?",
    "Thank you for calling. What can I do for you today?",
    "Is there anything else I can help you with?",
    "Hi, you are through to customer support. How may I help?",
    "I am sorry to hear that.",
)
ASKS_ORDER = (
    "What is your order number?",
    "Sure. Could you read me the order number please?",
    "May I have your order number?",
    "I can look that up. What is the number on your confirmation?",
)
ASKS_IDENTITY = (
    "Can I take your phone number?",
    "What is your customer number, please?",
    "Please tell me the last four digits of your card.",
    "What is the number on your card?",
    "And your postcode?",
)
ASKS_EMAIL = (
    "What is your new e-mail address?",
    "Could you spell the e-mail for me?",
    "Which address should I send it to?",
)
ASKS_TO_CONFIRM = (
    "Shall I go ahead with the refund?",
    "I will change the delivery to Monday. Is that correct?",
    "So the order number is 5 5 1 2. Is that right?",
    "Would you like me to place a new order?",
    "I have that as your new address. Is it correct?",
    "The total is forty pounds. Shall I take the payment now?",
    "Do you want me to cancel the order?",
)
SMALL_QUESTIONS = (
    "Are you still there?",
    "Is there anything else I can help you with?",
    "Does that answer your question?",
    "Can you hear me?",
    "Would you like to hear about our opening hours?",
    "Is that all for today?",
    "I am putting you through to a colleague. Is that okay?",
    "This may take a few minutes. Can you wait?",
    "Shall I explain the plans?",
)
TELLS = (
    "We are open from nine to six on weekdays.",
    "The premium plan costs ten pounds more a month and includes installation.",
    "I have updated that for you.",
    "Your refund is on its way and should arrive in five days.",
    "Let me explain how our delivery works.",
)

_REQUESTS = (
    "where is my {item}",
    "i want to check on an order i placed last week",
    "can you tell me where my parcel is",
    "track my order please",
    "my {item} has not arrived yet can you look it up",
    "i am ringing about order {n}",
    "has my {item} been shipped",
    "when will my {item} be delivered",
    "could you look up order number {n} for me",
    "i would like a refund for the {item}",
    "i want my money back for a {item} i sent back",
    "you took the payment twice please give me one back",
    "refund me now",
    "the {item} came broken i want to return it",
    "please cancel my order",
    "can i cancel the {item} i ordered on {day}",
    "i have moved and need to change my address",
    "please send it to a different address",
    "change the delivery to {day} please",
    "is it possible to deliver on {day} instead",
    "move my delivery date",
    "my email has changed can you update it",
    "i would like to change the email on my account",
    "update my phone number please",
    "i need to pay an invoice",
    "can i pay {amount} off my balance with a card",
    "i would like to pay what i owe",
    "how much do i owe on my account",
    "what is the balance on my account",
    "send me a replacement {item}",
    "please resend the {item} i never got it",
    "book an engineer for {day}",
    "can you see if the line at my house has a fault",
    "test my broadband please it keeps dropping",
    "reset my password please",
    "call me back on {day} afternoon",
    "add a {item} to my order",
    "upgrade me to the {plan} plan",
    "switch my account to {plan}",
    "stop my subscription",
    "i was charged {amount} and i do not know what for",
    "what did you charge me {amount} for on {day}",
    "my card was charged but there is no order",
    "did my payment go through",
    "where is it now",
    "i just want to know where my {item} is right now",
    "when am i going to get it",
    "and when do i get it",
    "find out why it never came",
    "i returned it a month ago and still have no money",
    "check my line please",
    "my internet is not working can you check it",
    "send another {item} please and ring me on {day}",
    "what is happening with my claim",
    "you billed me twice",
    "money was taken from my account two times",
    "i paid two times for one {item}",
    "give me back the money you took",
    "tell me the status of order {n}",
)
_NUMBER_ANSWERS = (
    "{n}",
    "its {n}",
    "the number is {n}",
    "yes it is {n}",
    "sure {n}",
    "hold on it says {n}",
    "i think its {n}",
    "my number is {n}",
    "no sorry it was {n}",
)
_EMAIL_ANSWERS = (
    "{letters} at example dot com",
    "its {letters} at mail dot com",
    "{letters} dot {letters} at example dot org",
    "no {letters} with a k",
    "let me spell it {letters}",
    "b as in bravo t as in tango s as in sierra",
    "no it is d as in delta then o as in oscar",
    "thats p for papa {letters}",
)
_YES_ANSWERS = (
    "yes",
    "yes please",
    "yeah go ahead",
    "thats correct",
    "yes exactly",
    "right please do that",
    "correct",
    "sure do it",
    "okay yes that is fine",
    "yep thats the one",
    "yes that is fine thank you",
    "yes correct thanks",
    "yes that is right thank you",
)
_OTHER_ORDERS = (
    "no make it {day}",
    "no use the other card",
    "no its the wrong address change it",
    "actually make that {day}",
)
_QUESTIONS = (
    "when do you open on {day}",
    "how late are you open",
    "are you open on bank holidays",
    "where is your nearest shop",
    "do you have a shop in town",
    "what is your return policy",
    "how long do i have to send something back",
    "how does the guarantee work",
    "which plan is better {plan} or standard",
    "compare {plan} and basic for me",
    "whats included in the {plan} plan",
    "what does the {plan} plan cost a month",
    "please explain how the {plan} plan differs from the small one",
    "what is the difference in price",
    "explain the plans to me",
    "can you explain how {plan} and basic differ",
    "can you explain what i get with {plan}",
    "could you explain the returns policy to me",
    "can you tell me the difference between two plans",
    "what are your opening hours",
    "hi what time are you open on {day}",
    "what hours are you open at the weekend",
    "can you explain what {plan} means",
    "all i want is the monthly price",
    "just tell me the price",
    "what are the differences between your plans",
    "is {plan} different from standard",
    "which of the two plans would you recommend",
    "tell me more about {plan}",
    "how much is it per month",
    "tell me about the price of the {plan} plan",
    "how long does delivery normally take",
    "do you deliver abroad",
    "which cards do you accept",
    "can i pay in instalments",
    "is the {item} waterproof",
    "what sizes does the {item} come in",
    "do you sell a {item}",
    "what does that mean",
    "why is that",
    "how does that work",
    "can you say that again",
    "could you speak a bit slower please",
)
_TALK = (
    "hello",
    "hi there",
    "good morning",
    "hey how are you",
    "thanks",
    "thank you very much",
    "thank you so much for your help",
    "great thanks bye",
    "bye",
    "goodbye",
    "have a nice day",
    "okay thanks bye bye",
    "cheers thats everything",
    "no thats all thank you",
    "no nothing else",
    "are you a robot",
    "who am i talking to",
    "is anybody there",
    "hello can you hear me",
    "i am here",
    "one moment please",
    "hang on a minute",
    "let me get a pen",
    "let me find it",
    "stop stop wait",
    "wait a second please",
    "hold on",
    "no hang on i asked something else",
    "thats enough thank you",
    "thanks for sorting it out",
    "thank you for your help with that",
    "sorry the connection is bad",
    "stop talking please",
    "please wait",
    "no that is not what i meant",
    "i see",
    "okay",
    "all right",
    "hm",
)
_COMPLAINTS = (
    "your service is terrible",
    "this is a joke",
    "i am really unhappy with you",
    "nobody ever listens",
    "i have been waiting on this line for an hour",
    "why do you always say the same",
    "i have told you that before",
    "that is the worst company i know",
    "i am so tired of this",
    "you people are useless",
    "it takes you forever",
    "you never pick up the phone",
    "i have called you four times now",
    "i am not going to wait again",
    "i do not care about your rules",
    "do you even listen to what i say",
    "why does it always take so long to get through",
    "what bad service",
    "i have never been treated like this",
    "this is awful",
    "worst support ever",
    "this is unacceptable",
    "are you kidding me",
    "i am fed up",
    "you do not understand me at all",
)
_HUMAN = (
    "i want to speak to a human",
    "give me a person",
    "let me talk to somebody real",
    "put me through to the manager",
    "can i speak to an operator",
    "i do not want to talk to a computer",
    "connect me to a colleague please",
    "representative",
    "transfer me to a real person",
    "transfer me to somebody who can help",
    "i want your boss",
    "get me a manager",
    "supervisor please",
    "let me speak with an agent",
    "an agent please",
    "just put me through to an agent",
    "please just transfer me",
    "transfer me to one of your agents please",
    "can you transfer this call to a person",
)
_AGREES_TO_TALK = (
    "yes",
    "yes i am",
    "yeah",
    "yes thank you",
    "yes i can hear you",
    "no",
    "no thanks",
    "no that was it",
    "yes i can wait",
    "sure i will hold",
)

# (agent lines, user lines, needs a tool)
GROUPS: tuple[tuple[tuple[str, ...], tuple[str, ...], bool], ...] = (
    (OPENERS + TELLS, _REQUESTS, True),
    (ASKS_ORDER + ASKS_IDENTITY, _NUMBER_ANSWERS, True),
    (ASKS_EMAIL, _EMAIL_ANSWERS, True),
    (ASKS_TO_CONFIRM, _YES_ANSWERS, True),
    (ASKS_TO_CONFIRM, _OTHER_ORDERS, True),
    (OPENERS + TELLS, _QUESTIONS, False),
    (OPENERS + TELLS + SMALL_QUESTIONS, _TALK, False),
    (OPENERS + TELLS + ASKS_ORDER, _COMPLAINTS, False),
    (OPENERS + TELLS + ASKS_ORDER, _HUMAN, False),
    (SMALL_QUESTIONS, _AGREES_TO_TALK, False),
    (
        ASKS_ORDER + ASKS_EMAIL + ASKS_IDENTITY,
        ("one moment", "let me look", "i do not have it", "why do you need that"),
        False,
    ),
)

_DIGITS = "zero one two three four five six seven eight nine oh".split()
_FILLINGS = {
    "item": "fridge|phone|kettle|jacket|laptop|dishwasher|pair of shoes|television|router|lamp".split("|"),
    "day": "monday tuesday wednesday thursday friday saturday sunday tomorrow".split(),
    "plan": "premium family gold business".split(),
    "amount": "ten pounds|fifty euros|twenty nine dollars|a hundred pounds|30 pounds".split("|"),
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One made-up turn. ``line`` is the template it was made from."""

    user: str
    agent: str
    needs_tool: bool
    line: str


def make(copies: int, seed: int) -> list[Phrase]:
    """Every user line ``copies`` times, with random fillings and agent lines of its group."""
    rng = np.random.default_rng(seed)
    made = []
    for agents, lines, needs_tool in GROUPS:
        for line in lines:
            made += [
                Phrase(_filled(line, rng), agents[rng.integers(len(agents))], needs_tool, line)
                for _ in range(copies)
            ]
    return made


def _filled(line: str, rng: np.random.Generator) -> str:
    def pick(choices: list[str]) -> str:
        return choices[rng.integers(len(choices))]

    while "{n}" in line:
        length = int(rng.integers(3, 12))
        spoken = " ".join(pick(_DIGITS) for _ in range(length))
        line = line.replace("{n}", spoken, 1)
    while "{letters}" in line:
        line = line.replace("{letters}", " ".join(pick(list("bcdefghjklmnoprstw")) for _ in range(5)), 1)
    for name, choices in _FILLINGS.items():
        line = line.replace(f"{{{name}}}", pick(choices))
    return line
