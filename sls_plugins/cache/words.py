"""Lists the words that guards look for, as plain texts."""

from __future__ import annotations

__all__ = [
    "CALENDAR",
    "LANGUAGES",
    "MANNERS",
    "NEGATIONS",
    "NUMBERS",
    "OPPOSITES",
    "PLACES",
    "QUESTIONS",
    "SCALES",
    "UNITS",
]

NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve
once twice first second third half double hundred thousand million billion
"""

CALENDAR = """
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
spring summer autumn winter morning noon afternoon evening midnight
today tomorrow yesterday hourly daily weekly monthly yearly annually
"""

NEGATIONS = """
not no never none nothing nobody neither nor without except excluding exclude cannot non
unable fail fails failed impossible lacks lacking isnt dont doesnt cant wont
"""

QUESTIONS = """
what which who whom whose when where why how
"""

LANGUAGES = """
english french german spanish italian portuguese dutch polish czech slovak hungarian romanian greek
russian ukrainian bulgarian serbian croatian swedish norwegian danish finnish estonian latvian
lithuanian turkish arabic hebrew persian hindi bengali urdu tamil telugu chinese mandarin cantonese
japanese korean vietnamese thai indonesian malay swahili latin esperanto welsh irish catalan basque
python java javascript typescript kotlin scala haskell php perl ruby fortran cobol matlab julia sql
"""
"""Languages, of people and of programs, that mean nothing else in lower case."""

SCALES = """
celsius fahrenheit kelvin dollars euros pounds yen rupees francs metres meters miles kilometres
kilometers inches feet yards grams kilograms ounces litres liters gallons
"""
"""Units that are spelt out, also where no number stands before them."""

PLACES = """
africa america asia europe australia austria belgium brazil britain canada denmark egypt england
finland france germany greece hungary iceland india indonesia iran iraq ireland israel italy japan
kenya korea malaysia mexico morocco netherlands nigeria norway pakistan poland portugal romania
russia scotland singapore spain sweden switzerland taiwan thailand ukraine vietnam wales
amsterdam athens bangkok barcelona beijing berlin boston brussels budapest cairo chicago copenhagen
delhi dublin edinburgh frankfurt geneva hamburg helsinki istanbul jakarta lagos lisbon london madrid
manchester melbourne miami milan montreal moscow mumbai munich nairobi oslo paris prague rome
seattle seoul shanghai stockholm sydney tokyo toronto vancouver vienna warsaw zurich california
texas florida
"""
"""Places that mean nothing else in lower case."""

MANNERS = """
please thanks thank you hi hello hey could can would will me i kindly
"""
"""Words that may stand anywhere without changing the question."""

UNITS = (
    r"%|°[cf]?|[kmgtp]i?b|[kmgt]?bytes?|[munp]?s|ms|secs?|seconds?|mins?|minutes?|hours?|hrs?|h|d|"
    r"days?|weeks?|months?|years?|[kcm]?m|km|miles?|feet|ft|inch(?:es)?|[km]?g|lbs?|oz|[ml]?l|"
    r"usd|eur|gbp|dollars?|euros?|pounds?|am|pm|px|bits?"
)
"""A regular expression for what may stand behind a number."""

OPPOSITES = """
on off, enable disable, mute unmute, enabled disabled, enabling disabling,
activate deactivate, start stop,
starting stopping, started stopped, open close, opened closed, open closed, add remove,
adding removing, add delete, create delete, creating deleting, insert delete,
install uninstall, installed uninstalled, increase decrease, increasing decreasing,
raise lower, max min, maximum minimum, most least, more less, more fewer, higher lower,
highest lowest, high low, largest smallest, larger smaller, bigger smaller, big small,
longer shorter, before after, above below, over under, up down, upload download,
uploading downloading, upgrade downgrade, in out, into from, to from, import export,
input output, first last, oldest newest, older newer, old new, allow deny, allowed denied,
allow block, accept reject, accepted rejected, true false, yes no, success failure,
succeeded failed, buy sell, buying selling, send receive, sending receiving, sent received,
lock unlock, locked unlocked, encrypt decrypt, encode decode, compress decompress, push pull,
connect disconnect, connected disconnected, subscribe unsubscribe, mount unmount, show hide,
visible hidden, include exclude, including excluding, with without, positive negative,
positives negatives, pros cons, advantages disadvantages, benefits risks, legal illegal,
safe unsafe, possible impossible, good bad, best worst, better worse, left right, top bottom,
win lose, won lost, hot cold, summer winter, morning evening, male female, men women,
ascending descending, public private, internal external, inside outside, online offline,
synchronous asynchronous, sync async, deposit withdraw, deposit withdrawal, credit debit,
login logout, read write, encryption decryption, acquire release, lend borrow, hire fire,
arrive depart, arrival departure, attach detach, freeze unfreeze, any all, always never
"""
"""Pairs of opposites, divided by commas; a word may stand in several."""
